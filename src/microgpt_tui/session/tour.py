"""The guided tour, walked: it drives the debugger from stop to stop, can be left anywhere, and goes on from there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from microgpt_tui.narrate.tour import CHAPTERS, TourStop, sample_tour, step_tour
from microgpt_tui.protocol.moments import MomentError, MomentName
from microgpt_tui.session.moment import Moment
from microgpt_tui.session.reach import reach

if TYPE_CHECKING:
    from microgpt_tui.session.debugger import Debugger

FAREWELL = (
    "That was one step and one sample. predict asks you for the next number before it is shown, play walks by itself, "
    "? explains the pane in focus, and tour 1 begins anew."
)


class Tour:
    """Where the tour is: a stop of a training step, or of a sample."""

    def __init__(self) -> None:
        self.shown = False
        """The stop is on the screen; False before the tour has begun, and while it is left."""
        self.place = -1
        """Which stop, from 0; -1 before the first."""
        self.step = -1
        """The episode that is walked through; -1 before the first stop."""
        self.sample = -1

    def stops(self, debugger: Debugger) -> list[TourStop]:
        """Every stop so far; a sample that is to come is one sentence."""
        trace = debugger.history.traces.get(self.step)
        if trace is None:
            return []
        sample = debugger.history.traces.get(self.sample)
        last = sample_tour(sample) if sample is not None else (TourStop("sampling", _to_come(debugger)),)
        return [*step_tour(trace), *last, TourStop("end", FAREWELL)]

    def stop(self, debugger: Debugger) -> TourStop | None:
        """The stop where the tour is; None before it has begun."""
        stops = self.stops(debugger)
        return stops[self.place] if 0 <= self.place < len(stops) else None

    def title(self, debugger: Debugger) -> str:
        """``tour 4 of 14 · attention``"""
        stop = self.stop(debugger)
        return f"tour {self.place + 1} of {len(self.stops(debugger))} · {stop.chapter}" if stop is not None else "tour"

    def lost(self, debugger: Debugger) -> bool:
        """True after a restart: its episode is none of this run."""
        return self.step not in debugger.history.traces

    # -- moves: each ``next`` goes as far as the script has to be waited for -----------------------

    def go(self, debugger: Debugger, place: int) -> Iterator[None]:
        """To a stop, from 0; a sample is run to. Raises MomentError where there is none."""
        if self.step < 0 or self.lost(debugger):
            yield from self._begin(debugger)
        stops = self.stops(debugger)
        place = max(0, min(place, len(stops) - 1))
        if stops[place].chapter == "end" and self.sample < 0 and debugger.history.program.sample_sites:
            yield from self._to_sample(debugger)
            stops = self.stops(debugger)
            place = next((i for i, s in enumerate(stops) if s.chapter == "sampling"), place)
        self.place, self.shown = place, True
        debugger.notice = ""
        stop = stops[place]
        if stop.event >= 0:
            debugger.jump(Moment(self.sample if stop.chapter == "sampling" else self.step, stop.event))

    def chapter(self, debugger: Debugger, name: str) -> Iterator[None]:
        """To the first stop of a chapter. Raises MomentError for one that there is not."""
        if self.step < 0 or self.lost(debugger):
            yield from self._begin(debugger)
        chapters = [s.chapter for s in self.stops(debugger)]
        found = next((i for i, c in enumerate(chapters) if c.lower().startswith(name.lower())), -1)
        if found < 0:
            raise MomentError(f"no chapter “{name}”: {', '.join(CHAPTERS)}")
        yield from self.go(debugger, found)

    def _begin(self, debugger: Debugger) -> Iterator[None]:
        self.place = self.step = self.sample = -1
        trace = debugger.trace
        if trace is not None and trace.episode_kind == "step":
            number = trace.number
        else:
            number = 1 if debugger.history.program.train_sites else 0
        if number:
            yield from reach(debugger, MomentName("step", number), whole=True)
            trace = debugger.trace
        if trace is None or not len(trace):
            raise MomentError("the script has done nothing yet that could be shown")
        self.step = trace.index
        self.sample = _recorded_sample(debugger)

    def _to_sample(self, debugger: Debugger) -> Iterator[None]:
        yield from reach(debugger, MomentName("sample", 1), whole=True)
        trace = debugger.trace
        if trace is None or trace.episode_kind != "sample":
            raise MomentError("the way to the sample was given up; it goes on from where the script is")
        self.sample = trace.index


def _recorded_sample(debugger: Debugger) -> int:
    """A sample that is recorded whole, or -1."""
    whole = (i for i, t in debugger.history.traces.items() if t.episode_kind == "sample" and t.complete)
    return min(whole, default=-1)


def _to_come(debugger: Debugger) -> str:
    program = debugger.history.program
    if not program.sample_sites:
        return "Sampling: there is none here. The script has no loop in which it makes texts."
    steps, total = len(debugger.history.steps), program.total_steps
    left = f" {total - steps:,} of {total:,} steps are still to come." if total is not None and total > steps else ""
    return (
        f"Sampling: what the model writes comes when the script gets there.{left} The next stop runs on to it; it can "
        "be paused, and the tour goes on from there."
    )
