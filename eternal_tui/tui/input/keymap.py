"""Actions as Textual bindings, and the user's own keys: errors in the [keys] table of config.toml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from textual.binding import Binding
from textual.keys import Keys, key_to_character

from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.tui.input.actions import ACTIONS_BY_ID, ALL_ACTIONS, PARENT_SCOPES, Action, Scope
from eternal_tui.tui.terminal.textual_internals import key_name

INDISTINGUISHABLE_KEYS = {"ctrl+h": "Backspace", "ctrl+i": "Tab", "ctrl+j": "Enter", "ctrl+m": "Enter", "ctrl+[": "Esc"}
"""Keys that a terminal cannot distinguish from others."""

_MODIFIER_KEYS = frozenset({"ctrl", "alt", "shift", "super", "meta", "hyper"})
_SHORT_NAMES = {"slash": "/", "backslash": "\\", "minus": "-", "plus": "+"}
_KEY_NAMES = frozenset(key.value.split("+")[-1] for key in Keys)


def bindings(scope: Scope) -> list[Binding]:
    """Return Textual bindings for everything that works there."""
    return [
        Binding(
            action.keys,
            action.textual_action,
            action.title,
            show=action.show_in_footer,
            id=action.id,
            tooltip=action.description,
            priority=action.priority or scope == "anywhere",
        )
        for action in ALL_ACTIONS
        if action.scope == scope
    ]


def effective_keys(action: Action, keymap: Mapping[str, str]) -> str:
    """Return the keys of an action, the user's own where there are some."""
    return keymap.get(action.id, action.keys)


def keymap_errors(keymap: Mapping[str, str]) -> list[SafeText]:
    """Return a sentence for each invalid entry: unknown name, no key, a key no terminal can send, a clash."""
    return [*_entry_errors(keymap), *_conflict_errors(keymap)]


def valid_bindings(keymap: Mapping[str, str]) -> dict[str, str]:
    """Return the entries that name an action and only keys there are."""
    return {name: text for name, text in keymap.items() if not list(_entry_errors({name: text}))}


def _entry_errors(keymap: Mapping[str, str]) -> Iterator[SafeText]:
    from difflib import get_close_matches

    for name, text in keymap.items():
        if name not in ACTIONS_BY_ID:
            near = get_close_matches(name, ACTIONS_BY_ID, n=1)
            hint = format_safe(" Did you mean {near}?", near=near[0]) if near else SafeText("")
            yield format_safe('keys: there is no action "{name}".{hint}', name=name, hint=hint)
            continue
        for key in text.split(","):
            yield from _key_errors(name, key.strip())


def _key_errors(name: str, key: str) -> Iterator[SafeText]:
    if not key:
        yield format_safe("keys: {name} has an empty key.", name=name)
    elif key in INDISTINGUISHABLE_KEYS:
        truth = INDISTINGUISHABLE_KEYS[key]
        yield format_safe(
            "keys: {key} for {name} is {truth} in disguise; choose another key.", key=key, name=name, truth=truth
        )
    elif not _is_valid_key(key):
        yield format_safe(
            'keys: there is no key "{key}", given to {name}. Keys look like r, R, f5, ctrl+r.', key=key, name=name
        )


def _is_valid_key(key: str) -> bool:
    if len(key) == 1:
        return key.isprintable() and not key.isspace()
    *modifiers, last = key.split("+")
    if not set(modifiers) <= _MODIFIER_KEYS:
        return False
    return last in _KEY_NAMES or _character_of(last) is not None


def _character_of(name: str) -> str | None:
    """Return the character that goes by its Unicode name with underscores, as in the table of actions."""
    return _SHORT_NAMES.get(name) or key_to_character(name)


def _conflict_errors(keymap: Mapping[str, str]) -> Iterator[SafeText]:
    """Yield a sentence for each of the user's keys that another action has in an overlapping scope."""
    reported: set[frozenset[str]] = set()
    for name in keymap:
        if name not in ACTIONS_BY_ID:
            continue
        mine = ACTIONS_BY_ID[name]
        for other in ALL_ACTIONS:
            if other.id == name or other.textual_action.endswith(mine.textual_action):
                continue
            if not _scopes_overlap(mine.scope, other.scope):
                continue
            shared = _normalized_keys(effective_keys(mine, keymap)) & _normalized_keys(effective_keys(other, keymap))
            if shared and frozenset({name, other.id}) not in reported:
                reported.add(frozenset({name, other.id}))
                key = key_label(min(shared))
                yield format_safe("keys: {key} is given to both {one} and {other}.", key=key, one=name, other=other.id)


def _scopes_overlap(one: Scope, other: Scope) -> bool:
    return one == other or other in PARENT_SCOPES.get(one, ()) or one in PARENT_SCOPES.get(other, ())


def _normalized_keys(keys: str) -> set[str]:
    return {key_name(key) if len(key) == 1 else key for key in map(str.strip, keys.split(","))}


MAX_KEY_CHARS = 24
"""Characters of a key's name: the longest of the defaults and some more."""


def key_label(keys: str) -> SafeText:
    """Return the first of a binding's keys as it is usually written."""
    key = sanitize(keys.partition(",")[0].strip(), limit=MAX_KEY_CHARS)
    if key.startswith("ctrl+"):
        return format_safe("^{key}", key=key.removeprefix("ctrl+"))
    held, plus, last = key.rpartition("+")
    character = _character_of(last) or ""
    label = "esc" if last == "escape" else character if character.isprintable() and character.strip() else last
    return format_safe("{held}{last}", held=held + plus, last=label)
