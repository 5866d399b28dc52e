"""Where the cursor is and why, in words and as data: the answer of every command that moves."""

from __future__ import annotations

from typing import Any

from microgpt_tui.protocol.codes import ALTERED_LINE, EVENT_NAMES
from microgpt_tui.protocol.stops import AtBreakpoints
from microgpt_tui.session import stops
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.displays import displayed
from microgpt_tui.trace.facts import facts
from microgpt_tui.trace.names import describe
from microgpt_tui.trace.names import name as name_of


def where(debugger: Debugger) -> tuple[str, dict[str, Any]]:
    """Where the cursor is and why, in words and as data."""
    if debugger.running:
        return "running", {"running": True}
    data: dict[str, Any] = {
        "running": False, "moment": debugger.name_of(debugger.moment), "episode": debugger.moment.episode,
        "event": debugger.moment.event, "notice": debugger.notice,
    }  # fmt: skip
    lines = []
    stop = debugger.history.stop
    hit = debugger.hit
    if hit is not None and hit[0] == debugger.moment:
        newest = isinstance(stop, AtBreakpoints) and (debugger.at_frontier or stop.event == debugger.moment.event)
        here = stop if newest else debugger.breakpoints.stop_at(hit[1])
        lines.append(str(stops.explain(here, debugger.history)))
        data["breakpoints"] = list(hit[1])
    elif stop is not None and debugger.at_frontier:
        lines.append(str(stops.explain(stop, debugger.history)))
    if stop is not None:
        data["reason"] = "break" if hit is not None and hit[0] == debugger.moment else stop.reason
    lines += filter(None, [debugger.notice, *debugger.untold()])
    text, more = shown(debugger)
    lines.append(text)
    data.update(more)
    said = debugger.breakpoints.take_logs()
    if said:
        data["logs"] = [{"number": n, "text": t, "moment": debugger.name_of(m)} for n, t, m in said]
        lines = [f"{debugger.name_of(m)}  {t}" for _, t, m in said] + lines
    tour = debugger.tour.stop(debugger) if debugger.tour.shown else None
    if tour is not None:
        data["tour"] = {"chapter": tour.chapter, "text": tour.text, "pane": tour.pane}
        lines = [f"{debugger.tour.title(debugger)}\n{tour.text}", *lines]
    asked = debugger.prediction.text(debugger)
    if asked:
        data["prediction"] = {"text": asked, "right": debugger.prediction.right, "asked": debugger.prediction.asked}
        lines = [asked, *lines]
    values = displayed(debugger.displays, debugger.history, debugger.moment)
    if values:
        data["displays"] = [{"expression": v.text, "value": v.value} for v in values]
        lines += [v.line for v in values]
    return "\n".join(line for line in lines if line), data


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
        data.update(name=name_of(trace, node), op=known["op"], data=known["data"], grad=known["grad"])
    place = f"line {line}: {source}" if line != ALTERED_LINE else "changed by the person, by no line of the script"
    return f"{text}\n  {place}", data
