"""Hostile words on every small screen: a thousand payloads in every field, the bytes those of the sanitized twin.

A stage as wide as a thousand words shows many payloads at once; the screens are the app's own, and so are the fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from eternal_tui.core.sanitize import sanitize
from eternal_tui.services import Services
from tests.payloads import make_markup_strings
from tests.security.drawn import WideScreenApp, capture_rows, find_click_targets, unsafe_bytes
from tests.security.hostile import pack_payloads, payload_pieces
from tests.tui.screens.scenes import make_screen
from tests.tui.screens.stage import open_services

WIDE_SIZE = (500, 16)
DEEP_SIZE = (500, 30)
"""Room for two long texts at once: nothing has to be scrolled, which happens some frames after all else."""

TALL_SIZE = (320, 120)

_ESCAPED_ROW_PATTERN = re.compile("curl command|Python, httpx|JSON body")
"""Rows that quote the request in a language with escapes of its own, of which the twin has no need."""


class Scene(NamedTuple):
    """A screen, the texts it is shown with, how many of them at once, and how many times each is seen on it.

    The texts are made when they are asked for: every worker collects the tests, and one runs them.
    """

    screen: str
    texts: Callable[[], Sequence[str]]
    texts_per_screen: int
    occurrences: int
    size: tuple[int, int] = WIDE_SIZE


def barred_payloads(max_width: int = 18) -> list[str]:
    """Return each payload by itself, no wider than a narrow column."""
    return [
        f"|{each[: max_width // 2] if cell_len(sanitize(each)) > max_width else each}|"
        for each in payload_pieces(max_width)
    ]


# The longest text is that of the shortest cut among the fields; short ones are those of narrow columns.
SCENES = {
    "note and tags": Scene("note", partial(pack_payloads, 440), 1, 2),
    "key problem and key file": Scene("api key", partial(pack_payloads, 1_500), 1, 1, DEEP_SIZE),
    "verdict of an unconfirmed job": Scene("question", partial(pack_payloads, 1_500), 1, 1),
    "link, prompt, request id to copy": Scene("copy", partial(pack_payloads, 195), 1, 3),
    "proposed file name": Scene("save as", partial(pack_payloads, 380), 1, 0),
    "viewer: prompt, error": Scene("viewer", partial(pack_payloads, 160), 1, 2),
    "four side by side: who, prompt, error": Scene("compare", partial(pack_payloads, 56), 4, 3),
    "earlier prompts": Scene("prompts", partial(pack_payloads, 290), 100, 1, TALL_SIZE),
    "presets": Scene("presets", barred_payloads, 100, 3, TALL_SIZE),
    "character picker": Scene("picker", partial(barred_payloads, 4), 100, 2, TALL_SIZE),
    "character browser": Scene("characters", partial(barred_payloads, 6), 100, 2, TALL_SIZE),
    "help": Scene("help", partial(barred_payloads, 6), 100, 3, TALL_SIZE),
    "statistics": Scene("statistics", payload_pieces, 1_000, 0),
}


def strip_layout(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;:?]*[A-Za-z]|[\s│▌⏎|…]+", "", text)


SAMPLE_STEP = 10
"""One in so many of the texts is shown: a screen takes thirty milliseconds to come and go."""


def text_batches(scene: Scene, step: int) -> Iterator[list[str]]:
    texts = scene.texts()
    for start in range(0, len(texts), scene.texts_per_screen * step):
        yield list(texts[start : start + scene.texts_per_screen])


async def capture_scene(pilot: Pilot[Any], scene: Scene, words: Sequence[str], bench: Services) -> list[str]:
    await pilot.app.push_screen(await make_screen(scene.screen, words, bench))
    await pilot.app.workers.wait_for_complete()
    found = await capture_rows(pilot)
    assert find_click_targets(pilot) == []
    await pilot.app.pop_screen()
    return ["" if _ESCAPED_ROW_PATTERN.search(row) else row for row in found]


MARKUP_TEXTS = [re.sub("[\n\x1b]", "", each) for each in make_markup_strings()]
"""Five hundred texts of tags, links and actions, without what the gate has signs for."""


def with_markup(scene: Scene) -> Scene:
    """Return the scene with texts of markup: whole ones in a list, else as many to a text as fit where others do."""
    if scene.texts_per_screen >= 100:
        # Help takes two lines for the longest.
        return scene._replace(texts=lambda: MARKUP_TEXTS, texts_per_screen=50, occurrences=min(1, scene.occurrences))
    every, longest = "|".join(MARKUP_TEXTS), max(map(len, scene.texts()))
    return scene._replace(texts=lambda: [every[at : at + longest] for at in range(0, len(every), longest)])


@pytest.mark.parametrize("name", SCENES)
async def test_a_small_screen_is_that_of_the_sanitized_twin(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One payload in ten, and one text of markup in forty, behind which nothing can be clicked."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    plain = SCENES[name]
    app = WideScreenApp()
    async with open_services(tmp_path) as bench, app.run_test(size=plain.size) as pilot:
        for scene, step in ((plain, SAMPLE_STEP), (with_markup(plain), 4 * SAMPLE_STEP)):
            for words in text_batches(scene, step):
                hostile = await capture_scene(pilot, scene, words, bench)
                assert hostile == await capture_scene(pilot, scene, [sanitize(each) for each in words], bench)
                seen = strip_layout("".join(hostile))
                signs = {each: strip_layout(sanitize(each)).replace("⏎", "") for each in words}
                assert [each for each in words if seen.count(signs[each]) < scene.occurrences] == []
    assert unsafe_bytes(app) == []
