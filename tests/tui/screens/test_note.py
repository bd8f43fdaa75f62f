"""Notes and tags."""

from __future__ import annotations

from textual.widgets import Input

from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.model import MAX_TAGS, parse_tags
from eternal_tui.tui.screens.note import NoteScreen
from tests.tui.jobs import make_job
from tests.tui.screens.stage import ScreenApp, wait_idle


async def test_note_and_tags_are_written() -> None:
    app = ScreenApp(NoteScreen(make_job(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"nice", "tab", *"sea", "space", *"boat", "enter")
        await wait_idle(pilot)
    assert app.results == [{3: ("nice", ("sea", "boat"))}]


async def test_what_is_not_touched_stays_as_it_is_stored() -> None:
    """Seen to fail with both lines read back as shown: a newline in a note became a sign."""
    job = make_job(3, note=UntrustedText("first\nsecond"), tags=("sea",))
    app = ScreenApp(NoteScreen(job))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab", "end", "space", *"sun", "enter")
        await wait_idle(pilot)
    assert app.results == [{3: ("first\nsecond", ("sea", "sun"))}]


async def test_escape_and_enter_without_a_change_change_nothing() -> None:
    for key in ("escape", "enter"):
        app = ScreenApp(NoteScreen(make_job(3, note=UntrustedText("mine"), tags=("sea",))))
        async with app.run_test(size=(80, 24)) as pilot:
            if key == "escape":
                await pilot.press("x")
            await pilot.press(key)
            await wait_idle(pilot)
        assert app.results == [None], key


async def test_a_note_can_be_taken_away() -> None:
    app = ScreenApp(NoteScreen(make_job(3, note=UntrustedText("mine"), tags=("sea",))))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end", "ctrl+u", "tab", "end", "ctrl+u", "enter")
        await wait_idle(pilot)
    assert app.results == [{3: ("", ())}]


async def test_several_jobs_share_what_is_written_and_keep_their_own() -> None:
    """Seen to fail with the tags of the first job written to all, and with an empty note over the notes there were."""
    jobs = [
        make_job(3, note=UntrustedText("mine"), tags=("sea", "own")),
        make_job(2, tags=("sea",)),
        make_job(1, tags=("x", "sea")),
    ]
    app = ScreenApp(NoteScreen(*jobs))
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.screen.query_one("#tags-line", Input).value == "sea"
        await pilot.press("tab", "end", "ctrl+u", *"boat", "enter")
        await wait_idle(pilot)
    assert app.results == [{3: ("mine", ("boat", "own")), 2: ("", ("boat",)), 1: ("", ("boat", "x"))}]


def test_words_become_tags() -> None:
    assert parse_tags("  #sea, Boat sea SEA ,, # café") == ("sea", "Boat", "café")
    assert len(parse_tags(" ".join(f"t{n}" for n in range(99)))) == MAX_TAGS
