"""The form by keyboard: what each field posts, what is refused, and what is never sent."""

from __future__ import annotations

import pytest

from eternal_tui.drafts.draft import MAX_PROMPT_CHARS, Draft
from eternal_tui.drafts.stores import Presets
from eternal_tui.tui.request_form.dialogs import CharacterPicker
from eternal_tui.tui.request_form.messages import CharactersRequested, DraftChanged, RequestsChanged, SubmitRequested
from tests.tui.request_form.form_app import CHARACTERS, open_form, paste_text, type_text

DOCUMENTED_CURL = """curl --location 'https://open.eternalai.org/v2/base/generate' \\
--header 'Content-Type: application/json' \\
--header 'x-api-key: sk-very-secret' \\
--data '{
"images": ["6870"],
"prompt": "The person waves and smiles",
"type": "video",
"duration": 2
}'"""


async def test_a_picture_in_a_few_keys() -> None:
    async with open_form() as (app, pilot):
        await type_text(pilot, "astr")
        await pilot.press("tab")
        await type_text(pilot, "in rain")
        await pilot.press("ctrl+s")
        (sent,) = app.posted_of_type(SubmitRequested)
        assert app.submitted_bodies == [{"images": ["6870"], "prompt": "in rain", "type": "image"}]
        assert (sent.character_names, len(sent.requests)) == (("Astrid",), 1)


async def test_every_field_by_keyboard_in_its_order() -> None:
    async with open_form() as (app, pilot):
        await type_text(pilot, "6870")
        await pilot.press("tab")
        await type_text(pilot, "one\ntwo")
        await pilot.press("tab", "tab", "l", "tab", "2", "right", "tab", "right", "tab", "3", "tab", "enter")
        body = {"images": ["6870"], "prompt": "one\ntwo", "type": "video", "duration": 3, "audio": False}
        assert app.submitted_bodies == [body] * 3
        assert len(app.posted_of_type(SubmitRequested)[0].requests) == 3


async def test_what_a_type_hides_is_not_sent_and_not_forgotten() -> None:
    draft = Draft(character="6870", prompt="x", type="video", duration=5, audio=False, quality="high")
    async with open_form(draft) as (app, pilot):
        await pilot.press("tab", "tab", "left", "ctrl+s")
        assert app.submitted_bodies == [{"images": ["6870"], "prompt": "x", "type": "image", "quality": "high"}]
        assert not app.query_one("#seconds-row").display
        assert not app.query_one("#sound-row").display
        await pilot.press("right", "ctrl+s")
        video = {"images": ["6870"], "prompt": "x", "type": "video", "duration": 5, "audio": False}
        assert app.submitted_bodies[1:] == [video]
        assert not app.query_one("#quality-row").display


INVALID_INPUT = [
    ("", "x", "Character is required (ID or name, e.g. 6870).", "character-line"),
    ("https://h/a.png", "x", "URLs, paths and encoded images", "character-line"),
    ("../me.png", "x", "URLs, paths and encoded images", "character-line"),
    ("nobody", "x", "Unknown character “nobody”", "character-line"),
    ("6900", "x", "under 18", "character-line"),
    ("6870, 6900", "x", "under 18", "character-line"),
    ("6870", "", "Prompt is required", "prompt"),
    ("6870", " \n ", "Prompt is required", "prompt"),
]


async def test_bad_input_gets_a_sentence_and_nothing_is_posted() -> None:
    async with open_form(drawer=True) as (app, pilot):
        for text, prompt, sentence, focused in INVALID_INPUT:
            app.form.load(Draft(character=text, prompt=prompt))
            await pilot.press("ctrl+s")
            assert app.submitted_bodies == [], text
            assert app.focused is not None
            assert app.focused.id == focused, text
            assert sentence in " ".join(app.screen_text().replace("│", " ").split()), text


async def test_nothing_is_called_wrong_before_it_was_touched() -> None:
    async with open_form() as (app, pilot):
        await pilot.press("tab", "tab", "tab", "shift+tab", "shift+tab", "shift+tab")
        await type_text(pilot, "nobod")
        assert "!" not in app.screen_text()
        await pilot.press("tab")
        assert "! Unknown character" in app.screen_text()
        # Only a URL is refused as it is pasted: it is never the beginning of a name.
        await paste_text(app, pilot, "#character-line", "https://h/a.png\nmore")
        assert "! Character must be an ID" in app.screen_text()


