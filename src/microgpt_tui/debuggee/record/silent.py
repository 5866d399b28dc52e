"""Hooks that record nothing: for a copy of the script's process, and while a question is answered."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from microgpt_tui.debuggee.rewrite import sites as names


def _nothing(*_: Any, **__: Any) -> None:
    pass


def _called(code: int, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return function(*args, **options)


def silence() -> dict[str, Any]:
    """Bind every hook to one that does nothing; what they were."""
    hooks = vars(builtins)
    before = {name: hooks[name] for name in hooks if name.startswith("@mg_")}
    hooks.update(dict.fromkeys(before, _nothing))
    hooks[names.STEPPING] = False
    hooks[names.CHOOSE] = hooks[names.DRAW] = _called
    return before
