"""The log: small, private, quiet, and free of secrets."""

from __future__ import annotations

import json
import logging
import os
import stat
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eternal_tui.core.logging import MAX_TEXT_CHARS, REDACTED, LogFile, Redactor, open_log
from eternal_tui.core.secret import Secret
from tests.payloads import PAYLOADS

CANARY = "canary-key-0123456789"
SIGNED_URL = "https://cdn.example.org/a/b.jpg?Expires=17&Signature=canarysignature&Key-Pair-Id=K"

log = logging.getLogger("eternal_tui.test")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[LogFile]:
    names = ("eternal_tui", "httpx", "httpcore", "hpack", "asyncio", "PIL", "urllib3", "uvicorn")
    before = {name: (logging.getLogger(name).level, logging.getLogger(name).propagate) for name in names}
    found = open_log(tmp_path / "logs")
    found.add_secret(Secret(CANARY))
    yield found
    found.close()
    for name, (level, propagate) in before.items():
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).propagate = propagate


def read_entries(opened: LogFile) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(opened.baseFilename).read_text(encoding="ascii").splitlines()]


def test_a_record_is_one_json_object(opened: LogFile) -> None:
    log.warning(
        "poll of %s", "abc", extra={"job": 7, "wait": 1.5, "nothing": None, "path": Path("/x"), "nan": float("nan")}
    )
    (entry,) = read_entries(opened)
    assert entry.pop("at") > 1_700_000_000
    assert entry == {
        "level": "warning", "logger": "eternal_tui.test", "event": "poll of abc", "job": 7, "wait": 1.5,
        "nothing": None, "path": f"{Path('/x')!r}", "nan": "nan",
    }  # fmt: skip


def test_nothing_touches_the_disk_before_the_first_record(opened: LogFile, tmp_path: Path) -> None:
    assert not (tmp_path / "logs").exists()
    log.info("first")
    assert Path(opened.baseFilename).exists()


def test_files_are_private_whatever_the_umask(tmp_path: Path, opened: LogFile) -> None:
    """Also after rotation."""
    before = os.umask(0)
    try:
        opened.maxBytes = 2_000
        for number in range(100):
            log.info("line %d %s", number, "x" * 100)
    finally:
        os.umask(before)
    folder = tmp_path / "logs"
    assert sorted(path.name for path in folder.iterdir()) == [
        "eternal-tui.log",
        "eternal-tui.log.1",
        "eternal-tui.log.2",
    ]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_size < 3_000


@pytest.mark.parametrize(
    "text",
    [
        f"key {CANARY}!", f"x-api-key: {CANARY}", f'{{"x-api-key": "{CANARY}"}}', f"X-API-KEY={CANARY}",
        "(b'x-api-key', b'unknownsecret')", "authorization: Bearer unknownsecret",
        "Authorization=Basic unknownsecret", "{'authorization': 'Bearer unknownsecret'}",
        '{\\"x-api-key\\": \\"unknownsecret\\"}', "sent Bearer unknownsecret", "sk_unknownsecret",
        "set-cookie: unknownsecret", '"encrypted_aes_key": "unknownsecret"', "api_key=unknownsecret", SIGNED_URL,
        f"<a href='{SIGNED_URL}'>", f"({SIGNED_URL})", SIGNED_URL.replace("/", "\\/"), SIGNED_URL.upper(),
        f"{SIGNED_URL}#canarysignature", "GET /a/b.jpg?Signature=canarysignature HTTP/1.1",
        "https://someone:unknownsecret@proxy.example:3128/", "socks5://u:unknownsecret@h",
        f"ConnectError for {SIGNED_URL}, {SIGNED_URL}", "https://h/#canarysignature",
    ],
)  # fmt: skip
def test_secrets_do_not_reach_the_file(opened: LogFile, text: str) -> None:
    """In the message, an argument, an extra field and a traceback."""
    log.info(text.replace("%", "%%"))
    log.info("%s", text)
    log.info("x", extra={"said": text, "pair": (text, {"a": text})})
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("failed")
    written = Path(opened.baseFilename).read_text()
    assert len(written.splitlines()) == 4
    for secret in (CANARY, "unknownsecret", "canarysignature", "CANARYSIGNATURE"):
        assert secret not in written


def test_a_key_is_hidden_as_it_is_written_in_python_json_and_links() -> None:
    key = "it's\\a\"key/with+signs="
    for text in (key, repr(key), json.dumps(key), urllib.parse.quote(key, safe="")):
        assert Redactor([Secret(key)]).redact(text).strip("'\"") == REDACTED


def test_what_is_useful_stays() -> None:
    clean = Redactor().redact
    assert clean(f"saved {SIGNED_URL} as 7.jpg") == "saved https://cdn.example.org/a/b.jpg?… as 7.jpg"
    assert clean("x-api-key: abc, host: h") == f"x-api-key: {REDACTED}, host: h"
    assert clean("what? no key = no job") == "what? no key = no job"
    assert (
        clean("https://open.eternalai.org/v2/poll-result/abc 200")
        == "https://open.eternalai.org/v2/poll-result/abc 200"
    )


@given(st.one_of(st.text(), st.sampled_from([payload for payload in PAYLOADS if len(payload) < 5_000])))
@example("\x7f")
def test_any_text_is_one_line_of_ascii(text: str) -> None:
    record = logging.makeLogRecord({"msg": "%s", "args": (text,), "extra": text, "levelname": "INFO", "name": "x"})
    line = LogFile(Path("unused")).format(record)
    assert line.isascii()
    assert line.isprintable()
    json.loads(line)


def test_a_stranger_cannot_fill_the_log(opened: LogFile) -> None:
    log.info("x" * 50_000_000)
    assert Path(opened.baseFilename).stat().st_size < MAX_TEXT_CHARS + 200


@pytest.mark.parametrize("text", ["https://" + "a@" * 500_000, "x-api-key" * 500_000, "?" * 2_000_000, "a?b" * 900_000])
def test_hostile_texts_cost_little(text: str) -> None:
    """Only the bounded head is searched; the suite's own time-out is the proof."""
    assert len(Redactor().redact(text)) <= MAX_TEXT_CHARS * 3


def test_the_talkative_are_kept_quiet(opened: LogFile, capfd: pytest.CaptureFixture[str]) -> None:
    """At INFO httpx logs whole URLs."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    told = [
        name for name in ("httpx", "httpcore", "httpcore.http11") if logging.getLogger(name).isEnabledFor(logging.INFO)
    ]
    root.setLevel(before)
    assert told == []
    log.error("only to the file")
    assert capfd.readouterr() == ("", "")


def test_an_unwritable_log_disturbs_nothing(opened: LogFile, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    log.info("x")
    assert capfd.readouterr() == ("", "")


def test_a_link_in_place_of_the_log_is_not_followed(opened: LogFile, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "victim").write_text("untouched")
    Path(opened.baseFilename).symlink_to(tmp_path / "victim")
    log.info("x")
    assert (tmp_path / "victim").read_text() == "untouched"


def test_after_closing_nothing_is_written(opened: LogFile) -> None:
    log.info("first")
    opened.close()
    log.info("second")
    assert len(read_entries(opened)) == 1
