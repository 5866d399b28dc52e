"""Going to a moment, and back to where one came from."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from microgpt_tui.protocol.moments import MARKS, parse
from microgpt_tui.session.commands.command import Command, CommandError, Effect, Moves, Result
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.moment import recorded, resolve
from microgpt_tui.session.reach import again, reach
from microgpt_tui.trace import breakpoints


def _goto(debugger: Debugger, argument: str) -> Moves:
    word, _, rest = argument.partition(" ")
    if word == "bookmark":
        debugger.jump(_bookmarked(debugger, rest.strip()))
    elif word == "byte":
        yield from to_printed(debugger, int(rest))
    elif word == "line":
        debugger.jump(_line(debugger, rest.strip()))
    else:
        yield from reach(debugger, parse(argument))


def _line(debugger: Debugger, text: str) -> Moment:
    trace = debugger.trace
    if trace is None:
        raise CommandError("nothing is recorded here")
    place = breakpoints.resolve(breakpoints.parse(text, trace.program), trace.program)
    events, _ = breakpoints.find(place, trace, debugger.breakpoints.output)
    if not events:
        raise CommandError(f"line {text} is not reached in this episode, as far as it is recorded")
    return Moment(trace.index, next((e for e in events if e > debugger.moment.event), events[0]))


def to_printed(debugger: Debugger, byte: int) -> Moves:
    """To the print that wrote a byte of the output, in whichever episode that was."""
    history = debugger.history
    index = history.printed_in(byte)
    if index is None and history.newest is not None:
        index = history.newest.index
    if index is None:
        raise CommandError("nothing was printed yet")
    yield from again(debugger, index)
    trace = history.traces[index]
    row = bisect_right(trace.print_end, byte)
    if row == len(trace.print_event):
        raise CommandError("that was printed by no print of the script's own")
    debugger.jump(Moment(index, trace.print_event[row]))


def _bookmarked(debugger: Debugger, name: str) -> Moment:
    moment = debugger.bookmarks.get(name)
    if moment is None:
        raise CommandError(f"no bookmark “{name}”; there are: {', '.join(debugger.bookmarks) or 'none'}")
    return moment


def _visit(debugger: Debugger, direction: int) -> Moves:
    if not debugger.visit(direction):
        raise CommandError("no earlier place to return to" if direction < 0 else "no later place")
    yield


def _return(debugger: Debugger, argument: str) -> Moves:
    return _visit(debugger, -1)


def _forward(debugger: Debugger, argument: str) -> Moves:
    return _visit(debugger, 1)


def _bookmark(debugger: Debugger, argument: str) -> Result:
    name, at, moment = argument.partition(" at ")
    if argument:
        here = debugger.moment
        debugger.bookmarks[name.strip()] = resolve(debugger.history, parse(moment), here) if at else here
    marks = {name: debugger.name_of(moment) for name, moment in debugger.bookmarks.items()}
    rows = [f"  {name:<20} {moment}" for name, moment in marks.items()]
    return Result("\n".join(rows) or "no bookmarks: `bookmark NAME` sets one here", {"bookmarks": marks})


def _history(debugger: Debugger, argument: str) -> Result:
    history, checkpoints = debugger.history, debugger.checkpoints
    lines = [recorded(history)]
    data: dict[str, Any] = {"recorded": history.recorded, "bytes": history.nbytes, "dropped": history.dropped}
    if checkpoints is None:
        lines.append("no checkpoints (--history-memory 0): what was run freely is gone")
    else:
        checkpoints.welcome()
        places = sorted({c.index for c in checkpoints.items if c.run == debugger.branch.number})
        names = [str(debugger.name_of(Moment(i, -1))) for i in places]
        data.update(checkpoints=names, private=checkpoints.memory, budget=checkpoints.budget,
                    dropped_checkpoints=checkpoints.dropped)  # fmt: skip
        lines.append(f"checkpoints before {', '.join(names)}" if names else "no checkpoint")
        lines.append(debugger.memory)
        if history.cannot_sleep:
            lines.append(f"no checkpoint could be made: {history.cannot_sleep}")
    if history.dropped or (checkpoints is not None and checkpoints.dropped):
        lines.append(
            f"let go to keep to it: {history.dropped} recorded episodes, "
            f"{checkpoints.dropped if checkpoints is not None else 0} checkpoints"
        )
    lines += history.differing
    return Result("\n".join(lines), data)


def _moments(debugger: Debugger) -> list[str]:
    marks = [f"bookmark {name}" for name in debugger.bookmarks]
    return [*MARKS, "setup", "line ", "sample ", "step ", "bookmark ", *marks]


COMMANDS = (
    Command("goto", "MOMENT", "Go to 3:1200, :1200, 3:loss, sample 2, setup, start, end; line 102; bookmark NAME",
            _goto, Effect.STEPS, ("g",), _moments),
    Command("return", "", "Back to where you came from", _return, Effect.STEPS),
    Command("forward", "", "Undo a return", _forward, Effect.STEPS),
    Command("history", "", "What there is to go back to: recorded steps, checkpoints, their memory", _history),
    Command("bookmark", "[NAME] [at MOMENT]", "Name this moment or another; list the names", _bookmark,
            choices=lambda debugger: list(debugger.bookmarks)),
)  # fmt: skip
