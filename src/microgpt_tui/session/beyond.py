"""Searching on into other episodes, those that were not kept among them: these are run again, stretch by stretch."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.moment import Moment
from microgpt_tui.trace.trace import Trace

Test = Callable[[Trace], int | None]
"""The event of an episode that is looked for, or None."""


def beyond(debugger: Debugger, direction: int, test: Test) -> Generator[None, None, Moment | None]:
    """The nearest episode before (-1) or after (1) the cursor's in which something is found.

    Each ``next`` goes as far as the script has to be waited for; ``pause`` gives up. Where an episode cannot be run
    again, the search ends there, and the debugger's notice says why.
    """
    history, travel = debugger.history, debugger.travel
    debugger.notice = ""
    for first, last in stretches(debugger, direction):
        trace = history.traces.get(first) if first == last else None
        if trace is not None:
            event = test(trace) if len(trace) else None
            if event is not None:
                return Moment(trace.index, event)
            continue
        if not travel.scan(first, last, test, nearest=direction > 0):
            return None
        yield
        if travel.found is not None or debugger.notice:
            return travel.found
    return None


def stretches(debugger: Debugger, direction: int) -> Iterator[tuple[int, int]]:
    """Episodes, first and last, in the order of the search: recorded ones one by one, others from checkpoint on."""
    here, history, checkpoints = debugger.moment.episode, debugger.history, debugger.checkpoints
    owner = debugger.branch.owner
    known = sorted({*history.traces, *(s.index for s in history.summaries)})
    starts = {c.index for c in checkpoints.items if c.run == owner(c.index)} if checkpoints is not None else set()
    found: list[tuple[int, int]] = []
    for index in known:
        if index >= here if direction < 0 else index <= here:
            continue
        joins = bool(found) and found[-1][1] == index - 1 and index not in history.traces and index not in starts
        if joins and found[-1][0] not in history.traces and owner(found[-1][0]) == owner(index):
            found[-1] = found[-1][0], index
        else:
            found.append((index, index))
    return iter(found if direction > 0 else found[::-1])


def to_stop_before(debugger: Debugger) -> Iterator[None]:
    """To the stop before; without one to the beginning of the history. Never ends the session."""
    start, breakpoints = debugger.moment, debugger.breakpoints
    if not breakpoints.any_set:
        debugger.continue_backward()
        yield
        return
    debugger.notice, debugger.hit = "", None
    trace = debugger.trace
    hit = breakpoints.before(trace, start.event) if trace is not None else None
    found = Moment(start.episode, hit.event) if hit is not None else None
    if found is None:
        found = yield from beyond(debugger, -1, lambda t: _event(breakpoints.before(t, len(t))))
    if found is not None:
        debugger.stop_at(found)
    elif not debugger.notice:
        debugger.moment = Moment(min(debugger.history.recorded, default=0), 0)
        debugger.notice = "no earlier stop: this is the beginning of the history"
    yield


def to_stop_after(debugger: Debugger) -> Iterator[None]:
    """To the next stop: in the record first, in steps that were not kept too, then live."""
    start, breakpoints = debugger.moment, debugger.breakpoints
    trace, newest = debugger.trace, debugger.history.newest
    if breakpoints.any_set and trace is not None and newest is not None and trace is not newest:
        debugger.hit = None
        hit = breakpoints.after(trace, start.event)
        found = Moment(start.episode, hit.event) if hit is not None else None
        if found is None:
            found = yield from beyond(debugger, 1, lambda t: _event(breakpoints.after(t, -1)))
        if found is not None:
            breakpoints.take_logs_between(debugger.history.traces[found.episode], -1, found.event)
            debugger.stop_at(found)
            yield
            return
        if debugger.notice:
            return
        debugger.to_frontier()
    debugger.continue_forward()
    yield


def _event(hit: object) -> int | None:
    event = getattr(hit, "event", None)
    return event if isinstance(event, int) else None