async def test_enter_goes_on_where_the_name_is_clear_and_opens_the_list_where_it_is_not() -> None:
    async with open_form() as (app, pilot):
        await pilot.press("enter")
        assert isinstance(app.screen, CharacterPicker)
        await pilot.press("escape")
        await type_text(pilot, "astri")
        await pilot.press("enter", *"Hi")
        assert "Astrid · 6870" in app.screen_text()
        assert "24 years" in app.screen_text()
        assert app.form.draft.prompt == "Hi"


async def test_a_list_that_comes_late_names_a_typed_id() -> None:
    async with open_form(characters=()) as (app, pilot):
        await pilot.pause()
        assert app.posted_of_type(CharactersRequested)
        await type_text(pilot, "6870")
        await pilot.press("tab")
        app.form.set_characters(CHARACTERS)
        await pilot.pause()
        assert "Astrid · 6870" in app.screen_text()


async def test_an_unlisted_id_is_sent_as_it_is() -> None:
    async with open_form(Draft(character="424242", prompt="x")) as (app, pilot):
        await pilot.press("ctrl+s")
        assert app.submitted_bodies[0]["images"] == ["424242"]
        assert app.form.draft == Draft(character="424242", prompt="x")
        assert app.posted_of_type(SubmitRequested)[0].character_names == ("",)


@pytest.mark.parametrize("field", ["#prompt", "#character-line"])
async def test_a_pasted_curl_fills_the_whole_form_and_its_key_goes_nowhere(field: str) -> None:
    async with open_form() as (app, pilot):
        await paste_text(app, pilot, field, DOCUMENTED_CURL)
        await pilot.press("ctrl+s")
        waves = "The person waves and smiles"
        assert app.submitted_bodies == [{"images": ["6870"], "prompt": waves, "type": "video", "duration": 2}]
        assert "secret" not in app.screen_text()
        assert all("secret" not in repr(each) for each in app.posted)


async def test_a_curl_that_cannot_be_read_leaves_the_form_alone() -> None:
    async with open_form() as (app, pilot):
        draft = Draft(character="Astrid · 6870", prompt="mine", type="video")
        app.form.load(draft)
        await paste_text(app, pilot, "#prompt", DOCUMENTED_CURL[:-1])
        assert app.form.draft == draft
        assert "! Pasted curl" in app.screen_text()


async def test_pasted_text_is_cleaned_before_it_is_shown_or_sent() -> None:
    async with open_form() as (app, pilot):
        await paste_text(app, pilot, "#character-line", "68\x1b7\u202e0[@click=app.quit]x[/]")
        await paste_text(app, pilot, "#prompt", "a\x1b]0;b\x07 [red]c[/]\r\n\u202ed")
        assert app.form.draft.prompt == "a]0;b [red]c[/]\nd"
        assert "\x1b" not in app.form.draft.character
        assert "[red]c[/]" in app.screen_text()
        assert not any(one in app.screen_text() for one in "\x1b\x07\u202e")


async def test_a_prompt_past_the_limit_is_cut_and_said() -> None:
    async with open_form(drawer=True) as (app, pilot):
        await pilot.press("tab")
        await paste_text(app, pilot, "#prompt", "x" * (MAX_PROMPT_CHARS + 5))
        assert len(app.form.draft.prompt) == MAX_PROMPT_CHARS
        assert "The prompt is limited to 20,000 characters." in app.screen_text()


async def test_the_preview_is_what_is_sent_and_the_price_is_per_request() -> None:
    async with open_form(Draft(character="6870", prompt="hello", type="video", count=3), drawer=True) as (app, pilot):
        text = app.screen_text()
        assert "3 requests · price unknown" in text
        assert "= 3 requests" in text
        assert "3 Astrid · video 4 s · hello" in text
        app.form.load(Draft(character="6870", prompt="hello", type="video"))
        await pilot.pause()
        text = app.screen_text()
        joined = " ".join(line.strip(" │") for line in text.splitlines())
        assert '{"images": ["6870"], "prompt": "hello", "type": "video", "duration": 4}' in joined
        app.form.load(Draft(character="6870", prompt="hello", type="video", count=3))
        app.form.set_estimate(0.2)
        await pilot.pause()
        assert "3 requests · ~0.60 credits" in app.screen_text()


