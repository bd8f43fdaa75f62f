"""The first five minutes: no key yet, or one that was refused. Paste one, see the demo, or just look around."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from eternal_tui.config.credentials import (
    KEY_ENV_VARS,
    ApiKeyError,
    KeyStore,
    available_stores,
    key_file,
    key_header_advice,
    parse_key,
    store_key,
)
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.core.secret import Secret
from eternal_tui.services import Services
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.widgets.dialog import Dialog

WELCOME_MESSAGE = SafeText(
    "Sending requests to EternalAI needs an API key, which the service gives you on its site. "
    "Paste it here; it is sent to the service and nowhere else."
)
KEY_REJECTED_MESSAGE = SafeText(
    "The service refused the key. Paste another one; nothing was charged for the refused request."
)
DEMO_COMMAND = "eternal-tui --demo"

OVERRIDING_SOURCES = frozenset({*KEY_ENV_VARS, "api_key_command"})
"""Where a key goes before any that is kept from here."""


class ApiKeyInput(Input):
    """A line that shows nothing of what is in it, and does not give it back."""

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        if words := event.text.split():
            self.replace(words[0], *sorted(self.selection))

    def action_copy(self) -> None:
        """Copy nothing: a key goes in and does not come out again."""

    def action_cut(self) -> None:
        """Only delete."""
        self.delete_selection()


class KeyOption(Horizontal):
    """One way to go on: its key, what it does, and the same by a click."""

    DEFAULT_CSS = """
    KeyOption { height: auto; }
    KeyOption > .key { width: 7; color: $accent; }
    KeyOption.-closed > Static { color: $text-muted; }
    """

    def __init__(self, key: str, text: SafeText, textual_action: str, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._label = Static(Content(text), markup=False)
        self._key = key
        self._textual_action = textual_action

    def compose(self) -> ComposeResult:
        """Put the key before the words."""
        yield Static(Content(self._key), classes="key", markup=False)
        yield self._label

    def mark_unavailable(self, reason: SafeText) -> None:
        """Say why this way is closed."""
        self.add_class("-closed")
        self._label.update(Content(reason))

    async def on_click(self) -> None:
        """Go this way."""
        await self.screen.run_action(self._textual_action)


class ApiKeyScreen(Dialog[SafeText]):
    """Leaves with the sentence that tells where the key is kept, or with None when there is still none."""

    KEYS_HINT = SafeText("The key is never shown, logged or put into the history.")
    DEFAULT_CSS = """
    ApiKeyScreen {
        & #key-why { margin-bottom: 1; }
        & #dialog-foot { margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("key")]

    def __init__(self, services: Services, reason: SafeText = WELCOME_MESSAGE) -> None:
        """Ask for a key for the service of `services`; `reason` says why."""
        super().__init__(SafeText("API key"))
        self._services = services
        self._reason = reason
        self._has_keyring: bool | None = None
        self._is_saving = False
        self.api_key_input = ApiKeyInput(password=True, compact=True, placeholder="paste the key", id="key-line")
        self._keyring_option = KeyOption(
            "enter", SafeText("keep it in the system keyring"), "screen.keep", id="way-keyring"
        )

    def body(self) -> Iterable[Widget]:
        """Show why, the line, and the ways to go on."""
        yield Static(Content(self._reason), id="key-why", markup=False)
        yield self.api_key_input
        yield self._keyring_option
        file = format_safe(
            "keep it in a file only you can read, unencrypted: {path}", path=key_file(self._services.settings)
        )
        yield KeyOption("f3", file, "screen.keep_in_file", id="way-file")
        yield KeyOption(
            "f4", SafeText("leave, and try the demo instead: no key, no cost"), "screen.demo", id="way-demo"
        )
        yield KeyOption("esc", SafeText("look around without a key"), "screen.leave", id="way-look")

    def on_mount(self) -> None:
        """Go to the line, and see what this machine can keep a key in."""
        self.api_key_input.focus()
        connection = self._services.client
        if connection.key_error:
            self.set_footer_text(sanitize(connection.key_error), is_error=True)
        elif connection.found_key is not None and connection.found_key.source in OVERRIDING_SOURCES:
            first = format_safe(
                "The key in use comes from {place}, which goes first.", place=connection.found_key.source
            )
            self.set_footer_text(join_safe(" ", first, SafeText("Change it there and start again.")), is_error=True)
        self._detect_keyring()

    @work(group="keyring")
    async def _detect_keyring(self) -> None:
        stores = await asyncio.to_thread(available_stores)
        self._has_keyring = KeyStore.KEYRING in stores
        if not self._has_keyring:
            self._keyring_option.mark_unavailable(SafeText("no system keyring was found on this machine"))

    @on(Input.Changed)
    def _input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value and not self._is_saving:
            self.set_footer_text()

    @on(Input.Submitted)
    def _input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_keep()

    def action_keep(self) -> None:
        """Keep the key in the system keyring; never in a file by itself."""
        if self._has_keyring is False:
            self.set_footer_text(
                SafeText("No system keyring here. f3 stores the key in a file."),
                is_error=True,
            )
        else:
            self._save(KeyStore.KEYRING)

    def action_keep_in_file(self) -> None:
        """Keep the key in a file, as the person chose in so many words."""
        self._save(KeyStore.FILE)

    def action_demo(self) -> None:
        """Leave the program and tell how the demo is started."""
        self.app.exit(message=f"The demo needs no key: {DEMO_COMMAND}")

    def _save(self, store: KeyStore) -> None:
        if self._is_saving:
            return
        try:
            secret = parse_key(self.api_key_input.value, "this line")
        except ApiKeyError as problem:
            self.set_footer_text(
                sanitize(str(problem))
                if self.api_key_input.value.strip()
                else SafeText("Paste the key into the line first."),
                is_error=True,
            )
            return
        self._is_saving = True
        self._store_key(secret, store)

    @work(group="keep")
    async def _store_key(self, secret: Secret, store: KeyStore) -> None:
        self.set_footer_text(SafeText("Keeping it …"))
        try:
            where = await asyncio.to_thread(store_key, secret, store, self._services.settings)
        except ApiKeyError as problem:
            self._is_saving = False
            self.set_footer_text(sanitize(str(problem)), is_error=True)
            return
        self.api_key_input.value = ""
        connection = self._services.client
        await connection.reload_key()
        await connection.has_key()
        kept = format_safe("The key is kept in {where}.", where=where)
        found = connection.found_key
        if found is not None and found.key == secret:
            advice = key_header_advice(secret, self._services.settings.key_header)
            self.dismiss(join_safe(" ", kept, sanitize(advice or "ctrl+n writes a request, ctrl+s sends it.")))
            return
        self._is_saving = False
        other = (
            format_safe("But {source} comes first and holds another key.", source=found.source)
            if found
            else SafeText("")
        )
        self.set_footer_text(join_safe(" ", kept, other or sanitize(connection.key_error)), is_error=True)
