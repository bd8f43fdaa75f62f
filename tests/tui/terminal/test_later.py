"""What is put off until behind the first frame is in nobody's hands afterwards but as the real thing."""

from __future__ import annotations

import subprocess
import sys

from tests.terminal.pseudo_terminal import ROOT

PUT_OFF = """
import sys
from eternal_tui.tui.terminal import later
later.defer_imports()
sys.modules["never"] = None
import textual.app, textual.theme, textual.design, asyncio.base_events
from textual.widget import Widget
for name in ("_ssl", "textual.types", "textual.widgets._input", "textual.widgets._option_list"):
    assert name not in sys.modules, name
stand_in = [textual.app.CommandPalette]
"""

ARRIVED = """
import ssl
from asyncio import base_events, selector_events, sslproto
from textual import command
import rich.table
assert textual.app.CommandPalette is command.CommandPalette is not stand_in[0]
assert isinstance(textual.app.CommandPalette, type(Widget)), type(textual.app.CommandPalette)
assert issubclass(textual.theme.ThemeProvider, command.Provider)
assert textual.theme.ThemeProvider.__mro__[1] is command.Provider
assert textual.design.Table is rich.table.Table
assert base_events.ssl is selector_events.ssl is sslproto.ssl is ssl is sys.modules["ssl"]
assert base_events.sslproto is sslproto and issubclass(ssl.SSLWantReadError, OSError)
left = [
    (module.__name__, name)
    for module in tuple(sys.modules.values())
    if module not in (later, None)
    for name, value in vars(module).items()
    if isinstance(value, later._DeferredModule) or id(value) == id(stand_in[0])
]
assert left == [], left
"""


def test_everybody_has_the_real_thing_after_the_arrival() -> None:
    """Seen to fail with takers left out, with a None among the modules, and with heirs left alone."""
    _run(PUT_OFF + "later.load_deferred(); later.load_deferred()\n" + ARRIVED)


def test_a_module_that_is_used_before_is_the_real_one() -> None:
    """Seen to fail when a stand-in was filled with nothing but the one name that was asked for."""
    _run(
        PUT_OFF
        + "import ssl\nassert asyncio.base_events.ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED\n"
        + "assert isinstance(ssl.SSLContext, type)\nlater.load_deferred()\n"
        + ARRIVED
    )


def test_what_is_there_already_stays() -> None:
    _run(
        "import ssl, sys, textual.command\nfrom eternal_tui.tui.terminal import later\n"
        "later.defer_imports()\nlater.load_deferred()\n"
        "assert sys.modules['ssl'] is ssl and sys.modules['textual.command'] is textual.command\n"
    )


def _run(script: str) -> None:
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
