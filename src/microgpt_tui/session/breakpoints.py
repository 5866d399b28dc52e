"""The breakpoints that the person has set: numbered, counted, kept over a restart."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from microgpt_tui.protocol.breakpoints import LiveBreakpoint, Resolved
from microgpt_tui.protocol.conditions import ConditionError, template
from microgpt_tui.protocol.conditions import condition as condition_of
from microgpt_tui.protocol.messages import Hits
from microgpt_tui.protocol.stops import AtBreakpoints
from microgpt_tui.session.moment import Moment
from microgpt_tui.trace import breakpoints as places
from microgpt_tui.trace.breakpoints import BreakpointError, Place, resolve
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.facts import facts, loop_names
from microgpt_tui.trace.references import NotHere
from microgpt_tui.trace.trace import Program, Trace
from microgpt_tui.trace.watches import Expression, candidates, expression

NAN_NUMBER = 0
"""The breakpoint that is always there: the first operation that makes a NaN or an infinity."""


@dataclass(slots=True)
class Breakpoint:
    """One line of the list. ``place`` says where; a watch has an ``expression`` instead."""

    number: int
    place: Place
    expression: str = ""
    """WATCH: stop when its value changes."""
    enabled: bool = True
    temporary: bool = False
    ignore: int = 0
    """So many hits are passed by first, counted from where it was set."""
    log: str | None = None
    """LOG POINT: what to say instead of stopping."""
    since: tuple[int, int] = (0, -1)
    """(episode, event) where it was set: hits after it count."""
    live_hits: dict[int, int] = field(default_factory=dict)
    """Episode -> hits in it as the script reported them."""
    file: int = 0
    line: int = 0
    """LINE: where its mark stands in the gutter; 0 for another kind."""
    failure: str = ""
    """Why it was switched off by itself."""
    commands: list[str] = field(default_factory=list)
    """Given when it has stopped."""

    @property
    def text(self) -> str:
        """As one would write it."""
        if self.expression:
            return f"watch {self.expression}"
        return f"log {self.place} {self.log!r}" if self.log is not None else f"{self.place}"

    def describe(self, hits: int) -> str:
        """A line of the list."""
        notes = [n for n, said in (
            ("temporary", self.temporary), (f"ignore {self.ignore}", bool(self.ignore)), ("off", not self.enabled),
            (f"commands: {'; '.join(self.commands)}", bool(self.commands)), (self.failure, bool(self.failure)),
        ) if said]  # fmt: skip
        counted = f"{hits} hit{'' if hits == 1 else 's'}"
        return f"{self.number:>3}  {self.text}" + (f"  ({', '.join(notes)})" if notes else "") + f"  {counted}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A stop in the record: its event and who stops there."""

    event: int
    numbers: tuple[int, ...]


