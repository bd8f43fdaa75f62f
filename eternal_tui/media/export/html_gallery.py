"""Results as one page that stands alone: pictures and clips inside it, no network, no script, nothing of others run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TextIO

import msgspec

from eternal_tui.core.sanitize import Shown
from eternal_tui.media.decode.filetype import HEAD_BYTES, FileType, file_type
from eternal_tui.media.decode.video import poster
from eternal_tui.media.errors import ResultError

CHUNK = 3 * 256 * 1024
"""Bytes put into base64 at a time: a multiple of three, so that the pieces join."""

POSTER_CELLS = (640, 640)
"""The box in pixels into which a clip's first frame is fitted: it stands for the clip until it plays, and in print."""

_MIME = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
    "gif": "image/gif",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
}

STYLE = """
:root { color-scheme: light dark;
  --ground: #fafaf8; --raised: #fff; --ink: #22262d; --muted: #565d68; --line: #d8dbdf; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14161b; --raised: #1b1e25; --ink: #d9dce3; --muted: #98a0ae; --line: #333945; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem; max-width: 90rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; font-weight: 600; margin: 0; }
header p { margin: .25rem 0 2rem; color: var(--muted); }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: 1.25rem; align-items: start; }
article { background: var(--raised); border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
img, video { display: block; width: 100%; height: auto; background: #000; }
.words { padding: .75rem 1rem 1rem; }
.prompt { margin: 0 0 .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.missing { margin: 0; padding: 3rem 1rem; color: var(--muted); text-align: center; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0 .75rem; margin: 0; color: var(--muted);
  font-size: .875rem; }
dd { margin: 0; overflow-wrap: anywhere; }
@media print {
  :root { --ground: #fff; --raised: #fff; --ink: #000; --muted: #333; --line: #bbb; }
  body { max-width: none; padding: 0; }
  main { grid-template-columns: 1fr 1fr; }
  article { break-inside: avoid; }
}
"""


class Exhibit(msgspec.Struct, frozen=True, kw_only=True):
    """One result of the page: its verified file, what was asked for, and labelled facts. All text is gated."""

    path: Path
    title: Shown
    prompt: Shown
    facts: tuple[tuple[Shown, Shown], ...] = ()


class Page(msgspec.Struct, frozen=True):
    """What became of a page: results shown, and those described only because the page would have grown too large."""

    shown: int
    beyond: int


def write_page(exhibits: Iterable[Exhibit], file: TextIO, *, title: Shown, about: Shown, limit: int) -> Page:
    """Write the page. Files go into it while they are together no larger than `limit` bytes; raises OSError."""
    file.write(_head(title, about))
    count = beyond = held = 0
    for exhibit in exhibits:
        size = _size(exhibit.path)
        fits = held + size <= limit
        held += size if fits else 0
        beyond += not fits
        count += fits
        _write_exhibit(exhibit, file, fits=fits)
    file.write("</main>\n</body>\n</html>\n")
    return Page(count, beyond)


def _head(title: Shown, about: Shown) -> str:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; media-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1><p>{escape(about)}</p></header>\n<main>\n"
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _write_exhibit(exhibit: Exhibit, file: TextIO, *, fits: bool) -> None:
    file.write("<article>\n")
    if fits:
        _write_media(exhibit, file)
    else:
        file.write('<p class="missing">left out: the page would have grown beyond its limit</p>\n')
    facts = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in exhibit.facts)
    file.write(
        f'<div class="words"><p class="prompt" dir="auto">{escape(exhibit.prompt)}</p>\n<dl>{facts}</dl></div>\n'
        "</article>\n"
    )


def _write_media(exhibit: Exhibit, file: TextIO) -> None:
    try:
        source = exhibit.path.open("rb")
    except OSError:
        file.write('<p class="missing">the file is no longer there</p>\n')
        return
    with source:
        found = file_type(source.read(HEAD_BYTES))
        source.seek(0)
        if found is None:
            file.write('<p class="missing">the file is no picture or clip</p>\n')
            return
        file.write(_opening(exhibit, found))
        while chunk := source.read(CHUNK):
            file.write(base64.b64encode(chunk).decode("ascii"))
        file.write('">\n' if found.kind == "image" else '"></video>\n')


def _opening(exhibit: Exhibit, found: FileType) -> str:
    mime, title = _MIME[found.suffix], escape(exhibit.title)
    if found.kind == "image":
        return f'<img alt="{title}" loading="lazy" src="data:{mime};base64,'
    how = 'controls loop playsinline preload="metadata"'
    return f'<video {how} title="{title}"{_poster(exhibit)} src="data:{mime};base64,'


def _poster(exhibit: Exhibit) -> str:
    from PIL import Image

    try:
        frame = poster(exhibit.path, *POSTER_CELLS, cell=(1, 1))
    except ResultError:
        return ""
    stream = BytesIO()
    Image.frombytes("RGB", (frame.width, frame.height), frame.rgb).save(stream, "JPEG", quality=80)
    return f' poster="data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode("ascii")}"'
