"""The API key: where it is found and where it can be stored."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from eternal_tui.core.files import make_private_dir, write_atomic
from eternal_tui.core.secret import Secret

if TYPE_CHECKING:
    from subprocess import Popen

    from keyring.backend import KeyringBackend

    from eternal_tui.config.settings import Settings

KEY_ENV_VARS = ("ETERNALAI_API_KEY", "ETERNAL_AI_API_KEY")
"""Names used by the service's SDK and by its documentation, in the order they are read."""

KEYRING_SERVICE = "eternal-tui"
COMMAND_TIMEOUT_SECONDS = 20.0
KEYRING_TIMEOUT_SECONDS = 20.0
"""Timeout of api_key_command: long enough to type a passphrase, short enough not to look like a hang."""

LINE_GRACE_SECONDS = 2.0
"""Seconds api_key_command may run on after its first line; its exit code counts if it ends by then."""

_CHECK_INTERVAL_SECONDS = 0.05

MAX_SEEN_KEYS = 16
"""Keys remembered for redaction, including rejected ones."""

_KEY_PATTERN = r"[!-~]{8,512}"
_HEADER_PATTERN = r"(?i)(?<![\w-])(x-api-key|api-key|authorization|bearer)(?![\w-])"
_MAX_FILE_BYTES = 4096
_MAX_OUTPUT_BYTES = 64 * 1024
_T = TypeVar("_T")


class ApiKeyError(Exception):
    """A key that cannot be used or stored; the text is a sentence without the key."""


class KeyringTimeout(ApiKeyError):
    """The system's keyring is there and does not answer, as with a D-Bus that hangs."""


class KeyringFailure(ApiKeyError):
    """The system's keyring is locked, broken or missing."""


_seen_keys: list[Secret] = []


class FoundKey(msgspec.Struct, frozen=True):
    """A key and its source, for display."""

    key: Secret
    source: str


def parse_key(text: str, source: str) -> Secret:
    """Return `text` as a key, without the space around it; raise ApiKeyError where it cannot be one."""
    stripped = text.strip()
    if not re.fullmatch(_KEY_PATTERN, stripped):
        raise ApiKeyError(
            f"{source} is not a valid API key (expected 8–512 characters, no spaces). Copy it again from EternalAI."
        )
    secret = Secret(stripped)
    if secret not in _seen_keys:
        _seen_keys.append(secret)
        del _seen_keys[:-MAX_SEEN_KEYS]
    return secret


def key_header_advice(key: Secret | None, header: str, refusal: str = "") -> str:
    """Return a sentence that names the setting if this key belongs in another header, else "".

    `refusal` is the service's reason for rejecting the key.
    """
    wanted = _header_in_text(refusal, header)
    newer = key is not None and key.reveal().startswith("sk_")
    if not wanted and newer and header.lower() == "x-api-key":
        wanted = "Authorization"
    if not wanted:
        return ""
    why = "Keys that begin with sk_ are refused in x-api-key." if newer else f"The service asks for it in {wanted}."
    return f'{why} Set key_header = "{wanted}" in the configuration, or ETERNAL_TUI_KEY_HEADER={wanted}.'


def _header_in_text(text: str, current: str) -> str:
    for match in re.finditer(_HEADER_PATTERN, text):
        word = match[1].lower()
        header = "Authorization" if word in ("authorization", "bearer") else word
        if header.lower() != current.lower():
            return header
    return ""


def find_key(settings: Settings, environ: Mapping[str, str] | None = None) -> FoundKey | None:
    """Return the first key found: variables, `api_key_command`, system keyring, key file; None where there is none.

    An unusable value raises ApiKeyError, so that another key does not hide a mistake. Slow: it may run a
    command, import keyring and wait for the user to unlock it. Call it off the event loop.
    """
    environ = os.environ if environ is None else environ
    for variable in KEY_ENV_VARS:
        if text := environ.get(variable, "").strip():
            return FoundKey(parse_key(text, variable), variable)
    if settings.api_key_command.strip():
        return FoundKey(_key_from_command(settings.api_key_command, environ), "api_key_command")
    path = key_file(settings)
    try:
        if (stored := _key_from_keyring(settings)) is not None:
            return FoundKey(stored, "the system keyring")
    except KeyringTimeout:
        if not os.path.lexists(path):
            raise
    kept = _key_from_file(path)
    return None if kept is None else FoundKey(kept, str(path))


