"""The registry of keys, and errors of the user's own keys."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections import Counter

import pytest
from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode

import eternal_tui.tui
from eternal_tui.config.loader import config_template
from eternal_tui.config.settings import Settings
from eternal_tui.tui import config_watch
from eternal_tui.tui.input.actions import ALL_ACTIONS
from eternal_tui.tui.input.keymap import INDISTINGUISHABLE_KEYS, bindings, keymap_errors, valid_bindings

ACTIONS_BY_ID = {action.id: action for action in ALL_ACTIONS}


def own_node_types() -> list[type[DOMNode]]:
    nodes = []
    for module in pkgutil.walk_packages(eternal_tui.tui.__path__, "eternal_tui.tui."):
        for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(found, DOMNode) and found.__module__ == module.name:
                nodes.append(found)
    return nodes


def test_every_key_is_in_the_registry() -> None:
    strangers = [
        (node.__name__, each.key, each.id)
        for node in own_node_types()
        for found in BindingsMap(node.__dict__.get("BINDINGS", ())).key_to_bindings.values()
        for each in found
        if not each.key.isdigit() and each.id not in ACTIONS_BY_ID
    ]
    assert not strangers


def test_the_registry_names_each_action_once_and_fully() -> None:
    assert [name for name, count in Counter(action.id for action in ALL_ACTIONS).items() if count > 1] == []
    for action in ALL_ACTIONS:
        assert all((action.title, action.description, action.textual_action)), action
        assert not set(action.keys.split(",")) & INDISTINGUISHABLE_KEYS.keys(), action


def test_the_defaults_clash_nowhere() -> None:
    assert keymap_errors({action.id: action.keys for action in ALL_ACTIONS}) == []


def test_escape_never_quits() -> None:
    assert [
        action.id for action in ALL_ACTIONS if "screen.leave" in action.textual_action and "escape" in action.keys
    ] == []


SYNONYMS = (
    {"Down", "Field below", "To the list", "Choose a character"},
    {"Up", "Field above"},
    {"Top", "First", "Fewest"},
    {"Bottom", "Last", "Most"},
    {"Left", "Previous", "Fewer", "The job before", "Fold"},
    {"Right", "Next", "More", "The next job", "Unfold"},
    {"Open", "Choose", "List jobs", "Submit", "Done", "Field below", "To the list"},
    {"Back", "Clear", "No", "Look around"},
    {"Delete", "Dismiss"},
    {"Star", "Favourite"},
    {"Outside", "Open outside"},
    {"Play", "Play or pause"},
    {"Filter", "Search"},
    {"Next of several", "To the list"},
)
TWO_MEANINGS = {
    ("n", "Next match"),  # while a search without a filter is shown, as in vim
    ("N", "Previous match"),
    ("n", "No"),  # the answer to a question, as is y
    ("y", "Yes"),
    ("w", "Wipe"),
    ("ctrl+n", "Down"),  # while a list is searched, as in a shell
    ("ctrl+p", "Up"),
    ("ctrl+s", "Save"),  # where nothing can be sent
    ("plus", "Closer"),
    ("plus", "Change"),
    ("minus", "Further"),
    ("enter", "Back"),  # of what enter opened
    ("enter", "No"),  # a question is never answered yes by habit
    ("f1", "Back"),  # of what f1 opened
}


def test_a_key_means_the_same_in_every_place() -> None:
    found: dict[str, list[str]] = {}
    for action in ALL_ACTIONS:
        # A menu's letters are its own.
        for key in action.keys.split(",") if action.scope != "copy" else ():
            if (key, action.title) not in TWO_MEANINGS:
                found.setdefault(key, []).append(action.title)
    assert {
        key: titles
        for key, titles in found.items()
        if len(set(titles)) > 1 and not any(set(titles) <= same for same in SYNONYMS)
    } == {}


@pytest.mark.parametrize(
    ("keymap", "said"),
    [
        ({"list.dwn": "x"}, 'keys: there is no action "list.dwn". Did you mean list.down?'),
        ({"jobs.again": "ctrl+m"}, "keys: ctrl+m for jobs.again is Enter in disguise; choose another key."),
        ({"jobs.again": "r,"}, "keys: jobs.again has an empty key."),
        ({"jobs.again": "foo"}, 'keys: there is no key "foo", given to jobs.again. Keys look like r, R, f5, ctrl+r.'),
        ({"jobs.again": "e"}, "keys: e is given to both jobs.again and jobs.edit."),
        ({"jobs.again": "x", "jobs.edit": "x"}, "keys: x is given to both jobs.again and jobs.edit."),
        ({"list.down": "z"}, "keys: z is given to both list.down and pane.zoom."),
        ({"app.new": "ctrl+r"}, "keys: ^r is given to both app.new and form.history."),
        ({"jobs.star": "?"}, "keys: ? is given to both jobs.star and jobs.help."),
        ({"\x1b[31m": "x"}, 'keys: there is no action "␛[31m".'),
    ],
)
def test_what_cannot_be_meant_is_said(keymap: dict[str, str], said: str) -> None:
    assert said in keymap_errors(keymap)


def test_what_can_be_meant_is_not_remarked_on() -> None:
    """Two actions may trade keys, and a control's key may be that of another place."""
    assert keymap_errors({"jobs.again": "e", "jobs.edit": "r", "confirm.yes": "j", "jobs.star": "ctrl+alt+f5"}) == []


def test_entries_that_cannot_be_meant_are_left_out() -> None:
    assert valid_bindings({"list.dwn": "x", "jobs.again": "R", "jobs.edit": "ctrl+m"}) == {"jobs.again": "R"}


def test_an_unknown_theme_is_said() -> None:
    told = config_watch.preference_errors(Settings(theme="eternal-drak"))
    assert len(told) == 1
    assert told[0].startswith('theme: there is no "eternal-drak".')
    assert config_watch.preference_errors(Settings(theme="nord")) == []


def test_a_binding_is_what_the_registry_says() -> None:
    down = next(each for each in bindings("list") if each.id == "list.down")
    assert isinstance(down, Binding)
    assert (down.key, down.action, down.tooltip, down.show) == ("j,down", "move(1)", "Go to the next job", False)


def test_the_file_names_an_action_that_there_is() -> None:
    told = config_template()
    named = re.findall(r'"([a-z_]+\.[a-z_]+)" = "', told)
    assert named
    assert set(named) <= {action.id for action in ALL_ACTIONS}
