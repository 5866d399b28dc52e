"""Sessions for the tests of control: small models, so that a whole step is a few thousand events."""

from __future__ import annotations

from pathlib import Path

from microgpt_tui.session.commands import Result, execute
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch

ROOT = Path(__file__).resolve().parent.parent
BUGS = ROOT / "sample_data" / "bugs"
NAMES = ROOT / "sample_data" / "names.txt"
SMALL = {"n_embd": "4", "block_size": "3"}


def session(script: Path, overrides: dict[str, str] | None = None, *, nan: bool = True) -> Debugger:
    """A debugger at the first operation of the first training step."""
    debugger = Debugger(Launch(script, data=NAMES, overrides=overrides or {}))
    debugger.wait()
    if not nan:
        debugger.breakpoints.items.clear()
    return debugger


def tanh_gpt(*, nan: bool = True) -> Debugger:
    """A model of 4 columns and 3 positions with one tanh layer (and, elsewhere, a seeded bug in its derivative)."""
    return session(BUGS / "wrong_local_grad.py", SMALL, nan=nan)


def give(debugger: Debugger, *commands: str) -> list[Result]:
    """Give commands as ``-c`` does: each when the script stands still."""
    results = []
    for command in commands:
        results.append(execute(debugger, command))
        debugger.wait()
    return results


def said(debugger: Debugger, *commands: str) -> str:
    """The text of the last of some commands."""
    return give(debugger, *commands)[-1].text
