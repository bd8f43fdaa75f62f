"""Looking for what must not be written down: the keys of the suite, and signatures of links outside the history."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

KEYS = (b"canary-of-the-suite-0123", b"no-real-key-of-anybody", b"canary-in-the-environment")
"""Every key that the app and the command line are given by a test."""

SIGNATURE = re.compile(rb"Signature(?:=|%3D|\\u003d)[0-9a-f]{64}")
"""The signature of the sandbox's links."""

HISTORY = re.compile(r"history(\.previous)?\.(json|journal)(\.new)?|history.*damaged.*")
HOLDERS = ("key", "spy.sh", "config.toml")
"""Names of files that are there to hold a key: what `login` keeps, and what tests give to `api_key_command`."""

LARGEST = 20_000_000


def leaks(root: Path, *, keys: Iterable[bytes] = KEYS, allowed: Iterable[str] = ()) -> Iterator[str]:
    """Yield what of a tree of files holds a key, or a signature outside a private history.

    `allowed` are names of files that are there to hold a key.
    """
    for path in sorted(root.rglob("*")):
        facts = path.lstat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > LARGEST or path.name in allowed:
            continue
        data = path.read_bytes()
        yield from (f"{path}: the key {key.decode()}" for key in keys if key in data)
        private = HISTORY.fullmatch(path.name) and not facts.st_mode & 0o077
        if not private and SIGNATURE.search(data):
            yield f"{path}: the signature of a link"
