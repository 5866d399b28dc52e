"""What Python runs first in the script's process: the debugger takes the place of ``runpy``.

So the interpreter itself calls our ``main``, and below the script's first frame there is none that it could see.
Arguments: this folder, the channel's descriptor, and the folder that holds ``microgpt_tui``. This folder comes first in
``PYTHONPATH``, and is gone from it when the script begins.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

KEPT = dict(vars(builtins))
"""The builtins of our own modules, whatever the script does to those it has."""
_HERE = os.path.dirname(__file__)


class _Loader(SourceFileLoader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = ModuleType(spec.name)
        module.__dict__["__builtins__"] = KEPT
        return module


class _Ours:
    """Finds the modules of ``microgpt_tui``."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] != "microgpt_tui":
            return None
        spec = PathFinder.find_spec(name, path or [sys.argv[2]], target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(name, spec.loader.path)
        return spec


def _undo() -> None:
    """As if this folder had never been named; a ``sitecustomize`` of the person's own runs too."""
    _, _, rest = os.environ.pop("PYTHONPATH", "").partition(os.pathsep)
    if rest:
        os.environ["PYTHONPATH"] = rest
    sys.path[:] = [entry for entry in sys.path if entry != _HERE]
    ours = sys.modules.pop("sitecustomize", None)
    with contextlib.suppress(ImportError):
        __import__("sitecustomize")
    if ours is not None:  # the import that brought us here looks for it
        sys.modules.setdefault("sitecustomize", ours)


def _begin() -> None:
    sys.meta_path.insert(0, _Ours)
    try:
        from microgpt_tui.debuggee.run.runner import main
    finally:
        sys.meta_path.remove(_Ours)
    starter = ModuleType("runpy")
    vars(starter)["_run_module_as_main"] = main
    sys.modules["runpy"] = starter


_undo()
_begin()
