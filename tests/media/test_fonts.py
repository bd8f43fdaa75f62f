"""Letters on pictures: drawn where a font has them, and visibly missing where none has."""

from __future__ import annotations

from pathlib import Path

import pytest

from eternal_tui.media.galleries import FONT_PATHS, FontStack

DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")


def test_what_no_font_has_is_its_plain_letter_or_a_question_mark_and_counted() -> None:
    lettering = FontStack(13, font_paths=())
    assert lettering.choose_font("A café in Łódź, 港")[1] == "A cafe in ?odz, ?"
    assert lettering.substituted_count == 2


@pytest.mark.skipif(not DEJAVU.is_file(), reason="DejaVu Sans is not installed: apt install fonts-dejavu-core")
def test_a_font_that_has_them_is_taken() -> None:
    lettering = FontStack(13, font_paths=("/nowhere/at/all.ttf", str(DEJAVU)))
    words = "Café, Łódź, Ελλάδα, Москва"
    assert lettering.choose_font(words)[1] == words
    assert lettering.substituted_count == 0
    assert len(set(FONT_PATHS)) == len(FONT_PATHS)
