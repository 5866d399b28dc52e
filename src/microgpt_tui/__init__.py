"""A time-travelling terminal debugger for pure-Python, scalar-autograd GPT scripts."""

from typing import Any


def __getattr__(name: str) -> Any:
    # On demand: reading the installed metadata costs a start that only needs `--help` 20 ms.
    if name == "__version__":
        from importlib.metadata import version

        return version("microgpt-tui")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
