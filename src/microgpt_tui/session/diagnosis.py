"""The gradient check and the root cause of a failure, of the episode under the cursor."""

from __future__ import annotations

import math
from collections.abc import Sequence

from microgpt_tui.audit import gradients as check
from microgpt_tui.audit import root_cause as nans
from microgpt_tui.protocol.messages import Operate, Operated
from microgpt_tui.protocol.stops import Killed, Raised
from microgpt_tui.session.debugger import Debugger, Unanswered
from microgpt_tui.session.displays import growth
from microgpt_tui.trace.breakpoints import BreakpointError


def checked(debugger: Debugger, scope: str = "") -> check.Report:
    """The gradient check of the episode under the cursor, with the live script's help where it still waits."""
    trace = debugger.trace
    if trace is None or not len(trace):
        raise BreakpointError("nothing is recorded here")
    gone = debugger.running or isinstance(debugger.history.stop, Killed)

    def evaluate(op: str, points: Sequence[Sequence[float]], plain: Sequence[float]) -> list[float | None]:
        exact = tuple(int(x) if float(x).is_integer() else x for x in plain)
        try:
            return list(debugger.ask(Operate(op, tuple(map(tuple, points)), exact), Operated).values)
        except Unanswered:
            return [None] * len(points)

    return check.check(trace, debugger.moment.event, None if gone else evaluate, layer=scope)


def diagnose(debugger: Debugger) -> nans.RootCause | None:
    """The root cause of the failing operation, or of the NaN or infinity nearest to the cursor; None without one."""
    trace, event = debugger.trace, debugger.moment.event
    stop = debugger.history.stop
    if trace is None or not len(trace):
        return None

    def past(node: int) -> list[float]:
        return growth(debugger.history, node)

    if isinstance(stop, Raised) and stop.operands and trace is debugger.history.newest:
        nodes = [n for _, n in stop.operands]
        last = len(trace) - 1
        numbers = ", ".join(f"{trace.data_at(n, last):.6g}" for n in nodes)
        operation = stop.operation or "an operation"
        what = f"{stop.error} ({stop.message}) in {operation}({numbers}) on line {stop.line}"
        return nans.root_cause(trace, nodes, last, what, stop.line, past)
    first = nans.first_failure(trace)
    if first is None:
        return None
    node = trace.node_of(event)
    here = node >= 0 and not math.isfinite(trace.data_at(node, event)) and trace.born_at(node) == event
    return nans.cause_at(trace, event if here else first, past)
