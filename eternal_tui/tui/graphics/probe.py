"""Asking the terminal, once and before the app owns it, what it is and what it can draw."""

from __future__ import annotations

import fcntl
import functools
import os
import re
import select
import shutil
import struct
import subprocess
import termios
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from eternal_tui.core.files import make_private_dir, write_atomic

LOCAL_TIMEOUT_SECONDS = 0.3
"""Seconds after asking in which a terminal on this machine must have answered: one that can answers in a few ms."""

REMOTE_TIMEOUT_SECONDS = 1.0
"""The same for a terminal at the other end of an SSH line, whatever its round trip."""

_CACHE_SECONDS = 12 * 3600.0
_NO_REPLY_CACHE_SECONDS = 3600.0
"""Seconds for which silence counts: shorter, because a machine under load may be silent once."""
_MAX_CACHE_ENTRIES = 32
_TMUX_ENV_VARS = ("TMUX", "TMUX_TMPDIR", "TERM", "HOME", "PATH", "LANG", "LC_ALL")
"""Variables passed to tmux: never the service's key."""
_KITTY_QUERY_ID = 31

QUERY = (
    "\x1b[>q"  # XTVERSION: the terminal's name
    f"\x1b_Gi={_KITTY_QUERY_ID},s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"  # would you draw this one pixel?
    "\x1b[16t"  # the size of a cell in pixels
    "\x1b[?1;4;0S"  # XTSMGRAPHICS: how many colours sixels may have
    "\x1b[?2;4;0S"  # and how large they may be
    "\x1b[c"  # DA1: every terminal answers it, in order, so nothing comes after its answer
).encode("ascii")

_DA1_PATTERN = rb"\x1b\[\?([\d;]*)c"
_REPLY_PATTERNS = (
    rb"\x1bP>\|([^\x1b\x07]{1,80})(?:\x1b\\|\x07)",
    rb"\x1b_Gi=%d;([^\x1b]{0,80})\x1b\\" % _KITTY_QUERY_ID,
    rb"\x1b\[6;(\d{1,4});(\d{1,4})t",
    rb"\x1b\[\?1;0;(\d{1,9})S",
    rb"\x1b\[\?2;0;(\d{1,5});(\d{1,5})S",
    _DA1_PATTERN,
)
"""The replies, in the order of the questions."""
_DA1_SIXEL_ATTRIBUTE = b"4"
"""The attribute of DA1 for sixel graphics."""


class TerminalInfo(msgspec.Struct, frozen=True):
    """What a terminal said about itself.

    `cell` is pixels (width, height), (0, 0) if unsaid; `passthrough` says that tmux lets pictures through;
    `sixel` that it draws those, with at most `colours` colours and `most` pixels (width, height), 0 if unsaid;
    `answered` is False where nothing could be asked or nothing came back, and `why` says what happened.
    `unread` is what was read behind the last reply, or all where that did not come: it may end in half a reply.
    """

    name: str = ""
    kitty_graphics: bool = False
    cell: tuple[int, int] = (0, 0)
    tmux: bool = False
    passthrough: bool = False
    answered: bool = False
    why: str = ""
    sixel: bool = False
    colours: int = 0
    most: tuple[int, int] = (0, 0)
    unread: bytes = b""


class _CacheEntry(msgspec.Struct):
    at: float
    facts: TerminalInfo


def parse_replies(data: bytes) -> TerminalInfo:
    """Parse a terminal's replies to `QUERY`; anything between them is ignored."""
    name, kitty, cell, colours, most, attributes = (re.search(pattern, data) for pattern in _REPLY_PATTERNS)
    return TerminalInfo(
        name=_printable_ascii(name[1]) if name else "",
        kitty_graphics=kitty is not None and kitty[1] == b"OK",
        cell=(int(cell[2]), int(cell[1])) if cell else (0, 0),
        answered=attributes is not None,
        why="the terminal answered" if attributes else "the terminal did not answer in time",
        sixel=attributes is not None and _DA1_SIXEL_ATTRIBUTE in attributes[1].split(b";")[1:],
        colours=int(colours[1]) if colours else 0,
        most=(int(most[1]), int(most[2])) if most else (0, 0),
    )


def _printable_ascii(name: bytes) -> str:
    return "".join(character for character in name.decode("ascii", "ignore") if character.isprintable())


def read_cell_size(fd: int) -> tuple[int, int]:
    """Return the size of a cell in pixels as the system knows it, (0, 0) where it does not."""
    try:
        size = fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return 0, 0
    rows, columns, width, height = struct.unpack("HHHH", size)
    return (width // columns, height // rows) if rows and columns else (0, 0)


def is_remote(environ: Mapping[str, str]) -> bool:
    """Whether the terminal is on the other end of an SSH connection."""
    return bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))


def timeout_for(environ: Mapping[str, str]) -> float:
    """Return how many seconds to wait for replies of the terminal that `environ` describes."""
    return REMOTE_TIMEOUT_SECONDS if is_remote(environ) else LOCAL_TIMEOUT_SECONDS


@contextmanager
def probing(
    *,
    stdin: int = 0,
    stdout: int = 1,
    environ: Mapping[str, str] = os.environ,
    cache: Path | None = None,
    now: Callable[[], float] = time.time,
) -> Iterator[Callable[[], TerminalInfo]]:
    """Ask the terminal on these handles and yield the function that returns what it said; its modes are put back.

    Nothing is asked where either handle is no terminal, or where TERM says it is a dumb one; inside tmux, tmux
    is asked by its own command. An answer is remembered in `cache` for this login on this terminal.
    """
    if not (os.isatty(stdin) and os.isatty(stdout)):
        yield lambda: TerminalInfo(why="input or output is no terminal")
    elif environ.get("TERM", "") in ("", "dumb"):
        yield lambda: TerminalInfo(why="TERM says that this terminal cannot draw")
    elif environ.get("TMUX"):
        yield lambda: _query_tmux(environ)
    elif (remembered := _load_cached(cache, key := _cache_key(stdin, environ), now())) is not None:
        yield lambda: _with_cell_size(remembered, stdin)
    else:
        with _asking(stdin, stdout, timeout_for(environ)) as read:

            def answer() -> TerminalInfo:
                info = _with_cell_size(read(), stdin)
                _save_cached(cache, key, info, now())
                return info

            yield answer


