"""The service's API: the client for other programs is `eternal_tui.api.Client`, its errors are in `api.errors`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eternal_tui.api.library import CharacterList, Client, GenerationFailed, NoResultLink

__all__ = ["CharacterList", "Client", "GenerationFailed", "NoResultLink"]


def __getattr__(name: str) -> Any:
    # Late, as the program itself imports only single modules from here, and starts quickly.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from eternal_tui.api import library

    return getattr(library, name)
