"""The commands that ask and change: print, set, find, check, the root cause of a failure."""

from __future__ import annotations

from microgpt_tui.session import changing
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.looking import checked, diagnose, evaluated, found
from microgpt_tui.session.moving import moved
from microgpt_tui.session.result import CommandError, Handler, Result
from microgpt_tui.trace.find import Results

MOST_ROWS = 1000
"""Rows of a search that are given as data."""

# -- looking and changing --------------------------------------------------------------------


def show(debugger: Debugger, argument: str) -> Result:
    return moved(debugger)


def print_value(debugger: Debugger, argument: str) -> Result:
    if not argument:
        raise CommandError("print what? An expression of the script's own, as print q[:4]")
    text, data = evaluated(debugger, argument)
    return Result(text, data)


def set_node(debugger: Debugger, argument: str) -> Result:
    name, sign, value = argument.partition("=")
    if not sign:
        raise CommandError("set NODE = X, as set layer0.attn_wq[0][0] = 0.5")
    change = changing.set_value(debugger, name.strip(), value.strip())
    return Result(change.text, {"node": change.node, "name": change.name, "old": change.old, "new": change.new})


def undo(debugger: Debugger, argument: str) -> Result:
    change = changing.undo(debugger)
    return Result(change.text, {"node": change.node, "name": change.name, "old": change.old, "new": change.new})


def find_nodes(debugger: Debugger, argument: str) -> Result:
    rows = found(debugger, argument)
    data = [{"event": r.event, "node": r.node, "name": r.name, "op": r.op, "data": r.data, "line": r.line}
            for r in rows[:MOST_ROWS]]  # fmt: skip
    head = f"{len(rows):,} found" + (", the first 20:" if len(rows) > 20 else "")
    lines = [f"  {r.event + 1:>9,}  {r.name or '#' + str(r.node):<24} {r.op:<8} {r.data:<+14.6g} line {r.line}"
             for r in rows[:20]]  # fmt: skip
    if rows:
        events = rows.events if isinstance(rows, Results) else [r.event for r in rows]
        debugger.found = [Moment(debugger.moment.episode, e) for e in events]
    return Result("\n".join([head, *lines]), {"count": len(rows), "found": data})


def finding(by: int) -> Handler:
    def run(debugger: Debugger, argument: str) -> Result:
        places = sorted(set(debugger.found), key=lambda m: (m.episode, m.event))
        here = (debugger.moment.episode, debugger.moment.event)
        if by > 0:
            target = next((m for m in places if (m.episode, m.event) > here), None)
        else:
            target = next((m for m in reversed(places) if (m.episode, m.event) < here), None)
        if target is None:
            raise CommandError("nothing is being looked for: `find` first" if not places else "no more of them there")
        debugger.jump(target)
        return moved(debugger)

    return run


def check_gradients(debugger: Debugger, argument: str) -> Result:
    report = checked(debugger, argument)
    rows = [{"kind": f.kind, "node": f.node, "event": f.event, "line": f.line, "text": f.text} for f in report.findings]
    if report.findings:
        debugger.found = [Moment(debugger.moment.episode, f.event) for f in report.findings]
    operations = [{"operation": o, "checked": n, "wrong": w} for o, n, w in report.operations]
    return Result(report.text, {"findings": rows, "operations": operations, "gradients": report.gradients})


def root_cause(debugger: Debugger, argument: str) -> Result:
    cause = diagnose(debugger)
    if cause is None:
        raise CommandError("no NaN, no infinity and no failing operation here: nothing to explain")
    if argument in ("go", "goto") and cause.origin is not None:
        event = cause.origin.event
        debugger.jump(Moment(debugger.moment.episode, event if event >= 0 else 0))
        return moved(debugger)
    chain = [{"node": x.node, "name": x.name, "op": x.op, "data": x.data, "line": x.line, "event": x.event,
              "history": list(x.history)} for x in cause.chain]  # fmt: skip
    origin = None if cause.origin is None else cause.origin.name
    return Result(cause.text, {"what": cause.what, "line": cause.line, "origin": origin, "said": cause.said,
                               "chain": chain})  # fmt: skip
