"""Save as: where copies go, what is said, and what stays as it was."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.services import Services
from eternal_tui.tui.screens.save_as import SaveAs, abbreviate_home, default_save_dir
from tests.tui.jobs import make_job
from tests.tui.screens.stage import ScreenApp, job_commands, open_services, screen_text, wait_idle

TEMPLATE = "{character}-{id}"


def finished_jobs(bench: Services, *numbers: int) -> list[Job]:
    bench.jobs.results_dir.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (bench.jobs.results_dir / f"{number}.jpg").write_bytes(b"picture %d" % number)
    return [
        make_job(number, state=JobState.SUCCEEDED, file=f"{number}.jpg", file_state=FileState.SAVED)
        for number in numbers
    ]


def make_home(folder: Path) -> Path:
    (folder / "home" / "Downloads").mkdir(parents=True)
    return folder / "home"


async def submit_path(pilot: Pilot[None], screen: SaveAs, text: str) -> None:
    screen.path_input.value = text
    await pilot.press("enter")
    await wait_idle(pilot)


async def test_enter_saves_under_the_proposed_name(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    async with open_services(tmp_path) as bench:
        screen = SaveAs(finished_jobs(bench, 12), job_commands(bench), TEMPLATE, home=home)
        app = ScreenApp(screen)
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_idle(pilot)
            assert screen.path_input.value == "~/Downloads/Astrid-12.jpg"
            await pilot.press("enter")
            await wait_idle(pilot)
    assert app.results == ["Saved as ~/Downloads/Astrid-12.jpg."]
    assert (home / "Downloads" / "Astrid-12.jpg").read_bytes() == b"picture 12"


async def test_a_name_that_is_taken_is_numbered(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    (home / "Downloads" / "Astrid-12.jpg").write_bytes(b"mine")
    async with open_services(tmp_path) as bench:
        app = ScreenApp(SaveAs(finished_jobs(bench, 12), job_commands(bench), TEMPLATE, home=home))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("enter")
            await wait_idle(pilot)
    assert app.results == ["Saved as ~/Downloads/Astrid-12-2.jpg."]
    assert (home / "Downloads" / "Astrid-12.jpg").read_bytes() == b"mine"


async def test_a_bare_name_stays_in_the_folder_and_gets_the_files_suffix(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    async with open_services(tmp_path) as bench:
        screen = SaveAs(finished_jobs(bench, 12), job_commands(bench), TEMPLATE, home=home)
        app = ScreenApp(screen)
        async with app.run_test(size=(80, 24)) as pilot:
            await submit_path(pilot, screen, "harbour")
    assert app.results == ["Saved as ~/Downloads/harbour.jpg."]


async def test_a_folder_alone_is_enough(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    async with open_services(tmp_path) as bench:
        screen = SaveAs(finished_jobs(bench, 12), job_commands(bench), TEMPLATE, home=home)
        app = ScreenApp(screen)
        async with app.run_test(size=(80, 24)) as pilot:
            await submit_path(pilot, screen, "~")
    assert app.results == ["Saved as ~/Astrid-12.jpg."]


async def test_what_is_wrong_is_said_and_can_be_mended(tmp_path: Path) -> None:
    """Seen to fail with the folder made on the way: a slip of the finger littered the disk."""
    home = make_home(tmp_path)
    (home / "Downloads" / "file").write_text("")
    async with open_services(tmp_path) as bench:
        screen = SaveAs(finished_jobs(bench, 12), job_commands(bench), TEMPLATE, home=home)
        app = ScreenApp(screen)
        async with app.run_test(size=(80, 24)) as pilot:
            await submit_path(pilot, screen, "~/nowhere/a.jpg")
            assert "does not exist" in screen_text(app)
            assert not (home / "nowhere").exists()
            await submit_path(pilot, screen, "")
            assert "File name is required." in screen_text(app)
            await submit_path(pilot, screen, "x" * 300)
            assert "Could not save" in screen_text(app)
            assert app.results == []
            await submit_path(pilot, screen, "a.jpg")
    assert app.results == ["Saved as ~/Downloads/a.jpg."]


async def test_several_jobs_go_into_a_folder(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    async with open_services(tmp_path) as bench:
        jobs = [*finished_jobs(bench, 12, 13), make_job(14, state=JobState.FAILED)]
        screen = SaveAs(jobs, job_commands(bench), TEMPLATE, home=home)
        app = ScreenApp(screen)
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_idle(pilot)
            assert screen.path_input.value == "~/Downloads"
            await pilot.press("enter")
            await wait_idle(pilot)
    assert app.results == ["Saved 2 files in ~/Downloads. 1 had no verified file."]
    assert sorted(path.name for path in (home / "Downloads").iterdir()) == ["Astrid-12.jpg", "Astrid-13.jpg"]


async def test_several_jobs_need_a_folder_that_is_there(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    async with open_services(tmp_path) as bench:
        screen = SaveAs(finished_jobs(bench, 12, 13), job_commands(bench), TEMPLATE, home=home)
        app = ScreenApp(screen)
        async with app.run_test(size=(80, 24)) as pilot:
            await submit_path(pilot, screen, "~/new")
            assert "does not exist" in screen_text(app)
            await pilot.press("escape")
    assert app.results == [None]


async def test_a_job_without_a_file_is_told_at_once(tmp_path: Path) -> None:
    async with open_services(tmp_path) as bench:
        app = ScreenApp(SaveAs([make_job(14, state=JobState.FAILED)], job_commands(bench), TEMPLATE, home=tmp_path))
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_idle(pilot)
            await pilot.pause()
    assert app.results == ["Job 14 has no verified file to save."]


def test_downloads_are_where_copies_go_unless_there_are_none(tmp_path: Path) -> None:
    assert default_save_dir(tmp_path, Path("/here")) == Path("/here")
    assert default_save_dir(make_home(tmp_path), Path("/here")) == tmp_path / "home" / "Downloads"
    assert abbreviate_home(Path("/home/a/b"), Path("/home/a")) == "~/b"
    assert abbreviate_home(Path("/home/ab"), Path("/home/a")) == "/home/ab"
