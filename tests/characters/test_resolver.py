"""Whom a typed entry means, and whom it never may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.api.models import Character
from eternal_tui.characters.resolver import CharacterLookup, label
from eternal_tui.core.sanitize import Untrusted


def _character(identifier: str, name: str, age: int | None = 30) -> Character:
    return Character(id=identifier, name=Untrusted(name), age=age)


ASTRID = _character("6870", "Astrid", 24)
ELARA = _character("6790", "Elara")
TWIN = _character("6791", "Elara")
MARY = _character("6792", "Mary Ann")
MINOR = _character("6900", "Mia", 16)
UNAGED = _character("6901", "Noor", None)
LOOKUP = CharacterLookup([ASTRID, ELARA, TWIN, MARY, MINOR, UNAGED])


@pytest.mark.parametrize("text", ["6870", " 6870 ", "Astrid", "astrid", "ASTR", "Astrid · 6870", "Anything · 6870"])
def test_an_id_a_name_its_beginning_and_the_label_all_mean_the_character(text: str) -> None:
    assert LOOKUP.resolve(text).character == ASTRID


def test_an_unlisted_number_is_taken_as_an_id() -> None:
    chosen = LOOKUP.resolve("123")
    assert (chosen.id, chosen.character, chosen.problem) == ("123", None, "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Choose a character"),
        ("https://example.org/me.png", "URLs, paths"),
        ("/home/me/me.png", "URLs, paths"),
        ("data:image/png;base64,AAAA", "URLs, paths"),
        ("Elara", "2 characters fit"),
        ("Nobody", "No character is called “Nobody”"),
        ("٣٤٥", "No character is called"),
        ("1" * 65, "No character is called"),
    ],
)
def test_anything_else_is_refused_in_words(text: str, sentence: str) -> None:
    chosen = LOOKUP.resolve(text)
    assert not chosen.id
    assert sentence in chosen.problem


@pytest.mark.parametrize("text", ["6900", "Mia · 6900", "Mia", "mi"])
def test_a_minor_is_neither_offered_nor_taken(text: str) -> None:
    """Seen to fail with the age check of the lookup removed."""
    chosen = LOOKUP.resolve(text)
    assert not chosen.id
    assert chosen.problem
    assert MINOR not in LOOKUP.matches(text)
    assert MINOR not in LOOKUP.offered


def test_a_further_refusal_comes_before_everything() -> None:
    lookup = CharacterLookup([ASTRID], lambda identifier: "Not this one." if identifier == "6870" else "")
    assert lookup.resolve("6870").problem == "Not this one."


def test_several_entries_each_mean_someone() -> None:
    """Seen to fail when the last ID of a list of labels stood for the whole list."""
    assert [each.id for each in LOOKUP.resolve_all("Astrid · 6870, Mary Ann · 6792")] == ["6870", "6792"]
    assert [each.id for each in LOOKUP.resolve_all("6870,, 77,")] == ["6870", "77"]
    assert [each.id for each in LOOKUP.resolve_all("Mary Ann")] == ["6792"]
    assert [bool(each.problem) for each in LOOKUP.resolve_all("6870, Nobody")] == [False, True]
    assert [each.id for each in LOOKUP.resolve_all(" ")] == [""]


def test_without_a_list_only_ids_are_taken() -> None:
    assert CharacterLookup().resolve("6870").id == "6870"
    assert "not here yet" in CharacterLookup().resolve("Astrid").problem


def test_later_words_of_a_name_are_found_after_first_ones() -> None:
    anna = _character("1", "Anna")
    assert CharacterLookup([MARY, anna]).matches("ann") == [anna, MARY]


@given(st.lists(st.tuples(st.integers(1, 10**6), st.text(max_size=80), st.none() | st.integers(0, 90)), max_size=8))
def test_a_label_always_leads_back_to_its_character(rows: list[tuple[int, str, int | None]]) -> None:
    """Names are anybody's: whatever is in them, choosing one sends that one's ID, alone and in a list."""
    characters = list({str(row[0]): _character(str(row[0]), row[1], row[2]) for row in rows}.values())
    lookup = CharacterLookup(characters)
    for character in lookup.offered:
        assert lookup.resolve(label(character)).id == character.id
    together = ", ".join(label(each) for each in lookup.offered)
    if lookup.offered:
        assert [each.id for each in lookup.resolve_all(together)] == [each.id for each in lookup.offered]
