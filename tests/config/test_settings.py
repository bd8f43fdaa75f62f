"""Settings: four layers, one type, and errors that say where, what and what else."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eternal_tui.config.loader import (
    SETTING_NAMES,
    config_schema,
    default_config_path,
    default_data_dir,
    load_settings,
    render_config,
)
from eternal_tui.config.settings import NotifySettings, Settings, SettingsError
from eternal_tui.config.validation import validate_base_url
from eternal_tui.core.network import is_loopback
from tests.payloads import PAYLOADS


def make_environ(tmp_path: Path, **variables: str) -> dict[str, str]:
    return {"HOME": str(tmp_path), **variables}


def write_config(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / ".config" / "eternal-tui" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    found = load_settings({}, make_environ(tmp_path))
    assert found.base_url == "https://open.eternalai.org"
    assert found.data_dir == tmp_path / ".local/share/eternal-tui"
    assert found.config_path == tmp_path / ".config/eternal-tui/config.toml"
    assert (found.workers, found.requests_per_second, found.stall_after_minutes) == (4, 10.0, 30.0)
    assert found.daily_cap is None
    assert found.is_official
    assert found.is_remote
    assert found.sources == {}


def test_each_layer_beats_the_one_before(tmp_path: Path) -> None:
    path = write_config(tmp_path, 'workers = 2\nfps = 5\nimages = "off"\n[notify]\nbell = false\ntitle = false\n')
    variables = make_environ(tmp_path, ETERNAL_TUI_FPS="6", ETERNAL_TUI_IMAGES="kitty", ETERNAL_TUI_NOTIFY_BELL="yes")
    # Empty ones, and those of other programs, are ignored.
    variables |= {"ETERNAL_TUI_SOMETHING_ELSE": "1", "ETERNAL_TUI_WORKERS": " "}
    found = load_settings({"images": "blocks", "workers": None}, variables)
    assert (found.workers, found.fps, found.images) == (2, 6, "blocks")
    assert found.notify == NotifySettings(bell=True, title=False)
    assert found.sources["workers"] == str(path)
    assert found.sources["fps"] == "ETERNAL_TUI_FPS"
    assert found.sources["images"] == "--images"


def test_the_config_file_may_be_named(tmp_path: Path) -> None:
    other, flagged = tmp_path / "other.toml", tmp_path / "flagged.toml"
    other.write_text("fps = 7\n")
    flagged.write_text("fps = 8\n")
    variables = make_environ(tmp_path, ETERNAL_TUI_CONFIG=str(other))
    assert load_settings({}, variables).fps == 7
    assert load_settings({"config": str(flagged)}, variables).fps == 8
    with pytest.raises(SettingsError, match="no such file"):
        load_settings({"config": str(tmp_path / "none.toml")}, variables)


def test_a_relative_data_dir_starts_where_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(tmp_path, 'data_dir = "here"\n')
    assert load_settings({}, make_environ(tmp_path)).data_dir == tmp_path / ".config/eternal-tui/here"
    monkeypatch.chdir(tmp_path)
    assert load_settings({"data_dir": "flag/../x"}, make_environ(tmp_path)).data_dir == tmp_path / "x"
    assert load_settings({"data_dir": "~/y"}, make_environ(tmp_path)).data_dir == tmp_path / "y"
    assert load_settings({"data_dir": Path("/z")}, make_environ(tmp_path)).data_dir == Path("/z")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("workers = 0\n", ["line 1: workers is 0.", "a whole number from 1 to 16"]),
        ("\nworkers = 17\n", ["line 2: workers is 17."]), ("workers = true\n", ["workers is true"]),
        ("workers = 2.5\n", ["workers is 2.5"]), ('workers = "4"\n', ['workers is "4"']),
        ("daily_cap = -1\n", ["daily_cap is -1.", "from 0 to 1000000000"]),
        ("daily_cap = 1e300\n", ["daily_cap is 1e+300.", "from 0 to 1000000000"]),
        ("daily_cap = nan\n", ["daily_cap is nan"]),
        ("daily_cap = inf\n", ["daily_cap is inf", "from 0 to 1000000000"]),
        ("confirm_above = [1]\n", ["confirm_above is a list"]),
        ('images = "ascii"\n', ['images is "ascii"', "auto, blocks, iterm2, kitty, off, sixel"]),
        ('key_header = "cookie"\n', ["x-api-key", "Authorization"]),
        ("worker = 3\n", ["line 1: worker: unknown setting.", "Did you mean workers?"]),
        ("fps = 3\n\n# c\nzzz = 1\n", ["line 4: zzz: unknown setting.", "Valid:"]),
        ("[notify]\nbel = true\n", ["line 2: notify.bel", "Did you mean bell?"]),
        ("fps = 3\n[notify]\nbell = 1\n", ["line 3: notify.bell is 1", "true or false"]),
        ("notify = 3\n", ["line 1: notify is 3", "[notify]"]),
        ("[notify]\nquiet_hours = '25:00-07:00'\n", ["line 2", "22:00-07:00"]),
        ("[keys]\njobs.again = 'r'\n", ["keys.jobs", "quotes"]),
        ("[hooks]\ntimeout_seconds = 0\n", ["hooks.timeout_seconds is 0.", "a number above 0, at most 3600"]),
        ("[keys]\n'jobs.again' = 3\n", ["keys.jobs.again is 3"]), ("keys = 'r'\n", ['keys is "r"', "[keys]"]),
        ("base_url = 'http://example.org'\n", ["line 1: base_url", "https"]),
        ("save_template = '../{id}'\n", ["save_template", "slash"]),
        ("save_template = '{id.__class__}'\n", ["{date} {time} {character} {type} {id}"]),
        ("save_template = '{id'\n", ["braces"]), ('api_key_command = "pass \'show"\n', ["api_key_command", "words"]),
        ("fps = \n", ["not valid TOML", "line 1"]), ("fps = 3\nfps = 4\n", ["not valid TOML"]),
        (b"\xff\n", ["line 1", "UTF-8"]), (b"fps = 3\n# caf\xe9\n", ["line 2", "UTF-8"]),
        ("x = " + "[" * 100_000, ["not valid TOML"]), ("#" * 1_100_000, ["larger than 1 MB"]),
        ("config_path = 'x'\n", ["config_path: unknown setting"]), ('data_dir = ""\n', ["the path of a folder"]),
        ('theme = "x\\u001b[2J"\nfps = "\\u001b[2J"\n', ['fps is "␛[2J"']),
    ],
)  # fmt: skip
def test_bad_file_is_reported_with_place_and_remedy(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    path = write_config(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings({}, make_environ(tmp_path))
    said = str(caught.value)
    assert said.startswith(str(path))
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ETERNAL_TUI_WORKERS", "many", ['ETERNAL_TUI_WORKERS is "many"', "1 to 16"]),
        ("ETERNAL_TUI_DAILY_CAP", "NaN", ["ETERNAL_TUI_DAILY_CAP"]),
        ("ETERNAL_TUI_DALY_CAP", "5", ["ETERNAL_TUI_DALY_CAP: unknown setting", "ETERNAL_TUI_DAILY_CAP"]),
        ("ETERNAL_TUI_NOTIFY_BELL", "loud", ["true or false"]),
        ("ETERNAL_TUI_BASE_URL", "ftp://x", ["https://"]),
    ],
)
def test_a_bad_variable_is_reported(tmp_path: Path, variable: str, value: str, words: list[str]) -> None:
    """A misspelt cap would be no cap."""
    with pytest.raises(SettingsError) as caught:
        load_settings({}, make_environ(tmp_path, **{variable: value}))
    assert all(word in str(caught.value) for word in words)


def test_a_bad_flag_is_named_as_it_was_typed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--data-dir is"):
        load_settings({"data_dir": "\0"}, make_environ(tmp_path))
    with pytest.raises(SettingsError, match=r"--base-uri: unknown setting\. Did you mean base_url\?"):
        load_settings({"base_uri": "x"}, make_environ(tmp_path))


def test_caps_may_be_lifted_for_once(tmp_path: Path) -> None:
    write_config(tmp_path, "daily_cap = 3\n")
    assert load_settings({}, make_environ(tmp_path, ETERNAL_TUI_DAILY_CAP="none")).daily_cap is None
    assert load_settings({"daily_cap": 0}, make_environ(tmp_path)).daily_cap == 0.0


VALID_BASE_URLS = {
    "https://open.eternalai.org": "https://open.eternalai.org",
    " https://open.eternalai.org/ ": "https://open.eternalai.org",
    "HTTPS://Open.EternalAI.org:443/": "https://open.eternalai.org:443",
    "https://example.org/a/b.c/": "https://example.org/a/b.c",
    "http://localhost:8000": "http://localhost:8000",
    "http://127.0.0.1:1": "http://127.0.0.1:1",
    "http://127.9.8.7": "http://127.9.8.7",
    "http://[::1]:9/x": "http://[::1]:9/x",
    "https://[2001:db8::1]": "https://[2001:db8::1]",
    "https://10.0.0.1:65535": "https://10.0.0.1:65535",
    "https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
}


@pytest.mark.parametrize("text", VALID_BASE_URLS)
def test_good_base_urls_come_out_plain(text: str) -> None:
    assert validate_base_url(text) == VALID_BASE_URLS[text]
    assert validate_base_url(VALID_BASE_URLS[text]) == VALID_BASE_URLS[text]


@pytest.mark.parametrize(
    "text",
    [
        "", "open.eternalai.org", "http://open.eternalai.org", "http://127.0.0.1.evil.example",
        "http://localhost.evil.example", "http://127.1", "http://2130706433", "http://0x7f.1", "https://0x7f000001",
        "https://1.2.3.4.5", "https://256.1.1.1", "http://[::ffff:8.8.8.8]", "http://0.0.0.0", "http://[::]",
        "https://user@host", "https://user:pw@host", "https://h?x=1", "https://h#x", "https://h/?", "https://h/a//b",
        "https://h/../x", "https://h/a/./b", "https://h/%2e%2e", "https://h/a b", "https://h:0", "https://h:65536",
        "https://h:x", "https://h:", "https://:80", "https://", "https:///x", "https:/h", "https:h", "ftp://h",
        "javascript://h", "file:///etc/passwd", "https://h\\@evil", "https://h\nx", "https://h\x00",
        "https://h\x1b[2J", "https://bücher.example", "https://h\u202e", "https://-h", "https://h-", "https://h..x",
        "https://[::1", "https://[fe80::1%25eth0]", "https://[zz]", "https://[::1]x", "https://[::1]:",
        "https://" + "a" * 300, "http://localhost@evil.example", "http://localhost#@evil.example",
    ],
)  # fmt: skip
def test_bad_base_urls_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        validate_base_url(text)


@settings(max_examples=200)
@given(
    st.one_of(st.text(), st.text().map("https://".__add__), st.sampled_from([one for one in PAYLOADS if len(one) < 99]))
)
def test_any_text_is_a_plain_url_or_a_sentence(text: str) -> None:
    try:
        url, problem = validate_base_url(text), None
    except ValueError as error:
        url, problem = "", error
    if problem is not None:
        assert type(problem) is ValueError
        assert str(problem).endswith(".")
    else:
        assert url.isascii()
        assert url.isprintable()
        assert url.startswith("https://") or is_loopback(Settings(base_url=url).host)


@pytest.mark.parametrize(
    "base_url",
    ["https://someone:sesame@host/", "https://h/?api_key=sk_sesame", "https://h/x#sk_sesame", "http://h?k=sk_sesame"],
)
def test_a_password_or_key_in_a_refused_url_is_not_repeated(base_url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"base_url": base_url}, make_environ(tmp_path))
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True), ("LOCALHOST", True), ("127.0.0.1", True), ("127.255.255.254", True), ("::1", True),
        ("[::1]", True), ("128.0.0.1", False), ("0.0.0.0", False), ("::", False), ("::ffff:127.0.0.1", False),
        ("localhost.", False), ("", False), ("::1%lo", False), ("foo.localhost", False), ("10.0.0.1", False),
    ],
)  # fmt: skip
def test_what_counts_as_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here


@pytest.mark.parametrize(
    ("url", "public", "official"),
    [
        ("https://open.eternalai.org", True, True), ("https://open.eternalai.org:443/x", True, True),
        ("https://open.eternalai.org:8443", True, False), ("https://open.eternalai.org.evil.example", True, False),
        ("http://127.0.0.1:1", False, False), ("https://[::1]", False, False),
    ],
)  # fmt: skip
def test_public_and_official(url: str, public: bool, official: bool) -> None:
    found = Settings(base_url=validate_base_url(url))
    assert (found.is_remote, found.is_official) == (public, official)


def make_settings(tmp_path: Path) -> Settings:
    return Settings(
        base_url="http://127.0.0.1:8000/x",
        data_dir=tmp_path / 'a "b" \\ ü 𝒳 \u202e',
        daily_cap=1.5,
        fps=3,
        theme="\U0001f600\x7f\x9b",
        api_key_command="pass show 'a b'",
        notify=NotifySettings(bell=False, quiet_hours="22:00-07:00"),
        keys={"jobs.again": "R", 'odd "id"\x7f': "ctrl+\\"},
    )


def test_what_is_rendered_reads_back_the_same(tmp_path: Path) -> None:
    for given_settings in (make_settings(tmp_path), load_settings({}, make_environ(tmp_path))):
        path = tmp_path / "rendered.toml"
        path.write_text(render_config(given_settings))
        again = load_settings({"config": str(path)}, make_environ(tmp_path))
        for name in SETTING_NAMES:
            assert getattr(again, name) == getattr(given_settings, name), name


def test_what_toml_cannot_say_is_still_toml(tmp_path: Path) -> None:
    text = render_config(Settings(data_dir=tmp_path / "\udcff", keys={"\ud800": "\x00"}))
    assert tomllib.loads(text)["data_dir"] == str(tmp_path / "\ufffd")


def test_every_setting_is_explained(tmp_path: Path) -> None:
    text = render_config(load_settings({"fps": "3"}, make_environ(tmp_path)))
    assert "# From --fps.\nfps = 3\n" in text
    for name in [*SETTING_NAMES, *NotifySettings.__struct_fields__]:
        assert name in text
    for line in text.splitlines():
        assert line.isprintable()


def test_the_schema_describes_the_file() -> None:
    schema = config_schema()
    json.dumps(schema)
    properties = schema["$defs"]["Settings"]["properties"]
    assert set(properties) == set(SETTING_NAMES)
    assert all("description" in described for described in properties.values())
    assert properties["workers"] == {
        "description": "Max concurrent polls.", "type": "integer", "minimum": 1, "maximum": 16, "default": 4,
    }  # fmt: skip
    assert properties["images"]["enum"] == [
        "auto", "blocks", "iterm2", "kitty", "off", "sixel",
        "symbols", "symbols:octants", "symbols:quadrants", "symbols:sextants",
    ]  # fmt: skip
    assert schema["$defs"]["Settings"]["additionalProperties"] is False


_junk = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*SETTING_NAMES, "config"]), _junk)
def test_any_value_is_taken_or_explained(tmp_path: Path, name: str, value: Any) -> None:
    said = "taken."
    try:
        load_settings({name: value}, make_environ(tmp_path))
    except SettingsError as error:
        said = str(error)
    assert said.endswith((".", "?"))
    assert said.isprintable()


def test_an_unreadable_file_is_reported(tmp_path: Path) -> None:
    write_config(tmp_path, "").unlink()
    (tmp_path / ".config/eternal-tui/config.toml").mkdir()
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_settings({}, make_environ(tmp_path))


def test_the_folders_are_those_of_platformdirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their rule is copied for Linux, to save the import; it has to stay the same."""
    import platformdirs

    for variables in (
        {},
        {"XDG_CONFIG_HOME": str(tmp_path / "c"), "XDG_DATA_HOME": str(tmp_path / "d")},
        {"XDG_DATA_HOME": " "},
    ):
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert default_config_path(os.environ).parent == platformdirs.user_config_path("eternal-tui", appauthor=False)
        assert default_data_dir(os.environ) == platformdirs.user_data_path("eternal-tui", appauthor=False)
