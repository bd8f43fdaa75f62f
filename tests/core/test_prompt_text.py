"""What may stand in a prompt."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.core.sanitize import clean_prompt


@given(st.text())
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    cleaned = clean_prompt(text)
    assert clean_prompt(cleaned) == cleaned
    for one in cleaned:
        assert one == "\n" or one in "\u200c\u200d" or unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


@pytest.mark.parametrize(
    "text", ["Ở bến cảng buổi sáng", "👩‍🚀 in space ❤️", "می‌خواهم", "a\n\nb", "日本の港", "שלום", "e\u0301", "�"]
)
def test_all_writing_stays_as_it_is(text: str) -> None:
    assert clean_prompt(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\x1b[31mb", "a[31mb"), ("a\r\nb\rc\u2028d", "a\nb\nc\nd"), ("a\tb", "a    b"), ("\u202eabc\u2066", "abc"),
        ("a\x00\x7f\x9bb", "ab"), ("a\ud800b", "ab"),
    ],
)  # fmt: skip
def test_what_only_a_terminal_understands_goes(text: str, cleaned: str) -> None:
    assert clean_prompt(text) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("pay\u200dpal", "paypal"), ("\u200d\u200d\u200dx", "x"), ("👩\u200d\u200d\u200d🚀", "👩\u200d🚀"),
        ("a" + "\ufe0f" * 100, "a\ufe0f"), ("Z" + "\u0335" * 1_000, "Z" + "\u0335" * 4),
    ],
)  # fmt: skip
def test_what_hides_or_is_heaped_up_goes(text: str, cleaned: str) -> None:
    assert clean_prompt(text) == cleaned
