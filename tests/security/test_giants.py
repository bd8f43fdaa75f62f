# ruff: noqa: E501  # a table of strange bodies reads best in dense rows
"""The largest responses: read in little time and memory, or refused."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.cli.program import ROOT

READ_SCRIPT = """
import json, resource, sys, time
from eternal_tui.api import errors, parsing
from eternal_tui.api.errors import error_from_response
from eternal_tui.api.client import MAX_BODY_BYTES

def fill(head, piece, tail):
    return head + piece * ((MAX_BODY_BYTES - len(head) - len(tail)) // len(piece)) + tail

good = b'{"request_id":"x","status":"pending","data":{},'
keys = good + b",".join(b'"%x":1' % number for number in range(MAX_BODY_BYTES // 10)) + b"}"
bodies = {
    "deep lists": b"[" * (MAX_BODY_BYTES // 2) + b"]" * (MAX_BODY_BYTES // 2),
    "deep objects": b'{"data":' * (MAX_BODY_BYTES // 9) + b"1" + b"}" * (MAX_BODY_BYTES // 9),
    "numbers": fill(good + b'"timeline":[', b"1,", b"1]}"), "lists": fill(good + b'"timeline":[', b"[],", b"1]}"),
    "objects": fill(good + b'"result":[', b"{},", b"1]}"), "characters": fill(b'{"result":[', b'{"id":1},', b'{"id":2}]}'),
    "keys": keys, "one key": fill(good + b'"', b"k", b'":1}'), "one word": fill(good + b'"status":"', b"\\\\u001b", b'"}'),
    "errors": fill(good + b'"errors":[', b'{"error":"e"},', b'"e"]}'), "digits": fill(good + b'"progress":', b"9", b"}"),
    "halves": fill(good + b'"error":"', b"\\\\ud800", b'"}'), "markup": fill(b"<html>", b"<a href=x>b &amp; ", b""),
    "open tags": fill(b"<html>", b"<", b""), "no text": b"\\xff" * MAX_BODY_BYTES,
}
kinds = (parsing.parse_submit, parsing.parse_poll, parsing.parse_characters, parsing.parse_create_character)
resource.setrlimit(resource.RLIMIT_AS, (400_000_000, 400_000_000))
took = {}
for name, body in bodies.items():
    assert MAX_BODY_BYTES * 0.9 < len(body) <= MAX_BODY_BYTES, name
    for read in kinds:
        before = time.process_time()
        try:
            read(body)
        except errors.ApiError:
            pass
        took[f"{name}, {read.__name__}"] = time.process_time() - before
    error_from_response(500, {}, body)
# Not ru_maxrss: that begins with what the parent had.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([took, int(peak.split()[1]) / 1024]))
"""


def test_the_largest_answers_hold_up_nobody_and_fit_into_little_memory() -> None:
    """Fifteen shapes of the largest body that is read, by each of the four readers, within 400 MB of addresses.

    Measured at 1 MB: at most 0.2 s, and 100 MB in all, of which 45 are the program.
    """
    ran = subprocess.run(
        [sys.executable, "-c", READ_SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True, timeout=100
    )
    took, megabytes = json.loads(ran.stdout)
    assert len(took) == 60
    assert {name: seconds for name, seconds in took.items() if seconds > 0.4} == {}
    assert megabytes < 160
