"""Questions about the moment under the cursor, answered in words and as data: for commands and screens alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from microgpt_tui.audit import gradients as check
from microgpt_tui.audit import root_cause as nans
from microgpt_tui.protocol.codes import EVENT_NAMES
from microgpt_tui.protocol.messages import Evaluate, Evaluated, Operate, Operated
from microgpt_tui.protocol.stops import Killed, Raised
from microgpt_tui.session.debugger import Debugger, Unanswered
from microgpt_tui.trace import find
from microgpt_tui.trace.breakpoints import BreakpointError
from microgpt_tui.trace.facts import facts
from microgpt_tui.trace.names import describe
from microgpt_tui.trace.names import name as name_of
from microgpt_tui.trace.watches import Value

BARS = "▁▂▃▄▅▆▇█"
HISTORY = 8
"""Steps that a root cause looks back over."""
WIDEST = 16
"""Numbers of a list that are written out."""


def shown(debugger: Debugger) -> tuple[str, dict[str, Any]]:
    """The event under the cursor: what happened, to which node, where."""
    trace, event = debugger.trace, debugger.moment.event
    if trace is None or not 0 <= event < len(trace):
        return "nothing is recorded here", {}
    known = facts(trace).at(event, ("data", "grad", "op", "kind", "line", "scope"))
    node = trace.node_of(event)
    line = int(known["line"])
    source = trace.program.line_text(0, line).strip()
    text = f"{debugger.name_of(debugger.moment)}  {EVENT_NAMES[trace.kind[event]]}"
    data: dict[str, Any] = {
        "kind": known["kind"], "line": line, "source": source, "scope": known["scope"], "node": node,
        "phase": facts(trace)["phase"][event],
    }  # fmt: skip
    if node >= 0:
        text += f"  {describe(trace, node)}  {known['op']}  data {known['data']!r}  grad {known['grad']!r}"
        data.update(name=name_of(trace, node), op=known["op"], data=finite(known["data"]), grad=finite(known["grad"]))
    return f"{text}\n  line {line}: {source}", data


def finite(value: float) -> float | str:
    """A number as JSON takes it: NaN and infinities as text."""
    return value if math.isfinite(value) else repr(value)


# -- display ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Displayed:
    """One ``display`` at this moment."""

    text: str
    value: Any
    past: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def line(self) -> str:
        """``loss = 3.27  ▁▂▃``"""
        if self.note:
            return f"{self.text}: {self.note}"
        return f"{self.text} = {strip(self.value)}" + (f"  {bars(self.past)}" if len(self.past) > 1 else "")


def displayed(debugger: Debugger) -> list[Displayed]:
    """Every ``display`` with its value here and its course over the stops (or, of one parameter, over the steps)."""
    trace, event = debugger.trace, debugger.moment.event
    rows = []
    if trace is None or event < 0:
        return []
    for made in debugger.displays.expressions:
        try:
            value: Value = made.value(trace, event)
        except (LookupError, ArithmeticError, ValueError, TypeError) as error:
            rows.append(Displayed(made.text, None, note=str(error)))
            continue
        past = debugger.displays.remember(made.text, debugger.moment, value)
        nodes = made.nodes(trace.program)
        if nodes and len(made.references) == 1 and made.text == made.references[0].text:
            past = [*growth(debugger, nodes[0], 24), *([float(value)] if isinstance(value, float | int) else [])]
        rows.append(Displayed(made.text, value, past))
    return rows


def bars(values: Sequence[float], width: int = 24) -> str:
    """A sparkline of the last values."""
    values = list(values)[-width:]
    kept = [v for v in values if math.isfinite(v)]
    if not kept:
        return ""
    low, span = min(kept), (max(kept) - min(kept)) or 1.0
    return "".join(BARS[int((v - low) / span * 7)] if math.isfinite(v) else "!" for v in values)


def strip(value: Any) -> str:
    """A value in a line: numbers short, lists as a strip of bars with their numbers."""
    if isinstance(value, tuple | list):
        flat = [x for x in value if isinstance(x, int | float)]
        if len(flat) == len(value) and flat:
            numbers = " ".join(f"{x:+.4g}" for x in flat[:WIDEST]) + (" …" if len(flat) > WIDEST else "")
            return f"[{len(flat)}] {bars(flat, 48)}  {numbers}"
        return "[" + ", ".join(strip(v) for v in value[:WIDEST]) + (", …]" if len(value) > WIDEST else "]")
    return f"{value!r}"


# -- print -----------------------------------------------------------------------------------


def evaluated(debugger: Debugger, text: str) -> tuple[str, dict[str, Any]]:
    """An expression in the script's paused frame. Raises Unanswered with the fault it has."""
    value = debugger.ask(Evaluate(text), Evaluated).value
    said = _pretty(debugger, value)
    if not debugger.at_frontier:
        said += "\n(of the live script, which is further on than the cursor)"
    return said, {"value": value, "text": said}


def _pretty(debugger: Debugger, value: dict[str, Any], depth: int = 0) -> str:
    if "node" in value:
        trace = debugger.history.newest
        number = value["node"]
        label = name_of(trace, number) if trace is not None and number >= 0 else "not recorded"
        return f"{label}: data {value['data']!r}, grad {value['grad']!r}" + (f" (#{number})" if number >= 0 else "")
    if "list" in value:
        items = value["list"]
        numbers = [_number(v) for v in items]
        more = f", … {value['length']} in all" if value["length"] > len(items) else ""
        if items and all(n is not None for n in numbers):
            return strip([n for n in numbers if n is not None]) + more
        pad = "  " * (depth + 1)
        return f"[{value['length']}]" + "".join(f"\n{pad}{_pretty(debugger, v, depth + 1)}" for v in items) + more
    if "dict" in value:
        pad = "  " * (depth + 1)
        return f"{{{value['length']}}}" + "".join(
            f"\n{pad}{k}: {_pretty(debugger, v, depth + 1)}" for k, v in value["dict"]
        )
    return str(value["text"])


def _number(value: dict[str, Any]) -> float | None:
    found = value.get("data") if "node" in value else value.get("number")
    if isinstance(found, str):
        try:
            return float(found)
        except ValueError:
            return None
    return float(found) if isinstance(found, int | float) else None


# -- find, check, root cause -----------------------------------------------------------------


def found(debugger: Debugger, text: str) -> Sequence[find.Found]:
    """Search the episode under the cursor. Raises ConditionError."""
    trace = debugger.trace
    if trace is None or not len(trace):
        return []
    return find.find(trace, find.read_query(text), debugger.moment.event, debugger.breakpoints.output)


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


def growth(debugger: Debugger, node: int, steps: int = HISTORY) -> list[float]:
    """A parameter's number after each of the last steps."""
    program = debugger.history.program
    place = {n: i for i, n in enumerate(program.kept)}.get(node)
    if place is None:
        return []
    return [s.data[place] for s in debugger.history.steps[-steps:] if s.data is not None and place < len(s.data)]


def diagnose(debugger: Debugger) -> nans.RootCause | None:
    """The root cause of the failing operation, or of the NaN or infinity nearest to the cursor; None without one."""
    trace, event = debugger.trace, debugger.moment.event
    stop = debugger.history.stop
    if trace is None or not len(trace):
        return None

    def past(node: int) -> list[float]:
        return growth(debugger, node)

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
