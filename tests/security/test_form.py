"""The request form: whatever comes into its fields is drawn as if its neutralised twin had come."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import msgspec
import pytest
from textual.app import ComposeResult
from textual.events import Paste
from textual.pilot import Pilot
from textual.screen import Screen

from eternal_tui.api.models import Character
from eternal_tui.core.sanitize import Untrusted, prompt_text, shown
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Preset, Presets
from eternal_tui.tui.request_form.form import RequestForm
from tests.payloads import markup_strings
from tests.security.drawn import WideStage, clickable, still, unsafe_bytes
from tests.security.hostile import packs, pieces
from tests.security.test_small_screens import SHARE, people, squeezed

ROOMY = (500, 26)
LONGEST = 380
"""Characters of a text: the line of the character keeps 400."""


class Given(NamedTuple):
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


def astrid(words: str) -> list[Character]:
    """Return the one who is told of in these words."""
    return [msgspec.structs.replace(people([words])[0], id="6870", name=Untrusted("Astrid"))]


def curl(given: Given) -> str:
    """Return a documented command that holds the text where a person can have put it."""
    body = json.dumps({"images": [given.line], "prompt": given.prompt, "type": "image"})
    return f"curl -X POST https://open.eternalai.org/v2/base/generate -d '{body}'".replace("'{", "$'{")


async def frames(pilot: Pilot[Any], given: Given) -> list[list[str]]:
    """Return the form after each way in: a draft, a preset, a paste into each field, two commands, the list's names."""
    screen = FormScreen()
    await pilot.app.push_screen(screen)
    form, taken = screen.form, []

    async def take() -> None:
        await pilot.app.workers.wait_for_complete()
        taken.append(await still(pilot))

    form.load(Draft(character=given.line, prompt=given.prompt))
    await take()
    form.load(Draft())
    draft = Draft(character=given.line, prompt=given.prompt)
    form.set_presets(Presets(items=(Preset(name=Untrusted("x"), draft=draft),), default=Untrusted("x")))
    await take()
    form.load(Draft())
    for field, words in (("#character-line", given.line), ("#prompt", given.prompt)):
        screen.query_one(field).focus()
        await still(pilot)
        pilot.app.post_message(Paste(words))
        await take()
    form.load(Draft())
    form._notice = form.fill_from_curl(f"curl -d '{{\"type\": {json.dumps(given.line)}}}' https://x/v2/base/generate")
    form._renew()
    await take()
    form._notice = ""
    # Whom an entry means, told with age, gender and story.
    form.set_characters(astrid(given.line))
    form.load(Draft(character="6870"))
    await take()
    await pilot.app.pop_screen()
    return taken


def texts() -> list[str]:
    # A line ends where a line break is pasted, and a line that is looked up begins with no space.
    return [
        re.sub("[\r\n]", "", each).replace("\x00", "").encode("utf-8", "replace").decode() for each in packs(LONGEST)
    ]


@pytest.mark.parametrize("share", [SHARE, pytest.param(1, marks=pytest.mark.long)])
async def test_the_form_is_that_of_the_neutralised_twin(share: int) -> None:
    """Seen to fail with the line's text put there as it came, and with the prompt not cleaned."""
    app = WideStage()
    app.every_frame = share == 1
    async with app.run_test(size=ROOMY) as pilot:
        for text in texts()[::share]:
            taken = await frames(pilot, Given(text, text))
            assert taken == await frames(pilot, Given(shown(text), prompt_text(text)))
            assert squeezed(shown(text)) in squeezed("".join(taken[0]))
            assert squeezed(shown(text)) in squeezed("".join(taken[-1]))
            assert len(taken) == 6
    assert unsafe_bytes(app) == []


@pytest.mark.parametrize("share", [SHARE, pytest.param(1, marks=pytest.mark.long)])
async def test_names_found_for_what_was_typed_are_those_of_the_neutralised_twins(share: int) -> None:
    """Four at a time, the first to be completed too. Seen to fail with a label made of the name as it came."""
    app = WideStage()
    app.every_frame = share == 1
    # One with a comma is told by its ID: the comma is what stands between several.
    names = [f"xy{each.replace(',', '')}" for each in pieces()]
    async with app.run_test(size=(200, 24)) as pilot:
        screen = FormScreen()
        await pilot.app.push_screen(screen)
        for start in range(0, len(names), 4 * share):
            found = names[start : start + 4]
            taken = []
            for given in (found, list(map(shown, found))):
                listed = zip(people(given), range(4), strict=False)
                screen.form.set_characters([msgspec.structs.replace(one, id=str(number)) for one, number in listed])
                screen.form.load(Draft())
                pilot.app.post_message(Paste("x"))
                taken.append(await still(pilot))
                assert screen.form.draft.character == "x"
            assert taken[0] == taken[1]
            drawn = squeezed("".join(taken[0]))
            assert [each for each in found if squeezed(shown(each)) not in drawn] == []
    assert unsafe_bytes(app) == []


async def test_markup_in_the_form_is_literal_and_does_nothing() -> None:
    """Five hundred texts as prompt and character. Seen to fail with a hint that read markup."""
    app = WideStage()
    words = "|".join(re.sub("[\n\x1b]", "", each) for each in markup_strings())
    async with app.run_test(size=ROOMY) as pilot:
        screen = FormScreen()
        await pilot.app.push_screen(screen)
        for start in range(0, len(words), LONGEST):
            part = words[start : start + LONGEST]
            screen.form.set_characters(
                [msgspec.structs.replace(people([part])[0], id="6870", name=Untrusted("Astrid"))]
            )
            screen.form.load(Draft(character=part, prompt=part))
            drawn = squeezed("".join(await still(pilot)))
            assert drawn.count(squeezed(shown(part))) >= 2, drawn
            behind = clickable(pilot)
            screen.form.load(Draft(character="6870"))
            assert squeezed(shown(part)) in squeezed("".join(await still(pilot)))
            assert behind == clickable(pilot) == []
