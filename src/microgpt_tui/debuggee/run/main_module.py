"""The script's surroundings, as ``python SCRIPT ARGS`` makes them."""

from __future__ import annotations

import importlib.machinery
import os
import sys
from types import FrameType, ModuleType

from microgpt_tui.debuggee.run.load import Loaded, ModulesBeside


def main_module(path: str, args: tuple[str, ...], loaded: Loaded) -> ModuleType:
    """The script as ``__main__``, not run yet; ``sys`` as it expects it."""
    module = ModuleType("__main__")
    whole = os.path.abspath(path)  # as Python has it since 3.9; sys.argv[0] stays as it was given
    loader = importlib.machinery.SourceFileLoader("__main__", whole)
    module.__dict__.update(__file__=whole, __builtins__=__builtins__, __cached__=None, __loader__=loader)
    sys.modules["__main__"] = module
    sys.argv = [path, *args]
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    sys.meta_path.insert(0, ModulesBeside(loaded.modules))
    return module


def leave_recursion_to_the_script() -> None:
    """The script has the depth that it would have without our frames below it, and is told the limit it knows."""
    frame: FrameType | None = sys._getframe(1)
    ours = 1  # the `exec` that runs the script
    while frame is not None:
        frame, ours = frame.f_back, ours + 1
    limit, set_limit = sys.getrecursionlimit, sys.setrecursionlimit
    set_limit(limit() + ours)

    def getrecursionlimit() -> int:
        return limit() - ours

    def setrecursionlimit(limit: int, /) -> None:
        set_limit(limit + ours)

    sys.getrecursionlimit, sys.setrecursionlimit = getrecursionlimit, setrecursionlimit
