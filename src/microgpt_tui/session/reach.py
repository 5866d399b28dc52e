"""Going to a moment, whether it is recorded or still to come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from microgpt_tui.protocol.moments import MomentError, MomentName
from microgpt_tui.session.moment import episode_index, recorded, resolve

if TYPE_CHECKING:
    from microgpt_tui.session.debugger import Debugger


def reach(debugger: Debugger, name: MomentName, *, whole: bool = False, run: bool = False) -> Iterator[None]:
    """Move the cursor to a moment; each ``next`` goes as far as the script has to be waited for.

    With ``whole`` its episode is recorded to its end first. With ``run`` a name without an episode is one of the whole
    run, else one of the episode under the cursor. Something else that stops the script, as a breakpoint, is where the
    way ends. Raises MomentError for a moment that there is not.
    """
    history = debugger.history
    debugger.notice = ""
    here = None if run else debugger.moment
    trace = debugger.trace
    if here is not None and not name.kind and trace is not None and trace.episode_kind in ("step", "sample"):
        name = MomentName(trace.episode_kind, trace.number, name.at)
    if run and not name.kind and name.at == "end":
        yield from _on_the_way(debugger, debugger.run())
    if name.kind and episode_index(history, name.kind, name.number) is None:
        total = history.program.total_steps
        if (name.kind == "step" and total is not None and name.number > total) or name.kind == "setup":
            raise MomentError(_none(debugger, name, total))
        yield from _on_the_way(debugger, debugger.run_to(name.kind, name.number))
        if episode_index(history, name.kind, name.number) is None:
            if debugger.over:
                raise MomentError(_none(debugger, name))
            return
    if name.kind and _is_to_come(debugger, name, whole):
        yield from _record(debugger, name, whole)
        if debugger.hit is not None:
            return
    elif name.kind and (index := episode_index(history, name.kind, name.number)) is not None:
        yield from again(debugger, index)
    debugger.jump(resolve(history, name, here))


def again(debugger: Debugger, index: int) -> Iterator[None]:
    """Where the episode was not kept, run it again."""
    if index not in debugger.history.traces:
        before = debugger.moment
        if not debugger.travel.to(index, -1):
            raise MomentError(debugger.notice)
        yield
        if index not in debugger.history.traces:
            raise MomentError(debugger.notice or "the way there was given up")
        debugger.cursor.moment = before


def _is_to_come(debugger: Debugger, name: MomentName, whole: bool) -> bool:
    """True where the episode is the running one, and not recorded as far as the moment needs it."""
    trace = debugger.history.newest
    index = episode_index(debugger.history, name.kind, name.number)
    if trace is None or trace.index != index or trace.complete or debugger.over:
        return False
    return whole or (name.at > len(trace) if isinstance(name.at, int) else name.at not in ("", "start"))


def _record(debugger: Debugger, name: MomentName, whole: bool) -> Iterator[None]:
    """Let the script go on, to the event or to the end of the running episode."""
    if isinstance(name.at, int) and not whole:
        yield from _on_the_way(debugger, debugger.run_to_event(name.at))
    else:
        debugger.to_frontier()
        yield from _on_the_way(debugger, debugger.next_episode())


def _on_the_way(debugger: Debugger, moves: bool) -> Iterator[None]:
    if not moves and not debugger.over:
        raise MomentError(debugger.notice)
    yield


def _none(debugger: Debugger, name: MomentName, total: int | None = None) -> str:
    kinds = [s.kind for s in debugger.history.summaries]
    made = f"{kinds.count('step') if total is None else total} training steps"
    samples = "" if total is not None else f" and {kinds.count('sample')} samples"
    return f"no {name.title}: the script makes {made}{samples}; {recorded(debugger.history)}"