class BreakpointList:
    """All breakpoints of a session. Changing it changes ``revision``, which searches are cached by."""

    def __init__(self) -> None:
        self.items: list[Breakpoint] = [Breakpoint(NAN_NUMBER, Place("nan"))]
        self.allowed: list[str] = []
        """Conditions under which a NaN or an infinity is expected."""
        self.revision = 0
        self.next_number = 1
        self.output: places.Output | None = None
        self.traces: Mapping[int, Trace] = {}
        """The recorded episodes, by index."""
        self.logs: list[tuple[int, str, Moment]] = []
        self._done: tuple[Moment, tuple[int, ...]] | None = None
        """The stop whose commands were given last."""

    def attach(self, traces: Mapping[int, Trace], output: places.Output) -> None:
        """The recorded episodes that are searched, and what reads a line of the script's output."""
        self.traces, self.output = traces, output

    def __iter__(self) -> Iterator[Breakpoint]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def changed(self) -> None:
        """Searches must be made anew."""
        self.revision += 1

    def due(self, hit: tuple[Moment, tuple[int, ...]] | None) -> list[str]:
        """The commands of those that have stopped; once a stop."""
        if hit is None or hit == self._done:
            return []
        self._done = hit
        return [c for b in self.items if b.number in hit[1] for c in b.commands]

    # -- setting -----------------------------------------------------------------------------

    def add(self, place: Place, program: Program, **options: Any) -> Breakpoint:
        """Set one. Raises BreakpointError or ConditionError for one that cannot be."""
        if options.get("log") is not None:
            template(options["log"], loop_names(program))
        resolve(place, program)
        made = Breakpoint(self.next_number, place, **options)
        if place.kind == "line":
            made.file, made.line = line_of(place, program)
        return self._append(made)

    def watch(self, text: str, program: Program, **options: Any) -> Breakpoint:
        """Stop when an expression changes. Raises BreakpointError or ConditionError."""
        candidates(expression(text, program), program)
        return self._append(Breakpoint(self.next_number, Place("any"), expression=text.strip(), **options))

    def _append(self, made: Breakpoint) -> Breakpoint:
        self.items.append(made)
        self.next_number += 1
        self.changed()
        return made

    def get(self, number: int) -> Breakpoint:
        """The one with this number. Raises BreakpointError."""
        for b in self.items:
            if b.number == number:
                return b
        raise BreakpointError(f"there is no breakpoint {number}; `breakpoints` lists them")

    def delete(self, number: int) -> None:
        """Remove it; number 0 (nan) is switched off instead. Raises BreakpointError."""
        found = self.get(number)
        if number == NAN_NUMBER:
            found.enabled = False
        else:
            self.items.remove(found)
        self.changed()

    def enable(self, number: int, enabled: bool = True) -> None:
        """Switch it on or off. Raises BreakpointError."""
        found = self.get(number)
        found.enabled, found.failure = enabled, ""
        self.changed()

    def allow(self, condition: str, program: Program) -> None:
        """A NaN or an infinity is expected where this is true. Raises ConditionError."""
        condition_of(condition, loop_names(program))
        self.allowed.append(condition)
        self.get(NAN_NUMBER).place = Place("nan", "", " and ".join(f"not ({a})" for a in self.allowed))
        self.changed()

    def toggle_line(self, file: int, line: int, program: Program, since: tuple[int, int] = (0, -1)) -> bool:
        """Set one on a line, or remove those that are there; True when one was set. Raises BreakpointError."""
        here = self.on_line(file, line)
        for b in here:
            self.delete(b.number)
        if not here:
            self.add(places.parse("", program, line=(file, line)), program, since=since)
        return not here

    def on_line(self, file: int, line: int) -> list[Breakpoint]:
        """Those that are set on a line of a file: the gutter's marks."""
        return [b for b in self.items if b.line and (b.file, b.line) == (file, line)]

    # -- searching ---------------------------------------------------------------------------

    def resolved(self, b: Breakpoint, program: Program) -> list[Resolved]:
        """What it means in this program; empty for one that cannot be, with ``failure`` set."""
        try:
            return _resolved(b.place, b.expression, program)
        except (BreakpointError, ConditionError) as error:
            b.failure = str(error).splitlines()[0]
            return []

    def events_of(self, b: Breakpoint, trace: Trace) -> list[int]:
        """Every event of a trace at which it stops or logs, whether it is switched on or not."""
        events, failure = _events(trace, b.place, b.expression, self.output)
        b.failure = failure or b.failure
        return events

    def stops_of(self, b: Breakpoint, trace: Trace) -> list[int]:
        """Those events at which it stops: without the ones that ``ignore`` passes by."""
        events = self.events_of(b, trace)
        if not b.ignore:
            return events
        if trace.index < b.since[0]:
            return events
        start = bisect_right(events, b.since[1]) if trace.index == b.since[0] else 0
        before = self.counted(b, trace.index)
        return events[:start] + events[start + max(0, b.ignore - before) :]

    def counted(self, b: Breakpoint, end: int | None = None) -> int:
        """Hits since it was set, in the episodes before ``end`` (in all of them without it)."""
        total = 0
        for episode in {*self.traces, *b.live_hits}:
            if episode < b.since[0] or (end is not None and episode >= end):
                continue
            trace = self.traces.get(episode)
            if trace is None:
                total += b.live_hits.get(episode, 0)
                continue
            events = self.events_of(b, trace)
            total += len(events) - (bisect_right(events, b.since[1]) if episode == b.since[0] else 0)
        return total

    def after(self, trace: Trace, event: int) -> Hit | None:
        """The first stop after an event."""
        return self._nearest(trace, event, forward=True)

    def before(self, trace: Trace, event: int) -> Hit | None:
        """The last stop before an event."""
        return self._nearest(trace, event, forward=False)

    def _nearest(self, trace: Trace, event: int, *, forward: bool) -> Hit | None:
        found: dict[int, list[int]] = {}
        for b in self.items:
            if not b.enabled or b.log is not None:
                continue
            events = self.stops_of(b, trace)
            at = bisect_right(events, event) if forward else bisect_left(events, event) - 1
            if 0 <= at < len(events):
                found.setdefault(events[at], []).append(b.number)
        if not found:
            return None
        nearest = min(found) if forward else max(found)
        return Hit(nearest, tuple(found[nearest]))

    def take_logs_between(self, trace: Trace, first: int, last: int) -> None:
        """What log points say at events first+1..last of the record."""
        said = []
        for b in self.items:
            if b.log is None or not b.enabled:
                continue
            made = template(b.log, loop_names(trace.program))
            known = facts(trace)
            for e in self.stops_of(b, trace):
                if first < e <= last:
                    said.append((b.number, made.render(known.at(e, made.names)), Moment(trace.index, e)))
        self.logs += sorted(said, key=lambda s: s[2].event)

    # -- live --------------------------------------------------------------------------------

    def live(self, program: Program, stdout: str) -> tuple[LiveBreakpoint, ...]:
        """What the running script is to look for."""
        return tuple(
            LiveBreakpoint(b.number, place, b.log, max(0, b.ignore - self.counted(b)) if b.ignore else 0, stdout)
            for b in self.items if b.enabled for place in self.resolved(b, program)
        )  # fmt: skip

    def take_hits(self, hits: Hits, episode: int) -> None:
        """What the script reports with its messages: hits in an episode, and what log points have said."""
        for number, count in hits.counts:
            for b in self.items:
                if b.number == number and not b.expression:  # of a watch these are only chances
                    b.live_hits[episode] = b.live_hits.get(episode, 0) + count
        self.logs += [(number, text, Moment(at, event)) for number, text, at, event in hits.logs]

    def take_logs(self) -> list[tuple[int, str, Moment]]:
        """What log points have said since the last time: (number, text, moment)."""
        said, self.logs = self.logs, []
        return said

    def stop_at(self, numbers: tuple[int, ...]) -> AtBreakpoints:
        """A stop at these."""
        return AtBreakpoints(numbers, tuple(b.text for n in numbers for b in self.items if b.number == n))

    def confirmed(self, stop: AtBreakpoints, trace: Trace, event: int) -> AtBreakpoints | None:
        """A stop of the script without the watches whose value has not changed; None where nothing is left."""
        numbers = []
        for number in dict.fromkeys(stop.numbers):
            watch = self.get(number)
            if not watch.expression or changes(expression(watch.expression, trace.program), trace, event):
                numbers.append(number)
                if watch.expression:
                    watch.live_hits[trace.index] = watch.live_hits.get(trace.index, 0) + 1
        if not numbers and not stop.failures:
            return None
        return replace(self.stop_at(tuple(numbers)), failures=stop.failures, event=stop.event)

    @property
    def any_set(self) -> bool:
        """True when the person has set one that can stop."""
        return any(b.enabled and b.log is None and b.number != NAN_NUMBER for b in self.items)

    def stopped(self, numbers: Sequence[int], failures: Sequence[tuple[int, str]]) -> None:
        """The script has stopped at these: temporary ones are done with, failing ones are switched off."""
        for b in list(self.items):
            if b.number in numbers and b.temporary:
                self.items.remove(b)
                self.changed()
        for number, message in failures:
            for b in self.items:
                if b.number == number:
                    b.enabled, b.failure = False, f"its condition failed: {message}"
                    self.changed()

    def restarted(self) -> None:
        """The script begins anew: the breakpoints stay, their counts do not."""
        for b in self.items:
            b.live_hits.clear()
            b.since = (0, -1)
        self.logs.clear()
        self.changed()


