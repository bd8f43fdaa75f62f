"""Ways through the form, the copies and the screen as a whole, by keys in a real terminal.

Each journey begins and ends in the list, so that many share one running app; what one leaves behind, the next finds.
"""

from __future__ import annotations

import base64
import json
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.terminal.tmux import PROGRAM, Tmux, count_picture_cells, make_environ, needs_tmux

pytestmark = [needs_tmux, pytest.mark.terminal, pytest.mark.long]

SIZES = [(80, 24), (200, 60)]
CURL_COMMAND = """curl --location 'https://open.eternalai.org/v2/base/generate' \\
--header 'Content-Type: application/json' --header 'x-api-key: sk-of-nobody' \\
--data '{"images": ["6870"], "prompt": "Waving from a pasted curl", "type": "video", "duration": 2}'"""
OSC52_PATTERN = re.compile(rb"\x1b\]52;[^;]*;([A-Za-z0-9+/=]+)")


def lacks(words: str) -> Callable[[str], bool]:
    return lambda screen: words not in screen


def contains(*words: str) -> Callable[[str], bool]:
    return lambda screen: all(word in screen for word in words)


def shows_request_count(count: int) -> Callable[[str], bool]:
    """The form's word for it, in its narrow and its wide form."""
    return lambda screen: f"{count} requests" in screen or f"{count}× " in screen


def return_to_list(app: Tmux) -> None:
    """Go to the list and let what was said go away."""
    app.press("Escape")
    app.wait_for(lambda screen: "q quit" in screen and "done: " not in screen and "jobs done" not in screen)


@pytest.fixture
def home(tmp_path: Path, quick: dict[str, str]) -> dict[str, str]:
    """An environment with an editor that writes two lines."""
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'At the harbour\\nIn the rain\\n' > \"$1\"\n")
    editor.chmod(stat.S_IRWXU)
    return make_environ(tmp_path, {**quick, "EDITOR": str(editor), "XDG_CONFIG_HOME": str(tmp_path / "config")})


@pytest.fixture(params=SIZES, ids=["80x24", "200x60"])
def app(request: pytest.FixtureRequest, home: dict[str, str]) -> Iterator[Tmux]:
    columns, rows = request.param
    with Tmux(PROGRAM, home, columns=columns, rows=rows) as terminal:
        terminal.wait_for("2 Jobs")
        yield terminal


def test_the_form(app: Tmux, tmp_path: Path) -> None:
    """Fields, editor, many prompts, matrix with count and cost, presets, prompt history, curl in, a crash."""
    app.press("n")
    app.wait_for("opens the list")
    app.type("6870")
    app.press("Enter")
    app.wait_for("Astrid · 6870")
    app.press("C-e")
    app.wait_for(contains("At the harbour", "In the rain", "Prompts"))
    app.press("Tab")  # to the choice: one prompt, or one a line
    app.press("Right")
    app.wait_for(shows_request_count(2))
    app.press("Tab", "Space", "Right")  # picture and clip
    app.wait_for(contains("Duration", "Audio", "Quality"))
    app.wait_for(shows_request_count(4))
    app.press("Tab", "Space", "Right")  # two lengths of clip
    app.wait_for(shows_request_count(6))
    app.press("C-t")
    app.wait_for("Presets and snippets")
    app.type("storm")
    app.press("C-s")
    app.wait_for("Saved as storm.")
    app.press("C-y")
    app.wait_for("New forms start from storm.")
    app.press("Escape")
    app.wait_for(lacks("New forms start"))
    app.press("C-s")
    app.wait_for("send 6 requests")
    app.type("y")
    app.wait_for("6 done today")
    return_to_list(app)
    app.wait_for("6/6 done")

    # One earlier prompt, found by a word of it.
    app.press("n")
    app.wait_for("^s send")
    app.press("C-r")
    app.wait_for("Prompts ─")
    app.type("rain")
    app.wait_for("▌ In the rain")
    app.press("Enter")
    app.wait_for(contains("▌In the rain", "^s send"))

    # A preset by name.
    app.press("C-t")
    app.wait_for("storm")
    app.type("sto")
    app.press("Enter")
    app.wait_for(shows_request_count(6))

    # The documented curl, pasted.
    app.tmux("set-buffer", "--", CURL_COMMAND)
    app.tmux("paste-buffer", "-p")
    app.wait_for(contains("Waving from a pasted curl", "1 [2] 3", '"type": "video"'))
    assert "sk-of-nobody" not in app.screen()

    # The draft is there after a kill.
    app.press("Tab")
    app.wait_for("Waving")
    draft = tmp_path / "data" / "draft.json"
    app.wait_for(lambda _: b"pasted curl" in draft.read_bytes())
    app.kill()


