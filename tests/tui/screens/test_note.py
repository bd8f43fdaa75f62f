"""Notes and tags."""

from __future__ import annotations

from textual.widgets import Input

from eternal_tui.core.sanitize import Untrusted
from eternal_tui.tui.screens.note import MOST_TAGS, NoteScreen, tags_in
from tests.tui.jobs import a_job
from tests.tui.screens.stage import Stage, settle


async def test_note_and_tags_are_written() -> None:
    app = Stage(NoteScreen(a_job(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"nice", "tab", *"sea", "space", *"boat", "enter")
        await settle(pilot)
    assert app.left_with == [{3: ("nice", ("sea", "boat"))}]


async def test_what_is_not_touched_stays_as_it_is_stored() -> None:
    """Seen to fail with both lines read back as shown: a newline in a note became a sign."""
    job = a_job(3, note=Untrusted("first\nsecond"), tags=("sea",))
    app = Stage(NoteScreen(job))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab", "end", "space", *"sun", "enter")
        await settle(pilot)
    assert app.left_with == [{3: ("first\nsecond", ("sea", "sun"))}]


async def test_escape_and_enter_without_a_change_change_nothing() -> None:
    for key in ("escape", "enter"):
        app = Stage(NoteScreen(a_job(3, note=Untrusted("mine"), tags=("sea",))))
        async with app.run_test(size=(80, 24)) as pilot:
            if key == "escape":
                await pilot.press("x")
            await pilot.press(key)
            await settle(pilot)
        assert app.left_with == [None], key


async def test_a_note_can_be_taken_away() -> None:
    app = Stage(NoteScreen(a_job(3, note=Untrusted("mine"), tags=("sea",))))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end", "ctrl+u", "tab", "end", "ctrl+u", "enter")
        await settle(pilot)
    assert app.left_with == [{3: ("", ())}]


async def test_several_jobs_share_what_is_written_and_keep_their_own() -> None:
    """Seen to fail with the tags of the first job written to all, and with an empty note over the notes there were."""
    jobs = [a_job(3, note=Untrusted("mine"), tags=("sea", "own")), a_job(2, tags=("sea",)), a_job(1, tags=("x", "sea"))]
    app = Stage(NoteScreen(*jobs))
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.screen.query_one("#tags-line", Input).value == "sea"
        await pilot.press("tab", "end", "ctrl+u", *"boat", "enter")
        await settle(pilot)
    assert app.left_with == [{3: ("mine", ("boat", "own")), 2: ("", ("boat",)), 1: ("", ("boat", "x"))}]


def test_words_become_tags() -> None:
    assert tags_in("  #sea, Boat sea SEA ,, # café") == ("sea", "Boat", "café")
    assert len(tags_in(" ".join(f"t{n}" for n in range(99)))) == MOST_TAGS
