"""Hooks that record nothing: for a copy of the script's process, and while a question is answered."""

from __future__ import annotations

import atexit
import builtins
import gc
import sys
from collections.abc import Callable, Iterable
from typing import Any

from microgpt_tui.debuggee.rewrite import sites as names


def _nothing(*_: Any, **__: Any) -> None:
    pass


def _called(code: int, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return function(*args, **options)


def keep_silent(modules: Iterable[str]) -> None:
    """Let methods that run while Python takes itself down (``__del__``) find hooks: builtins are the usual ones then.

    Called before the script begins, so that its own exit handlers come first.
    """

    def give() -> None:
        silence()
        hooks = {name: hook for name, hook in vars(builtins).items() if name.startswith("@mg_")}
        for name in modules:
            if name in sys.modules:
                vars(sys.modules[name]).update(hooks)
        gc.collect()  # what was recorded holds the script's objects no longer

    atexit.register(give)


def silence() -> dict[str, Any]:
    """Bind every hook to one that does nothing; what they were."""
    hooks = vars(builtins)
    before = {name: hooks[name] for name in hooks if name.startswith("@mg_")}
    hooks.update(dict.fromkeys(before, _nothing))
    hooks[names.STEPPING] = False
    hooks[names.CHOOSE] = hooks[names.DRAW] = _called
    return before
