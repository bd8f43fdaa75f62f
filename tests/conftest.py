"""Shared by the whole suite: the option --long, and an environment without API keys."""

from __future__ import annotations

import compileall
import gc
import importlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.backends.null
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from tests.canary import KEY_FILE_NAMES, find_leaks
from tests.drawn import pilots_wait_for_what_is_drawn

ROOT = Path(__file__).resolve().parents[1]

# Examples are drawn the same way each time, and none is judged by the clock: a red run means a defect, never a slow
# machine. The long trials are random.
settings.register_profile("ordinary", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", deadline=None)

TEST_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MAX_CASE_ID_CHARS = 120
"""Signs of a value that name a case of a test."""
KEY_ENV_VARS = ("ETERNALAI_API_KEY", "ETERNAL_AI_API_KEY")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run only the long trials, larger counts of the same promises")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("long" if config.getoption("--long") else "ordinary")
    if hasattr(config, "workerinput"):
        return
    # A hundred processes of the program are started, and each worker collects every file: without this each would
    # compile the same sources again. PYTHONDONTWRITEBYTECODE, which containers set to keep their layers small, is
    # unset until all is collected; it made the suite a quarter slower.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    for package in ("eternal_tui", "tests"):
        compileall.compile_dir(ROOT / package, quiet=2)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    # Every worker collects the same files in the same order: in a clean checkout each would rewrite the asserts of each
    # file, all of them of the same one at the same moment. Begun with a share of its own, each rewrites that, and finds
    # the others' in the cache; so with the table of Unicode that hypothesis makes.
    config = session.config
    if config.args_source != pytest.Config.ArgsSource.TESTPATHS or not hasattr(config, "workerinput"):
        return
    own = int(config.workerinput["workerid"].removeprefix("gw"))
    if own == 0:
        st.text().validate()
    for path in sorted((ROOT / "tests").rglob("test_*.py"))[own :: config.workerinput["workercount"]]:
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


# Before xdist's own look at the groups, which would find none.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = bool(config.getoption("--long"))
    chosen: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        (chosen if (item.get_closest_marker("long") is not None) == wanted else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = chosen
    for item in items:
        # Tests of real terminals depend on the clock and run one at a time, next to those that only wait for output.
        if "terminal" in item.path.parts:
            group = "keys" if item.path.name in ("test_journeys.py", "test_queue_keys.py") else "terminal"
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a case by the beginning of its value: some are megabytes, and each worker sends all names to be compared."""
    if not isinstance(val, str | bytes) or len(val) <= MAX_CASE_ID_CHARS:
        return None
    return f"{ascii(val[:MAX_CASE_ID_CHARS])[:MAX_CASE_ID_CHARS]}... {len(val)} long"


def pytest_collection_finish() -> None:
    # Some tests run the program under a limit on the size of files; bytecode cached under it is cut short, and every
    # later import of that module fails. So it is cached before the first test runs, or not at all.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    # Three thousand collected tests live as long as the process: no collection need walk through them again. Of what
    # the tests make, little is garbage of the kind that has to be looked for: rarer looks are a fifteenth of the work.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(autouse=True, scope="session")
def _signals_are_heard() -> Iterator[None]:
    """Let the programs that tests start hear every signal, also where the suite itself runs under nohup or behind `&`.

    Seen to fail without: the suite started in the background, whose children ignored the SIGINT they were to end by.
    """
    ignored = [each for each in TEST_SIGNALS if signal.getsignal(each) is signal.SIG_IGN]
    for each in ignored:
        signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)
    yield
    for each in ignored:
        signal.signal(each, signal.SIG_IGN)


@pytest.fixture(autouse=True, scope="session")
def _nobodys_key() -> Iterator[None]:
    """Take real keys, settings and the machine's own keyring away: no test may ever spend or keep anything."""
    # A keyring is chosen once in a process: the first test that asks would choose for all after it.
    keyring.set_keyring(keyring.backends.null.Keyring())  # type: ignore[no-untyped-call]
    kept = {name: os.environ.pop(name) for name in (*KEY_ENV_VARS, *_settings_env_vars()) if name in os.environ}
    yield
    os.environ.update(kept)


@pytest.fixture(autouse=True, scope="session")
def _no_key_and_no_signed_link_is_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Look through every file that the suite's runs of the program left: no key, and links in the history only.

    Seen to fail with the key written to the log by a build that did not hide it.
    """
    yield
    assert list(find_leaks(tmp_path_factory.getbasetemp(), allowed=KEY_FILE_NAMES)) == []


@pytest.fixture(autouse=True, scope="session")
def _pilots_wait_for_what_is_drawn() -> Iterator[None]:
    with pilots_wait_for_what_is_drawn():
        yield


@pytest.fixture(autouse=True, scope="session")
def _a_stylesheet_is_parsed_once() -> Iterator[None]:
    """Let the apps of one process share what Textual made of the same text with the same variables.

    Each of four hundred apps would parse the same two hundred texts again, a tenth of its start. Rules are only read.
    """
    parse = Stylesheet._parse_rules
    parsed: dict[tuple[object, ...], list[RuleSet]] = {}

    def parse_once(self: Stylesheet, css: str, read_from: Any, *others: Any, **named: Any) -> list[RuleSet]:
        key = (css, read_from, others, *named.items(), *self._variables.items())
        if key not in parsed:
            parsed[key] = parse(self, css, read_from, *others, **named)
        return parsed[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_once)
        yield


def _settings_env_vars() -> list[str]:
    return [name for name in os.environ if name.startswith("ETERNAL_TUI_")]
