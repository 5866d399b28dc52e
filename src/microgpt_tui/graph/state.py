"""Data, gradients and the progress of the backward pass at a moment, for many nodes at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from enum import Enum

from microgpt_tui.protocol.codes import ACCUMULATE, BACKWARD, ZERO
from microgpt_tui.trace.formula import local_gradients
from microgpt_tui.trace.trace import Trace


class Reached(Enum):
    """How far the backward pass has come with a node's gradient."""

    NONE = "no backward pass"
    WAITING = "not reached"
    ACCUMULATING = "accumulating"
    FINAL = "final"


def node_at(trace: Trace, event: int) -> int:
    """The node that a moment is about: made, accumulated into, updated; else the last one that was; -1 for none."""
    return next((n for e in range(min(event, len(trace) - 1), -1, -1) if (n := trace.node_of(e)) >= 0), -1)


def grads_at(trace: Trace, event: int) -> dict[int, float]:
    """Every gradient that was written when events 0..event have happened: node -> grad. One pass over the writes."""
    rows = bisect_right(trace.write_event, event)
    return dict(zip(trace.target[:rows], trace.after[:rows], strict=True))


def accumulations(trace: Trace, event: int) -> Counter[int]:
    """How many sums each gradient has got in the latest backward pass, by an event; seeds count as enough."""
    span = backward_span(trace, event)
    if span is None:
        return Counter()
    first, rows = bisect_left(trace.write_event, span[0]), bisect_right(trace.write_event, event)
    found = Counter(trace.target[first:rows])
    found[trace.loss_node(event)] += 1 << 30
    return found


def backward_span(trace: Trace, event: int) -> tuple[int, int] | None:
    """First and last event of the latest backward pass that has begun by an event."""
    found = None
    for first, last, phase in trace.phase_spans:
        if first > event:
            break
        if phase == BACKWARD:
            found = first, last
    return found


def reached(trace: Trace, node: int, event: int) -> Reached:
    """Where a node's gradient stands: final once all that will be added to it has been."""
    span = backward_span(trace, event)
    if span is None:
        return Reached.NONE
    rows = [r for r in trace.writes_of(node) if trace.write_event[r] >= span[0]]
    before = [r for r in rows if trace.write_event[r] <= event and trace.kind[trace.write_event[r]] != ZERO]
    if not before:
        return Reached.WAITING
    if event > span[1] or (event == span[1] and trace.complete):
        return Reached.FINAL
    if trace.kind[trace.write_event[before[0]]] != ACCUMULATE:
        return Reached.FINAL  # the seed
    users = len(trace.users(node))
    sums = sum(1 for r in before if trace.kind[trace.write_event[r]] == ACCUMULATE)
    if sums >= users or _has_propagated(trace, node, event, span[0]):
        return Reached.FINAL
    over = trace.phase_spans[-1][0] > span[1] or trace.complete
    if over and not any(event < trace.write_event[r] <= span[1] for r in rows):
        return Reached.FINAL
    return Reached.ACCUMULATING


def _has_propagated(trace: Trace, node: int, event: int, since: int) -> bool:
    for child in dict.fromkeys(trace.children(node)):
        for r in trace.writes_of(child):
            if since <= trace.write_event[r] <= event and trace.source[r] == node:
                return True
    return False


def contributions(trace: Trace, child: int, user: int, event: int) -> list[float]:
    """What ``user`` has added to the grad of ``child`` by an event: one number per operand that ``child`` is of it."""
    return [
        trace.delta[r]
        for r in trace.writes_of(child)
        if trace.source[r] == user and trace.write_event[r] <= event and trace.kind[trace.write_event[r]] == ACCUMULATE
    ]


def carrying(trace: Trace, event: int) -> tuple[int, int] | None:
    """(operand, user) whose edge carries the gradient at this very event, or None."""
    if not 0 <= event < len(trace) or trace.kind[event] != ACCUMULATE:
        return None
    row = trace.row[event]
    return (trace.target[row], trace.source[row]) if trace.source[row] >= 0 else None


def local_gradient(trace: Trace, user: int, slot: int, event: int) -> float:
    """d user / d its operand number ``slot`` (from 0); NaN where nobody knows."""
    found = local_gradients(trace, user, event)
    return found[slot][0] if slot < len(found) else float("nan")


def share(trace: Trace, child: int, user: int, event: int) -> float:
    """The part of all that was added to a grad, in absolute value, that came through one edge: 0..1; NaN before."""
    total = part = 0.0
    for r in trace.writes_of(child):
        at = trace.write_event[r]
        if at > event or trace.kind[at] != ACCUMULATE:
            continue
        amount = abs(trace.delta[r])
        total += amount
        if trace.source[r] == user:
            part += amount
    return part / total if total else float("nan")