async def test_a_long_preview_keeps_its_settings_in_sight() -> None:
    draft = Draft(character="6870", prompt="日本の港 " * 200, type="video")
    async with open_form(draft, size=(80, 36)) as (app, _):
        joined = " ".join(line.strip(" │") for line in app.screen_text().splitlines())
        assert '港 …", "type": "video", "duration": 4}' in joined
        assert '{"images": ["6870"], "prompt": "日' in joined


@pytest.mark.parametrize("size", [(36, 36), (80, 24), (80, 40)])
async def test_the_preview_breaks_no_word_and_no_field(size: tuple[int, int]) -> None:
    draft = Draft(character="6870", prompt="In a yellow raincoat at the harbour, early", type="video")
    async with open_form(draft, drawer=size[0] > 36, size=size) as (app, _):
        preview = app.screen_text().partition("^s send")[2]
        for word in ('{"images": ["6870"],', "raincoat", "harbour,", 'early",', '"type": "video",', '"duration": 4}'):
            assert word in preview


async def test_a_new_request_starts_where_something_is_missing() -> None:
    async with open_form() as (app, pilot):
        for character, focused in (("", "character-line"), ("nobody", "character-line"), ("Astrid", "prompt")):
            app.form.load(Draft(character=character, prompt="x"))
            app.form.start_new()
            app.form.focus_first()
            await pilot.pause()
            assert app.focused is not None
            assert app.focused.id == focused


async def test_one_prompt_a_line_for_several_characters() -> None:
    async with open_form(Draft(prompt="one")) as (app, pilot):
        assert not app.query_one("#lines-row").display
        app.form.load(Draft(character="6870, Elara", prompt="one\n\ntwo", one_per_line=True, count=2))
        app.form.set_estimate(0.04)
        await pilot.pause()
        assert app.query_one("#lines-row").display
        assert "8×" in app.screen_text()
        await pilot.press("ctrl+s")
        (sent,) = app.posted_of_type(SubmitRequested)
        assert len(sent.requests) == 8
        assert set(zip((each.prompt for each in sent.requests), sent.character_names, strict=True)) == {
            (prompt, name) for prompt in ("one", "two") for name in ("Astrid", "Elara")
        }


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_a_picture_and_a_clip_of_the_same_in_one_request(size: tuple[int, int]) -> None:
    """By keys: space keeps the picture, `→` adds the clip; every field of both is on the screen, and both are sent."""
    async with open_form(Draft(character="6870", prompt="hello"), drawer=True, size=size) as (app, pilot):
        await pilot.press("tab", "tab", "space", "right")
        for field in ("Duration", "Audio", "Quality", "Count", "2 requests"):
            assert field in app.screen_text()
        await pilot.press("ctrl+s")
        assert [each["type"] for each in app.submitted_bodies] == ["video", "image"]
        await pilot.press("left", "space")
        assert "Duration" not in app.screen_text()


async def test_every_change_is_posted_once() -> None:
    async with open_form() as (app, pilot):
        await pilot.pause()
        app.posted.clear()
        await type_text(pilot, "68")
        drafts = [each.draft.character for each in app.posted_of_type(DraftChanged)]
        assert drafts == ["6", "68"]
        assert [each.requests[0].character for each in app.posted_of_type(RequestsChanged)] == ["6", "68"]


async def test_undo_brings_a_replaced_prompt_back() -> None:
    async with open_form() as (app, pilot):
        await pilot.press("tab")
        await type_text(pilot, "mine")
        app.form.load(Draft(prompt="other"))
        await pilot.press("ctrl+z")
        assert app.form.draft.prompt == "mine"


async def test_a_default_preset_fills_an_empty_form_only() -> None:
    presets = Presets().with_preset("clip", Draft(type="video", duration=2)).toggle_default("clip")
    async with open_form() as (app, pilot):
        app.form.set_presets(presets)
        await pilot.pause()
        assert app.form.draft == Draft(type="video", duration=2)
        app.form.load(Draft(prompt="mine"))
        app.form.set_presets(presets)
        assert app.form.draft == Draft(prompt="mine")