def test_the_draft_after_a_crash_and_the_default_preset(tmp_path: Path, home: dict[str, str]) -> None:
    """What was typed is there again; a form that is empty starts from the default preset."""
    data = tmp_path / "data"
    with Tmux(PROGRAM, home) as app:
        app.wait_for("2 Jobs")
        app.press("n")
        app.wait_for("opens the list")
        app.type("6870\tSnow on the quay")
        app.wait_for(lambda _: (data / "draft.json").exists() and b"quay" in (data / "draft.json").read_bytes())
        app.kill()
    with Tmux(PROGRAM, home) as app:
        app.wait_for("2 Jobs")
        app.press("n")
        app.wait_for("Snow on the quay")
        app.press("C-q")
        app.wait_for("gone: 0")
    (data / "draft.json").unlink()
    preset = {"items": [{"name": "two", "draft": {"prompt": "From the preset", "times": 2}}], "default": "two"}
    (data / "presets.json").write_text(json.dumps(preset))
    with Tmux(PROGRAM, home) as app:
        app.wait_for("2 Jobs")
        app.press("n")
        app.wait_for("From the preset")
        app.wait_for(shows_request_count(2))
        app.press("C-q")
        app.wait_for("gone: 0")


def test_copies(app: Tmux) -> None:
    """Path, link, prompt, request id, curl, Python and JSON reach the terminal's clipboard; the key does not."""
    app.press("n")
    app.wait_for("opens the list")
    app.type("6870\tA red boat")
    app.press("C-s")
    app.wait_for("1 done today")
    return_to_list(app)
    # In one row of the list: beside it stands the form, which holds the same words.
    app.wait_for(lambda screen: any("A red boat" in line.partition("✓ saved")[2] for line in screen.splitlines()))
    texts = {}
    for key in "pltichb":
        app.read()
        app.written = b""
        app.press("y")
        app.wait_for("Copy of job")
        app.press(key)
        app.wait_for_bytes(b"\x1b]52;")
        # Another y in the menu would close it, and the letter behind it go to the list.
        app.wait_for(lacks("Copy of job"))
        texts[key] = base64.b64decode(OSC52_PATTERN.findall(app.written)[-1]).decode()
    assert texts["p"].endswith(".jpg")
    assert texts["l"].startswith("http")
    assert texts["t"] == "A red boat"
    assert len(texts["i"]) > 8
    assert texts["c"].startswith("curl ")
    assert "httpx" in texts["h"]
    assert json.loads(texts["b"])["prompt"] == "A red boat"
    assert not any("canary-of-the-suite" in text for text in texts.values())


@pytest.fixture
def several(tmp_path: Path, home: dict[str, str]) -> None:
    """Two pictures, a clip and a picture that fails, sent before the app starts."""
    program = Program(tmp_path, home["ETERNAL_TUI_BASE_URL"], home["ETERNALAI_API_KEY"])
    for prompt, *more in (
        ("A red boat",),
        ("A blue boat",),
        ("A boat that turns", "--type", "video", "--duration", "1"),
        ("In snow fault:failed",),
    ):
        program.run("generate", "--character", "6870", "--prompt", prompt, "--wait", *more)


@pytest.mark.usefixtures("several")
def test_the_list(app: Tmux, tmp_path: Path) -> None:
    """Filter by fields, facets, sort, ranges, star, note and tags, all marked at once, copies, run again, retry all."""
    app.wait_for(contains("fault:failed", "A red boat"))

    # Fields and words, as one types.
    for typed, listed in (
        ("/boat", "3 of 12"),
        (" type:clip", "1 of 12"),
    ):
        app.type(typed)
        app.wait_for(listed)
    app.press("Escape")
    app.wait_for(lacks("of 12"))
    app.type("/state:failed type:picture char:astrid since:1h\r")
    app.wait_for(contains("1 of 12", "fault:failed"))
    app.press("Escape")
    app.wait_for(lacks("of 12"))

    # Facets and orders.
    for facet in ("unfinished", "done", "needs attention", "all"):
        app.type("f")
        app.wait_for(f"Jobs · {facet}")
    for order in ("oldest first", "longest first", "most expensive first", "by character", "queue order"):
        app.type("S")
        app.wait_for(order)
    app.type("S")
    app.wait_for(lacks("by character"))

    # A range of three, starred, noted, tagged, found again, copied, saved, deleted and brought back.
    app.type("/boat\r")
    app.wait_for("3 of 12")
    app.type("g GV")
    app.wait_for("3 marked")
    app.type("*N")
    app.wait_for("Note for 3 jobs")
    app.type("for the cover\tharbour\r")
    app.wait_for(lacks("Note for"))
    app.type("/")
    app.press("C-u")
    app.type("star:yes tag:harbour\r")
    app.wait_for("3 of 12")
    app.type("s")
    app.wait_for("Save 3 files")
    app.press("C-u")
    app.type(f"{tmp_path}\r")
    app.wait_for("Saved 3 files")
    assert len([*tmp_path.glob("*.jpg")]) == 2
    assert len([*tmp_path.glob("*.mp4")]) == 1
    app.type("d")
    app.wait_for(lacks("A red boat"))
    app.type("u")
    app.wait_for(contains("A red boat", "Restored."))
    app.press("Escape", "Escape")
    app.wait_for(lacks("of 12"))

    # Changed and sent; the very same again; the failed ones after a question with the cost.
    app.type("/red\r")
    app.wait_for("1 of 12")
    app.type("r")
    app.wait_for("2 of 13")
    app.type("e")
    app.wait_for(contains("A red boat", "^s send"))
    app.press("Tab")
    app.type(" at dusk")
    app.press("C-s", "Escape")
    app.wait_for(contains("3 of 14", "q quit"))
    app.press("Escape")
    app.wait_for(lacks("of 14"))
    app.type("T")
    app.wait_for(contains("Run 1 failed job again?", "~"))
    app.type("n")
    app.wait_for(contains("q quit"))
    app.type("T")
    app.wait_for("Run 1 failed job")
    app.type("y")
    app.wait_for("2 failed today")
    app.press("q")
    app.wait_for("modes restored")


