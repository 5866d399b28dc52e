"""Where the cursor is, a value in the script's frame, and changing a number."""

from __future__ import annotations

from collections.abc import Iterable

from microgpt_tui.session import alterations
from microgpt_tui.session.alterations import Alteration
from microgpt_tui.session.commands.command import Command, CommandError, Result
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.evaluation import evaluated
from microgpt_tui.session.where import where


def _where(debugger: Debugger, argument: str) -> Result:
    return Result(*where(debugger))


def _print(debugger: Debugger, argument: str) -> Result:
    return Result(*evaluated(debugger, argument))


def _set(debugger: Debugger, argument: str) -> Result:
    name, sign, value = argument.partition("=")
    if not sign:
        raise CommandError("set NODE = X, as set layer0.attn_wq[0][0] = 0.5")
    return _of(alterations.set_value(debugger, name.strip(), value.strip()))


def _undo(debugger: Debugger, argument: str) -> Result:
    return _of(alterations.undo(debugger))


def _of(change: Alteration) -> Result:
    return Result(change.text, {"node": change.node, "name": change.name, "old": change.old, "new": change.new})


def names(debugger: Debugger) -> Iterable[str]:
    """Matrices and variables of the script."""
    program = debugger.history.program
    variables = {s.name for s in program.sites if s is not None and s.name.isidentifier()}
    return sorted(variables | {m.name for m in program.matrices})


COMMANDS = (
    Command("where", "", "Where the cursor is and why", _where, aliases=("show",)),
    Command("print", "EXPR", "Evaluate in the script's paused frame: print q[:4]", _print, aliases=("p",),
            choices=names),
    Command("set", "NODE = X", "Change a live number; the run goes on from it", _set, choices=names),
    Command("undo", "", "Take the last `set` back", _undo),
)  # fmt: skip