def _with_cell_size(info: TerminalInfo, fd: int) -> TerminalInfo:
    """Return the facts with the size of a cell as it is now: a font may have changed since they were remembered."""
    cell = read_cell_size(fd)
    return msgspec.structs.replace(info, cell=cell) if all(cell) else info


@contextmanager
def _asking(stdin: int, stdout: int, timeout: float) -> Iterator[Callable[[], TerminalInfo]]:
    """Ask now and yield what waits for the reply. It is read in any case: it would be typed into the next program."""
    modes = termios.tcgetattr(stdin)
    read = functools.cache(functools.partial(_read_info, stdin, time.monotonic() + timeout))
    try:
        # TCSADRAIN keeps what was typed ahead out of the way without losing output under way.
        tty.setcbreak(stdin, termios.TCSADRAIN)
        with suppress(OSError):
            os.write(stdout, QUERY)
        yield read
    finally:
        read()
        # Nothing is flushed: it could be half a reply, and the app would type the other half.
        termios.tcsetattr(stdin, termios.TCSADRAIN, modes)


def _read_info(stdin: int, deadline: float) -> TerminalInfo:
    try:
        data = _read_replies(stdin, deadline)
    except OSError:
        return TerminalInfo(why="the terminal could not be asked")
    last = re.search(_DA1_PATTERN, data)
    return msgspec.structs.replace(parse_replies(data), unread=data[last.end() if last else 0 :])


def _read_replies(stdin: int, deadline: float) -> bytes:
    """Read until the sentinel's answer, or until that time; what has come already is read in any case."""
    data = _read_some(stdin, 0)
    while re.search(_DA1_PATTERN, data) is None and (left := deadline - time.monotonic()) > 0:
        data += _read_some(stdin, left)
    return data


def _read_some(stdin: int, seconds: float) -> bytes:
    ready, _, _ = select.select([stdin], [], [], seconds)
    return os.read(stdin, 4096) if ready else b""


def _query_tmux(environ: Mapping[str, str]) -> TerminalInfo:
    """Ask tmux what terminal it runs in and whether it lets sequences through to it."""
    tmux = shutil.which("tmux", path=environ.get("PATH"))
    if tmux is None:
        return TerminalInfo(tmux=True, why="inside tmux, and its command was not found")
    wanted = "#{client_termtype}\t#{client_cell_width}\t#{client_cell_height}\t#{allow-passthrough}\t#{client_termname}"
    pane = ["-t", environ["TMUX_PANE"]] if environ.get("TMUX_PANE", "").lstrip("%").isdigit() else []
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, no shell
            [tmux, "display-message", "-p", *pane, wanted],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=REMOTE_TIMEOUT_SECONDS,
            check=True,
            env={name: environ[name] for name in _TMUX_ENV_VARS if name in environ},
        )
    except (OSError, subprocess.SubprocessError):
        return TerminalInfo(tmux=True, why="inside tmux, which did not answer")
    fields = [_printable_ascii(field) for field in done.stdout.strip(b"\n").split(b"\t")] + [""] * 5
    width, height = (int(field) if field.isdigit() else 0 for field in fields[1:3])
    passthrough = fields[3] in ("on", "all", "1", "2")
    return TerminalInfo(
        # A terminal that does not report its name is recognized by its terminfo entry.
        name=fields[0] or fields[4],
        cell=(width, height) if width and height else (0, 0),
        tmux=True,
        passthrough=passthrough,
        answered=True,
        why="tmux answered for the terminal it runs in",
    )


def _cache_key(stdin: int, environ: Mapping[str, str]) -> str:
    """Name this login on this terminal: another terminal on the same line later must be asked again."""
    names = ("TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "COLORTERM", "KITTY_WINDOW_ID", "SSH_CONNECTION")
    return "|".join([os.ttyname(stdin), str(os.getsid(0)), *(environ.get(name, "") for name in names)])


def _load_cached(cache: Path | None, key: str, now: float) -> TerminalInfo | None:
    found = _read_cache(cache).get(key)
    if found is None:
        return None
    lasts = _CACHE_SECONDS if found.facts.answered else _NO_REPLY_CACHE_SECONDS
    return found.facts if 0 <= now - found.at < lasts else None


def _read_cache(cache: Path | None) -> dict[str, _CacheEntry]:
    if cache is None:
        return {}
    try:
        return msgspec.json.decode(cache.read_bytes(), type=dict[str, _CacheEntry])
    except (OSError, msgspec.DecodeError):
        return {}


def _save_cached(cache: Path | None, key: str, info: TerminalInfo, now: float) -> None:
    if cache is None:
        return
    kept = _read_cache(cache) | {key: _CacheEntry(now, msgspec.structs.replace(info, unread=b""))}
    newest = sorted(kept.items(), key=lambda item: item[1].at)[-_MAX_CACHE_ENTRIES:]
    # Not remembering costs a question next time, nothing else.
    with suppress(OSError):
        make_private_dir(cache.parent)
        write_atomic(cache, msgspec.json.encode(dict(newest)))
