"""Resolving typed entries to characters, and those that are never allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.api.models import Character
from eternal_tui.characters.resolver import CharacterResolver, format_label
from eternal_tui.core.sanitize import UntrustedText


def _make_character(identifier: str, name: str, age: int | None = 30) -> Character:
    return Character(id=identifier, name=UntrustedText(name), age=age)


ASTRID = _make_character("6870", "Astrid", 24)
ELARA = _make_character("6790", "Elara")
SECOND_ELARA = _make_character("6791", "Elara")
MARY = _make_character("6792", "Mary Ann")
MINOR = _make_character("6900", "Mia", 16)
AGE_UNKNOWN = _make_character("6901", "Noor", None)
RESOLVER = CharacterResolver([ASTRID, ELARA, SECOND_ELARA, MARY, MINOR, AGE_UNKNOWN])


@pytest.mark.parametrize("text", ["6870", " 6870 ", "06870", "Astrid", "ASTR", "Astrid · 6870", "Anything · 6870"])
def test_resolve_takes_id_name_prefix_and_label(text: str) -> None:
    assert RESOLVER.resolve(text).character == ASTRID


def test_resolve_takes_an_unlisted_number_as_id() -> None:
    chosen = RESOLVER.resolve("123")
    assert (chosen.id, chosen.character, chosen.problem) == ("123", None, "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Character is required"), ("https://h/me.png", "URLs, paths"), ("/home/me/me.png", "URLs, paths"),
        ("data:image/png;base64,AAAA", "URLs, paths"), ("Elara", "2 characters match"),
        ("Nobody", "Unknown character “Nobody”"), ("٣٤٥", "Unknown character"), ("1" * 65, "Unknown character"),
    ],
)  # fmt: skip
def test_resolve_rejects_anything_else(text: str, sentence: str) -> None:
    chosen = RESOLVER.resolve(text)
    assert not chosen.id
    assert sentence in chosen.problem


@pytest.mark.parametrize("text", ["6900", "Mia · 6900", "Mia", "mi"])
def test_minors_are_neither_found_nor_resolved(text: str) -> None:
    chosen = RESOLVER.resolve(text)
    assert not chosen.id
    assert chosen.problem
    assert MINOR not in RESOLVER.search(text)
    assert MINOR not in RESOLVER.allowed


def test_rejection_reason_comes_first() -> None:
    lookup = CharacterResolver([ASTRID], lambda identifier: "Not this one." if identifier == "6870" else "")
    assert lookup.resolve("6870").problem == "Not this one."


def test_resolve_all_resolves_each_entry() -> None:
    assert [each.id for each in RESOLVER.resolve_all("Astrid · 6870, Mary Ann · 6792")] == ["6870", "6792"]
    assert [each.id for each in RESOLVER.resolve_all("6870,, 77,")] == ["6870", "77"]
    assert [each.id for each in RESOLVER.resolve_all("Mary Ann")] == ["6792"]
    assert [bool(each.problem) for each in RESOLVER.resolve_all("6870, Nobody")] == [False, True]
    assert [each.id for each in RESOLVER.resolve_all(" ")] == [""]


def test_resolve_without_a_list_takes_ids_only() -> None:
    assert CharacterResolver().resolve("6870").id == "6870"
    assert "not loaded yet" in CharacterResolver().resolve("Astrid").problem


def test_search_finds_later_words_after_first_ones() -> None:
    anna = _make_character("1", "Anna")
    assert CharacterResolver([MARY, anna]).search("ann") == [anna, MARY]


@given(st.lists(st.tuples(st.integers(1, 10**6), st.text(max_size=80), st.none() | st.integers(0, 90)), max_size=8))
def test_labels_resolve_to_their_character(rows: list[tuple[int, str, int | None]]) -> None:
    """Names are untrusted: whatever they contain, choosing one sends its ID, alone and in a list."""
    characters = list({str(row[0]): _make_character(str(row[0]), row[1], row[2]) for row in rows}.values())
    lookup = CharacterResolver(characters)
    for character in lookup.allowed:
        assert lookup.resolve(format_label(character)).id == character.id
    together = ", ".join(format_label(each) for each in lookup.allowed)
    if lookup.allowed:
        assert [each.id for each in lookup.resolve_all(together)] == [each.id for each in lookup.allowed]
