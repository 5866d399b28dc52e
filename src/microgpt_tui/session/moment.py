"""A point in time; what it is called, and which one a name means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from microgpt_tui.protocol.moments import MomentError, MomentName
from microgpt_tui.trace.marks import marks, name_at
from microgpt_tui.trace.trace import Trace

if TYPE_CHECKING:
    from microgpt_tui.session.history import History


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: an episode and the last event that has happened in it."""

    episode: int
    event: int


def name_of(history: History, moment: Moment) -> MomentName:
    """What a moment is called."""
    trace = history.traces.get(moment.episode)
    if trace is not None:
        return name_at(trace, moment.event)
    kind, number = _episodes(history).get(moment.episode, ("other", moment.episode))
    return MomentName(kind, number, moment.event + 1 if moment.event >= 0 else "")


def episode_index(history: History, kind: str, number: int) -> int | None:
    """The index of an episode that has begun, recorded or not."""
    return next((i for i, known in _episodes(history).items() if known == (kind, number)), None)


def _episodes(history: History) -> dict[int, tuple[str, int]]:
    found = {s.index: (s.kind, s.number) for s in history.summaries}
    return found | history.kinds()


def resolve(history: History, name: MomentName, here: Moment | None = None) -> Moment:
    """The recorded moment of that name; without an episode, in that of ``here``, or else of the whole run.

    Raises MomentError for one that is not recorded.
    """
    if name.kind:
        index = episode_index(history, name.kind, name.number)
        if index is None:
            raise MomentError(f"no {name.title} so far: {recorded(history)}")
    elif here is not None:
        index = here.episode
    else:
        index = _end_of_run(history, name)
    trace = history.traces.get(index)
    if trace is None:
        raise MomentError(f"{name.title} was run freely: only its loss and weights are kept; {recorded(history)}")
    return Moment(index, _event(trace, name))


def _end_of_run(history: History, name: MomentName) -> int:
    filled = history.recorded
    if name.at not in ("start", "end") or not filled:
        raise MomentError(f"{name}: of which episode? Such as 3:{name.at}")
    return min(filled) if name.at == "start" else max(filled)


def _event(trace: Trace, name: MomentName) -> int:
    known = marks(trace)
    if isinstance(name.at, int):
        if name.at <= len(trace):
            return name.at - 1
        so_far = "" if trace.complete else " so far"
        raise MomentError(f"{name.title} has events 1 to {len(trace):,}{so_far}" if known else _nothing(name))
    event = known.get(name.at or "start")
    if event is None:
        there = f"it has {', '.join(known)}" + ("" if trace.complete else " so far: `phase` goes on")
        raise MomentError(f"{name.title} has no {name.at}; {there}" if known else _nothing(name))
    return event


def _nothing(name: MomentName) -> str:
    return f"{name.title} has no events"


def recorded(history: History) -> str:
    """What there is to go to, in words."""
    kinds: dict[str, list[int]] = {"setup": [], "step": [], "sample": []}
    known = history.kinds()
    for kind, number in (known[index] for index in history.recorded):
        if kind in kinds:
            kinds[kind].append(number)
    parts = ["setup"] if kinds["setup"] else []
    parts += [f"{kind} {_ranges(sorted(kinds[kind]))}" for kind in ("step", "sample") if kinds[kind]]
    return f"recorded: {', '.join(parts) or 'nothing'}"


def _ranges(numbers: Iterable[int]) -> str:
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