def _resolved(place: Place, watched: str, program: Program) -> list[Resolved]:
    return candidates(expression(watched, program), program) if watched else [resolve(place, program)]


@derived
def _events(trace: Trace, place: Place, watched: str, output: places.Output | None) -> tuple[list[int], str]:
    """The events of a place, or at which a watched expression changes; and why it fails, where it does."""
    try:
        found = [places.find(p, trace, output) for p in _resolved(place, watched, trace.program)]
    except (BreakpointError, ConditionError) as error:
        return [], str(error).splitlines()[0]
    events = sorted({event for hits, _ in found for event in hits})
    if watched:
        made = expression(watched, trace.program)
        events = [e for e in events if changes(made, trace, e)]
    return events, next((failure.message for _, failure in found if failure is not None), "")


def line_of(place: Place, program: Program) -> tuple[int, int]:
    """(file, line) of a line breakpoint."""
    name, _, number = place.target.rpartition(":")
    if not name:
        return 0, int(number)
    for i, (path, _) in enumerate(program.files):
        if path == name or path.endswith("/" + name):
            return i, int(number)
    return -1, int(number)


def changes(made: Expression, trace: Trace, event: int) -> bool:
    """True when an expression has another value after this event than before it."""

    def at(e: int) -> Any:
        try:
            return made.value(trace, e) if e >= 0 else None
        except (NotHere, ArithmeticError, ValueError, TypeError):
            return None

    before, after = at(event - 1), at(event)
    return before != after and not (before != before and after != after)
