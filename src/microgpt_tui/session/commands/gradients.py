"""What may be wrong: the gradient check, and the root cause of a failure."""

from __future__ import annotations

from microgpt_tui.session.commands.command import Command, Result
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.diagnosis import checked, diagnose
from microgpt_tui.session.where import where

NOTHING = "nothing to explain: no NaN, no infinity and no failing operation in this episode, so far"


def _check(debugger: Debugger, argument: str) -> Result:
    report = checked(debugger, argument)
    rows = [{"kind": f.kind, "node": f.node, "event": f.event, "line": f.line, "text": f.text} for f in report.findings]
    if report.findings:
        debugger.found = [Moment(debugger.moment.episode, f.event) for f in report.findings]
    operations = [{"operation": o, "checked": n, "wrong": w} for o, n, w in report.operations]
    data = {"findings": rows, "operations": operations, "gradients": report.gradients}
    return Result(report.text, data, status=1 if rows else 0)


def _root_cause(debugger: Debugger, argument: str) -> Result:
    cause = diagnose(debugger)
    if cause is None:
        return Result(NOTHING, {"what": None})
    if argument == "go" and cause.origin is not None:
        debugger.jump(Moment(debugger.moment.episode, max(0, cause.origin.event)))
        return Result(*where(debugger))
    chain = [{"node": x.node, "name": x.name, "op": x.op, "data": x.data, "line": x.line, "event": x.event,
              "history": list(x.history)} for x in cause.chain]  # fmt: skip
    origin = None if cause.origin is None else cause.origin.name
    return Result(cause.text, {"what": cause.what, "line": cause.line, "origin": origin, "said": cause.said,
                               "chain": chain}, status=1)  # fmt: skip


COMMANDS = (
    Command("check", "[SCOPE]", "Test gradients: local ones by finite differences, sums by another pass", _check,
            aliases=("k",)),
    Command("rootcause", "[go]", "Where a NaN, an infinity or a failing operation comes from", _root_cause,
            choices=lambda debugger: ["go"]),
)  # fmt: skip
