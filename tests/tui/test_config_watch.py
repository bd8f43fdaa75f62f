"""Theme and keys as the running app wears them, and how it takes new ones while it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from eternal_tui.tui import themes
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.graphics.base import NullGraphics
from tests.tui.screens.stage import ENVIRON_WITH_KEY, make_services, screen_text, wait_idle


def notification_texts(app: EternalApp) -> list[str]:
    return [str(each.message) for each in app._notifications]


def write_config(config: Path, text: str, mtime_ns: int) -> None:
    config.parent.mkdir(exist_ok=True)
    config.write_text(text)
    os.utime(config, ns=(mtime_ns, mtime_ns))


async def test_keys_and_theme_are_worn_and_change_with_the_file(tmp_path: Path) -> None:
    config = tmp_path / "config" / "config.toml"
    bench = make_services(
        tmp_path, keys={"jobs.help": "x", "list.down": "m", "list.dwn": "ctrl+y"}, theme="eternal-light"
    )
    app = EternalApp(bench, NullGraphics(), ENVIRON_WITH_KEY)
    async with app.run_test(size=(120, 30)) as pilot:
        await wait_idle(pilot)
        assert app.theme == "eternal-light"
        assert "x help" in screen_text(app)
        assert notification_texts(app) == ['keys: there is no action "list.dwn". Did you mean list.down?']
        active = {each.binding.id: key for key, each in app.screen.active_bindings.items() if each.binding.id}
        assert (active["list.down"], active["jobs.help"]) == ("m", "x")

        write_config(config, 'theme = "eternal-contrast"\n[keys]\n"jobs.help" = "R"\n', 1_000)
        app._reload_config()
        await wait_idle(pilot)
        assert app.theme == "eternal-contrast"
        assert "R help" in screen_text(app)
        active = {each.binding.id: key for key, each in app.screen.active_bindings.items() if each.binding.id}
        assert active["jobs.help"] == "R"
        assert "list.down" in active
        assert "m" not in app.screen.active_bindings


async def test_a_theme_chosen_in_the_app_is_worn_again(tmp_path: Path) -> None:

    def worn(environ: dict[str, str], **settings: Any) -> str:
        return EternalApp(make_services(tmp_path, **settings), NullGraphics(), environ).theme

    app = EternalApp(make_services(tmp_path), NullGraphics(), ENVIRON_WITH_KEY)
    async with app.run_test() as pilot:
        await wait_idle(pilot)
        usual = app.theme
        await pilot.press("ctrl+p")
        await pilot.press(*"theme eternal-light", "enter")
        await wait_idle(pilot)
        assert app.theme == "eternal-light" != usual
    assert worn(ENVIRON_WITH_KEY) == "eternal-light"
    assert worn(ENVIRON_WITH_KEY, theme="eternal-contrast") == "eternal-contrast"
    assert worn({**ENVIRON_WITH_KEY, "NO_COLOR": "1"}) == "eternal-mono"
    (tmp_path / "data" / "theme.json").write_bytes(b"{\xff")
    assert worn(ENVIRON_WITH_KEY) == usual


async def test_a_file_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    config = tmp_path / "config" / "config.toml"
    app = EternalApp(make_services(tmp_path, theme="eternal-light"), NullGraphics(), ENVIRON_WITH_KEY)
    async with app.run_test() as pilot:
        write_config(config, "theme = [", 1_000)
        app._reload_config()
        app._reload_config()
        await wait_idle(pilot)
        assert app.theme == "eternal-light"
        assert len(notification_texts(app)) == 1
        assert notification_texts(app)[0].endswith("). The settings in force stay as they were.")


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"TERM": "xterm-256color"}, "eternal-dark"),
        ({"TERM": "screen", "COLORTERM": "truecolor"}, "eternal-dark"),
        ({"TERM": "xterm-kitty"}, "eternal-dark"),
        ({"TERM": "xterm"}, "eternal-ansi"),
        ({"TERM": "linux"}, "eternal-ansi"),
        ({"TERM": "vt100"}, "eternal-mono"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "eternal-mono"),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "eternal-dark"),
    ],
)
def test_the_theme_fits_the_terminal(environ: dict[str, str], name: str) -> None:
    assert themes.default_for(environ) == name
