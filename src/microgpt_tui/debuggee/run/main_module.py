"""The script's surroundings, as ``python SCRIPT ARGS`` makes them."""

from __future__ import annotations

import builtins
import importlib.machinery
import os
import sys
from types import ModuleType

from microgpt_tui.debuggee.run.hidden import hidden
from microgpt_tui.debuggee.run.load import Loaded, ModulesBeside


def main_module(path: str, args: tuple[str, ...], loaded: Loaded) -> ModuleType:
    """The script as ``__main__``, not run yet; ``sys`` as it expects it."""
    spec = loaded.spec
    path = path if spec is None else spec.origin or ""
    module = sys.modules["__main__"]
    whole = os.path.abspath(path)  # as Python has it since 3.9; sys.argv[0] stays as it was given
    loader = importlib.machinery.SourceFileLoader("__main__", whole)
    module.__dict__.update(__file__=whole, __builtins__=builtins, __cached__=None, __loader__=loader)
    if spec is not None:
        module.__dict__.update(__spec__=spec, __package__=spec.parent)
    sys.argv = [path, *args]
    sys.orig_argv[1:] = sys.argv
    first = os.path.dirname(whole) if spec is None else os.getcwd()
    sys.path[:1] = [] if sys.flags.safe_path else [first]
    sys.meta_path.insert(0, ModulesBeside(loaded.modules))
    return module


_PROBE = """
def deeper(n=1):
    try:
        return deeper(n + 1)
    except RecursionError:
        return n
depth = deeper()
"""
_ENOUGH = 100
_HOOK = 1 if sys.version_info < (3, 13) else 0
"""Levels that the hook takes which is called where a function begins."""


@hidden
def leave_recursion_to_the_script() -> None:
    """The script has the depth that it would have without our frames below it, and is told the limit it knows."""
    limit, set_limit = sys.getrecursionlimit, sys.setrecursionlimit
    usual = limit()
    probe: dict[str, int] = {}
    code = compile(_PROBE, "<probe>", "exec")
    set_limit(_ENOUGH)
    exec(code, probe)
    ours = _ENOUGH - 1 - probe["depth"]  # a script's own frame, and no more, is below what it calls
    ours += _HOOK
    set_limit(usual + ours)

    def getrecursionlimit() -> int:
        return limit() - ours

    def setrecursionlimit(limit: int, /) -> None:
        set_limit(limit + ours)

    sys.getrecursionlimit, sys.setrecursionlimit = getrecursionlimit, setrecursionlimit
