"""The request form: whatever comes into its fields is drawn as if its sanitized twin had come."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import msgspec
from textual.app import ComposeResult
from textual.events import Paste
from textual.pilot import Pilot
from textual.screen import Screen

from eternal_tui.api.models import Character
from eternal_tui.core.sanitize import UntrustedText, clean_prompt, sanitize
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Preset, Presets
from eternal_tui.tui.request_form.form import RequestForm
from tests.payloads import make_markup_strings
from tests.security.drawn import WideScreenApp, capture_rows, find_click_targets, unsafe_bytes
from tests.security.hostile import pack_payloads, payload_pieces
from tests.security.test_small_screens import SAMPLE_STEP, strip_layout
from tests.tui.screens.scenes import hostile_characters

LARGE_SIZE = (500, 26)
MAX_TEXT_CHARS = 380
"""Characters of a text: the line of the character keeps 400."""


class FieldTexts(NamedTuple):
    """A text as it came, or the two forms that a form keeps of it: signs in a line, a prompt without what has none."""

    line: str
    prompt: str


class FormScreen(Screen[None]):
    """The form alone."""

    def __init__(self) -> None:
        super().__init__()
        self.form = RequestForm()

    def compose(self) -> ComposeResult:
        yield self.form


def hostile_astrid(text: str) -> list[Character]:
    """Return a character described by this text."""
    return [msgspec.structs.replace(hostile_characters([text])[0], id="6870", name=UntrustedText("Astrid"))]


async def capture_frames(pilot: Pilot[Any], given: FieldTexts) -> list[list[str]]:
    """Return the form after each way in: a draft, a preset, a paste into each field, a command, the list's names."""
    screen = FormScreen()
    await pilot.app.push_screen(screen)
    form, taken = screen.form, []

    async def take() -> None:
        await pilot.app.workers.wait_for_complete()
        taken.append(await capture_rows(pilot))
        assert find_click_targets(pilot) == []

    form.load(Draft(character=given.line, prompt=given.prompt))
    await take()
    form.load(Draft())
    draft = Draft(character=given.line, prompt=given.prompt)
    form.set_presets(Presets(items=(Preset(name=UntrustedText("x"), draft=draft),), default=UntrustedText("x")))
    await take()
    form.load(Draft())
    for field, words in (("#character-line", given.line), ("#prompt", given.prompt)):
        screen.query_one(field).focus()
        await capture_rows(pilot)
        pilot.app.post_message(Paste(words))
        await take()
    form.load(Draft())
    screen.query_one("#prompt").focus()
    await capture_rows(pilot)
    pilot.app.post_message(Paste(f"curl -d '{{\"type\": {json.dumps(given.line)}}}' https://x/v2/base/generate"))
    await take()
    # The character of an entry, with age, gender and story.
    form.set_characters(hostile_astrid(given.line))
    form.load(Draft(character="6870"))
    await take()
    await pilot.app.pop_screen()
    return taken


def hostile_texts() -> list[str]:
    # A line ends where a line break is pasted, and a line that is looked up begins with no space.
    return [
        re.sub("[\r\n]", "", each).replace("\x00", "").encode("utf-8", "replace").decode()
        for each in pack_payloads(MAX_TEXT_CHARS)
    ]


async def test_the_form_is_that_of_the_sanitized_twin() -> None:
    app = WideScreenApp()
    markup = "|".join(re.sub("[\n\x1b]", "", each) for each in make_markup_strings())
    parts = [markup[start : start + MAX_TEXT_CHARS] for start in range(0, len(markup), MAX_TEXT_CHARS)]
    async with app.run_test(size=LARGE_SIZE) as pilot:
        for text in (*hostile_texts()[::SAMPLE_STEP], *parts[::SAMPLE_STEP]):
            taken = await capture_frames(pilot, FieldTexts(text, text))
            assert taken == await capture_frames(pilot, FieldTexts(sanitize(text), clean_prompt(text)))
            assert strip_layout(sanitize(text)) in strip_layout("".join(taken[0]))
            assert strip_layout(sanitize(text)) in strip_layout("".join(taken[-1]))
            assert len(taken) == 6
    assert unsafe_bytes(app) == []


async def test_names_found_for_what_is_typed_are_those_of_the_sanitized_twins() -> None:
    """Four at a time, the first to be completed too."""
    app = WideScreenApp()
    # A name with a comma stands for several: it is found by its ID.
    names = [f"xy{each.replace(',', '')}" for each in payload_pieces()]
    async with app.run_test(size=(200, 24)) as pilot:
        screen = FormScreen()
        await pilot.app.push_screen(screen)
        for start in range(0, len(names), 4 * SAMPLE_STEP):
            found = names[start : start + 4]
            taken = []
            for given in (found, list(map(sanitize, found))):
                listed = zip(hostile_characters(given), "0123", strict=False)
                screen.form.set_characters([msgspec.structs.replace(one, id=number) for one, number in listed])
                screen.form.load(Draft())
                pilot.app.post_message(Paste("x"))
                taken.append(await capture_rows(pilot))
                assert screen.form.draft.character == "x"
            assert taken[0] == taken[1]
            drawn = strip_layout("".join(taken[0]))
            assert [each for each in found if strip_layout(sanitize(each)) not in drawn] == []
    assert unsafe_bytes(app) == []
