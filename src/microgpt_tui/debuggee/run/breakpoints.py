"""Armed breakpoints: hooks that look at every operation, and the exact check where one may be hit.

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
from microgpt_tui.debuggee.run.armed import Armed
from microgpt_tui.debuggee.run.breakpoint_hooks import HookMaker
from microgpt_tui.debuggee.run.live import LiveFacts
from microgpt_tui.protocol.breakpoints import LiveBreakpoint, Resolved
from microgpt_tui.protocol.codes import (
    ACCUMULATE,
    ASSIGN,
    BACKWARD,
    BASE_PHASE,
    CREATE,
    FORWARD,
    PRINT,
    UPDATE,
    ZERO,
    SiteKind,
)
from microgpt_tui.protocol.conditions import (
    LONGEST_PRINTED,
    made_here,
    printed_line,
)
from microgpt_tui.protocol.messages import Hits
from microgpt_tui.protocol.stops import AtBreakpoints, GoalMet, Stop

MOST_LOGS = 1000
"""Log lines that are kept back before they are sent."""

NEXT_PHASE = LiveBreakpoint(-1, Resolved("phase"))
"""The step to the next phase, as a breakpoint that nobody has set."""


class Breaks:
    """The breakpoints that are armed now."""

    def __init__(self, recorder: Recording, stop: Callable[[Stop], None], busy: Callable[[], bool]) -> None:
        self.recorder = recorder
        self.stop = stop
        self.busy = busy
        self.armed: list[Armed] = []
        self.floor = -1
        """Events up to here have been seen: the script went on from there."""
        self.facts = LiveFacts(recorder)
        self.looked_at = -1
        self.composites = False
        self.late: Callable[[str], bool] = lambda kind: False
        self.binds_seen = 0
        self.logs: list[tuple[int, str, int, int]] = []
        self.first = [0]
        """Set when the next event is the first of a scope that may be wanted."""
        recorder.on_open = self.episode_opens

    # -- arming ------------------------------------------------------------------------------

    def arm(self, messages: tuple[LiveBreakpoint, ...]) -> None:
        """Take a new set of breakpoints; the script is about to go on."""
        self.armed = [Armed(m) for m in messages]
        self.composites = any(a.composites for a in self.armed)
        self.looked_at = -1
        if not self.armed:
            self.unhook()
            return
        encoder = self.recorder.encoder
        encoder.feed(self.recorder.log)
        self.floor = encoder.events - 1
        self.binds_seen = len(encoder.c["bind_event"])
        self.facts.reset()
        self.first[0] = 1

    def episode_opens(self) -> None:
        """Another episode: numbers of events start again, and so do the scopes around it."""
        self.floor = self.looked_at = -1
        self.binds_seen = 0
        self.facts.reset()
        self.first[0] = 1
        for a in self.armed:
            a.last = -1
            a.bound.clear()
        if self.armed and (self.recorder.check is None or self.recorder.check == self.look):
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
        recorder = self.recorder
        encoder = recorder.encoder
        encoder.feed(recorder.log)
        event = encoder.events - 1
        if event <= self.floor or self.busy():
            return False
        binds = self.binds_seen
        self.take_binds()
        if event == self.looked_at and binds == self.binds_seen and not self.composites:
            return False
        self.looked_at = event
        hits: list[int] = []
        failures: list[tuple[int, str]] = []
        for a in self.armed:
            if a.last == event or not self.place(a, event):
                continue
            if a.condition is not None:
                try:
                    if not a.condition.test(*(self.facts.value(n, event) for n in a.condition.names)):
                        continue
                except Exception as error:  # the condition's own fault: stop once and say so
                    failures.append((a.number, f"{type(error).__name__}: {error}"))
            a.last = event
            a.hits += 1
            if a.ignore > 0 and not failures:
                a.ignore -= 1
            elif a.template is not None and not failures:
                self.log(a, event)
            else:
                hits.append(a.number)
        if hits:
            numbers = tuple(n for n in hits if n != NEXT_PHASE.number)
            self.stop(AtBreakpoints(numbers, failures=tuple(failures)) if numbers else GoalMet())
        return bool(hits)

    def log(self, a: Armed, event: int) -> None:
        """A log point: its text, and no stop."""
        assert a.template is not None
        text = a.template.render({n: self.facts.value(n, event) for n in a.template.names})
        self.logs.append((a.number, text, self.recorder.episode_index, event))
        if len(self.logs) > MOST_LOGS:
            del self.logs[: MOST_LOGS // 2]

    def take_binds(self) -> None:
        """Variables bound since the last look."""
        c = self.recorder.encoder.laid_out()
        end = len(c["bind_event"])
        if self.binds_seen == end:
            return
        wanted = [a for a in self.armed if a.kind == "var"]
        if wanted:
            for row in range(self.binds_seen, end):
                for a in wanted:
                    if c["bind_site"][row] in a.sites and self.facts.bound_name(row) == a.values[0]:
                        a.bound.add(max(c["bind_event"][row] - 1, c["scope_first"][c["bind_scope"][row]]))
        self.binds_seen = end

    def place(self, a: Armed, event: int) -> bool:
        """True when the newest event is where the breakpoint is; see ``trace.breakpoints.where``."""
        facts, kind = self.facts, a.kind
        c = self.recorder.encoder.laid_out()
        what, row = c["kind"][event], c["row"][event]
        if kind == "any":
            return True
        if kind == "nan":
            return self.made_not_finite(event, what, row)
        if kind in ("step", "sample"):
            return event == 0 and (self.recorder.episode_kind, self.recorder.episode_number) == (kind, a.which)
        if kind == "phase":
            now = facts.phase_number(event)
            return (event == 0 or facts.phase_before != now) and a.phase in (-1, now)
        if kind == "loss":
            now = facts.phase_number(event)
            return what == ASSIGN and now == BACKWARD and (event == 0 or facts.phase_before != now)
        if kind == "param":
            return what in (ACCUMULATE, ASSIGN, ZERO, UPDATE) and facts.node(event) in a.nodes
        if kind == "print":
            return what == PRINT and (not a.values[0] or a.values[0] in self.printed(a, c["print_end"][row]))
        if kind == "var":
            return event in a.bound
        if a.ops and what == CREATE and ("*" in a.ops or facts.value("op", event) in a.ops):
            return True
        if a.writes and (
            (what in (ACCUMULATE, ASSIGN, ZERO) and c["write_site"][row] in a.writes)
            or (what == UPDATE and c["update_site"][row] in a.writes)
        ):
            return True
        if not a.sites and not a.composites:
            return False
        for scope in facts.path():
            site = c["scope_site"][scope]
            if site in a.sites and (a.every or c["scope_first"][scope] == event):
                if a.labelled(facts.label(scope)):
                    return True
            elif a.composites and c["scope_last"][scope] == event:
                record = self.recorder.records[site]
                if record is not None and record.kind is SiteKind.OPERATION and record.name in a.composites:
                    return True
        return False

    def made_not_finite(self, event: int, what: int, row: int) -> bool:
        facts = self.facts
        c = self.recorder.encoder.laid_out()
        if what == CREATE:
            value = c["data"][row]
            return bool(value - value != 0) and made_here(value, facts.value("inputs", event))
        if what == UPDATE:
            return bool(c["new"][row] - c["new"][row] != 0 and c["old"][row] - c["old"][row] == 0)
        if what in (ACCUMULATE, ASSIGN, ZERO):
            after = c["after"][row]
            if after - after == 0:
                return False
            before = facts.grad_before(row)
            source = c["source"][row]
            upstream = self.recorder.encoder.sums()[source] if source >= 0 else 0.0
            return bool(before - before == 0 and upstream - upstream == 0)
        return False

    @staticmethod
    def printed(a: Armed, end: int) -> str:
        try:
            with Path(a.stdout).open("rb") as handle:
                handle.seek(max(0, end - LONGEST_PRINTED))
                return printed_line(handle.read(min(end, LONGEST_PRINTED)))
        except OSError:
            return ""

    # -- hooks -------------------------------------------------------------------------------

    def hook(self) -> None:
        """Replace the free hooks by ones that look for the armed breakpoints."""
        if not self.armed:
            return
        hooks = vars(builtins)
        maker = HookMaker(self.recorder, self.armed, self.event, self.first, self.phase_now())
        made = maker.generate()
        self.late = maker.late
        for hook in (names.NODE, names.NOTE, names.MARK, names.SOURCE):
            if hook in made:
                hooks[hook] = made[hook]
        self.recorder.check = self.look
        self.hook_binds()

    def phase_now(self) -> int:
        """The phase of the newest event, where a breakpoint waits for another; else that of an episode's beginning."""
        base = BASE_PHASE.get(self.recorder.episode_kind, FORWARD)
        if self.floor < 0 or not any(a.kind in ("phase", "loss") for a in self.armed):
            return base
        return self.facts.phase_number(self.floor)

    def hook_binds(self) -> None:
        """Notice the variables that a breakpoint waits for; while stepping too."""
        wanted = frozenset().union(*(a.sites for a in self.armed if a.kind == "var")) if self.armed else frozenset()
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
