"""The lists the form opens: characters, earlier prompts, presets."""

from __future__ import annotations

from collections.abc import Sequence

from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Presets
from eternal_tui.tui.request_form.dialogs import CharacterPicker
from eternal_tui.tui.request_form.messages import CharactersRequested, PresetsChanged, PromptHistoryRequested
from eternal_tui.tui.widgets.option_table import VirtualList
from eternal_tui.tui.widgets.search_dialog import SearchDialog
from tests.tui.request_form.form_app import CHARACTERS, make_character, open_form, type_text


async def test_a_character_is_picked_by_a_word_of_its_description() -> None:
    async with open_form() as (app, pilot):
        await pilot.press("down")
        await type_text(pilot, "bees")
        assert "Astor" in app.screen_text()
        await pilot.press("enter")
        assert app.form.draft.character == "Astor · 6801"
        assert app.focused is not None
        assert app.focused.id == "prompt"


async def test_what_was_typed_is_searched_for() -> None:
    async with open_form() as (app, pilot):
        await type_text(pilot, "ast")
        await pilot.press("enter")
        text = app.screen_text()
        assert "Astrid" in text
        assert "Astor" in text
        assert "Elara" not in text


async def test_several_are_marked_and_taken_together() -> None:
    async with open_form() as (app, pilot):
        await pilot.press("down")
        await pilot.press("space", "space")
        assert "2 marked" in app.screen_text()
        await type_text(pilot, "bees ke")
        assert "2 marked" in app.screen_text()
        await pilot.press("tab", "space")
        assert "3 marked" in app.screen_text()
        await pilot.press("space")
        assert "2 marked" in app.screen_text()
        await pilot.press("enter")
        assert app.form.draft.character == "Astrid · 6870, Elara · 6790"


async def test_escape_leaves_the_form_as_it_was() -> None:
    async with open_form(Draft(character="6870", prompt="mine")) as (app, pilot):
        for key in ("down", "ctrl+t"):
            await pilot.press(key)
            assert isinstance(app.screen, SearchDialog)
            await pilot.press("escape")
        assert app.form.draft.prompt == "mine"
        assert app.form.draft.character.endswith("6870")


async def test_minors_are_in_no_list() -> None:
    async with open_form() as (app, pilot):
        await pilot.press("down")
        assert "Mia" not in app.screen_text()
        assert isinstance(app.screen, CharacterPicker)
        app.screen.set_characters(CHARACTERS)
        await pilot.pause()
        assert "Mia" not in app.screen_text()
        assert "Astor" in app.screen_text()


async def test_a_list_that_comes_while_the_picker_is_open_appears_in_it() -> None:
    async with open_form(characters=()) as (app, pilot):
        await pilot.press("down")
        assert "loading" in app.screen_text()
        await pilot.press("enter")
        app.form.set_characters(CHARACTERS)
        await pilot.pause()
        assert "Astrid" in app.screen_text()
        assert app.posted_of_type(CharactersRequested)
        await pilot.click(VirtualList, offset=(10, 1))
        assert app.form.draft.character == "Elara · 6790"


async def test_thousands_of_rows_are_drawn_only_where_they_are_seen() -> None:
    described: list[int] = []

    class Counting(CharacterPicker):
        def row_cells(self, row: int) -> Sequence[str]:
            described.append(row)
            return super().row_cells(row)

    async with open_form() as (app, pilot):
        app.push_screen(Counting([make_character(str(number), f"Person {number}") for number in range(5_000)]))
        await pilot.pause()
        await pilot.press("ctrl+end", "up")
        assert "Person 4998" in app.screen_text()
        assert 0 < len(set(described)) < 100


async def test_an_earlier_prompt_is_found_and_used_whole() -> None:
    async with open_form(Draft(prompt="unfinished")) as (app, pilot):
        await pilot.press("ctrl+r")
        assert app.posted_of_type(PromptHistoryRequested)
        app.form.show_history(["newest", "At the harbour,\nmorning [b]light[/b]", "newest", " ", "oldest"])
        await pilot.pause()
        assert app.screen_text().count("newest") == 1
        await type_text(pilot, "morning harbour")
        assert "[b]light[/b]" in app.screen_text()
        await pilot.press("enter")
        assert app.form.draft.prompt == "At the harbour,\nmorning [b]light[/b]"


async def test_presets_are_saved_applied_made_default_and_deleted() -> None:
    async with open_form(Draft(character="6870", prompt="rain", type="video", duration=2), size=(100, 24)) as (
        app,
        pilot,
    ):
        await pilot.press("ctrl+t")
        await pilot.press("ctrl+s")
        assert "Type a name" in app.screen_text()
        await type_text(pilot, "Rainy clip")
        await pilot.press("ctrl+s")
        assert "Saved as Rainy clip." in app.screen_text()
        await pilot.press("ctrl+y", "escape")
        (saved, default) = (each.presets for each in app.posted_of_type(PresetsChanged))
        assert saved is not None
        assert default is not None
        assert [each.draft.prompt for each in saved.items] == ["rain"]
        assert default.default == "Rainy clip"
        app.form.load(Draft(character="6790", prompt="other"))
        await pilot.press("ctrl+t")
        await pilot.press("enter")
        draft = app.form.draft
        assert (draft.prompt, draft.type, draft.duration) == ("rain", "video", 2)
        await pilot.press("ctrl+t")
        await pilot.press("delete")
        assert app.posted_of_type(PresetsChanged)[-1].presets == Presets()
        assert app.submitted_bodies == []
