"""Whether a goal is reached: by the columns of the running episode, or by the episode that begins."""

from __future__ import annotations

from collections.abc import Callable

from microgpt_tui.debuggee.encode.encoder import Encoder
from microgpt_tui.protocol import goals
from microgpt_tui.protocol.codes import ACCUMULATE, CREATE, SiteKind
from microgpt_tui.protocol.goals import Goal
from microgpt_tui.protocol.stops import GoalMet, Paused, StepsOver, Stop


def within_episode(goal: Goal) -> bool:
    """True for a goal that every event has to be looked at for."""
    return not isinstance(goal, goals.End | goals.Episode | goals.Steps | goals.Phase | goals.Whole | goals.At)


def checker(goal: Goal, encoder: Encoder, start: int) -> Callable[[], bool]:
    """Tells whether a goal within an episode is reached by now; the script has gone on from ``start`` events."""
    kinds, last = encoder.c["kind"], encoder.c["scope_last"]
    if isinstance(goal, goals.Events):
        wanted = goal.count
        return lambda: len(kinds) >= wanted
    if isinstance(goal, goals.Operation):
        return lambda: (
            len(kinds) > start
            and encoder.scopes.operation_depth == 0
            and not (kinds[-1] == CREATE and encoder.nodes.last_is_constant)
        )
    if isinstance(goal, goals.ScopeEnd):
        scope = goal.scope
        return lambda: bool(last[scope] >= 0)
    if isinstance(goal, goals.AfterScope):
        scope = goal.scope
        return lambda: bool(last[scope] >= 0 and len(kinds) > max(start, last[scope] + 1))
    if isinstance(goal, goals.Iteration):
        sites, stack = goal.sites, encoder.scopes.stack
        return lambda: any(s.kind is SiteKind.ITERATION and s.site in sites and s.number >= 0 for s in stack)
    if isinstance(goal, goals.OtherSource):
        node = goal.node
        return lambda: len(kinds) > start and (kinds[-1] != ACCUMULATE or encoder.writes.newest_source() != node)
    raise ValueError(f"{goal} is no goal within an episode")


def at_beginning(goal: Goal, kind: str, number: int, steps_over: int, *, pause: bool) -> Stop | Goal | None:
    """What an episode that begins means: a stop, another goal to go on with, or nothing.

    ``Paused`` is a stop at its first event. ``steps_over``: training steps so far; ``pause``: one is asked for.
    """
    if 0 < goal.most_steps <= steps_over:
        return StepsOver()
    if isinstance(goal, goals.Steps):
        return GoalMet() if pause or steps_over >= goal.count else None
    if pause:
        return Paused()
    if kind == "other" or isinstance(goal, goals.End | goals.Whole | goals.At):
        return None
    if isinstance(goal, goals.Episode) and not goal.is_at(kind, number):
        return None
    return goals.Operation(most_steps=goal.most_steps)
