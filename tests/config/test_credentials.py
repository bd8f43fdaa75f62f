"""The API key: where it is found and stored, and that it is never shown."""

from __future__ import annotations

import copy
import os
import pickle
import shlex
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.errors
import pytest

from eternal_tui.config import credentials
from eternal_tui.config.credentials import (
    MAX_SEEN_KEYS,
    ApiKeyError,
    delete_key,
    environ_without_keys,
    find_key,
    has_keyring,
    key_file,
    known_keys,
    parse_key,
    store_key,
)
from eternal_tui.config.settings import Settings
from eternal_tui.core.secret import Secret
from tests.memory_keyring import MemoryKeyring

CANARY = "canary-key-0123456789"


class LockedKeyring(MemoryKeyring):
    """A keyring that stays locked."""

    def get_password(self, service: str, username: str) -> str | None:  # noqa: ARG002
        raise keyring.errors.KeyringLocked(CANARY)


class PlainTextKeyring(MemoryKeyring):
    """What keyrings.alt offers: a file without encryption, of low priority."""

    priority = 0.5


@pytest.fixture(autouse=True)
def no_keyring() -> Iterator[None]:
    """Keep the machine's own keyring out of the tests."""
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(config_path=tmp_path / "config" / "config.toml")


def settings_with_command(settings: Settings, *words: str) -> Settings:
    return Settings(config_path=settings.config_path, api_key_command=shlex.join(words))


def python_command(code: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", code)


def test_a_secret_never_shows_itself() -> None:
    secret = Secret(CANARY)
    texts = [
        repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>40}", " ".join(map(str, [secret])),
        repr([secret]), repr({"key": secret}), repr(vars(type(secret))),
    ]  # fmt: skip
    assert not any(CANARY in text for text in texts)
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == CANARY


def test_a_secret_is_not_written_down_and_compares_by_value() -> None:
    secret = Secret(CANARY)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not written down"):
            pickle.dumps(secret, protocol)
    assert copy.copy(secret) is copy.deepcopy(secret) is secret
    assert secret == Secret(CANARY)
    assert secret not in (Secret("b"), CANARY)
    with pytest.raises(TypeError):
        hash(secret)


def test_keys_are_stripped_and_an_invalid_one_is_rejected_without_repeating_it() -> None:
    for text in ("abcdefgh", " sk_live_1234 \n", "x" * 512, "!#$%&~{}[]"):
        assert parse_key(text, "here").reveal() == text.strip()
    for text in (
        "",
        "short",
        "x" * 513,
        "with space1",
        "line\nbreak12",
        "nul\x00lnul12",
        "ключключ",
        "tab\ttab12",
        "a\x1b[2Jb",
    ):
        with pytest.raises(ApiKeyError, match="here is not a valid API key") as caught:
            parse_key(text, "here")
        assert text == "" or text not in str(caught.value)


def test_find_key_order(settings: Settings) -> None:
    backend = MemoryKeyring()
    command = settings_with_command(settings, *python_command("print('from-command')"))
    store_key(Secret("from-the-file"), settings, in_file=True)
    assert key_and_source(settings, {}) == ("from-the-file", str(key_file(settings)))
    keyring.set_keyring(backend)
    store_key(Secret("from-keyring"), settings, in_file=False)
    assert key_and_source(settings, {}) == ("from-keyring", "the system keyring")
    assert key_and_source(command, {}) == ("from-command", "api_key_command")
    assert key_and_source(command, {"ETERNAL_AI_API_KEY": "from-second"}) == ("from-second", "ETERNAL_AI_API_KEY")
    both = {"ETERNAL_AI_API_KEY": "from-second", "ETERNALAI_API_KEY": "from-first"}
    assert key_and_source(command, both) == ("from-first", "ETERNALAI_API_KEY")
    assert key_and_source(settings, {"ETERNALAI_API_KEY": " ", "ETERNAL_AI_API_KEY": ""})[0] == "from-keyring"


def key_and_source(settings: Settings, environ: dict[str, str]) -> tuple[str, str]:
    found = find_key(settings, environ)
    assert found is not None
    assert CANARY not in repr(found)
    return found.key.reveal(), found.source


