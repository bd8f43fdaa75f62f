"""Account fingerprints: charges are kept by account, and a key is never written down."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from eternal_tui.core.files import create_private, make_private_dir
from eternal_tui.core.secret import Secret

SALT_BYTES = 16
FINGERPRINT_BYTES = 6


def account_fingerprint(key: Secret, base_url: str, salt_path: Path) -> str:
    """Return twelve hex digits that stand for the key at this address; raise OSError where the salt cannot be kept.

    The salt is random and stays in the data folder, so that a fingerprint says nothing elsewhere. The address is part
    of it: two services on one machine may take the same key.
    """
    import hashlib

    salt = _read_or_create_salt(salt_path)
    text = f"{base_url}\n{key.reveal()}".encode()
    return hashlib.blake2b(text, key=salt, digest_size=FINGERPRINT_BYTES).hexdigest()


def _read_or_create_salt(path: Path) -> bytes:
    with suppress(FileNotFoundError):
        if len(salt := path.read_bytes()) == SALT_BYTES:
            return salt
        path.unlink()
    make_private_dir(path.parent)
    new = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = create_private(new)
    try:
        os.write(handle, os.urandom(SALT_BYTES))
        os.fsync(handle)
        # A link does not replace: of several processes that start at once, all use the salt of the first.
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        os.close(handle)
        new.unlink()
    return path.read_bytes()
