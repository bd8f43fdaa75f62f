"""Hostile words on every small screen: a thousand payloads in every field, the bytes those of the neutralised twin.

A stage as wide as a thousand words shows many payloads at once; the screens are the app's own, and so are the fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.screen import Screen

from eternal_tui.api.models import Character
from eternal_tui.core.sanitize import Shown, Untrusted, shown
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Preset, Presets
from eternal_tui.jobs.billing.statistics import statistics
from eternal_tui.jobs.model import FileState, JobState, Verdict
from eternal_tui.services import Workbench
from eternal_tui.tui.notifications import sentence
from eternal_tui.tui.request_form.character_picker import CharacterPicker
from eternal_tui.tui.request_form.presets import PresetScreen
from eternal_tui.tui.request_form.prompt_history import PromptHistory
from eternal_tui.tui.screens.api_key import KeyScreen
from eternal_tui.tui.screens.characters import CharacterBrowser
from eternal_tui.tui.screens.copy import CopyMenu
from eternal_tui.tui.screens.help import HelpScreen, Row, Section
from eternal_tui.tui.screens.job_commands import JobActions
from eternal_tui.tui.screens.note import NoteScreen
from eternal_tui.tui.screens.save_as import SaveAs
from eternal_tui.tui.screens.statistics import StatisticsScreen
from eternal_tui.tui.screens.viewer import Viewer
from eternal_tui.tui.terminal.glyphs import UNICODE
from eternal_tui.tui.widgets.dialog import Confirm
from tests.payloads import markup_strings
from tests.security.drawn import WideStage, clickable, still, unsafe_bytes
from tests.security.hostile import job_of, packs, pieces
from tests.tui.screens.stage import ENVIRON, actions_of, around, bench_of

WIDE = (500, 16)
DEEP = (500, 30)
"""Room for two long texts at once: nothing has to be scrolled, which happens some frames after all else."""

TALL = (320, 120)

SAVED: dict[str, Any] = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED, "file": "0000001.jpg"}
UNCONFIRMED: dict[str, Any] = {"state": JobState.UNCONFIRMED, "verdict": Verdict.CHARGED}
_QUOTED = re.compile("curl command|Python, httpx|JSON body")
"""Rows that quote the request in a language with escapes of its own, of which the twin has no need."""


class Asked:
    """A face that keeps the question it is to ask."""

    question: Confirm | None = None

    def tell(self, text: Shown, severity: str = "information") -> None:
        raise AssertionError((text, severity))

    async def ask(self, question: Confirm) -> bool:
        self.question = question
        return False

    async def looked_up(self, requests: object) -> bool:  # noqa: ARG002
        return True


async def note(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    return NoteScreen(job_of(words[0]))


async def key(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    bench.connection.key_problem = words[0]
    bench.settings = msgspec.structs.replace(bench.settings, config_path=Path("/home") / words[0] / "config.toml")
    return KeyScreen(bench)


async def confirm(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    face = Asked()
    await JobActions(bench.desk, face, ENVIRON).retry(job_of(words[0], **UNCONFIRMED))
    assert face.question is not None
    return face.question


async def copy(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    return CopyMenu(job_of(words[0], **SAVED), bench, around([]))


async def save(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    return SaveAs([job_of(words[0], **SAVED)], actions_of(bench), "{character}", home=Path("/home"), here=Path("/home"))


async def viewer(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    job = job_of(words[0], state=JobState.FAILED, name=Untrusted("Astrid"))
    return Viewer([job], bench, around([]), actions_of(bench), [job.id])


async def compare(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    jobs = [job_of(each, number, state=JobState.FAILED) for number, each in enumerate(words)]
    return Viewer(jobs, bench, around([]), actions_of(bench))


async def history(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    return PromptHistory(words)


async def presets(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    items = tuple(Preset(name=Untrusted(each), draft=Draft(prompt=each, character=each)) for each in words)
    return PresetScreen(Presets(items=items), Draft(), lambda _: None)


def people(words: Sequence[str]) -> list[Character]:
    names = ("name", "username", "gender", "category", "avatar_url")
    # A story keeps its lines, as the prompt in the detail does; its twin would have signs for them.
    return [
        Character(
            id=each,
            age=30,
            description=Untrusted(re.sub("[\r\n⏎]", "", each)),
            **{name: Untrusted(each) for name in names},
        )
        for each in words
    ]


async def picker(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    return CharacterPicker(people(words))


async def browser(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    bench.book._take(people(words), bench.clock.time())
    bench.book.fetched_at = bench.clock.time()
    return CharacterBrowser(bench, around([]))


async def keys(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    return HelpScreen([Section(Shown("Here"), [Row(each, each, each) for each in words])])


async def figures(words: Sequence[str], bench: Workbench) -> Screen[Any]:
    return StatisticsScreen(statistics([job_of(each) for each in words], 1_700_000_100.0), UNICODE)


class Scene(NamedTuple):
    """A screen, the texts it is shown with, how many of them at once, and how many times each is seen on it.

    The texts are made when they are asked for: every worker collects the tests, and one runs them.
    """

    make: Callable[[Sequence[str], Workbench], Any]
    texts: Callable[[], Sequence[str]]
    at_once: int
    times: int
    size: tuple[int, int] = WIDE


def barred(longest: int = 18) -> list[str]:
    """Return each payload by itself, no wider than a narrow column."""
    return [
        f"|{each[: longest // 2] if cell_len(shown(each)) > longest else each}|" for each in pieces(longest=longest)
    ]


# The longest text is that of the shortest cut among the fields; short ones are those of narrow columns.
SCENES = {
    "note and tags": Scene(note, partial(packs, 440), 1, 2),
    "key problem and key file": Scene(key, partial(packs, 1_500), 1, 1, DEEP),
    "verdict of an unconfirmed job": Scene(confirm, partial(packs, 1_500), 1, 1),
    "link, prompt, request id to copy": Scene(copy, partial(packs, 195), 1, 3),
    "proposed file name": Scene(save, partial(packs, 380), 1, 0),
    "viewer: prompt, error": Scene(viewer, partial(packs, 160), 1, 2),
    "four side by side: who, prompt, error": Scene(compare, partial(packs, 56), 4, 3),
    "earlier prompts": Scene(history, partial(packs, 290), 100, 1, TALL),
    "presets": Scene(presets, barred, 100, 3, TALL),
    "character picker": Scene(picker, partial(barred, 4), 100, 2, TALL),
    "character browser": Scene(browser, partial(barred, 6), 100, 2, TALL),
    "help": Scene(keys, partial(barred, 6), 100, 3, TALL),
    "statistics": Scene(figures, pieces, 1_000, 0),
}


def squeezed(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;:?]*[A-Za-z]|[\s│▌⏎|…]+", "", text)


SHARE = 10
"""One in so many of the texts is shown in an ordinary run: a screen takes thirty milliseconds to come and go.

