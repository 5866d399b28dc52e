"""Searching the episode under the cursor, and walking through what was found."""

from __future__ import annotations

from collections.abc import Sequence

from microgpt_tui.session.beyond import beyond
from microgpt_tui.session.commands.breakpoints import places
from microgpt_tui.session.commands.command import Command, CommandError, Effect, Moves, Result
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.trace import find
from microgpt_tui.trace.find import Found, Results
from microgpt_tui.trace.trace import Trace

MOST_ROWS = 1000
"""Rows of a search that are given as data."""


def found(debugger: Debugger, text: str) -> Sequence[Found]:
    """Search the episode under the cursor. Raises ConditionError."""
    trace = debugger.trace
    if trace is None or not len(trace):
        return []
    return find.find(trace, find.read_query(text), debugger.moment.event, debugger.breakpoints.output)


def _find(debugger: Debugger, argument: str) -> Result:
    rows = found(debugger, argument)
    debugger.query = argument
    data = [{"event": r.event, "node": r.node, "name": r.name, "op": r.op, "data": r.data, "line": r.line}
            for r in rows[:MOST_ROWS]]  # fmt: skip
    head = f"{len(rows):,} found" + (", the first 20:" if len(rows) > 20 else "")
    lines = [f"  {r.event + 1:>9,}  {r.name or '#' + str(r.node):<24} {r.op:<8} {r.data:<+14.6g} line {r.line}"
             for r in rows[:20]]  # fmt: skip
    events = rows.events if isinstance(rows, Results) else [r.event for r in rows]
    debugger.found = [Moment(debugger.moment.episode, e) for e in events]
    return Result("\n".join([head, *lines]), {"count": len(rows), "found": data})


def _to_found(debugger: Debugger, by: int) -> Moves:
    def place(moment: Moment) -> tuple[int, int]:
        return moment.episode, moment.event

    here = place(debugger.moment)
    ahead = [m for m in debugger.found if (place(m) > here if by > 0 else place(m) < here)]
    if ahead:
        debugger.jump(min(ahead, key=place) if by > 0 else max(ahead, key=place))
        yield
        return
    if not debugger.query:
        raise CommandError("nothing is being looked for: `find` first")
    query = find.read_query(debugger.query)
    start = debugger.moment

    def test(trace: Trace) -> int | None:
        events = [r.event for r in find.find(trace, query, 0, debugger.breakpoints.output)]
        return (min if by > 0 else max)(events, default=None)

    moment = yield from beyond(debugger, by, test)
    if moment is None:
        raise CommandError(debugger.notice or f"no more of them {'after' if by > 0 else 'before'} this, in any episode")
    debugger.moment = start
    debugger.jump(moment)
    rows = found(debugger, debugger.query)
    debugger.found = [Moment(moment.episode, r.event) for r in rows]
    yield


def _findnext(debugger: Debugger, argument: str) -> Moves:
    return _to_found(debugger, 1)


def _findprev(debugger: Debugger, argument: str) -> Moves:
    return _to_found(debugger, -1)


COMMANDS = (
    Command("find", "[WHAT] [sort KEY]", "Nodes by name, regular expression, operation, line, scope, value", _find,
            aliases=("/",), choices=places),
    Command("findnext", "", "To the next one found, in later episodes too", _findnext, Effect.STEPS, (".",)),
    Command("findprev", "", "To the one found before, in earlier episodes too", _findprev, Effect.STEPS, (",",)),
)  # fmt: skip
