"""The gradient ledger: every contribution to a node's grad, in order, adding up to the last bit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from microgpt_tui.protocol.codes import ACCUMULATE, ZERO
from microgpt_tui.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Contribution:
    """One write of a grad. By the chain rule a contribution is local × upstream:
    dL/d(operand) += d(node)/d(operand) · dL/d(node)."""

    row: int
    event: int
    kind: int
    """ACCUMULATE, ASSIGN (the seed, a clipped gradient) or ZERO."""
    source: int
    """The node that propagates it, or -1."""
    factor: float
    """The local gradient; NaN where the script does not compute it as a factor."""
    upstream: float
    """The source's grad when it was propagated; NaN without a source."""
    delta: float
    """What was added; NaN for an assignment."""
    total: float
    """The grad after this write, to the last bit."""
    done: bool
    """False for one that is still to come at the moment looked at."""


def ledger(trace: Trace, node: int, event: int) -> list[Contribution]:
    """All writes of a node's grad in this episode, those after ``event`` marked as not done."""
    found = []
    for row in trace.writes_of(node):
        at = trace.write_event[row]
        source = trace.source[row]
        upstream = trace.grad_at(source, at - 1) if source >= 0 else math.nan
        found.append(
            Contribution(
                row, at, trace.kind[at], source, trace.factor[row], upstream,
                trace.delta[row], trace.after[row], at <= event,
            )
        )  # fmt: skip
    return found


def counts(trace: Trace, node: int, event: int) -> tuple[int, int]:
    """(contributions so far, contributions in all as far as recorded), zeroings not counted."""
    done = total = 0
    for row in trace.writes_of(node):
        at = trace.write_event[row]
        if trace.kind[at] != ZERO:
            total += 1
            done += at <= event
    return done, total


def adds_up(trace: Trace, node: int) -> bool:
    """True when the running sum of the contributions is the recorded grad, to the last bit."""
    total = trace.start_grad_of(node)
    for row in trace.writes_of(node):
        total = total + trace.delta[row] if trace.kind[trace.write_event[row]] == ACCUMULATE else trace.after[row]
        if total != trace.after[row] and not (math.isnan(total) and math.isnan(trace.after[row])):
            return False
    return True
