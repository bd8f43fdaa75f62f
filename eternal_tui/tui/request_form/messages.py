"""Messages of the request form. Importing them does not import the form and its large text area."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Presets


@dataclass
class SubmitRequested(Message):
    """The requests are to be sent. The three tuples are parallel; a name is "" where the list does not have the ID.

    A template is "" where the prompt was typed as it is sent.
    """

    requests: tuple[GenerateRequest, ...]
    character_names: tuple[UntrustedText, ...]
    templates: tuple[str, ...]


@dataclass
class RequestsChanged(Message):
    """The price of the form's requests is wanted. `requests` has one of each combination of settings."""

    requests: tuple[GenerateRequest, ...]


@dataclass
class DraftChanged(Message):
    """The form changed."""

    draft: Draft


@dataclass
class DraftReplaced(Message):
    """Another draft took the place of this one, which ctrl+g brings back."""

    draft: Draft


@dataclass
class PresetsChanged(Message):
    """The presets, or with `snippets` the snippets, were edited and are to be saved."""

    presets: Presets | None = None
    snippets: dict[str, str] | None = None


@dataclass
class CurlPasted(Message):
    """A curl command was pasted. No field took it, for it may carry a key."""

    text: str


@dataclass
class FieldEdited(Message):
    """A field of the form changed."""

    is_prompt: bool = False


class CharactersRequested(Message):
    """The list of characters is wanted, now or later."""


class PromptHistoryRequested(Message):
    """Earlier prompts are wanted."""
