"""The root cause of a failure, of the episode under the cursor; and the failure as a finding of a check."""

from __future__ import annotations

import math

from microgpt_tui.audit import root_cause as nans
from microgpt_tui.audit.findings import ERROR, Finding, Report
from microgpt_tui.protocol.stops import Raised
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.displays import growth


def add_failure(report: Report, debugger: Debugger) -> None:
    """The exception that has ended the run, or its first NaN, before all other findings."""
    stop = debugger.history.stop
    debugger.to_frontier()
    cause = diagnose(debugger)
    if cause is None and not isinstance(stop, Raised):
        return
    step = debugger.trace.number if debugger.trace is not None else 0
    found = []
    if isinstance(stop, Raised):
        file, line = stop.frames[-1][:2] if stop.frames else (0, stop.line)
        found.append(Finding(ERROR, "exception", line, f"{stop.error}: {stop.message}", file=file, step=step))
    if cause is not None:
        origin = cause.origin
        line = origin.made if origin is not None and origin.made else cause.line
        last = cause.chain[-1] if cause.chain else None
        found.append(Finding(ERROR, "root cause", line or 1, cause.said, cause.what, step=step, event=cause.event))
        if last is not None and last.event < 0 and last.made and last.made != line:
            found.append(Finding(ERROR,
            "root cause", last.made, f"behind it is the parameter {last.name} = {last.data:.4g}",
                                 "where it was made", step=step))  # fmt: skip
    report.findings[:0] = found


def diagnose(debugger: Debugger) -> nans.RootCause | None:
    """The root cause of the failing operation, or of the NaN or infinity nearest to the cursor; None without one."""
    trace, event = debugger.trace, debugger.moment.event
    stop = debugger.history.stop
    if trace is None or not len(trace):
        return None

    def past(node: int) -> list[float]:
        return growth(debugger.history, node)

    if isinstance(stop, Raised) and stop.operands and trace is debugger.history.newest:
        told = [n for _, n in stop.operands]
        nodes = [n for n in told if n >= trace.first_node and not set(trace.children(n)) & set(told)] or told
        last = len(trace) - 1
        numbers = ", ".join(trace.odd_data.get(n, f"{trace.data_at(n, last):.6g}") for n in nodes)
        operation = stop.operation or "an operation"
        what = f"{stop.error} ({stop.message}) in {operation}({numbers}) on line {stop.line}"
        return nans.root_cause(trace, nodes, last, what, stop.line, past)
    first = nans.first_failure(trace)
    if first is None:
        return None
    node = trace.node_of(event)
    here = node >= 0 and not math.isfinite(trace.data_at(node, event)) and trace.born_at(node) == event
    return nans.cause_at(trace, event if here else first, past)
