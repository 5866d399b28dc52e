"""A time-travelling terminal debugger for pure-Python, scalar-autograd GPT scripts.

From Python: ``record`` and ``open`` give a ``Run`` (docs/api.md); faults with a remedy are ``InputError``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from microgpt_tui.api import InputError, Run, record
    from microgpt_tui.api import open_file as open

__all__ = ["InputError", "Run", "open", "record"]


def __getattr__(name: str) -> Any:
    # On demand: reading the installed metadata costs a start that only needs `--help` 20 ms.
    if name == "__version__":
        from importlib.metadata import version

        return version("microgpt-tui")
    if name in ("record", "open", "Run", "InputError"):
        from microgpt_tui import api

        return getattr(api, {"open": "open_file"}.get(name, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
