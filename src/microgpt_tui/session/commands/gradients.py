"""What may be wrong: the gradient check, and the root cause of a failure."""

from __future__ import annotations

from collections.abc import Callable

from microgpt_tui.audit.findings import Report, Untested
from microgpt_tui.session.commands.command import Command, Result
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.diagnosis import add_failure, diagnose
from microgpt_tui.session.examination import Check
from microgpt_tui.session.where import where

NOTHING = "nothing to explain: no NaN, no infinity and no failing operation in this episode, so far"


def step_of(debugger: Debugger) -> int:
    """The training step that is checked: the one at the cursor where it is whole,
    else the last that is, else the first."""
    trace = debugger.trace
    if trace is not None and trace.episode_kind == "step" and trace.complete:
        return trace.number
    here = trace.index if trace is not None else 0
    return max((s.number for s in debugger.history.steps if s.index <= here), default=1)


def check_of(debugger: Debugger, argument: str) -> Check:
    """The check that the command makes: in a run of its own beside the session's."""
    return Check(debugger.launch, step_of(debugger), what=argument)


def finished(check: Check, progress: Callable[[str], None] = lambda text: None) -> Report:
    """The report of a check, with what has ended the run. Raises Cancelled."""
    report, run = check.run(progress)
    try:
        add_failure(report, run)
    finally:
        run.close()
    return report


def answer(debugger: Debugger, report: Report) -> Result:
    """A report as a command's answer; ``findnext`` goes to its findings."""
    places = {t.number: i for i, t in debugger.history.traces.items() if t.episode_kind == "step"}
    debugger.found = [Moment(places[f.step], f.event) for f in report.findings if f.event >= 0 and f.step in places
                      and f.event < len(debugger.history.traces[places[f.step]])]  # fmt: skip
    return Result(report.text, report.data, status=1 if report.errors else 0)


def _check(debugger: Debugger, argument: str) -> Result:
    report = finished(check_of(debugger, argument))
    if debugger.alterations:
        report.untested.append(Untested("run", "altered", "numbers set by hand are not in it: the script was run anew"))
    return answer(debugger, report)


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
    Command("check", "[WHAT]", "Audit a training step: every operation, the pass, every matrix, the optimizer", _check,
            aliases=("k",)),
    Command("rootcause", "[go]", "Where a NaN, an infinity or a failing operation comes from", _root_cause,
            choices=lambda debugger: ["go"]),
)  # fmt: skip
