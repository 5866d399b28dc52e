"""Letting the script run, pausing it, beginning anew, ending."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from microgpt_tui.session.beyond import to_stop_after, to_stop_before
from microgpt_tui.session.commands.command import Command, Effect, Moves, Result, count_of
from microgpt_tui.session.commands.stepping import repeated
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.where import where
from microgpt_tui.trace.breakpoints import parse


def _to_stops(way: Callable[[Debugger], Iterator[None]], count: int, debugger: Debugger) -> Moves:
    """From stop to stop, so many of them."""
    for _ in range(count):
        yield from way(debugger)
        if debugger.hit is None:
            return


def _continue(debugger: Debugger, argument: str) -> Moves:
    return _to_stops(to_stop_after, count_of(argument), debugger)


def _rcontinue(debugger: Debugger, argument: str) -> Moves:
    return _to_stops(to_stop_before, count_of(argument), debugger)


def _until(debugger: Debugger, argument: str) -> Moves:
    program = debugger.history.program
    debugger.breakpoints.add(parse(argument, program), program, temporary=True, since=debugger.now)
    return repeated(Debugger.continue_forward, 1, debugger)


def _run(debugger: Debugger, argument: str) -> Moves:
    if argument:
        steps = count_of(argument)
        return repeated(lambda d: d.run_steps(steps), 1, debugger)
    return repeated(Debugger.run, 1, debugger)


def pause(debugger: Debugger, argument: str) -> Result:
    """Ask a running script to stop where it is."""
    if not debugger.running:
        return Result("the script is paused already", where(debugger)[1])
    debugger.pause()
    return Result("pausing", {"running": True})


def _restart(debugger: Debugger, argument: str) -> Moves:
    debugger.restart()
    yield


def _quit(debugger: Debugger, argument: str) -> Result:
    return Result("the session ends", ends=True)


COMMANDS = (
    Command("continue", "[N]", "Run to the next stop, or to the Nth", _continue, Effect.RUNS, ("c",)),
    Command("rcontinue", "[N]", "Back to the stop before, or to the Nth before", _rcontinue, Effect.RUNS, ("C",)),
    Command("until", "LINE", "Run to a line, once", _until, Effect.RUNS),
    Command("run", "[STEPS]", "Run freely, or for so many training steps; stop at breakpoints", _run, Effect.RUNS),
    Command("pause", "", "Pause where the script is; never ends the session", pause, Effect.ALWAYS),
    Command("restart", "", "Begin anew; breakpoints stay", _restart, Effect.ALWAYS),
    Command("quit", "", "End the script and the session", _quit, Effect.ALWAYS, ("q", "exit")),
)
