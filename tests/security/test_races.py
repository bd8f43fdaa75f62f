"""A process that swaps names for links while copies are made: nothing of its choosing is written to, or read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eternal_tui.jobs.copies import copy_to

SWAP_COUNT = 300
SWAP_SCRIPT = """
import os, sys
name, victim = sys.argv[1:]
sys.stdout.write("ready\\n")
sys.stdout.flush()
while True:
    for make in (lambda: os.symlink(victim, name + ".link"), lambda: os.link(sys.argv[0], name + ".link")):
        try:
            make()
            os.replace(name + ".link", name)
            os.unlink(name)
        except OSError:
            pass
"""


@contextmanager
def swap_with_links(name: Path, victim: Path) -> Iterator[None]:
    """Have a process put a link to the victim under this name, and something else, and nothing, over and over."""
    script = name.parent / "swap.py"
    script.write_text(SWAP_SCRIPT)
    command = [sys.executable, str(script), str(name), str(victim)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


def test_a_copy_is_written_through_no_link_however_it_is_raced(tmp_path: Path) -> None:
    source, victim, target = tmp_path / "1.jpg", tmp_path / "victim", tmp_path / "copy.jpg"
    source.write_bytes(b"result" * 100)
    victim.write_bytes(b"untouched")
    with swap_with_links(target, victim):
        for _ in range(SWAP_COUNT):
            saved = copy_to(source, target)
            if saved != target:
                assert saved.read_bytes() == source.read_bytes()
                saved.unlink()
    assert victim.read_bytes() == b"untouched"


def test_no_link_is_read_in_place_of_a_result_however_it_is_raced(tmp_path: Path) -> None:
    result, secret = tmp_path / "1.jpg", tmp_path / "secret"
    secret.write_bytes(b"secret")
    copied = refused = 0
    with swap_with_links(result, secret):
        for number in range(SWAP_COUNT):
            try:
                saved = copy_to(result, tmp_path / f"copy-{number}.jpg")
            except OSError:
                refused += 1
                continue
            copied += 1
            assert b"secret" not in saved.read_bytes()
            saved.unlink()
    assert copied + refused == SWAP_COUNT
    assert refused > 0
