"""A person's own keys: what in the [keys] table of config.toml cannot be meant, said in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from textual.keys import Keys, _character_to_key

from eternal_tui.core.sanitize import Shown, say, shown
from eternal_tui.tui.input.actions import ENCLOSING, EVERY, Action, Where

IN_DISGUISE = {"ctrl+h": "Backspace", "ctrl+i": "Tab", "ctrl+j": "Enter", "ctrl+m": "Enter", "ctrl+[": "Esc"}
"""Keys a terminal cannot tell from another one."""

_BY_ID = {action.id: action for action in EVERY}
_MODIFIERS = frozenset({"ctrl", "alt", "shift", "super", "meta", "hyper"})
_NAMED = frozenset(key.value.split("+")[-1] for key in Keys)


def keys_of(action: Action, keymap: Mapping[str, str]) -> str:
    """Return the keys of an action, a person's own where there are some."""
    return keymap.get(action.id, action.keys)


def keymap_problems(keymap: Mapping[str, str]) -> list[Shown]:
    """Return a sentence for each entry that cannot be meant: unknown name, no key, a key in disguise, a clash."""
    return [*_entries(keymap), *_clashes(keymap)]


def usable(keymap: Mapping[str, str]) -> dict[str, str]:
    """Return the entries that name an action and only keys there are."""
    return {name: text for name, text in keymap.items() if not list(_entries({name: text}))}


def _entries(keymap: Mapping[str, str]) -> Iterator[Shown]:
    for name, text in keymap.items():
        if name not in _BY_ID:
            near = get_close_matches(name, _BY_ID, n=1)
            hint = say(" Did you mean {near}?", near=near[0]) if near else Shown("")
            yield say('keys: there is no action "{name}".{hint}', name=name, hint=hint)
            continue
        for key in text.split(","):
            yield from _key(name, key.strip())


def _key(name: str, key: str) -> Iterator[Shown]:
    if not key:
        yield say("keys: {name} has an empty key.", name=name)
    elif key in IN_DISGUISE:
        truth = IN_DISGUISE[key]
        yield say("keys: {key} for {name} is {truth} in disguise; choose another key.", key=key, name=name, truth=truth)
    elif not _is_key(key):
        yield say(
            'keys: there is no key "{key}", given to {name}. Keys look like r, R, f5, ctrl+r.', key=key, name=name
        )


def _is_key(key: str) -> bool:
    if len(key) == 1:
        return key.isprintable() and not key.isspace()
    *modifiers, last = key.split("+")
    if not set(modifiers) <= _MODIFIERS:
        return False
    # A sign goes by its Unicode name with underscores, as the defaults of the registry do.
    return last in _NAMED or len(last) == 1 or _named_sign(last)


def _named_sign(name: str) -> bool:
    import unicodedata

    words = {"slash": "/", "minus": "-", "plus": "+", "backslash": "\\", "asterisk": "*"}
    if name in words:
        return True
    try:
        unicodedata.lookup(
            name.replace("_", " ").replace("less than", "less-than").replace("greater than", "greater-than")
        )
    except KeyError:
        return False
    return True


def _clashes(keymap: Mapping[str, str]) -> Iterator[Shown]:
    """Yield a sentence for each key of the person's that meets another action's where both work."""
    told: set[frozenset[str]] = set()
    for name in keymap:
        if name not in _BY_ID:
            continue
        mine = _BY_ID[name]
        for other in EVERY:
            if other.id == name or not _meet(mine, other) or other.run.endswith(mine.run):
                continue
            shared = _split(keys_of(mine, keymap)) & _split(keys_of(other, keymap))
            if shared and frozenset({name, other.id}) not in told:
                told.add(frozenset({name, other.id}))
                key = key_words(min(shared))
                yield say("keys: {key} is given to both {one} and {other}.", key=key, one=name, other=other.id)


def _meet(one: Action, other: Action) -> bool:
    return one.where == other.where or _within(one.where, other.where) or _within(other.where, one.where)


def _within(inner: Where, outer: Where) -> bool:
    return outer in ENCLOSING.get(inner, ())


def _split(keys: str) -> set[str]:
    return {_character_to_key(key) if len(key) == 1 else key for key in map(str.strip, keys.split(","))}


KEY_LIMIT = 24
"""Characters of a key's name: the longest of the defaults and some more."""


_KEY_WORDS = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "asterisk": "*",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "full_stop": ".",
    "comma": ",",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "escape": "esc",
}


def key_words(keys: str) -> Shown:
    """Return the first of a binding's keys as people write it."""
    key = shown(keys.partition(",")[0].strip(), limit=KEY_LIMIT)
    if key.startswith("ctrl+"):
        return say("^{key}", key=key.removeprefix("ctrl+"))
    held, plus, last = key.rpartition("+")
    return say("{held}{last}", held=held + plus, last=_KEY_WORDS.get(last, last))
