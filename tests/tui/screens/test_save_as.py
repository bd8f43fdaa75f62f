"""Save as: where copies go, what is said, and what stays as it was."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.services import Workbench
from eternal_tui.tui.screens.save_as import SaveAs, default_folder, tilde
from tests.tui.jobs import a_job
from tests.tui.screens.stage import Stage, actions_of, bench_of, settle, text_of

TEMPLATE = "{character}-{id}"


def finished(bench: Workbench, *numbers: int) -> list[Job]:
    bench.desk.results.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (bench.desk.results / f"{number}.jpg").write_bytes(b"picture %d" % number)
    return [
        a_job(number, state=JobState.SUCCEEDED, file=f"{number}.jpg", file_state=FileState.SAVED) for number in numbers
    ]


def home_in(folder: Path) -> Path:
    (folder / "home" / "Downloads").mkdir(parents=True)
    return folder / "home"


async def write_over(pilot: Pilot[None], screen: SaveAs, text: str) -> None:
    screen.line.value = text
    await pilot.press("enter")
    await settle(pilot)


async def test_enter_saves_under_the_proposed_name(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    async with bench_of(tmp_path) as bench:
        screen = SaveAs(finished(bench, 12), actions_of(bench), TEMPLATE, home=home)
        app = Stage(screen)
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert screen.line.value == "~/Downloads/Astrid-12.jpg"
            await pilot.press("enter")
            await settle(pilot)
    assert app.left_with == ["Saved as ~/Downloads/Astrid-12.jpg."]
    assert (home / "Downloads" / "Astrid-12.jpg").read_bytes() == b"picture 12"


async def test_a_name_that_is_taken_is_numbered(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    (home / "Downloads" / "Astrid-12.jpg").write_bytes(b"mine")
    async with bench_of(tmp_path) as bench:
        app = Stage(SaveAs(finished(bench, 12), actions_of(bench), TEMPLATE, home=home))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("enter")
            await settle(pilot)
    assert app.left_with == ["Saved as ~/Downloads/Astrid-12-2.jpg."]
    assert (home / "Downloads" / "Astrid-12.jpg").read_bytes() == b"mine"


async def test_a_bare_name_stays_in_the_folder_and_gets_the_files_suffix(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    async with bench_of(tmp_path) as bench:
        screen = SaveAs(finished(bench, 12), actions_of(bench), TEMPLATE, home=home)
        app = Stage(screen)
        async with app.run_test(size=(80, 24)) as pilot:
            await write_over(pilot, screen, "harbour")
    assert app.left_with == ["Saved as ~/Downloads/harbour.jpg."]


async def test_a_folder_alone_is_enough(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    async with bench_of(tmp_path) as bench:
        screen = SaveAs(finished(bench, 12), actions_of(bench), TEMPLATE, home=home)
        app = Stage(screen)
        async with app.run_test(size=(80, 24)) as pilot:
            await write_over(pilot, screen, "~")
    assert app.left_with == ["Saved as ~/Astrid-12.jpg."]


async def test_what_is_wrong_is_said_and_can_be_mended(tmp_path: Path) -> None:
    """Seen to fail with the folder made on the way: a slip of the finger littered the disk."""
    home = home_in(tmp_path)
    (home / "Downloads" / "file").write_text("")
    async with bench_of(tmp_path) as bench:
        screen = SaveAs(finished(bench, 12), actions_of(bench), TEMPLATE, home=home)
        app = Stage(screen)
        async with app.run_test(size=(80, 24)) as pilot:
            await write_over(pilot, screen, "~/nowhere/a.jpg")
            assert "There is no folder" in text_of(app)
            assert not (home / "nowhere").exists()
            await write_over(pilot, screen, "")
            assert "Write a name first." in text_of(app)
            await write_over(pilot, screen, "x" * 300)
            assert "could not be saved" in text_of(app)
            assert app.left_with == []
            await write_over(pilot, screen, "a.jpg")
    assert app.left_with == ["Saved as ~/Downloads/a.jpg."]


async def test_several_jobs_go_into_a_folder(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    async with bench_of(tmp_path) as bench:
        jobs = [*finished(bench, 12, 13), a_job(14, state=JobState.FAILED)]
        screen = SaveAs(jobs, actions_of(bench), TEMPLATE, home=home)
        app = Stage(screen)
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert screen.line.value == "~/Downloads"
            await pilot.press("enter")
            await settle(pilot)
    assert app.left_with == ["Saved 2 files in ~/Downloads. 1 had no verified file."]
    assert sorted(path.name for path in (home / "Downloads").iterdir()) == ["Astrid-12.jpg", "Astrid-13.jpg"]


async def test_several_jobs_need_a_folder_that_is_there(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    async with bench_of(tmp_path) as bench:
        screen = SaveAs(finished(bench, 12, 13), actions_of(bench), TEMPLATE, home=home)
        app = Stage(screen)
        async with app.run_test(size=(80, 24)) as pilot:
            await write_over(pilot, screen, "~/new")
            assert "There is no folder" in text_of(app)
            await pilot.press("escape")
    assert app.left_with == [None]


async def test_a_job_without_a_file_is_told_at_once(tmp_path: Path) -> None:
    async with bench_of(tmp_path) as bench:
        app = Stage(SaveAs([a_job(14, state=JobState.FAILED)], actions_of(bench), TEMPLATE, home=tmp_path))
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await pilot.pause()
    assert app.left_with == ["Job 14 has no verified file to save."]


def test_downloads_are_where_copies_go_unless_there_are_none(tmp_path: Path) -> None:
    assert default_folder(tmp_path, Path("/here")) == Path("/here")
    assert default_folder(home_in(tmp_path), Path("/here")) == tmp_path / "home" / "Downloads"
    assert tilde(Path("/home/a/b"), Path("/home/a")) == "~/b"
    assert tilde(Path("/home/ab"), Path("/home/a")) == "/home/ab"
