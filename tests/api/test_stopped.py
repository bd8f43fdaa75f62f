"""A client that is stopped (SIGSTOP) while its paid request is in flight."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

CLIENT = """
import asyncio, sys
from eternal_tui.api.client import ApiClient, Timeouts
from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.secret import Secret

async def main():
    limits = Timeouts(deadline_post=0.6, read_post=0.6)
    client = ApiClient(sys.argv[1], Secret("test-key-0123"), timeouts=limits)
    answer = await client.submit(GenerateRequest(character="6870", prompt="At sea", type="image"))
    print(answer.request_id)
    await client.close()

asyncio.run(main())
"""


def test_a_response_that_came_while_stopped_is_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        client = subprocess.Popen([sys.executable, "-c", CLIENT, url], stdout=subprocess.PIPE, text=True)
        try:
            connection, _ = server.accept()
            with connection:
                request = b""
                while b'"image"' not in request:
                    request += connection.recv(65_536)
                client.send_signal(signal.SIGSTOP)
                os.waitpid(client.pid, os.WUNTRACED)
                body = b'{"request_id": "r-1", "status": "pending"}'
                head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                connection.sendall(head % len(body) + body)
                # The only event to wait for is the passing of the client's own limit.
                threading.Event().wait(1.5)
                client.send_signal(signal.SIGCONT)
                out, _ = client.communicate(timeout=30)
            assert (out.strip(), client.returncode) == ("r-1", 0)
        finally:
            client.kill()
            client.wait()
