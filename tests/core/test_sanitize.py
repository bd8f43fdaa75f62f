"""Sanitizing untrusted text."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from eternal_tui.core.sanitize import (
    MAX_BLOCK_CHARS,
    MAX_COMBINING_MARKS,
    MAX_LINE_CHARS,
    SafeText,
    clean_prompt,
    format_safe,
    join_safe,
    sanitize,
    sanitize_block,
)
from tests.payloads import PAYLOADS

UNSAFE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

_hostile_text = st.one_of(
    st.text(),
    st.sampled_from([payload for payload in PAYLOADS if len(payload) < 5_000]),
    st.text(st.characters(codec=None, categories=["Cc", "Cf", "Cs", "Co", "Mn", "Me", "Mc", "Zs", "Zl", "So", "Sk"])),
    st.text(
        st.sampled_from(
            "\u200d\ufe0f\U0001f3fd\U0001f469\u2764\U0001f1e9e\u0301D\u0307\u1100\u1161\u11a8각\t\r\n \x1b\x9b"
        )
    ),
    st.lists(st.sampled_from(PAYLOADS[:400]), max_size=6).map("".join),
)


def assert_safe(text: str, *, newlines: bool = False) -> None:
    marks = 0
    for character in text:
        if newlines and character == "\n":
            marks = 0
            continue
        category = unicodedata.category(character)
        assert category not in UNSAFE_CATEGORIES, f"{character!a} in {text!a}"
        assert character not in "\u115f\u1160\u3164\uffa0\u034f\u2800"
        assert character == " " or category != "Zs"
        marks = marks + 1 if category in {"Mn", "Me", "Mc"} else 0
        assert marks <= MAX_COMBINING_MARKS
    text.encode()


def assert_widths(text: str) -> None:
    """Every character measured alone and the text measured whole agree: nothing depends on its neighbours."""
    assert cell_len(text) == sum(cell_len(character) for character in text)
    assert all(cell_len(character) > 0 for character in text if not unicodedata.category(character).startswith("M"))


def assert_sanitized(text: str) -> None:
    line, block = sanitize(text), sanitize_block(text)
    assert_safe(line)
    assert_safe(block, newlines=True)
    assert_widths(line)
    assert sanitize(line) == line
    assert sanitize_block(block) == block
    assert len(line) <= MAX_LINE_CHARS
    assert len(block) <= MAX_BLOCK_CHARS
    assert (cell_len(line) > 0) == (text != "")
    assert sanitize(text, limit=10) == sanitize(sanitize(text, limit=10), limit=10)
    assert len(sanitize(text, limit=10)) <= 10


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload[:24]))
def test_every_recorded_payload_comes_out_tame(payload: str) -> None:
    assert_sanitized(payload)


@settings(max_examples=600, deadline=None)
@given(_hostile_text)
@example("\u1100\u200b\u1161")
@example("e\ufe0f\u0301")
@example("\U0001f1e9\u0307")
@example("\u0958" * 3_000)
@example("\u0958" + "\u0301" * 4)
def test_any_text_comes_out_tame(text: str) -> None:
    assert_sanitized(text)


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=MAX_LINE_CHARS))
def test_plain_text_is_left_alone(text: str) -> None:
    assert sanitize(text) == text
    assert sanitize_block(text) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Ängström", "Ängström"), ("A\u030angstro\u0308m", "Ångström"), ("日本語", "日本語"), ("한글", "한글"),
        ("\u1112\u1161\u11ab", "한"), ("Việt Nam", "Việt Nam"), ("שָׁלוֹם", "שָׁלוֹם"), ("a\tb", "a b"),
        ("a\nb", "a⏎b"), ("a\r\nb", "a⏎b"), ("\x1b[2J", "␛[2J"), ("\x00\x07\x7f", "␀␇␡"), ("\x9b2J", "�2J"),
        ("x\u202ey", "x�y"), ("pay\u200bpal", "pay�pal"), ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "👨👩👧"),
        ("❤\ufe0f", "❤"), ("👍\U0001f3fd", "👍"), ("🇩🇪", "DE"), ("\ufe0f", "�"), ("\u200d👍", "�👍"),
        ("\u0301x", "◌\u0301x"), ("\u3000a\u00a0b", " a b"), ("a…b — “c”", "a…b — “c”"),
    ],
)  # fmt: skip
def test_what_people_write_stays_readable(text: str, line: str) -> None:
    assert sanitize(text) == unicodedata.normalize("NFC", line)


def test_lines_stay_lines_in_a_block() -> None:
    assert (
        sanitize_block("one\r\ntwo\nthree\x85four\u2028five\n\tsix\x1b[2J")
        == "one\ntwo\nthree\nfour\nfive\n    six␛[2J"
    )


def test_over_long_text_ends_in_an_ellipsis() -> None:
    assert sanitize("x" * 3_000) == "x" * (MAX_LINE_CHARS - 1) + "…"
    assert sanitize("abcdef", limit=4) == "abc…"
    assert len(sanitize_block("\t" * MAX_BLOCK_CHARS)) == MAX_BLOCK_CHARS


def test_a_hundred_megabytes_cost_no_more_than_a_line() -> None:
    took = 0.0
    for huge in (
        "\x1b" * 100_000_000,
        "a" + "\u0301" * 10_000 + "\u0323" * 10_000_000,
        "\U0001f468\u200d" * 10_000_000,
    ):
        # Making such a text takes most of a second, on a busy machine two.
        before = time.thread_time()
        sanitize(huge)
        sanitize_block(huge)
        took += time.thread_time() - before
    assert took < 2.0


def test_stacks_of_marks_cost_linear_time() -> None:
    """Putting marks in canonical order is quadratic."""
    before = time.process_time()
    sanitize_block("a" + "\u0301" * 10_000 + "\u0323" * 10_000)
    assert time.process_time() - before < 0.3


def test_format_safe_sanitizes_fields_and_keeps_them_literal() -> None:
    assert (
        format_safe("The service says: {said}", said="\x1b]0;x\x07{said} [bold]")
        == "The service says: ␛]0;x␇{said} [bold]"
    )
    assert format_safe("{n} jobs", n=3) == "3 jobs"
    assert join_safe(" · ", SafeText("a"), SafeText("b")) == "a · b"


@given(st.text())
def test_a_prompt_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    cleaned = clean_prompt(text)
    assert clean_prompt(cleaned) == cleaned
    for one in cleaned:
        assert one == "\n" or one in "\u200c\u200d" or unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


@pytest.mark.parametrize(
    "text", ["Ở bến cảng buổi sáng", "👩‍🚀 in space ❤️", "می‌خواهم", "a\n\nb", "日本の港", "שלום", "e\u0301", "�"]
)
def test_a_prompt_keeps_all_writing(text: str) -> None:
    assert clean_prompt(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\x1b[31mb", "a[31mb"), ("a\r\nb\rc\u2028d", "a\nb\nc\nd"), ("a\tb", "a    b"), ("\u202eabc\u2066", "abc"),
        ("a\x00\x7f\x9bb", "ab"), ("a\ud800b", "ab"), ("pay\u200dpal", "paypal"), ("\u200d\u200d\u200dx", "x"),
        ("👩\u200d\u200d\u200d🚀", "👩\u200d🚀"), ("a" + "\ufe0f" * 100, "a\ufe0f"),
        ("Z" + "\u0335" * 1_000, "Z" + "\u0335" * 4),
    ],
)  # fmt: skip
def test_a_prompt_loses_what_hides_or_heaps_up(text: str, cleaned: str) -> None:
    assert clean_prompt(text) == cleaned
