"""What libraries load at their import for what a person may do later, loaded behind the first frame instead.

Textual 8.2.8 loads its palette to name four classes of it, and with it a dozen widgets; its design loads rich's tables,
asyncio loads OpenSSL: together a sixth of the work of `import textual.app`. Until they are wanted, stand-ins have their
places. Whoever uses a module gets the real one at the first use; a class that is only named is a stand-in until
`load_deferred`, which gives everybody the real one. From then on all is as if nothing had been put off.
"""

from __future__ import annotations

import sys
import threading
from abc import ABC, ABCMeta
from importlib import import_module
from types import ModuleType
from typing import Any

DEFERRED_MODULES = ("ssl", "asyncio.sslproto")
"""Modules whose importers keep the module."""

DEFERRED_CLASS_MODULES = ("textual.command", "rich.table")
"""Modules whose importers keep classes, which none of them uses while it is imported but as a base."""

_load_lock = threading.RLock()


class _DeferredModule(ModuleType):
    """Stands for a module that is not loaded."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self.__name__ in DEFERRED_CLASS_MODULES and sys.modules.get(self.__name__) is self:
            # A subclass of one must pass as a subclass of an abstract class afterwards.
            return vars(self).setdefault(name, ABCMeta(name, (ABC,), {"__module__": self.__name__}))
        return getattr(self.load(), name)

    def placeholder_classes(self) -> list[type]:
        """Return the classes that were given out."""
        return [value for value in vars(self).values() if isinstance(value, ABCMeta)]

    def load(self) -> ModuleType:
        """Load the module and return it."""
        with _load_lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            return import_module(self.__name__)


_deferred: list[_DeferredModule] = []


def defer_imports() -> None:
    """Have what comes later stand-ins, unless it is there already."""
    for name in (*DEFERRED_MODULES, *DEFERRED_CLASS_MODULES):
        if name not in sys.modules:
            later = sys.modules[name] = _DeferredModule(name)
            _deferred.append(later)


def load_deferred() -> None:
    """Load what was put off, if anything was, and put the real things where the stand-ins are."""
    put = list(_deferred)
    _deferred.clear()
    if not put:
        return
    for module in put:
        module.load()
    # By their identities: not everything that modules hold can be compared.
    real: dict[int, Any] = {
        **{id(module): sys.modules[module.__name__] for module in put},
        **{
            id(one): getattr(sys.modules[one.__module__], one.__name__)
            for module in put
            for one in module.placeholder_classes()
        },
    }
    for taker in tuple(sys.modules.values()):
        # A module that may not be imported stands there as None.
        for name, value in tuple(getattr(taker, "__dict__", {}).items()):
            if id(value) in real:
                setattr(taker, name, real[id(value)])
    for module in put:
        for one in module.placeholder_classes():
            heirs: list[type] = one.__subclasses__()
            for heir in heirs:
                heir.__bases__ = tuple(real.get(id(base), base) for base in heir.__bases__)
