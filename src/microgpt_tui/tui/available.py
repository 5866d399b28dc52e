"""Which commands do something now: the footer shows no others."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from microgpt_tui.session.commands.command import Effect, lookup, permitted
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.tui.screen_commands import ALL

BACKWARDS = frozenset({"back", "rnext", "rfinish", "prevpos", "rphase", "prevstep", "rcontinue"})


@runtime_checkable
class HasDebugger(Protocol):
    """A screen over a session."""

    debugger: Debugger


def works_now(debugger: Debugger, name: str) -> bool:
    """False for a command that would be refused, or that has nowhere to go."""
    command = lookup(name, ALL)
    if not permitted(debugger, command):
        return False
    if debugger.running:
        return command.effect is Effect.ALWAYS or name == "run"
    if command.effect not in (Effect.STEPS, Effect.RUNS):
        return True
    if name in BACKWARDS:
        first = min(debugger.history.traces, default=0)
        return debugger.moment.event > 0 or debugger.moment.episode > first
    return not (debugger.over and debugger.at_frontier) or name == "goto"