A long run shows them all, and looks through the frames that are drawn on the way too.
"""


def turns(scene: Scene, share: int) -> Iterator[list[str]]:
    texts = scene.texts()
    for start in range(0, len(texts), scene.at_once * share):
        yield list(texts[start : start + scene.at_once])


async def drawn(pilot: Pilot[Any], scene: Scene, words: Sequence[str], bench: Workbench) -> list[str]:
    await pilot.app.push_screen(await scene.make(words, bench))
    await pilot.app.workers.wait_for_complete()
    found = await still(pilot)
    await pilot.app.pop_screen()
    return ["" if _QUOTED.search(row) else row for row in found]


MARKUP = [re.sub("[\n\x1b]", "", each) for each in markup_strings()]
"""Five hundred texts of tags, links and actions, without what the gate has signs for."""


def tagged(scene: Scene) -> Scene:
    """Return the scene with texts of markup: whole ones in a list, else as many to a text as fit where others do."""
    if scene.at_once >= 100:
        # Help takes two lines for the longest.
        return scene._replace(texts=lambda: MARKUP, at_once=50, times=min(1, scene.times))
    every, longest = "|".join(MARKUP), max(map(len, scene.texts()))
    return scene._replace(texts=lambda: [every[at : at + longest] for at in range(0, len(every), longest)])


async def literal(pilot: Pilot[Any], scene: Scene, share: int, bench: Workbench) -> None:
    """Look at the scene with markup in every field: as it is written, and nothing behind it to click."""
    for words in turns(scene, share):
        await pilot.app.push_screen(await scene.make(words, bench))
        await pilot.app.workers.wait_for_complete()
        seen = squeezed("".join(await still(pilot)))
        behind = clickable(pilot)
        await pilot.app.pop_screen()
        assert behind == []
        assert [each for each in words if seen.count(squeezed(shown(each))) < scene.times] == []


@pytest.mark.parametrize("share", [SHARE, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", SCENES)
async def test_a_small_screen_is_that_of_the_neutralised_twin(
    tmp_path: Path, name: str, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One payload in five in an ordinary run, every one in a long run; and 500 texts of markup, one in forty or all.

    Seen to fail with the verdict's reason, and with a note, put on their screens ungated.
    """
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    scene = SCENES[name]
    app = WideStage()
    app.every_frame = share == 1
    async with bench_of(tmp_path) as bench, app.run_test(size=scene.size) as pilot:
        for words in turns(scene, share):
            hostile = await drawn(pilot, scene, words, bench)
            assert hostile == await drawn(pilot, scene, [shown(each) for each in words], bench)
            seen = squeezed("".join(hostile))
            missing = [each for each in words if seen.count(squeezed(shown(each)).replace("⏎", "")) < scene.times]
            assert missing == []
        await literal(pilot, tagged(scene), 1 if share == 1 else 40, bench)
    assert unsafe_bytes(app) == []


def test_the_payloads_are_a_thousand_and_all_different() -> None:
    for name, scene in SCENES.items():
        every = scene.texts()
        texts = "".join(every) if every[0].startswith("|") else "|".join(every)
        assert len(set(texts.split("|")) - {""}) >= 990, name


@pytest.mark.parametrize("share", [SHARE, pytest.param(1, marks=pytest.mark.long)])
async def test_toasts_are_those_of_the_neutralised_twin(share: int) -> None:
    """How jobs ended. Seen to fail with the error told as the service worded it."""
    app = WideStage()
    app.every_frame = share == 1
    async with app.run_test(size=TALL, notifications=True) as pilot:
        texts = packs(110)
        for start in range(0, len(texts), 25 * share):
            taken = []
            for gate in (str, shown):
                for number, words in enumerate(texts[start : start + 25]):
                    told = gate(words)
                    ended = sentence(job_of(told, number, state=JobState.FAILED))
                    app.notify(ended, markup=False, timeout=3_600)
                taken.append(await still(pilot))
                app.clear_notifications()
                await still(pilot)
            assert taken[0] == taken[1]
            seen = squeezed("".join(taken[0]))
            assert [each for each in texts[start : start + 25] if squeezed(shown(each)) not in seen] == []
        for start in range(0, 500, 25 * share):
            for number, words in enumerate(MARKUP[start : start + 25]):
                app.notify(sentence(job_of(words, number, state=JobState.FAILED)), markup=False, timeout=3_600)
            seen = squeezed("".join(await still(pilot)))
            assert [each for each in MARKUP[start : start + 25] if squeezed(each) not in seen] == []
            assert clickable(pilot) == []
            app.clear_notifications()
            await still(pilot)
    assert unsafe_bytes(app) == []
