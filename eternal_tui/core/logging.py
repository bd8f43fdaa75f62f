"""The log, without secrets and signed URLs, and crash reports."""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import math
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from eternal_tui import __version__
from eternal_tui.core.files import create_private, make_private_dir
from eternal_tui.core.sanitize import sanitize
from eternal_tui.core.secret import Secret, hide

LOGGER_NAME = "eternal_tui"
LOG_FILE_NAME = "eternal-tui.log"
MAX_LOG_BYTES = 1_000_000
BACKUP_COUNT = 2
"""Three files of 1 MB each: weeks of ordinary use, and nothing a full disk would notice."""

MAX_TEXT_CHARS = 8_000
"""Maximum characters of one message or field, so that untrusted text cannot push everything else out of the log."""

REDACTED = "[hidden]"

# These write whole addresses, signatures included, at INFO, and headers at DEBUG.
_NOISY_LOGGERS = ("httpx", "httpcore", "hpack", "asyncio", "PIL", "urllib3", "uvicorn")

_SECRET_HEADER_PATTERN = (
    r"""(?i)(?P<name>\b(?:x-api-key|api[-_]?key|(?:proxy-)?authorization|set-cookie|cookie|encrypted_aes_key)\b)"""  # noqa: S105 - a pattern
    r"""(?P<between>\\{0,8}["']?\s*[:=,]\s*(?:b(?=\\{0,8}["']))?\\{0,8}["']?)(?P<value>(?:(?:bearer|basic|digest)\s+)?[^\s"'\\,;)}\]]+)"""
)
_BEARER_PATTERN = r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"
_API_KEY_PATTERN = r"\bsk[_-][A-Za-z0-9_-]{6,}"
_URL_USERINFO_PATTERN = r"(?i)(?P<scheme>[a-z][a-z0-9+.-]{0,15}:(?:\\?/){2})[^\s/\\\"'<>@]{1,500}@"
# The look-ahead stops at the next ? or #, so that a row of them costs linear time.
_URL_QUERY_PATTERN = r"""(?<=[^\s"'<>])[?#](?=[^\s"'<>?#]*[=%&])[^\s"'<>]*"""
_HTTP_URL_TAIL_PATTERN = r"""(?i)(?P<address>https?:(?:\\?/){2}[^\s"'<>?#]{0,4000})[?#][^\s"'<>]*"""

_STANDARD_RECORD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Redactor:
    """Removes from a text what must not be logged: keys, key headers, and the query part of URLs."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._secrets = list(secrets)

    def add_secret(self, secret: Secret) -> None:
        """Hide this value from now on."""
        if secret not in self._secrets:
            self._secrets.append(secret)

    def redact(self, text: str) -> str:
        """Return `text`, bounded and redacted."""
        for secret in self._secrets:
            text = hide(text, secret, REDACTED)
        if len(text) > MAX_TEXT_CHARS:
            text = text[: MAX_TEXT_CHARS - 1] + "…"
        if text.replace(".", "").isalnum():
            # None of what follows is in one word of letters, digits and full stops, and compiling it takes milliseconds
            # of a start, which writes such words.
            return text
        text = re.sub(_SECRET_HEADER_PATTERN, rf"\g<name>\g<between>{REDACTED}", text)
        text = re.sub(_BEARER_PATTERN, rf"\1 {REDACTED}", text)
        text = re.sub(_API_KEY_PATTERN, REDACTED, text)
        text = re.sub(_URL_USERINFO_PATTERN, rf"\g<scheme>{REDACTED}@", text)
        text = re.sub(_HTTP_URL_TAIL_PATTERN, r"\g<address>?…", text)
        return re.sub(_URL_QUERY_PATTERN, "?…", text)


class LogFile(logging.handlers.RotatingFileHandler):
    """The open log: JSON lines in rotating files of mode 0600, in a folder of mode 0700 made with the first record.

    A log that cannot be written never disturbs the program.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=MAX_LOG_BYTES, backupCount=BACKUP_COUNT, encoding="ascii", delay=True)
        self._redactor = Redactor()
        self.add_secret = self._redactor.add_secret

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of ASCII JSON: at, level, logger, event, the record's extra fields, and the error, if any.

        Nothing in it can move a cursor or break a line.
        """
        redact = self._redactor.redact
        entry: dict[str, Any] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": redact(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD_RECORD_FIELDS and not name.startswith("_"):
                is_plain = isinstance(value, bool | int | None) or (isinstance(value, float) and math.isfinite(value))
                entry[redact(name)] = value if is_plain else redact(value if isinstance(value, str) else repr(value))
        if record.exc_info and record.exc_info[1] is not None:
            import traceback

            entry["error"] = redact("".join(traceback.format_exception(record.exc_info[1])).rstrip())
        return json.dumps(entry)

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        make_private_dir(path.parent)
        path.parent.chmod(0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(path, flags, 0o600)
        os.fchmod(handle, 0o600)
        return TextIOWrapper(os.fdopen(handle, "ab"), encoding="ascii")

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802, ARG002
        """Whether the file is full, by its length on disk: another instance may write to it too."""
        self.stream = self.stream or self._open()
        return os.fstat(self.stream.fileno()).st_size >= self.maxBytes

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002
        """Print nothing, which would tear the screen."""
        self._close_stream()

    def close(self) -> None:
        """Close the file, ignoring errors of the disk; later records go nowhere."""
        logging.getLogger(LOGGER_NAME).removeHandler(self)
        self._close_stream()
        super().close()

    def _close_stream(self) -> None:
        # Text that a full disk rejected stays in the buffer, and would fail again at every close.
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def open_log(folder: Path) -> LogFile:
    """Send the records of this program's loggers to a file in `folder`, from INFO up.

    Nothing touches the disk before the first record. Records go nowhere else, least of all to the screen.
    """
    log = LogFile(folder / LOG_FILE_NAME)
    program = logging.getLogger(LOGGER_NAME)
    program.addHandler(log)
    program.setLevel(logging.INFO)
    program.propagate = False
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    return log


MAX_TRACEBACK_LINES = 400


def write_crash_report(error: BaseException, folder: Path, secrets: Iterable[Secret], *, command: str) -> Path | None:
    """Write a 0600 report into `folder` and return its path, or None where that is not possible."""
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    path = folder / f"crash-{moment}-{os.getpid()}.txt"
    text = format_crash_report(error, secrets, command=command)
    try:
        make_private_dir(folder)
        with os.fdopen(create_private(path), "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError:
        return None
    return path


def format_crash_report(error: BaseException, secrets: Iterable[Secret], *, command: str) -> str:
    """Return versions and the traceback; local variables are left out and secrets are redacted."""
    import platform
    import traceback

    redactor = Redactor(secrets)
    lines = [
        f"eternal-tui {__version__}, command {command}",
        f"Python {platform.python_version()} on {platform.platform()}",
        *"".join(traceback.format_exception(error)).splitlines()[-MAX_TRACEBACK_LINES:],
    ]
    return "\n".join(sanitize(redactor.redact(line)) for line in lines) + "\n"
