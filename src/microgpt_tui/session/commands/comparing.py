"""A run of the script beside one of its branches: where they part, and what comes of it, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from microgpt_tui.audit.compare import Place, first_divergence, pair
from microgpt_tui.session.branches import Branch
from microgpt_tui.session.commands.command import Command, CommandError, Result
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.trace.trace import Trace

SHOWN_LOSSES = 12
"""Steps whose losses stand in the text: the last of those that both have."""


def _compare(debugger: Debugger, argument: str) -> Result:
    mine = debugger.branch
    base = _other(debugger, argument)
    a, b = _whole(base), _whole(mine)
    both = sorted(a.keys() & b.keys())
    losses = _losses(base, mine)
    if not both and not losses:
        raise CommandError(f"{base.name} and {mine.name} have no training step in common yet")
    found = next(((n, d) for n in both if (d := first_divergence(a[n], b[n])) is not None), None)
    steps = [asdict(pair(a[n], b[n])) for n in both]
    data = {
        "base": base.name, "mine": mine.name, "recorded": both,
        "divergence": None if found is None else {"step": found[0], **asdict(found[1])}, "losses": losses,
        "steps": steps,
    }  # fmt: skip
    return Result("\n".join(_lines(data)), data)


def _other(debugger: Debugger, name: str) -> Branch:
    """The run of a name; without one, that which this one has left, or the only other."""
    others = [b for b in debugger.branches if b is not debugger.branch]
    if name:
        found = next((b for b in others if b.name == name), None)
        if found is None:
            known = ", ".join(b.name for b in others) or "none but this one"
            raise CommandError(f"no other branch “{name}”; there are {known}")
        return found
    if debugger.branch.parent is not None:
        return debugger.branch.parent
    if len(others) == 1:
        return others[0]
    raise CommandError("compare BRANCH: `branches` lists them" if others else
                       "there is one run only: set NODE = X or exec STATEMENT makes a branch")  # fmt: skip


def _whole(run: Branch) -> dict[int, Trace]:
    return {t.number: t for t in run.history.traces.values() if t.episode_kind == "step" and t.complete and len(t)}


def _losses(base: Branch, mine: Branch) -> list[tuple[int, float, float]]:
    a, b = ({s.number: s.loss for s in run.history.steps if s.loss is not None} for run in (base, mine))
    return [(n, a[n], b[n]) for n in sorted(a.keys() & b.keys())]


def _lines(data: dict[str, Any]) -> Iterator[str]:
    yield f"base {data['base']}, mine {data['mine']}"
    told = data["divergence"]
    if told is not None:
        yield f"they part in step {told['step']}: {told['text']}"
        for side in ("base", "mine"):
            yield from side_lines(side, Place(**told[side]))
    elif data["recorded"]:
        yield f"no difference in the {len(data['recorded'])} training steps that both have recorded, to the last bit"
    else:
        yield "no step is recorded whole in both: goto one of them in each"
    if data["losses"]:
        yield ""
        yield "losses"
        yield from (f"  step {n:>5}  {a:.6f} and {b:.6f}  ({b - a:+.6f})" for n, a, b in data["losses"][-SHOWN_LOSSES:])
    for step in data["steps"]:
        yield from step_lines(step)


def side_lines(side: str, place: Place) -> Iterator[str]:
    """One side of where two runs part: its line, and what stands there."""
    if not place.said:
        yield f"  {side}  nothing more"
        return
    yield f"  {side}  {Path(place.file).name}:{place.line}  {place.source}"
    yield f"        {place.said}"


def step_lines(step: dict[str, Any]) -> Iterator[str]:
    """One training step of two runs: loss, operations, predictions, attention, residual norms, time where known."""
    yield ""
    a, b = step["loss"]
    yield f"step {step['number']}"
    if a is not None and b is not None:
        yield f"  loss        {a:.6f} and {b:.6f}  ({b - a:+.6f})"
    yield f"  operations  {step['nodes'][0]:,} and {step['nodes'][1]:,}"
    for op, (x, y) in step["operations"].items():
        yield f"    {op:<10}{x:,} and {y:,}"
    first, second = step.get("cpu", (None, None))
    if first is not None and second is not None:
        yield f"  CPU         {1000 * first:.0f} and {1000 * second:.0f} ms, recorded"
    moved = step["predictions"]
    if moved:
        yield "  predictions Σ|Δp| per position: " + " ".join(f"{x:.4f}" for x in moved)
    else:
        yield "  predictions not compared: not recognised in both, or of different sizes"
    heads = ", ".join(f"{k} Σ|Δw| {v:.4f}" for k, v in step["attention"].items())
    yield "  attention   " + (heads or "not compared: no head that both have over the same positions")
    for label, x, y in step["residual"]:
        yield f"  residual    {label:<20} norm {x:.4f} and {y:.4f}"


COMMANDS = (
    Command("compare", "[BRANCH]", "This run beside another branch: where they part, losses, predictions, attention",
            _compare, choices=lambda debugger: [b.name for b in debugger.branches]),
)  # fmt: skip
