"""Undoing a body's content coding in bounded steps, so that a few kilobytes cannot fill the memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

MAX_STEP_BYTES = 1024 * 1024
"""Bytes unpacked at a time."""


class BodyTooLarge(Exception):
    """An answer longer than any real one."""


class UnknownContentEncoding(Exception):
    """An answer in a compression that was not asked for and is not known."""


class BoundedDecompressor:
    """Undoes the content coding of one body, of at most `limit` bytes before and after.

    Raises BodyTooLarge beyond it, UnknownContentEncoding for another coding than gzip and deflate, and zlib.error.
    """

    def __init__(self, coding: str, limit: int) -> None:
        self._limit = limit
        self._remaining_bytes = limit + 1
        self._received_bytes = 0
        coding = coding.strip().lower()
        if coding in ("", "identity"):
            self._decompressor = None
        elif coding in ("gzip", "x-gzip", "deflate"):
            # 32 more than the window size makes zlib read either header, RFC 1950's or gzip's.
            self._decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)
        else:
            raise UnknownContentEncoding(coding)

    def decompress(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what `chunk` stands for, never more than one byte over the limit in all."""
        self._received_bytes += len(chunk)
        if self._received_bytes > self._limit:
            raise BodyTooLarge
        if self._decompressor is None:
            yield chunk
        while self._decompressor is not None and chunk and self._remaining_bytes > 0:
            part = self._decompressor.decompress(chunk, min(self._remaining_bytes, MAX_STEP_BYTES))
            self._remaining_bytes -= len(part)
            chunk = self._decompressor.unconsumed_tail
            yield part

    @property
    def is_complete(self) -> bool:
        """Whether a coded body has come to its own end."""
        return self._decompressor is None or self._decompressor.eof
