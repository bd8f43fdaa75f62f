"""ApiKeyScreen: asks for an API key where there is none or the API rejected it."""

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

from eternal_tui.config.credentials import ApiKeyError, has_keyring, key_file, key_header_advice, parse_key, store_key
from eternal_tui.config.settings import API_KEY_URL
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.core.secret import Secret
from eternal_tui.services import Services
from eternal_tui.tui.config_watch import effective_keymap
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.footer import key_hint

WELCOME_MESSAGE = format_safe(
    "You need an EternalAI API key. Get one at {url} and paste it here. It is only ever sent to EternalAI.",
    url=API_KEY_URL,
)
KEY_REJECTED_MESSAGE = format_safe(
    "API key rejected. Nothing was charged. Paste another one; keys are listed at {url}.", url=API_KEY_URL
)
DEMO_COMMAND = "eternal-tui --demo"


class ApiKeyInput(Input):
    """A line that does not show its text and cannot be copied from."""

    def on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        if words := event.text.split():
            self.replace(words[0], *sorted(self.selection))

    def action_copy(self) -> None:
        """Copy nothing."""

    def action_cut(self) -> None:
        """Only delete."""
        self.delete_selection()


class KeyOption(Horizontal):
    """A key and what it does; a click does the same."""

    DEFAULT_CSS = """
    KeyOption { height: auto; }
    KeyOption > .key { width: 7; color: $accent; }
    """

    def __init__(self, key: str, text: SafeText, textual_action: str, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._key, self._text, self._textual_action = key, text, textual_action

    def compose(self) -> ComposeResult:
        yield Static(Content(self._key), classes="key", markup=False)
        yield Static(Content(self._text), markup=False)

    async def on_click(self) -> None:
        await self.screen.run_action(self._textual_action)


class ApiKeyScreen(Dialog[SafeText]):
    """Leaves with a sentence on where the key was saved, or with None.

    Where a key from the environment or a command would be used before a saved one, no line for a key is shown.
    """

    KEYS_HINT = SafeText("The key is never shown, logged or put into the history.")
    DEFAULT_CSS = """
    ApiKeyScreen {
        & #key-why { margin-bottom: 1; }
        & #dialog-foot { margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("key")]

    def __init__(self, services: Services, reason: SafeText = WELCOME_MESSAGE) -> None:
        super().__init__(SafeText("API key"))
        self._services = services
        self._reason = reason
        self._overriding_source = services.client.overriding_key_source
        self._has_keyring: bool | None = None
        self._is_saving = False
        self.api_key_input = ApiKeyInput(password=True, compact=True, placeholder="paste the key", id="key-line")
        self._keyring_option = KeyOption(
            "enter", SafeText("save to the system keyring"), "screen.keep", id="way-keyring"
        )

    def _option(self, action_id: str, text: SafeText) -> KeyOption:
        hint = key_hint(action_id, effective_keymap(self._services.settings))
        return KeyOption(hint.key, text, f"screen.{hint.textual_action}", id=f"way-{action_id.partition('.')[2]}")

    def body(self) -> Iterable[Widget]:
        if self._overriding_source:
            yield Static(Content(self._override_message()), id="key-why", markup=False)
        else:
            yield Static(Content(self._reason), id="key-why", markup=False)
            yield self.api_key_input
            yield self._keyring_option
            path = key_file(self._services.settings)
            yield self._option("key.file", format_safe("save to a private, unencrypted file: {path}", path=path))
        yield self._option("key.demo", SafeText("quit and show how to start the demo: no key, no cost"))
        yield self._option("key.look", SafeText("look around without a key"))

    def _override_message(self) -> SafeText:
        connection = self._services.client
        problem = sanitize(connection.key_error) if connection.key_error else SafeText("API key rejected.")
        remedy = format_safe(
            "{source} takes precedence over a key saved here. Change it there and restart. Keys: {url}",
            source=self._overriding_source,
            url=API_KEY_URL,
        )
        return join_safe(" ", problem, remedy)

    def on_mount(self) -> None:
        if self._overriding_source:
            return
        self.api_key_input.focus()
        if self._services.client.key_error:
            self.set_footer_text(sanitize(self._services.client.key_error), is_error=True)
        self._detect_keyring()

    @work(group="keyring")
    async def _detect_keyring(self) -> None:
        self._has_keyring = await asyncio.to_thread(has_keyring)
        self._keyring_option.display = self._has_keyring

    @on(Input.Changed)
    def _input_changed(self, event: Input.Changed) -> None:
        if event.value and not self._is_saving:
            self.set_footer_text()

    @on(Input.Submitted)
    def _input_submitted(self) -> None:
        self.action_keep()

    def action_keep(self) -> None:
        """Save the key to the system keyring; to a file only by its own key."""
        if self._has_keyring is False:
            key = key_hint("key.file", effective_keymap(self._services.settings)).key
            self.set_footer_text(format_safe("No system keyring. {key} saves to a file.", key=key), is_error=True)
        else:
            self._save(in_file=False)

    def action_keep_in_file(self) -> None:
        """Save the key to a file."""
        if not self._overriding_source:
            self._save(in_file=True)

    def action_demo(self) -> None:
        """Quit and print the command that starts the demo."""
        self.app.exit(message=f"The demo needs no key: {DEMO_COMMAND}")

    def _save(self, *, in_file: bool) -> None:
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
        self._store_key(secret, in_file=in_file)

    @work(group="keep")
    async def _store_key(self, secret: Secret, *, in_file: bool) -> None:
        self.set_footer_text(SafeText("Saving …"))
        try:
            where = await asyncio.to_thread(store_key, secret, self._services.settings, in_file=in_file)
        except ApiKeyError as problem:
            self._is_saving = False
            self.set_footer_text(sanitize(str(problem)), is_error=True)
            return
        self.api_key_input.value = ""
        connection = self._services.client
        await connection.close()
        await connection.has_key()
        saved = format_safe("Key saved to {where}.", where=where)
        found = connection.found_key
        if found is not None and found.key == secret:
            advice = key_header_advice(secret, self._services.settings.key_header)
            self.dismiss(join_safe(" ", saved, sanitize(advice or "ctrl+n: new request · ctrl+s: send.")))
            return
        self._is_saving = False
        self.set_footer_text(join_safe(" ", saved, sanitize(connection.key_error)), is_error=True)
