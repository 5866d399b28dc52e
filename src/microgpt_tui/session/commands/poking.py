"""Trying out another number in the record, and asking why one is what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microgpt_tui.audit.effects import Effects, effects
from microgpt_tui.audit.ripple import Ripple
from microgpt_tui.audit.why import Part, why
from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.session import pokes
from microgpt_tui.session.commands.command import Command, CommandError, Result
from microgpt_tui.session.commands.values import names
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.trace.formula import short
from microgpt_tui.trace.names import describe
from microgpt_tui.trace.references import node_named
from microgpt_tui.trace.trace import Trace

SHOWN = 12
"""Rows of a table for a person; the data has all."""
NOT_FOLLOWED = (
    "Followed is the recorded graph. What the script decides by plain numbers (an if, a draw, a number taken out with "
    ".data, other than a softmax's maximum) is as recorded."
)


def _poke(debugger: Debugger, argument: str) -> Result:
    return _added(debugger, pokes.poked(debugger, argument))


def _ablate(debugger: Debugger, argument: str) -> Result:
    return _added(debugger, pokes.ablated(debugger, argument))


def _added(debugger: Debugger, poke: pokes.Poke) -> Result:
    debugger.pokes.setdefault(pokes.here(debugger).index, []).append(poke)
    return _ripple(debugger, "")


def _unpoke(debugger: Debugger, argument: str) -> Result:
    stack = debugger.pokes.get(pokes.here(debugger).index, [])
    if not stack:
        raise CommandError("nothing is poked in this episode")
    if argument == "all":
        stack.clear()
    elif argument:
        raise CommandError("unpoke takes back the last one; unpoke all takes back every one")
    else:
        stack.pop()
    return _ripple(debugger, "")


def _ripple(debugger: Debugger, argument: str) -> Result:
    trace = pokes.here(debugger)
    stack = debugger.pokes.get(trace.index, [])
    if not stack:
        return Result("nothing is poked in this episode: poke NAME = X, ablate head 0 1", {"pokes": []})
    found = pokes.rippled(debugger)
    told = effects(trace, found)
    lines = ["with " + ", ".join(p.text for p in stack) + f": {told.nodes:,} other numbers in {_title(trace)}"]
    lines += _loss(told) + _predictions(debugger, told) + _heads(told)
    if found.raised is not None:
        node, text = found.raised
        site = trace.site_of(node)
        lines.append(
            f"line {site.line} would raise here: {text} ({describe(trace, node)}); nothing after it is computed"
        )
    lines += [
        f"{count} results of {op} depend on it and could not be computed again: they are as recorded"
        for op, count in found.stuck.items()
    ]
    lines.append(NOT_FOLLOWED)
    return Result("\n".join(lines), _data(stack, told, found))


def _title(trace: Trace) -> str:
    return f"{trace.episode_kind} {trace.number}".strip() if trace.number else str(trace.episode_kind)


def _loss(told: Effects) -> list[str]:
    if told.loss is None:
        return ["loss: not known in this episode, as no backward pass has begun"]
    before, after = told.loss
    return [f"loss  {before:.6f} → {after:.6f}  ({after - before:+.6f})"]


def _predictions(debugger: Debugger, told: Effects) -> list[str]:
    if not told.predictions:
        return ["predictions: none are recognised in this episode"]
    lines = ["position   Σ|Δp|   p(target) before → after    most likely before → after"]
    vocabulary = _vocabulary(debugger)
    for p in told.predictions[:SHOWN]:
        best = [max(range(len(row)), key=row.__getitem__) for row in (p.before, p.after)]
        target = f"{p.before[p.target]:.4f} → {p.after[p.target]:.4f}" if p.target >= 0 else "-"
        likely = " → ".join(vocabulary(b) for b in best)
        lines.append(f"{p.position + 1:>8}  {p.moved:6.4f}   {target:<26}  {likely}")
    return [*lines, *_more(len(told.predictions), "positions")]


def _vocabulary(debugger: Debugger) -> Callable[[int], str]:
    vocabulary = tokens(pokes.here(debugger)).vocabulary

    def text(token: int) -> str:
        found = vocabulary.text(token)
        return f"#{token}" if found is None else found

    return text


def _heads(told: Effects) -> list[str]:
    moved = [h for h in told.heads if h.moved]
    if not told.heads:
        return ["attention: none is recognised in this episode"]
    if not moved:
        return ["attention: no weight has changed"]
    lines = ["attention  Σ|Δw| over all rows"]
    lines += [f"  layer {h.layer} head {h.head}  {h.moved:.4f} over {h.rows} rows" for h in moved[:SHOWN]]
    return [*lines, *_more(len(moved), "heads")]


def _more(count: int, what: str) -> list[str]:
    return [f"  … {count - SHOWN} more {what}"] if count > SHOWN else []


def _data(stack: list[pokes.Poke], told: Effects, found: Ripple) -> dict[str, Any]:
    return {
        "pokes": [p.text for p in stack], "nodes": told.nodes, "loss": told.loss,
        "positions": [
            {"sequence": p.sequence, "position": p.position, "moved": p.moved, "target": p.target,
             "before": p.before, "after": p.after} for p in told.predictions
        ],
        "heads": [{"sequence": h.sequence, "layer": h.layer, "head": h.head, "moved": h.moved} for h in told.heads],
        "stuck": found.stuck, "raised": None if found.raised is None else found.raised[1],
    }  # fmt: skip


# -- why --------------------------------------------------------------------------------------


def _why(debugger: Debugger, argument: str) -> Result:
    trace, event = pokes.here(debugger), debugger.moment.event
    node = node_named(trace, argument, event) if argument else trace.node_of(event)
    if node < 0:
        raise CommandError("this event is about no value: why NAME")
    found = why(trace, node, event)
    data, grad = trace.data_at(node, event), trace.grad_at(node, event)
    lines = [f"{describe(trace, node)} is {short(data)}"]
    if len(found.data) > 1:
        lines += [f"the sum of {len(found.data)} terms, the largest first:", *_rows(found.data)]
    else:
        made = ", ".join(f"{describe(trace, c)} {short(trace.data_at(c, event))}" for c in trace.children(node))
        lines.append(f"{trace.op_name(node)} of {made}" if made else "it is made of nothing else in this episode")
    if found.grad:
        parts = "one contribution" if len(found.grad) == 1 else f"{len(found.grad)} contributions, the largest first"
        lines.append(f"its grad is {short(grad)}, made of {parts}:")
        lines += _rows(found.grad)
    else:
        lines.append(f"its grad is {short(grad)}: nothing was added to it yet")
    if found.pending:
        lines.append(f"still to come at this moment: {found.pending}")
    rows = {k: [{"node": p.node, "text": p.text, "amount": p.amount, "share": p.share} for p in those]
            for k, those in (("data_parts", found.data), ("grad_parts", found.grad))}  # fmt: skip
    return Result("\n".join(lines), {"node": node, "data": data, "grad": grad, "pending": found.pending, **rows})


def _rows(parts: tuple[Part, ...]) -> list[str]:
    lines = [f"  {p.amount:+.6g}  {100 * p.share:5.1f} %  {p.text}" for p in parts[:SHOWN]]
    return [*lines, *_more(len(parts), "of them")]


COMMANDS = (
    Command("poke", "NAME = X", "Try another number in the record: what depends on it, before and after", _poke,
            choices=names),
    Command("ablate", "WHAT", "Poke to 0: head LAYER HEAD, position P (from 0, as pos:P), block MLP 0, or NAME",
            _ablate,
            choices=lambda d: ["head ", "position ", "block ", *names(d)]),
    Command("unpoke", "[all]", "Take the last poke back", _unpoke, choices=lambda d: ["all"]),
    Command("ripple", "", "What the pokes of this episode come to", _ripple),
    Command("why", "[NAME]", "What accounts for most of a value and of its grad", _why, choices=names),
)  # fmt: skip
