"""API keys: a value that is never printed by accident, and its fingerprint in the ledger."""

from __future__ import annotations

import binascii
import os
import re
from _operator import _compare_digest as compare_digest
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, final

from eternal_tui.core.files import create_private, make_private_dir


@final
class Secret:
    """A value that never shows itself by accident: only `reveal` gives it away."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value. Call it only where the key is sent, and store it in no variable."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self._value.encode(), other._value.encode())

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not written down")


def hide(text: str, secret: Secret, replacement: str) -> str:
    """Return `text` with `replacement` for the secret: in any case, escaped as in JSON, URLs or HTML, base64 or hex."""
    value = secret.reveal()
    if value.casefold() in text.casefold() or re.search(r"[\\%&]", text):
        text = re.sub(_any_spelling(value), lambda _: replacement, text)
    return re.sub(_any_encoding(value), lambda _: replacement, text)


def _any_encoding(value: str) -> str:
    """Return a pattern for `value` in hexadecimal, and in base64 at any place inside a longer text."""
    data = value.encode()
    patterns = [f"(?i:{data.hex()})"]
    for offset in range(3):
        # The characters between those that a neighbouring byte has a part in.
        core = binascii.b2a_base64(bytes(offset) + data)[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6].decode()
        patterns.append(re.sub(r"[+/]", lambda match: _BASE64_SIGNS[match[0]], core))
    return f"[A-Za-z0-9+/_-]{{0,2}}(?:{'|'.join(patterns)})[A-Za-z0-9+/_-]{{0,2}}(?:=|%3[Dd]){{0,2}}"


_BASE64_SIGNS = {"+": r"(?:[+-]|%2[Bb])", "/": r"(?:\\?/|_|%2[Ff])"}


def _any_spelling(value: str) -> str:
    """Return a pattern for `value` in which each character may be escaped on its own, also several times over."""
    # Possessive, so that rows of backslashes cost linear time.
    spelled = ["(?i)"]
    for run in re.findall(r"\\+|[^\\]", value):
        if run[0] == "\\":
            escaped = r"\\{1,8}+[ux]0{0,2}5c|%(?:25){0,3}5c|&(?:amp;){0,3}#(?:x0{0,6}5c|0{0,6}92);?"
            spelled.append(rf"(?:(?:{escaped}){{{len(run)}}}|\\{{{len(run)},}}+)")
            continue
        code = ord(run)
        spelled.append(
            rf"(?:\\{{0,8}}+(?:{re.escape(run)}|u{code:04x}|x{code:02x})|%(?:25){{0,3}}{code:02x}"
            rf"|&(?:amp;){{0,3}}#(?:x0{{0,6}}{code:x}|0{{0,6}}{code});?{_ENTITIES.get(run, '')})"
        )
    return "".join(spelled)


_ENTITIES = {"&": "|&amp;", "<": "|&lt;", ">": "|&gt;", '"': "|&quot;", "'": "|&apos;", "/": "|&sol;", "+": "|&plus;"}


SALT_BYTES = 16
FINGERPRINT_BYTES = 6


def account_fingerprint(key: Secret, base_url: str, salt_path: Path) -> str:
    """Return twelve hex digits for the key at this address; raise OSError where the salt cannot be stored.

    The salt is random and stays in the data folder: elsewhere a fingerprint reveals nothing. The address is part of
    it because two services on one machine may accept the same key.
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
