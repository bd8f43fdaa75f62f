"""Metadata as an XMP packet, and where a file takes one without being re-encoded: JPEG, PNG, WebP, MP4 and MOV."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from eternal_tui.media.decode.filetype import iso_boxes, png_chunk, webp_canvas

NAMESPACE = "https://eternal-tui.invalid/xmp/1.0/"
_JPEG_HEADER = b"http://ns.adobe.com/xap/1.0/\x00"
_MAX_JPEG_SEGMENT_BYTES = 65_533
_MP4_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""Of the `uuid` box that holds XMP: XMP specification, part 3."""

_WEBP_XMP_FLAG = 0x04
_NOT_XML_PATTERN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Splice(NamedTuple):
    """Bytes that replace `removed` bytes of a file at `offset`."""

    offset: int
    removed: int
    data: bytes


def xmp_packet(description: str, fields: Mapping[str, str]) -> bytes:
    """Return an XMP packet: the description, and the fields under the namespace of this program."""
    attributes = "".join(f"\n   et:{name}={quoteattr(_xml_text(value))}" for name, value in fields.items())
    return f"""\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:et="{NAMESPACE}"{attributes}>
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(_xml_text(description))}</rdf:li></rdf:Alt>\
</dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
""".encode()


def _xml_text(text: str) -> str:
    return _NOT_XML_PATTERN.sub("\N{REPLACEMENT CHARACTER}", text)


def embedding_splices(path: Path, packet: bytes) -> list[Splice]:
    """Return the changes that put the packet into a copy of the file; empty where its format has no place for it.

    Raises OSError.
    """
    with path.open("rb") as file:
        head = file.read(16)
        size = path.stat().st_size
        if head.startswith(b"\xff\xd8\xff"):
            return _jpeg_splices(file, packet)
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return [Splice(33, 0, png_chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + packet))]
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp_splices(file, size, packet)
        if head[4:8] == b"ftyp" and [end for _, end in iso_boxes(file)][-1:] == [size]:
            return [Splice(size, 0, struct.pack(">I4s", 24 + len(packet), b"uuid") + _MP4_XMP_UUID + packet)]
    return []


def _jpeg_splices(file: BinaryIO, packet: bytes) -> list[Splice]:
    segment = _JPEG_HEADER + packet
    if len(segment) > _MAX_JPEG_SEGMENT_BYTES:
        return []
    offset = 2
    while True:
        file.seek(offset)
        marker = file.read(10)
        # JFIF and Exif must come first.
        if marker[:2] == b"\xff\xe0" or (marker[:2] == b"\xff\xe1" and marker[4:8] == b"Exif"):
            offset += 2 + int.from_bytes(marker[2:4], "big")
            continue
        return [Splice(offset, 0, b"\xff\xe1" + struct.pack(">H", 2 + len(segment)) + segment)]


def _webp_splices(file: BinaryIO, size: int, packet: bytes) -> list[Splice]:
    chunk = b"XMP " + struct.pack("<I", len(packet)) + packet + b"\x00" * (len(packet) % 2)
    file.seek(12)
    header = file.read(18)
    if size % 2 or len(header) < 18:
        return []
    if header[:4] == b"VP8X":
        flags, extra = Splice(20, 1, bytes([header[8] | _WEBP_XMP_FLAG])), b""
    elif (canvas := webp_canvas(header)) is not None:
        width, height, alpha = canvas
        flag = _WEBP_XMP_FLAG | (0x10 if alpha else 0)
        extra = b"VP8X" + struct.pack("<IB3x", 10, flag) + (width - 1).to_bytes(3, "little")
        extra += (height - 1).to_bytes(3, "little")
        flags = Splice(12, 0, extra)
    else:
        return []
    riff_size = struct.pack("<I", size - 8 + len(extra) + len(chunk))
    return [Splice(4, 4, riff_size), flags, Splice(size, 0, chunk)]
