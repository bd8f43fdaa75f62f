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
    KEY_VARIABLES,
    KeyProblem,
    KeyStore,
    as_key,
    available_stores,
    key_file,
    store_key,
)
from eternal_tui.core.sanitize import Shown, join, say, shown
from eternal_tui.core.secret import Secret
from eternal_tui.services import Workbench
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.widgets.dialog import Dialog

WELCOME = Shown(
    "Sending requests to EternalAI needs an API key, which the service gives you on its site. "
    "Paste it here; it is sent to the service and nowhere else."
)
REFUSED = Shown("The service refused the key. Paste another one; nothing was charged for the refused request.")
DEMO_COMMAND = "eternal-tui --demo"

FIRST = frozenset({*KEY_VARIABLES, "api_key_command"})
"""Where a key goes before any that is kept from here."""


class KeyLine(Input):
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


class Way(Horizontal):
    """One way to go on: its key, what it does, and the same by a click."""

    DEFAULT_CSS = """
    Way { height: auto; }
    Way > .key { width: 7; color: $accent; }
    Way.-closed > Static { color: $text-muted; }
    """

    def __init__(self, key: str, words: Shown, run: str, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._words = Static(Content(words), markup=False)
        self._key = key
        self._run = run

    def compose(self) -> ComposeResult:
        """Put the key before the words."""
        yield Static(Content(self._key), classes="key", markup=False)
        yield self._words

    def close(self, words: Shown) -> None:
        """Say why this way is closed."""
        self.add_class("-closed")
        self._words.update(Content(words))

    async def on_click(self) -> None:
        """Go this way."""
        await self.screen.run_action(self._run)


class KeyScreen(Dialog[Shown]):
    """Leaves with the sentence that tells where the key is kept, or with None when there is still none."""

    KEYS_WORD = Shown("The key is never shown, logged or put into the history.")
    DEFAULT_CSS = """
    KeyScreen {
        & #key-why { margin-bottom: 1; }
        & #dialog-foot { margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("key")]

    def __init__(self, bench: Workbench, why: Shown = WELCOME) -> None:
        """Ask for a key for the service of `bench`; `why` says why."""
        super().__init__(Shown("API key"))
        self._bench = bench
        self._why = why
        self._keyring: bool | None = None
        self._busy = False
        self.line = KeyLine(password=True, compact=True, placeholder="paste the key", id="key-line")
        self._enter = Way("enter", Shown("keep it in the system keyring"), "screen.keep", id="way-keyring")

    def body(self) -> Iterable[Widget]:
        """Show why, the line, and the ways to go on."""
        yield Static(Content(self._why), id="key-why", markup=False)
        yield self.line
        yield self._enter
        file = say("keep it in a file only you can read, unencrypted: {path}", path=key_file(self._bench.settings))
        yield Way("^f", file, "screen.keep_in_file", id="way-file")
        yield Way("^d", Shown("leave, and try the demo instead: no key, no cost"), "screen.demo", id="way-demo")
        yield Way("esc", Shown("look around without a key"), "screen.leave", id="way-look")

    def on_mount(self) -> None:
        """Go to the line, and see what this machine can keep a key in."""
        self.line.focus()
        connection = self._bench.connection
        if connection.key_problem:
            self.tell(shown(connection.key_problem), problem=True)
        elif connection.found is not None and connection.found.source in FIRST:
            first = say("The key in use comes from {place}, which goes first.", place=connection.found.source)
            self.tell(join(" ", first, Shown("Change it there and start again.")), problem=True)
        self._look_for_keyring()

    @work(group="keyring")
    async def _look_for_keyring(self) -> None:
        stores = await asyncio.to_thread(available_stores)
        self._keyring = KeyStore.KEYRING in stores
        if not self._keyring:
            self._enter.close(Shown("no system keyring was found on this machine"))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value and not self._busy:
            self.tell()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_keep()

    def action_keep(self) -> None:
        """Keep the key in the system keyring; never in a file by itself."""
        if self._keyring is False:
            self.tell(
                Shown("There is no system keyring here. ^f keeps the key in a file, if you want that."), problem=True
            )
        else:
            self._keep(KeyStore.KEYRING)

    def action_keep_in_file(self) -> None:
        """Keep the key in a file, as the person chose in so many words."""
        self._keep(KeyStore.FILE)

    def action_demo(self) -> None:
        """Leave the program and tell how the demo is started."""
        self.app.exit(message=f"The demo needs no key: {DEMO_COMMAND}")

    def _keep(self, store: KeyStore) -> None:
        if self._busy:
            return
        try:
            secret = as_key(self.line.value, "this line")
        except KeyProblem as problem:
            self.tell(
                shown(str(problem)) if self.line.value.strip() else Shown("Paste the key into the line first."),
                problem=True,
            )
            return
        self._busy = True
        self._store(secret, store)

    @work(group="keep")
    async def _store(self, secret: Secret, store: KeyStore) -> None:
        self.tell(Shown("Keeping it …"))
        try:
            where = await asyncio.to_thread(store_key, secret, store, self._bench.settings)
        except KeyProblem as problem:
            self._busy = False
            self.tell(shown(str(problem)), problem=True)
            return
        self.line.value = ""
        connection = self._bench.connection
        await connection.look_for_key_again()
        await connection.has_key()
        kept = say("The key is kept in {where}.", where=where)
        found = connection.found
        if found is not None and found.key == secret:
            self.dismiss(join(" ", kept, Shown("ctrl+n writes a request, ctrl+s sends it.")))
            return
        self._busy = False
        other = say("But {source} comes first and holds another key.", source=found.source) if found else Shown("")
        self.tell(join(" ", kept, other or shown(connection.key_problem)), problem=True)