def test_about_the_screen(app: Tmux, tmp_path: Path) -> None:
    """Palette, jump mode, help, statistics, gallery, characters, zoom, panes, sizes kept, theme and keys read anew."""
    app.press("n")
    app.wait_for("opens the list")
    app.type("6870\tA red boat")
    app.press("C-s")
    app.wait_for("1 done today")
    app.press("C-t")
    app.wait_for("Presets and snippets")
    app.type("storm")
    app.press("C-s")
    app.wait_for("Saved as storm.")
    app.press("Escape")
    app.wait_for(lacks("Saved as"))
    return_to_list(app)

    for key in (":", "C-p"):
        app.press(key)
        app.wait_for("Search for commands")
        app.press("Escape")
        app.wait_for(lacks("Search for commands"))
    for typed, found, then in (
        ("mark range", "Mark range", "1 marked"),
        ("job 9", "Job 9", "▌"),
        ("character elara", "Character Elara", "Elara · 6873"),
        ("preset storm", "Preset storm", "^s send"),
    ):
        app.press(":" if then != "^s send" else "C-p")
        app.wait_for("Search for commands")
        app.type(typed)
        app.wait_for(found)
        app.press("Enter")
        app.wait_for(contains(then) if then != "▌" else lacks("Search for commands"))
        app.press_escape()
        app.press_escape()
        app.wait_for("q quit")

    app.press("C-o")
    app.wait_for("type a letter to jump")
    app.press("a")
    app.wait_for(lacks("type a letter to jump"))
    app.press("Escape")
    app.wait_for("q quit")
    app.press("?")
    app.wait_for("In the list of jobs")
    app.type("sort")
    app.wait_for(contains("Sort", "S"))
    app.press("Escape")
    app.wait_for(lacks("In the list of jobs"))
    app.press("I")
    app.wait_for("Spending, last 30 days")
    app.press("Escape")
    app.wait_for(lacks("Spending"))
    app.press("v")
    app.wait_for(lambda screen: count_picture_cells(screen) > 20)
    app.press("v")
    app.press("C")
    app.wait_for("searches name, ID and story")
    app.press("Escape")
    app.wait_for(lacks("searches name"))

    app.press("z")
    app.wait_for(lacks("3 Job"))
    app.press("z")
    app.wait_for("3 Job")
    app.press("3")
    app.wait_for(lacks("/ filter"))
    app.press("z")
    app.wait_for(lacks("2 Jobs"))
    app.press("Escape")
    app.wait_for("2 Jobs")

    before = app.screen()
    app.press(">", ">")
    app.wait_for(lambda screen: screen != before and (tmp_path / "data" / "layout.json").exists())

    config = tmp_path / "config" / "eternal-tui"
    config.mkdir(parents=True, exist_ok=True)
    (config / "config.toml").write_text('theme = "eternal-light"\n[keys]\n"jobs.help" = "f9"\n')
    app.wait_for("f9 help")
    app.press("F9")
    app.wait_for("In the list of jobs")
    app.press("Escape")
    app.wait_for(lacks("In the list of jobs"))
    assert "48;5;231" in app.screen(styled=True), "not the light theme's ground, as tmux keeps it"
    (config / "config.toml").write_text('[keys]\n"jobs.hlp" = "f9"\n"jobs.again" = "e"\n')
    app.wait_for(contains("Did you", "jobs.help?"))
    app.press("q")
    app.wait_for("modes restored")
