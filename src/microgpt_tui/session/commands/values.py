"""Where the cursor is, a value in the script's frame, and changing a number."""

from __future__ import annotations

from collections.abc import Iterable

from microgpt_tui.session import alterations
from microgpt_tui.session.commands.command import Command, CommandError, Effect, Moves, Result, Touches
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.evaluation import evaluated
from microgpt_tui.session.where import where


def _where(debugger: Debugger, argument: str) -> Result:
    return Result(*where(debugger))


def _print(debugger: Debugger, argument: str) -> Result:
    return Result(*evaluated(debugger, argument))


def _set(debugger: Debugger, argument: str) -> Moves:
    name, sign, value = argument.partition("=")
    if not sign:
        raise CommandError("set NODE = X, as set layer0.attn_wq[0][0] = 0.5")
    return alterations.set_value(debugger, name.strip(), value.strip())


def _exec(debugger: Debugger, argument: str) -> Moves:
    return alterations.execute(debugger, argument)


def _undo(debugger: Debugger, argument: str) -> Result:
    change = alterations.undo(debugger)
    return Result(change.text if change is not None else debugger.notice)


def _branches(debugger: Debugger, argument: str) -> Result:
    rows = [b.describe() for b in debugger.branches]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    here = debugger.branches.index(debugger.branch)
    lines = [
        ("▶ " if i == here else "  ") + "  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip()
        for i, row in enumerate(rows)
    ]
    fields = ("name", "left", "changed", "state")
    return Result("\n".join(lines), {"branches": [dict(zip(fields, row, strict=True)) for row in rows]})


def _branch(debugger: Debugger, argument: str) -> Moves:
    alterations.go_to_branch(debugger, argument)
    yield


def names(debugger: Debugger) -> Iterable[str]:
    """Matrices and variables of the script."""
    program = debugger.history.program
    variables = {s.name for s in program.sites if s is not None and s.name.isidentifier()}
    return sorted(variables | {m.name for m in program.matrices})


COMMANDS = (
    Command("where", "", "Where the cursor is and why", _where, aliases=("show",)),
    Command("print", "EXPR", "Evaluate in the script's paused frame, in a copy of it: print q[:4]", _print,
            aliases=("p",), choices=names, touches=Touches.SCRIPT),
    Command("set", "NODE = X", "Change a number at this moment: the run goes on from it as a branch", _set,
            Effect.STEPS, choices=names, touches=Touches.SCRIPT),
    Command("exec", "STATEMENT", "Execute a statement at this moment, as exec rate = 0.001: a branch too", _exec,
            Effect.STEPS, choices=names, touches=Touches.SCRIPT),
    Command("undo", "", "Take the last change back: go to where its branch left", _undo),
    Command("branches", "", "The runs: where they left, what was changed, how far they are, their loss", _branches),
    Command("branch", "[NAME]", "Go to another run; without a name back to the one that this one has left", _branch,
            Effect.STEPS, choices=lambda debugger: [b.name for b in debugger.branches]),
)  # fmt: skip