async def test_the_mouse_chooses_steps_and_submits() -> None:
    async with open_form(Draft(character="6870", prompt="x")) as (app, pilot):
        await pilot.click("#type", offset=(16, 0))
        await pilot.click("#seconds", offset=(1, 0))
        await pilot.click("#sound", offset=(10, 0))
        for column in (5, 5, 0):
            await pilot.click("#times", offset=(column, 0))
        width = app.query_one("#submit").size.width
        await pilot.click("#submit", offset=(0, 0))
        assert app.submitted_bodies == []
        await pilot.click("#submit", offset=(width - 2, 0))
        body = {"images": ["6870"], "prompt": "x", "type": "video", "duration": 1, "audio": False}
        assert app.submitted_bodies == [body] * 2


async def test_several_seconds_and_qualities_are_all_sent() -> None:
    async with open_form(Draft(character="6870", prompt="x", type="video", duration=2), size=(80, 40)) as (app, pilot):
        app.query_one("#seconds").focus()
        await pilot.press("space", "4", "tab", "space", "right")
        assert [each.duration for each in app.posted_of_type(RequestsChanged)[-1].requests] == [4, 4, 2, 2]
        app.form.set_estimate(0.1)
        await pilot.pause()
        assert "4× · ~0.40" in app.screen_text()
        await pilot.press("ctrl+s")
        sent = {(body["duration"], body.get("audio", True)) for body in app.submitted_bodies}
        assert sent == {(2, True), (4, True), (2, False), (4, False)}
        assert len(app.submitted_bodies) == 4

        app.query_one("#seconds").focus()
        await pilot.press("2", "space")
        assert app.form.draft.extra_durations == ()
        app.query_one("#type").focus()
        await pilot.press("space", "left", "right")
        assert app.form.draft.type == "video"
        app.form.load(Draft(character="6870", prompt="x", extra_qualities=("high",)))
        await pilot.pause()
        assert "[•] low  [•] high" in app.screen_text()


NUMBER_KEYS = {
    "#times": (("1 2", 12), ("2 5", 5), ("0", 1), ("end right", 20), ("left", 1), ("9 left 1", 1)),
    "#seconds": (("9", 4), ("0", 4), ("end right", 5), ("home left", 1), ("end plus", 1)),
}


@pytest.mark.parametrize("field", NUMBER_KEYS)
async def test_numbers_stay_within_bounds(field: str) -> None:
    async with open_form(Draft(type="video")) as (app, pilot):
        app.query_one(field).focus()
        for keys, number in NUMBER_KEYS[field]:
            app.form.load(Draft(type="video"))
            await pilot.press(*keys.split())
            assert (app.form.draft.count if field == "#times" else app.form.draft.duration) == number, keys


async def test_digits_go_to_the_app_only_where_a_field_has_no_use_for_them() -> None:
    async with open_form(Draft(type="video")) as (app, pilot):
        for field in ("#seconds", "#times", "#prompt", "#character-line"):
            app.query_one(field).focus()
            await pilot.press("3")
        assert not app.pane_action_called
        assert app.form.draft == Draft(type="video", duration=3, count=3, prompt="3", character="3")
        app.query_one("#type").focus()
        await pilot.press("3")
        assert app.pane_action_called


async def test_everything_fits_a_small_drawer_with_every_sentence_showing() -> None:
    draft = Draft(character="https://h/a", prompt="", type="video")
    async with open_form(draft, drawer=True, size=(60, 22)) as (app, pilot):
        await pilot.press("ctrl+s")
        text = app.screen_text()
        for word in ("URLs", "Prompt is required", "Duration", "Audio", "Count", '"type": "video"', "^s send"):
            assert word in text


async def test_readline_keys_move_in_the_prompt() -> None:
    async with open_form() as (app, pilot):
        await pilot.press("tab", *"one two three")
        await pilot.press("ctrl+a", "ctrl+f", "ctrl+f", "1", "ctrl+b", "ctrl+b", "2", "alt+f", "3")
        assert app.form.draft.prompt == "o2n1e3 two three"
        await pilot.press("alt+b", "alt+d", "4")
        assert app.form.draft.prompt == "4 two three"
