"""Breakpoints in the running script: hooks that look at every operation, and the exact check where one may be hit.

Free running must stay fast: a hook is generated for the breakpoints that are set, with whatever
can be decided from the live object written straight into it. Only where that leaves a doubt is
the log encoded and the event looked at as the record will show it: so that the script stops at
the very events that a search through the record finds.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.rewrite import sites as names
from microgpt_tui.debuggee.run.breakpoint_hooks import HookMaker
from microgpt_tui.debuggee.run.live_trace import LiveTrace
from microgpt_tui.debuggee.run.not_finite import suspicious_episode, suspicious_pass
from microgpt_tui.protocol.breakpoints import LiveBreakpoint, Resolved
from microgpt_tui.protocol.codes import BASE_PHASE, FORWARD, SiteKind
from microgpt_tui.protocol.conditions import LONGEST_PRINTED, printed_line, template
from microgpt_tui.protocol.messages import Hits, ScriptRead, SetupEnded
from microgpt_tui.protocol.stops import AtBreakpoints, GoalMet, Stop
from microgpt_tui.trace.breakpoints import holds
from microgpt_tui.trace.facts import fact, not_finite
from microgpt_tui.trace.trace import Trace

MOST_LOGS = 1000
"""Log lines that are kept back before they are sent."""

NEXT_PHASE = LiveBreakpoint(-1, Resolved("phase"))
"""The step to the next phase, as a breakpoint that nobody has set."""


class Armed:
    """A breakpoint that the running script looks for."""

    def __init__(self, message: LiveBreakpoint) -> None:
        self.number, self.place, self.stdout, self.ignore = (
            message.number,
            message.place,
            message.stdout,
            message.ignore,
        )
        self.kind = message.place.kind
        self.condition = message.place.predicate
        self.template = template(message.log, message.place.extra) if message.log is not None else None
        self.last = -1
        """The event of its last hit in this episode."""
        self.hits = 0

    def hit(self, trace: Trace, event: int) -> bool:
        """True for an event where it stops or speaks. Raises what its condition raises."""
        if not holds(self.place, trace, event, self.printed):
            return False
        test = self.condition
        return test is None or bool(test.test(*(fact(trace, event, n) for n in test.names)))

    def printed(self, end: int) -> str:
        """The line of output that ends at a byte."""
        try:
            with Path(self.stdout).open("rb") as handle:
                handle.seek(max(0, end - LONGEST_PRINTED))
                return printed_line(handle.read(min(end, LONGEST_PRINTED)))
        except OSError:
            return ""


class Breaks:
    """The breakpoints that are looked for now."""

    def __init__(self, recorder: Recording, stop: Callable[[Stop], None], busy: Callable[[], bool]) -> None:
        self.recorder = recorder
        self.stop = stop
        self.busy = busy
        self.armed: list[Armed] = []
        self.floor = -1
        """Events up to here have been seen: the script went on from there."""
        self.looked_at = (-1, -1)
        """The last event that was looked at, and how many bindings there were then."""
        self.searched = -1
        """Events up to here have been looked at for a NaN or an infinity."""
        self.free = False
        """The script runs freely: what makes a NaN is searched for when a loss or an episode's end shows one."""
        self.composites = False
        self.late: Callable[[str], bool] = lambda kind: False
        self.logs: list[tuple[int, str, int, int]] = []
        self.first = [0]
        """Set when the next event is the first of a scope that may be wanted."""
        recorder.on_open = self.episode_opens
        recorder.on_backward = self.backward

    def begin(self, script: ScriptRead) -> None:
        """The script has been read."""
        self.live = LiveTrace(self.recorder, script)

    def setup_ends(self, setup: SetupEnded) -> None:
        """The parameters are known."""
        self.live.setup_ends(setup)

    # -- arming ------------------------------------------------------------------------------

    def arm(self, messages: tuple[LiveBreakpoint, ...]) -> None:
        """Take a new set of breakpoints; the script is about to go on."""
        self.armed = [Armed(m) for m in messages]
        self.composites = any(a.place.composites for a in self.armed)
        self.looked_at = -1, -1
        self.free = False
        if not self.armed:
            self.unhook()
            return
        encoder = self.recorder.encoder
        encoder.feed(self.recorder.log)
        self.floor = encoder.events - 1
        self.first[0] = 1

    def episode_opens(self) -> None:
        """Another episode: numbers of events start again, and so do the scopes around it."""
        self.floor, self.searched, self.looked_at = -1, -1, (-1, -1)
        self.live.episode_opens()
        self.first[0] = 1
        for a in self.armed:
            a.last = -1
        if self.free:
            self.hook()

    def report(self) -> Hits:
        """What was hit and logged since the last report."""
        counts = tuple((a.number, a.hits) for a in self.armed if a.hits and a.number >= 0)
        for a in self.armed:
            a.hits = 0
        logs, self.logs = self.logs, []
        return Hits(counts, tuple(logs))

    # -- the exact check ---------------------------------------------------------------------

    def look(self, event: bool) -> None:
        """As ``event``, for the recorder: something was printed or drawn."""
        entry = self.recorder.log[-1]
        record = self.recorder.records[entry[0]]
        if self.late("print" if record is not None and record.kind is SiteKind.PRINT else "sample"):
            self.first[0] = 0
            self.event()

    def event(self) -> bool:
        """Something may have been hit: look at the newest event as the record shows it.

        True when the script was stopped.
        """
        encoder = self.recorder.encoder
        encoder.feed(self.recorder.log)
        event = encoder.events - 1
        newest = event, len(encoder.c["bind_event"])
        if event <= self.floor or self.busy() or (newest == self.looked_at and not self.composites):
            return False
        self.looked_at = newest
        if self.free:
            return self.look_at(self.live.trace(), event, [a for a in self.armed if a.place.kind != "nan"])
        self.searched = event
        return self.look_at(self.live.trace(), event, self.armed)

    def look_at(self, trace: Trace, event: int, armed: list[Armed], *, earlier: bool = False) -> bool:
        """Whose place this event is, the newest or an ``earlier`` one; True when the script was stopped for them."""
        hits: list[int] = []
        failures: list[tuple[int, str]] = []
        for a in armed:
            if a.last == event:
                continue
            failed = ""
            try:
                if not a.hit(trace, event):
                    continue
            except Exception as error:  # the condition's own fault: stop once and say so
                failed = f"{type(error).__name__}: {error}"
                failures.append((a.number, failed))
            a.last = event
            a.hits += 1
            if failed or (a.ignore <= 0 and a.template is None):
                hits.append(a.number)
            elif a.ignore > 0:
                a.ignore -= 1
            else:
                self.log(a, trace, event)
        if hits:
            numbers = tuple(n for n in hits if n != NEXT_PHASE.number)
            at = event if earlier else -1
            self.stop(AtBreakpoints(numbers, failures=tuple(failures), event=at) if numbers else GoalMet())
        return bool(hits)

    # -- NaN and infinity --------------------------------------------------------------------

    def backward(self, loss: Any) -> None:
        """A backward pass begins with its loss, or (without one) has ended."""
        if self.searches and suspicious_pass(self.recorder, loss):
            self.search()

    def episode_ends(self) -> None:
        """The episode is complete, and not told yet."""
        if self.searches and suspicious_episode(self.recorder):
            self.search()

    @property
    def searches(self) -> bool:
        """True when the script runs freely and is to stop where a NaN or an infinity is made."""
        return self.free and not self.busy() and any(a.place.kind == "nan" for a in self.armed)

    def search(self) -> None:
        """Stop at the first operation in the log that has made one; the script has run on meanwhile."""
        trace = self.live.trace()
        wanted = [a for a in self.armed if a.place.kind == "nan"]
        begin, self.searched = self.searched, len(trace) - 1
        for event in not_finite(trace):
            if event > begin and self.look_at(trace, event, wanted, earlier=True):
                return

    def log(self, a: Armed, trace: Trace, event: int) -> None:
        """A log point: its text, and no stop."""
        assert a.template is not None
        text = a.template.render({n: fact(trace, event, n) for n in a.template.names})
        self.logs.append((a.number, text, self.recorder.episode_index, event))
        if len(self.logs) > MOST_LOGS:
            del self.logs[: MOST_LOGS // 2]

    # -- hooks -------------------------------------------------------------------------------

    def hook(self) -> None:
        """The script runs freely: replace its hooks by ones that look for the armed breakpoints."""
        self.free = True
        places = [a.place for a in self.armed if a.place.kind != "nan"]
        if not places:
            return
        hooks = vars(builtins)
        maker = HookMaker(self.recorder, places, self.event, self.first, self.phase_now())
        made = maker.generate()
        self.late = maker.late
        for hook in (names.NODE, names.NOTE, names.MARK, names.SOURCE):
            if hook in made:
                hooks[hook] = made[hook]
        if names.NODE in made:
            self.recorder.bind_node(made[names.NODE])
        self.recorder.check = self.look
        self.hook_binds()

    def phase_now(self) -> int:
        """The phase of the newest event, where a breakpoint waits for another; else that of an episode's beginning."""
        base = BASE_PHASE.get(self.recorder.episode_kind, FORWARD)
        if self.floor < 0 or not any(a.place.kind in ("phase", "loss") for a in self.armed):
            return base
        return self.live.trace().phase_of(self.floor)

    def hook_binds(self) -> None:
        """Notice the variables that a breakpoint waits for; while stepping too."""
        wanted = (
            frozenset().union(*(a.place.sites for a in self.armed if a.kind == "var")) if self.armed else frozenset()
        )
        bind = self.recorder.bind
        if not wanted:
            vars(builtins)[names.BIND] = bind
            return
        first, event = self.first, self.event

        def watched(code: int, value: Any, path: Any = None, one: bool = False, root: Any = None) -> None:
            bind(code, value, path, one, root)
            if code in wanted:
                event()
                first[0] = 1

        vars(builtins)[names.BIND] = watched

    def unhook(self) -> None:
        """Nothing is armed."""
        vars(builtins)[names.BIND] = self.recorder.bind
