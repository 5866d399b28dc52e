"""What pictures show of a moment: data, gradients, and how far the backward pass has come. One function for each."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from enum import Enum

from microgpt_tui.protocol.codes import ACCUMULATE, BACKWARD, ZERO
from microgpt_tui.trace.trace import Trace


class Reached(Enum):
    """How far the backward pass has come with a node's gradient."""

    NONE = "no backward pass"
    WAITING = "not reached"
    ACCUMULATING = "accumulating"
    FINAL = "final"
    ZEROED = "set to zero again"


def node_at(trace: Trace, event: int) -> int:
    """The node that a moment is about: made, accumulated into, updated; else the last one that was; -1 for none."""
    return next((n for e in range(min(event, len(trace) - 1), -1, -1) if (n := trace.node_of(e)) >= 0), -1)


def grads_at(trace: Trace, event: int) -> dict[int, float]:
    """Every gradient that was written when events 0..event have happened: node -> grad. One pass over the writes."""
    rows = bisect_right(trace.write_event, event)
    return dict(zip(trace.target[:rows], trace.after[:rows], strict=True))


def grads_of(trace: Trace, nodes: Sequence[int], event: int) -> list[float]:
    """The gradients of many nodes at a moment, as ``Trace.grad_at`` has each."""
    index, write_event, after = trace.write_index, trace.write_event, trace.after
    found = []
    for node in nodes:
        rows = index.get(node)
        k = bisect_right(rows, event, key=write_event.__getitem__) if rows else 0
        found.append(after[rows[k - 1]] if rows and k else trace.start_grad_of(node))
    return found


def used_event(trace: Trace, node: int, event: int) -> int:
    """The moment whose data the operations that exist by ``event`` have used of a node.

    It is ``event`` itself, unless an optimizer has updated the node since: a picture that shows the result of an
    operation shows its operands as they were, or its arithmetic would be false.
    """
    if not trace.update_event or event < trace.update_event[0] or node not in trace.update_index:
        return event
    last = max((born for user in trace.users(node) if (born := trace.born_at(user)) <= event), default=event)
    return min(event, last)


def data_used(trace: Trace, node: int, event: int) -> float:
    """A node's data as the operations that exist by ``event`` have used it."""
    return trace.data_at(node, used_event(trace, node, event))


def grad_shown(trace: Trace, node: int, event: int, state: Reached) -> float:
    """A node's grad once a backward pass has reached it, else NaN."""
    return math.nan if state in (Reached.NONE, Reached.WAITING) else trace.grad_at(node, event)


def backward_span(trace: Trace, event: int) -> tuple[int, int] | None:
    """First and last event of the latest backward pass that has begun by an event."""
    found = None
    for first, last, phase in trace.phase_spans:
        if first > event:
            break
        if phase == BACKWARD:
            found = first, last
    return found


def rows_of_pass(trace: Trace, event: int) -> tuple[int, int]:
    """The writes of the latest backward pass that have happened by an event: first row, row after the last."""
    span = backward_span(trace, event)
    if span is None:
        return 0, 0
    return bisect_left(trace.write_event, span[0]), bisect_right(trace.write_event, min(event, span[1]))


def is_over(trace: Trace, event: int) -> bool:
    """True when the latest backward pass has ended by an event."""
    span = backward_span(trace, event)
    return span is not None and (event > span[1] or (event == span[1] and trace.complete))


def sums_by_group(trace: Trace, event: int, group_of: Sequence[int], count: int) -> list[int]:
    """Per group how many seeds and sums its nodes have got in the latest backward pass. One pass over the writes."""
    sums = [0] * count
    start, end = rows_of_pass(trace, event)
    kind, known = trace.kind, len(group_of)
    for target, at in zip(trace.target[start:end], trace.write_event[start:end], strict=True):
        if target < known and group_of[target] >= 0 and kind[at] != ZERO:
            sums[group_of[target]] += 1
    return sums


def uses_by_group(trace: Trace, group_of: Sequence[int], count: int) -> list[int]:
    """Per group how many operands its nodes are, of whatever the episode has computed."""
    uses = [0] * count
    for child, times in Counter(trace.child).items():
        if child < len(group_of) and group_of[child] >= 0:
            uses[group_of[child]] += times
    return uses


def reached_by_sums(trace: Trace, event: int, sums: int, uses: int) -> Reached:
    """How far the backward pass has come with nodes that others use ``uses`` times and that got so many sums."""
    if backward_span(trace, event) is None:
        return Reached.NONE
    if not sums:
        return Reached.WAITING
    return Reached.FINAL if sums >= uses or is_over(trace, event) else Reached.ACCUMULATING


def zeroed(trace: Trace, node: int, event: int) -> bool:
    """True when the last write to a grad by an event came after the latest backward pass and set it to zero."""
    span = backward_span(trace, event)
    last = max((trace.write_event[r] for r in trace.writes_of(node) if trace.write_event[r] <= event), default=-1)
    return span is not None and last > span[1] and trace.kind[last] == ZERO


def reached(trace: Trace, node: int, event: int) -> Reached:
    """Where a node's gradient stands: final once all that will be added to it has been."""
    start, end = rows_of_pass(trace, event)
    writes = trace.writes_of(node)
    done = [r for r in writes if start <= r < end and trace.kind[trace.write_event[r]] != ZERO]
    found = reached_by_sums(trace, event, len(done), len(trace.users(node)))
    if done and zeroed(trace, node, event):
        return Reached.ZEROED
    span = backward_span(trace, event)
    if found is not Reached.ACCUMULATING or span is None:
        return found
    if trace.kind[trace.write_event[done[0]]] != ACCUMULATE or _has_propagated(trace, node, event, span[0]):
        return Reached.FINAL  # the seed; a user whose gradient never came adds nothing
    recorded = trace.phase_spans[-1][0] > span[1] or trace.complete
    still_to_come = any(event < trace.write_event[r] <= span[1] for r in writes)
    return Reached.FINAL if recorded and not still_to_come else found


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