def test_invalid_key_is_not_skipped(settings: Settings) -> None:
    assert find_key(settings, {}) is None
    store_key(Secret("from-the-file"), settings, in_file=True)
    with pytest.raises(ApiKeyError, match="ETERNALAI_API_KEY"):
        find_key(settings, {"ETERNALAI_API_KEY": "not a key"})


@pytest.mark.parametrize(("end", "goes_on"), [("\\nuser: me\\n", ""), ("", ""), ("\\n", "; time.sleep(60)")])
def test_key_command_with_running_child_gives_first_line(
    settings: Settings, end: str, goes_on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "LINE_GRACE_SECONDS", 0.2)
    code = (
        "import subprocess, sys, time; sys.stdout.write('  canary-key-1 " + end + "'); sys.stdout.flush();"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(2)'])" + goes_on
    )
    assert key_and_source(settings_with_command(settings, *python_command(code)), {})[0] == "canary-key-1"


def test_key_command_runs_without_shell_and_key(settings: Settings, tmp_path: Path) -> None:
    marker = tmp_path / "made-by-a-shell"
    code = (
        "import os, sys; seen = set(os.environ) & {'ETERNALAI_API_KEY', 'COPY', 'KEPT'};"
        "print('-'.join(sorted(seen)) + '-' + sys.argv[1][:1] * 8)"
    )
    command = settings_with_command(settings, *python_command(code), f"$(touch {marker})")
    environ = {"ETERNALAI_API_KEY": "", "COPY": CANARY, "KEPT": "1"}
    parse_key(CANARY, "another place")
    assert key_and_source(command, environ)[0] == "KEPT-$$$$$$$$"
    assert not marker.exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit(3)", "failed with exit code 3"),
        ("print('not a key')", "not a valid API key"),
        ("pass", "not a valid API key"),
        ("print('x' * 100_000)", "not a valid API key"),
        ("import sys; sys.stdout.buffer.write(bytes(1_000_000))", "not a valid API key"),
        ("import os; os.kill(os.getpid(), 9)", "exit code -9"),
    ],
)
def test_a_command_that_fails_is_a_sentence(settings: Settings, code: str, words: str) -> None:
    with pytest.raises(ApiKeyError, match=words):
        find_key(settings_with_command(settings, *python_command(code)), {})
    with pytest.raises(ApiKeyError, match="is 'nothing-of-this-name' installed"):
        find_key(settings_with_command(settings, "nothing-of-this-name", CANARY), {})


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(60)",
        "import subprocess; subprocess.Popen(['sleep', '30'])",
        "import os, time; os.close(1); time.sleep(60)",
    ],
)
def test_a_command_that_hangs_is_ended(settings: Settings, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when a grandchild holds the pipe."""
    monkeypatch.setattr(credentials, "COMMAND_TIMEOUT_SECONDS", 0.3)
    before = time.monotonic()
    with pytest.raises(ApiKeyError, match=r"printed no key within 0\.3 s"):
        find_key(settings_with_command(settings, *python_command(code)), {})
    # A busy machine may take its time, but none of those that hang was waited for.
    assert time.monotonic() - before < 25


def test_the_file_is_ours_alone_whatever_the_umask(settings: Settings) -> None:
    before = os.umask(0)
    try:
        assert store_key(Secret(CANARY), settings, in_file=True) == str(key_file(settings))
    finally:
        os.umask(before)
    path = key_file(settings)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_text() == CANARY + "\n"
    assert list(path.parent.iterdir()) == [path]
    store_key(Secret("another-key"), settings, in_file=True)
    assert key_and_source(settings, {})[0] == "another-key"


def test_key_file_readable_by_others_is_rejected(settings: Settings) -> None:
    store_key(Secret(CANARY), settings, in_file=True)
    for mode in (0o640, 0o604, 0o660, 0o601, 0o644):
        key_file(settings).chmod(mode)
        with pytest.raises(ApiKeyError, match="chmod 600"):
            find_key(settings, {})


def test_a_link_a_folder_and_a_pipe_are_no_key_file(settings: Settings, tmp_path: Path) -> None:
    path = key_file(settings)
    path.parent.mkdir()
    (tmp_path / "real").write_text(CANARY)
    (tmp_path / "real").chmod(0o600)
    path.symlink_to(tmp_path / "real")
    with pytest.raises(ApiKeyError, match="cannot be opened"):
        find_key(settings, {})
    path.unlink()
    path.mkdir()
    with pytest.raises(ApiKeyError, match="not owned by you"):
        find_key(settings, {})
    path.rmdir()
    os.mkfifo(path, 0o600)
    with pytest.raises(ApiKeyError, match="not owned by you"):
        find_key(settings, {})


def test_key_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file")
    with pytest.raises(ApiKeyError, match="cannot be written"):
        store_key(Secret(CANARY), Settings(config_path=tmp_path / "config" / "config.toml"), in_file=True)


@pytest.mark.parametrize("backend", [PlainTextKeyring, keyring.backends.fail.Keyring])
def test_insecure_keyrings_are_not_used(settings: Settings, backend: type) -> None:
    """Over SSH there is usually none."""
    keyring.set_keyring(backend())
    assert not has_keyring()
    with pytest.raises(ApiKeyError, match=r"No system keyring.*config/key"):
        store_key(Secret(CANARY), settings, in_file=False)


def test_locked_keyring_falls_back_to_key_file(settings: Settings) -> None:
    keyring.set_keyring(LockedKeyring())
    assert find_key(settings, {}) is None
    store_key(Secret(CANARY), settings, in_file=True)
    assert key_and_source(settings, {})[0] == CANARY
    with pytest.raises(ApiKeyError, match="KeyringLocked") as caught:
        delete_key(settings)
    assert CANARY not in str(caught.value)


def test_a_keyring_that_does_not_answer_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    asked = threading.Event()

    class Waiting(MemoryKeyring):
        def get_password(self, service: str, username: str) -> str | None:  # noqa: ARG002
            asked.wait(10)
            return None

    monkeypatch.setattr(credentials, "KEYRING_TIMEOUT_SECONDS", 0.1)
    keyring.set_keyring(Waiting())
    # Not "no keyring": the user would look in the wrong place.
    with pytest.raises(ApiKeyError, match="did not answer"):
        find_key(settings, {})
    store_key(Secret(CANARY), settings, in_file=True)
    assert key_and_source(settings, {})[0] == CANARY
    asked.set()


def test_each_service_has_its_own_key_and_delete_key_removes_it_everywhere(settings: Settings) -> None:
    """A key for one host must not be offered to another."""
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    assert has_keyring()
    store_key(Secret(CANARY), settings, in_file=False)
    other = Settings(config_path=settings.config_path, base_url="https://elsewhere.example")
    assert find_key(other, {}) is None
    assert list(backend.passwords) == [("eternal-tui", "open.eternalai.org")]
    store_key(Secret(CANARY), settings, in_file=True)
    assert delete_key(settings) == ["the system keyring", str(key_file(settings))]
    assert find_key(settings, {}) is None
    assert delete_key(settings) == []


def test_children_do_not_inherit_a_key_from_the_environment_or_a_file(settings: Settings) -> None:
    key = "a-key-that-nobody-has-met"
    environ = {"ETERNALAI_API_KEY": "a", "ETERNAL_AI_API_KEY": "b", "PATH": "/bin", "COPY": f"x{key}y"}
    assert environ_without_keys(environ) == {"PATH": "/bin", "COPY": f"x{key}y"}
    assert environ_without_keys({**environ, "ETERNALAI_API_KEY": f" {key}\n"}) == {"PATH": "/bin"}
    store_key(Secret("a-key-out-of-a-file"), settings, in_file=True)
    assert find_key(settings, {}) is not None
    assert environ_without_keys({"COPY": "x a-key-out-of-a-file", "PATH": "/bin"}) == {"PATH": "/bin"}


def test_known_keys_are_bounded() -> None:
    for number in range(3 * MAX_SEEN_KEYS):
        parse_key(f"one-of-many-{number:03}", "a test")
        parse_key(f"one-of-many-{number:03}", "a test")
    assert len(known_keys({})) == MAX_SEEN_KEYS
    assert known_keys({})[-1] == Secret(f"one-of-many-{3 * MAX_SEEN_KEYS - 1:03}")
    assert "one-of" not in repr(known_keys({}))
