"""Looking for what must not be written down: the keys of the suite, and signatures of links outside the history."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

CANARY_KEYS = (b"canary-of-the-suite-0123", b"no-real-key-of-anybody", b"canary-in-the-environment")
"""Every key that the app and the command line are given by a test."""

SIGNATURE_PATTERN = re.compile(rb"Signature(?:=|%3D|\\u003d)[0-9a-f]{64}")
"""The signature of the sandbox's links."""

HISTORY_FILE_PATTERN = re.compile(r"history(\.previous)?\.(json|journal)(\.new)?|history.*damaged.*")
KEY_FILE_NAMES = ("key", "spy.sh", "config.toml")
"""Names of files that are there to hold a key: what `login` keeps, and what tests give to `api_key_command`."""

MAX_SCANNED_BYTES = 20_000_000


def find_leaks(root: Path, *, keys: Iterable[bytes] = CANARY_KEYS, allowed: Iterable[str] = ()) -> Iterator[str]:
    """Yield what of a tree of files holds a key, or a signature outside a private history.

    `allowed` are names of files that are there to hold a key.
    """
    for path in sorted(root.rglob("*")):
        facts = path.lstat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_SCANNED_BYTES or path.name in allowed:
            continue
        data = path.read_bytes()
        yield from (f"{path}: the key {key.decode()}" for key in keys if key in data)
        private = HISTORY_FILE_PATTERN.fullmatch(path.name) and not facts.st_mode & 0o077
        if not private and SIGNATURE_PATTERN.search(data):
            yield f"{path}: the signature of a link"