def overriding_key_source(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the variable or setting whose key is used before a stored one, "" where there is none."""
    variables = [name for name in KEY_ENV_VARS if environ.get(name, "").strip()]
    return next(iter([*variables, *(["api_key_command"] if settings.api_key_command else [])]), "")


def key_file(settings: Settings) -> Path:
    """Return the path of the key file, next to the config file."""
    return settings.config_path.parent / "key"


def has_keyring() -> bool:
    """Whether this machine has a keyring that keeps keys, though it may not answer."""
    try:
        return _usable_keyring() is not None
    except KeyringTimeout:
        return True


def store_key(secret: Secret, settings: Settings, *, in_file: bool) -> str:
    """Store the key for this service, in the keyring or in a file; return the place, or raise ApiKeyError."""
    if in_file:
        path = key_file(settings)
        try:
            make_private_dir(path.parent)
            write_atomic(path, secret.reveal().encode("ascii") + b"\n")
        except OSError as error:
            raise ApiKeyError(f"The key file {path} cannot be written: {error.strerror}.") from None
        return str(path)
    backend = _usable_keyring()
    if backend is None:
        raise ApiKeyError(
            f"No system keyring available (common over SSH). Store the key in a file instead: {key_file(settings)}."
        )
    _with_timeout(lambda: backend.set_password(KEYRING_SERVICE, settings.host, secret.reveal()))
    return "the system keyring"


def delete_key(settings: Settings) -> list[str]:
    """Remove the key from keyring and file and return the places, for display; raise ApiKeyError."""
    forgotten = []
    backend = _usable_keyring()
    if backend is not None and _with_timeout(lambda: backend.get_password(KEYRING_SERVICE, settings.host)) is not None:
        _with_timeout(lambda: backend.delete_password(KEYRING_SERVICE, settings.host))
        forgotten.append("the system keyring")
    path = key_file(settings)
    try:
        path.unlink()
        forgotten.append(str(path))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ApiKeyError(f"{path} cannot be removed: {error.strerror}. Remove it manually.") from None
    return forgotten


def keys_from_environ(environ: Mapping[str, str]) -> list[Secret]:
    """Return the values of the key variables as secrets, valid or not."""
    return [Secret(text) for name in KEY_ENV_VARS if (text := environ.get(name, "").strip())]


def known_keys(environ: Mapping[str, str]) -> list[Secret]:
    """Return every key of this process: those in variables, and those read since."""
    return [*keys_from_environ(environ), *_seen_keys]


def environ_without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child process: without the key's variables, and without any that hold a key.

    A key that came from elsewhere, such as the keyring, is looked for too.
    """
    secrets = known_keys(environ)
    # Too short for a key: it would match half of all variables.
    hidden = [one for one in secrets if re.fullmatch(_KEY_PATTERN, one.reveal())]
    return {
        name: value
        for name, value in environ.items()
        if name not in KEY_ENV_VARS and not any(one.reveal() in value for one in hidden)
    }


def _key_from_command(command: str, environ: Mapping[str, str]) -> Secret:
    import shlex

    line = _run_for_first_line(shlex.split(command), environ_without_keys(environ))
    return parse_key(line, "the first line that api_key_command printed")


_running_commands: set[Popen[bytes]] = set()


def kill_key_commands() -> None:
    """Kill key commands still running, such as a passphrase prompt. Thread-safe."""
    for process in tuple(_running_commands):
        process.kill()


def _run_for_first_line(words: list[str], environ: dict[str, str]) -> str:
    import subprocess
    import time

    try:
        process = subprocess.Popen(  # noqa: S603  # the user's own command, no shell
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ
        )
    except (OSError, ValueError):
        raise ApiKeyError(f"api_key_command could not start: is {words[0]!a} installed?") from None
    output, status = b"", None
    _running_commands.add(process)
    with process:
        try:
            end = time.monotonic() + COMMAND_TIMEOUT_SECONDS
            output = _read_first_line(process, end)
            status = process.wait(LINE_GRACE_SECONDS if b"\n" in output else max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            # A command that runs on after its first line, such as one that started an agent, has given its answer.
            status = 0 if b"\n" in output else None
        finally:
            process.kill()
            _running_commands.discard(process)
    if status is None:
        raise ApiKeyError(
            f"api_key_command printed no key within {COMMAND_TIMEOUT_SECONDS:g} s. Run it manually to see why."
        )
    if status != 0:
        raise ApiKeyError(f"api_key_command failed with exit code {status}. Run it manually to see why.")
    return output.partition(b"\n")[0].decode("ascii", "replace")


def _read_first_line(process: Popen[bytes], end: float) -> bytes:
    """Return what a command prints up to its first line's end, or until it closes its output or ends; raise at `end`.

    Its exit is checked too: a child that keeps the pipe open must not block.
    """
    import select
    import subprocess
    import time

    assert process.stdout is not None
    output = b""
    while (left := end - time.monotonic()) > 0:
        has_ended = process.poll() is not None
        if select.select([process.stdout], [], [], min(left, 0.0 if has_ended else _CHECK_INTERVAL_SECONDS))[0]:
            chunk = os.read(process.stdout.fileno(), 4096)
            output = (output + chunk)[:_MAX_OUTPUT_BYTES]
            if not chunk or b"\n" in output:
                return output
            if len(output) == _MAX_OUTPUT_BYTES:
                return output + b"\n"
        elif has_ended and output:
            return output
    raise subprocess.TimeoutExpired(process.args, COMMAND_TIMEOUT_SECONDS)


def _usable_keyring() -> KeyringBackend | None:
    """Return the system's keyring, None where there is none that is encrypted and persistent.

    Raises KeyringTimeout.
    """

    def best() -> KeyringBackend | None:
        import keyring
        from keyring.backends import fail, null

        backend = keyring.get_keyring()
        # keyring recommends backends from priority 1 on; those below are plain-text files.
        useless = isinstance(backend, fail.Keyring | null.Keyring) or backend.priority < 1
        return None if useless else backend

    with suppress(KeyringFailure):
        return _with_timeout(best)
    return None


def _key_from_keyring(settings: Settings) -> Secret | None:
    backend, text = _usable_keyring(), None
    # A locked or broken keyring must not hide a key file.
    with suppress(KeyringFailure):
        text = backend and _with_timeout(lambda: backend.get_password(KEYRING_SERVICE, settings.host))
    return parse_key(text, "the system keyring") if text else None


def _with_timeout(operation: Callable[[], _T]) -> _T:
    """Return the keyring's answer; raise ApiKeyError where it fails or blocks on a prompt."""
    import threading

    answers: list[_T] = []
    failures: list[str] = []

    def ask() -> None:
        try:
            answers.append(operation())
        # Backends raise whatever the desktop's services raise: keyring's own errors, D-Bus errors, RuntimeError.
        except Exception as error:  # noqa: BLE001
            failures.append(type(error).__name__)

    thread = threading.Thread(target=ask, daemon=True, name="keyring")
    thread.start()
    thread.join(KEYRING_TIMEOUT_SECONDS)
    if answers:
        return answers[0]
    if not failures:
        raise KeyringTimeout(
            f"The system keyring did not answer within {KEYRING_TIMEOUT_SECONDS:g} seconds. Unlock it, set "
            f"{KEY_ENV_VARS[0]}, or store the key in a file: eternal-tui login --file."
        )
    raise KeyringFailure(f"The system keyring failed ({failures[0]}). Unlock it, or store the key in a file.")


def _key_from_file(path: Path) -> Secret | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ApiKeyError(f"The key file {path} cannot be opened: {error.strerror}.") from None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            raise ApiKeyError(f"The key file {path} is not owned by you. Remove it and run: eternal-tui login")
        if facts.st_mode & 0o077:
            raise ApiKeyError(f"The key file {path} is readable by others. Run: chmod 600 {path}")
        text = os.read(handle, _MAX_FILE_BYTES).decode("ascii", "replace")
    finally:
        os.close(handle)
    return parse_key(text, f"the key file {path}")
