"""Whole ways through the program by keys in a real terminal, small and large."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Presets, PresetStore
from eternal_tui.history.history import History
from eternal_tui.jobs.model import FileInfo, FileState, JobState, to_record
from tests.terminal.tmux import PROGRAM, Tmux, make_environ, needs_tmux
from tests.tui.jobs import NOW, charged, make_job
from tests.tui.results import write_image

pytestmark = [needs_tmux, pytest.mark.terminal]

SIZES = [(80, 24), (200, 60)]


@pytest.fixture(params=SIZES, ids=["80x24", "200x60"])
def app(request: pytest.FixtureRequest, tmp_path: Path, service: dict[str, str]) -> Iterator[Tmux]:
    columns, rows = request.param
    with Tmux(PROGRAM, make_environ(tmp_path, service), columns=columns, rows=rows) as terminal:
        terminal.wait_for("No jobs yet")
        yield terminal


def test_from_the_first_job_to_the_end(app: Tmux) -> None:
    """Four key presses and a prompt make the first job; then every other way, and Esc never quits."""
    presses = 0

    def press(key: str) -> None:
        nonlocal presses
        presses += 1
        app.press(key)

    press("C-n")
    app.wait_for("opens the list")
    press("Enter")
    app.wait_for("6873  Elara")
    press("Enter")
    app.type("In a red coat")
    press("C-s")
    app.wait_for("1 done today")
    assert presses < 6
    app.press_escape()
    app.wait_for(lambda screen: "✓ saved" in screen and "3 Job 1" in screen)

    # Where the screen tells that Esc has arrived, nothing else has to be waited for.
    app.press("Enter")
    app.wait_for("esc back")
    app.press("Escape")
    app.wait_for("2 Jobs · all")

    app.type("/blue")
    app.wait_for("No job matches")
    app.press("Escape")
    app.wait_for("✓ saved")

    app.press("d")
    app.wait_for("No jobs yet")
    app.press("u")
    app.wait_for("✓ saved")

    app.type("?")
    app.wait_for("In the list of jobs")
    app.press("Escape")
    app.wait_for(lambda screen: "In the list of jobs" not in screen)
    app.type("I")
    app.wait_for("Spending, last 30 days")
    app.press("Escape")
    app.wait_for(lambda screen: "Spending" not in screen)
    app.press("C-p")
    app.wait_for("Search for commands")
    app.press("Escape")
    app.wait_for(lambda screen: "Search for commands" not in screen)
    app.press_escape()
    assert "q quit" in app.screen()

    app.press("q")
    screen = app.wait_for("modes restored")
    assert "gone: 0" in screen
    assert "at the service" not in screen


@pytest.mark.parametrize(("columns", "rows"), SIZES, ids=["80x24", "200x60"])
def test_a_batch_from_preset_to_retry(columns: int, rows: int, tmp_path: Path, quick: dict[str, str]) -> None:
    """Two prompts in two qualities from a preset are one line: opened, tagged, found, deleted, restored, run again."""
    draft = Draft(character="6870", prompt="At sea\nIn snow", extra_qualities=("high",), one_per_line=True)
    data = Path(quick["ETERNAL_TUI_DATA_DIR"])
    PresetStore(data).save(Presets().with_preset("two", draft).toggle_default("two"))
    with Tmux(PROGRAM, make_environ(tmp_path, quick), columns=columns, rows=rows) as app:
        app.wait_for("2 Jobs")
        app.press("C-n")
        app.wait_for(lambda screen: "In snow" in screen and "4 requests" in screen.replace("4×", "4 requests"))
        app.press("C-s")
        app.wait_for("This sends 4 requests")
        app.type("y")
        app.wait_for("4 done today")
        app.press_escape()
        app.wait_for("4/4 done")
        app.press("Right")
        app.wait_for(lambda screen: "▾ 4 jobs" in screen and screen.count("In snow") >= 2)
        app.press("Left")
        app.wait_for("▸ 4 jobs")

        app.type("*N")
        app.wait_for("Note for 4 jobs")
        app.type("\twinter\r")
        app.wait_for(lambda screen: "Note for" not in screen)
        app.type("/type:image char:6870 since:1d tag:win star:yes batch:any\r")
        app.wait_for("4 of 12")
        app.type("jV")
        app.wait_for("1 marked")
        app.type("kV")
        app.wait_for("2 marked")
        app.press("Escape", "Escape")
        app.wait_for("▸ 4 jobs")

        app.type("d")
        app.wait_for(lambda screen: "▸ 4 jobs" not in screen)
        app.type("u")
        app.wait_for(lambda screen: "Restored." in screen and "▸ 4 jobs" in screen)
        app.type("g")
        app.wait_for("▌  ▸ 4 jobs")
        app.type("r")
        app.wait_for("Run 4 jobs again?")
        app.type("n")
        app.wait_for(lambda screen: "Run 4 jobs" not in screen)
        app.press("C-p")
        app.wait_for("Search for commands")
        app.type("theme eternal-light")
        app.wait_for("at the next start")
        app.press("Enter")
        app.wait_for(lambda screen: "Search" not in screen and "q quit" in screen)
        app.press("q")
        app.wait_for("modes restored")
    assert b"eternal-light" in (data / "theme.json").read_bytes()


def test_a_new_request_starts_empty_and_an_old_one_is_edited(app: Tmux) -> None:
    """N starts empty, e edits, ctrl+l clears, ctrl+g restores the draft: no prompt is continued unseen."""
    app.press("n")
    app.wait_for("opens the list")
    app.type("6873\tA red coat")
    app.press("C-s")
    app.wait_for("1 done today")
    app.press_escape()
    app.press("n")
    app.wait_for(lambda screen: "^g restores: A red coat" in screen and "Elara" in screen)
    app.type("In the snow")
    app.press("C-s")
    app.wait_for("2 done today")
    app.press_escape()
    app.wait_for(lambda screen: "In the snow" in screen and "coatIn" not in screen)

    app.press("e")
    app.wait_for("from job 2")
    app.type(" at dusk")
    app.wait_for("In the snow at dusk")
    app.press("C-l")
    app.wait_for("opens the list")
    app.press("C-g")
    app.wait_for(lambda screen: "restored draft" in screen and "In the snow at dusk" in screen)
    app.type("Rain")
    app.wait_for(lambda screen: "Rain" in screen and "dusk" not in screen.partition("^s send")[0])


def test_templates_snippets_and_files_of_prompts(app: Tmux, tmp_path: Path) -> None:
    """Requests are counted before they are sent, and found again by their template."""
    app.press("n")
    app.wait_for("opens the list")
    app.type("6873\tA {red|blue} coat, {{plain}}")
    app.wait_for("= 2 requests")
    app.press("C-t")
    app.wait_for("Presets and snippets")
    app.type("@coat")
    app.press("C-s")
    app.wait_for(lambda screen: re.search(r"@coat +A \{red", screen) is not None)
    app.press_escape()
    app.press("C-s")
    app.wait_for("This sends 2 requests")
    app.type("y")
    app.wait_for("2 done today")
    app.press_escape()
    app.type("/template:blue\r")
    app.wait_for(lambda screen: "2 of 2" in screen and "A red coat, {plain}" in screen)
    app.press_escape()

    app.press("n")
    app.wait_for("^g restores")
    app.type("@coat at sea")
    app.wait_for("A {red|blue} coat, {{plain}} at")
    app.press("C-l")
    app.wait_for("opens the list")
    (tmp_path / "prompts.txt").write_text("One\n{Two|Three}\n")
    app.type(f"6873\t{tmp_path}/prompts.txt")
    app.press("C-e")
    app.wait_for(lambda screen: "(•) one per line" in screen and "= 3 requests" in screen)


def test_the_tour_of_the_demo_goes_away_by_use(tmp_path: Path) -> None:
    """Each of its keys does something at once; the cursor starts on the video."""
    demo = (*PROGRAM, "--demo", "--data-dir", str(tmp_path / "demo"))
    with Tmux(demo, make_environ(tmp_path, {}), columns=140, rows=40) as app:
        app.wait_for(lambda screen: "Tour 1/5" in screen and "✓ saved    video" in screen)
        app.press("C-s")
        app.wait_for(lambda screen: "Tour 2/5" in screen and "In a yellow raincoat" in screen.partition("3 Job")[0])
        app.press("Enter")
        app.wait_for("esc back")
        app.press_escape()
        app.wait_for("Tour 3/5")
        app.type("p")
        app.wait_for("Tour 4/5")
        app.type("v")
        app.wait_for("Tour 5/5")
        app.type("?")
        app.wait_for("In the list of jobs")
        app.press_escape()
        app.wait_for(lambda screen: "Tour" not in screen and "q quit" in screen)


def test_an_empty_demo(tmp_path: Path) -> None:
    with Tmux((*PROGRAM, "--demo", "--empty"), make_environ(tmp_path, {})) as app:
        app.wait_for(lambda screen: "No jobs yet" in screen and "Tour" not in screen)


def test_start_without_a_key(tmp_path: Path, service: dict[str, str]) -> None:
    """The API key screen opens by itself and names the demo; Esc closes it."""
    without = {**service, "ETERNALAI_API_KEY": None}
    with Tmux(PROGRAM, make_environ(tmp_path, without)) as app:
        app.wait_for("look around without a key")
        assert "--demo" in app.screen() or "demo" in app.screen()
        app.press_escape()
        app.wait_for(lambda screen: "look around" not in screen and "No jobs yet" in screen)
        app.press("C-q")
        app.wait_for("gone: 0")


def test_quitting_says_what_goes_on(tmp_path: Path, service: dict[str, str]) -> None:
    with Tmux(PROGRAM, make_environ(tmp_path, service), columns=120) as app:
        app.wait_for("No jobs yet")
        app.press("C-n")
        app.wait_for("opens the list")
        app.type("6870\tfault:stuck in the rain")
        app.press("C-s")
        app.wait_for("1 running")
        # The form covers the list here.
        app.wait_for("Sent the request. esc: list.")
        app.press("C-q")
        screen = app.wait_for("gone: 0")
        assert "1 job goes on at the service. `eternal-tui watch`, or the app, picks up what is unfinished." in screen


def test_suspend_and_resume(tmp_path: Path, service: dict[str, str]) -> None:
    shell = ["/bin/sh", "-i"]
    with Tmux(shell, make_environ(tmp_path, {**service, "PS1": "ready> "})) as app:
        app.wait_for("ready>")
        app.type(" ".join(PROGRAM) + "\r")
        app.wait_for("No jobs yet")
        app.press("C-z")
        app.wait_for(lambda screen: "ready>" in screen and "No jobs yet" not in screen)
        app.type("echo alive $((6*7))\r")
        app.wait_for("alive 42")
        app.type("fg\r")
        app.wait_for("No jobs yet")
        app.press("C-n")
        app.wait_for("opens the list")
        app.press("C-q")
        app.wait_for(lambda screen: "opens the list" not in screen and "ready>" in screen)


@pytest.mark.parametrize(("columns", "rows"), SIZES, ids=["80x24", "200x60"])
def test_a_killed_app_comes_back_where_it_was(columns: int, rows: int, tmp_path: Path, quick: dict[str, str]) -> None:
    """Cursor, filter, order, pane sizes and zoom, as last seen. Fails with the view saved on exit only."""
    layout = Path(quick["ETERNAL_TUI_DATA_DIR"]) / "layout.json"
    with Tmux(PROGRAM, make_environ(tmp_path, quick), columns=columns, rows=rows) as app:
        app.wait_for("2 Jobs")
        app.type("/type:image\r")
        app.wait_for("of 8")
        app.type("Skk>")
        app.wait_for(lambda screen: "oldest first" in screen and "6/8" in screen)
        app.type("z")
        app.wait_for(lambda screen: "3 Job" not in screen)
        before = app.wait_for(lambda _: layout.exists() and b'"zoom":"jobs"' in layout.read_bytes())
        app.kill()
    with Tmux(PROGRAM, make_environ(tmp_path, quick), columns=columns, rows=rows) as app:
        row = next(line for line in before.splitlines() if "▌" in line)
        app.wait_for(lambda screen: "oldest first" in screen and "6/8" in screen and row in screen)
        assert "3 Job" not in app.screen()
        app.type("z")
        app.wait_for("3 Job 6")


SCREEN_SIZES = {(60, 20): 8, (80, 24): 10, (100, 30): 12, (140, 40): 12, (200, 60): 40}
"""Terminal sizes, with the rows of the list there."""

JOB_ROW = re.compile(r"[✓▸] (?:saved|\d jobs) .*?(\d+ in a .*)")


def add_hundred_jobs(data_dir: Path) -> None:
    """Write a history of a hundred images of 1080x1920, among them batches of four."""
    results = data_dir / "results"
    results.mkdir(parents=True)
    data_dir.chmod(0o700)
    first = write_image(results / "1.png", size=(1080, 1920))
    facts = FileInfo(bytes=first.stat().st_size, width=1080, height=1920, codec="png")
    jobs = []
    for number in range(1, 101):
        if number > 1:
            os.link(first, results / f"{number}.png")
        jobs.append(
            make_job(
                prompt=f"{number} in a wool coat by the harbour at dawn", state=JobState.SUCCEEDED, progress=100,
                file_state=FileState.SAVED, file=f"{number}.png", file_info=facts, request_id=f"req-{number:04}",
                created_at=NOW + number, submitted_at=NOW + number, finished_at=NOW + number + 62,
                batch=f"b{number // 10}" if number % 10 in (1, 2, 3, 4) else "", **charged(0.04),
            )
        )  # fmt: skip
    history = History.open(data_dir)
    history.add_many(map(to_record, jobs))
    history.close(compact=True)


@pytest.mark.parametrize("size", SCREEN_SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_hundredth_job_is_seen_at_a_glance(size: tuple[int, int], tmp_path: Path, service: dict[str, str]) -> None:
    """The list has its rows and each its prompt; batches unfold into view; the detail begins with the prompt."""
    data = tmp_path / "data"
    add_hundred_jobs(data)
    environ = make_environ(tmp_path, {**service, "ETERNAL_TUI_DATA_DIR": str(data)})
    with Tmux(PROGRAM, environ, columns=size[0], rows=size[1]) as app:
        screen = app.wait_for("Cost       0.04 credits")
        rows = [found[1] for line in screen.splitlines() if (found := JOB_ROW.search(line))]
        assert len(rows) >= SCREEN_SIZES[size]
        assert all("in a wool coat" in row and "%" not in row for row in rows), rows

        app.type(" ")
        app.wait_for(lambda screen: "1 marked" in screen and "● ✓ saved" in screen)
        app.press_escape()
        app.type("gjjjjjj")
        app.wait_for("▌  ▸ 4 jobs")
        app.press("Right")
        screen = app.wait_for("▾ 4 jobs")
        children = [line for line in screen.splitlines() if re.search(r"     ✓ saved .* 9[1-4] in a wool", line)]
        assert len(children) == 4, screen

        app.type("z")
        app.wait_for(lambda screen: "3 Job" not in screen)
        app.type("z3z")
        app.wait_for(lambda screen: "3 Job 94" in screen and "2 Jobs" not in screen and "94 in a wool coat" in screen)
        app.type("JG")
        app.wait_for('"type": "image"')
