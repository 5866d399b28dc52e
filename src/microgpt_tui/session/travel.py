"""Going back to steps that were not kept: a copy of the script runs them again, and proves that they are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from microgpt_tui.protocol import goals
from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.goals import Goal
from microgpt_tui.protocol.messages import Answer, Command, EpisodeEnded, Failed, Stopped
from microgpt_tui.protocol.stops import Stop, Withheld
from microgpt_tui.session.history import History, Summary
from microgpt_tui.session.moment import Moment
from microgpt_tui.session.process import Connected, Received
from microgpt_tui.session.reproducible import differences
from microgpt_tui.session.script import Script
from microgpt_tui.session.stops import withheld
from microgpt_tui.trace.trace import Trace

if TYPE_CHECKING:
    from microgpt_tui.session.branches import Branch
    from microgpt_tui.session.debugger import Debugger

Test = Callable[[Trace], int | None]
"""The event of a re-run episode that is looked for, or None."""


class Travel:
    """The copy of the script that runs in its past, and where the cursor goes when it arrives."""

    def __init__(self, debugger: Debugger) -> None:
        self._debugger = debugger
        self._script: Script | None = None
        self._rerun = History()
        self._standing = -1
        """The episode before which the copy waits; -1 where it cannot go on."""
        self._run = 0
        """The run whose past the copy has."""
        self._legs: list[Branch] = []
        """Runs that left on the way to a moment: the copy is to change there what they changed."""
        self._wanted = Moment(-1, -1)
        self._test: Test | None = None
        self._compared: set[tuple[int, int]] = set()
        self._nearest = False
        self._leaving = False
        """The copy is to become a run of its own."""
        self.found: Moment | None = None
        """What the last search has found."""

    @property
    def script(self) -> Script | None:
        """The copy, where there is one."""
        return self._script

    @property
    def running(self) -> bool:
        """True while it is on the way."""
        return self._script is not None and self._script.running

    @property
    def progress(self) -> str:
        """How far it is, for the status line."""
        names = {s.index: f"{s.kind} {s.number}" for s in self._debugger.history.summaries}
        at = self._rerun.summaries[-1].index if self._rerun.summaries else self._standing
        what = "searching" if self._test is not None else "going back"
        return f"{what} to {names.get(self._wanted.episode, 'the present step')}: at {names.get(at, 'its checkpoint')}"

    # -- ways --------------------------------------------------------------------------------

    def why_not(self, index: int) -> str:
        """Why there is no way to an episode; empty where there is one."""
        debugger = self._debugger
        checkpoints = debugger.checkpoints
        if debugger.launch.recording is not None:
            return "it is not in the recording: only its loss and weights are; running it again needs the script itself"
        if checkpoints is None:
            return "it was run freely and checkpoints are off (--history-memory 0): only its loss and weights are kept"
        checkpoints.welcome()
        if checkpoints.before(index, debugger.branch.owner(index)) is not None:
            return ""
        reason = debugger.history.cannot_sleep
        if reason:
            summary = debugger.history.summary_of(index)
            place = f"{f'{summary.kind} ' if summary.kind != 'step' else ''}{summary.number}" if summary else "there"
            return (
                f"it was run freely, and no checkpoint was made before it: {reason}, so it cannot be copied; "
                f"`restart`, then `goto {place}` runs there from the start"
            )
        return "it was run freely, and no checkpoint before it is left"

    def to(self, index: int, event: int) -> bool:
        """Run an episode again and go to its event (-1: its last); False, with a notice, where that cannot be."""
        return self._begin(index, index, Moment(index, event), None)

    def at(self, moment: Moment) -> bool:
        """Let a copy run to a moment and stop there; ``leave`` gives it away."""
        debugger = self._debugger
        reason = self.why_not(moment.episode)
        legs = debugger.branch.changes_before(moment)
        if any(leg.altered is not None and leg.altered.event > moment.event for leg in legs):
            reason = "it lies within the change itself"
        first = legs[0].left if legs and legs[0].left is not None else moment
        if not reason and self.wake(moment.episode, goals.At(moment.episode, first.event + 1)) is None:
            reason = "the checkpoint before it is gone"
        if reason:
            debugger.notice = reason
            return False
        self._wanted, self._test, self._leaving, self._legs = moment, None, True, legs
        return True

    def _next_leg(self) -> bool:
        """At a moment where a run left: change what it changed, and let the copy go on; False at the way's end."""
        trace = self._rerun.traces.get(self._wanted.episode)
        if not self._legs or trace is None or self._script is None:
            return False
        leg = self._legs.pop(0)
        if leg.left is None or len(trace) != leg.left.event + 1:
            return False
        for order in leg.orders:
            if not self._changed(order):
                return False
        goal = self._legs[0].left if self._legs else self._wanted
        if goal is None or len(trace) > goal.event:
            return self._next_leg()
        self._script.resume((), goals.Events(goal.event + 1))
        return True

    def _changed(self, order: Command) -> bool:
        """Tell the waiting copy to change something, and take what it answers."""
        assert self._script is not None
        self._script.process.send(order)
        while (received := self._script.next_message()) is not None:
            message, blobs = received
            if isinstance(message, Answer):
                return not isinstance(message, Failed)
            self._rerun.handle(message, blobs)
        return False

    def leave(self) -> tuple[Script, Trace] | None:
        """The copy that stands at the moment that was asked for, with what it has recorded of the episode."""
        script, self._script, self._standing, self._leaving = self._script, None, -1, False
        trace = self._rerun.traces.get(self._wanted.episode)
        if script is None or trace is None or len(trace) != self._wanted.event + 1:
            if script is not None:
                script.process.close()
            return None
        return script, trace

    def scan(self, first: int, last: int, test: Test, *, nearest: bool) -> bool:
        """Run episodes again; the last event that ``test`` finds is ``found``, and its episode is kept.

        With ``nearest`` it is the first, and the copy goes no further.
        """
        self.found, self._nearest = None, nearest
        return self._begin(first, last, Moment(last, -1), test)

    def _begin(self, first: int, last: int, wanted: Moment, test: Test | None) -> bool:
        debugger = self._debugger
        reason = self.why_not(first)
        if reason:
            debugger.notice = reason
            return False
        if not self._set_out(first, last):
            debugger.notice = "the checkpoint before it is gone"
            return False
        self._wanted, self._test = wanted, test
        return True

    def _set_out(self, first: int, last: int) -> bool:
        """Let the copy that stands before the episode, or one of the nearest checkpoint, run on."""
        checkpoints = self._debugger.checkpoints
        assert checkpoints is not None
        nearest = checkpoints.before(first, self._debugger.branch.owner(first))
        goal = goals.Whole(first, last)
        of_this_run = self._run == self._debugger.branch.owner(first)
        if self._script and of_this_run and nearest is not None and nearest.index <= self._standing <= first:
            self._script.resume((), goal)
            return True
        leave = tuple(i for i in (first - 1, first) if i > 0 and (nearest is None or i > nearest.index))
        return self.wake(first, goal, leave) is not None

    def wake(self, index: int, goal: Goal, leave: tuple[int, ...] = ()) -> Script | None:
        """A copy of the nearest checkpoint before an episode, on its way; it is the one copy that there is."""
        debugger = self._debugger
        checkpoints = debugger.checkpoints
        assert checkpoints is not None
        self.close()
        while (nearest := checkpoints.before(index, debugger.branch.owner(index))) is not None:
            made = checkpoints.wake(nearest, goal, leave)
            if made is not None:
                channel, pid, stdout, stderr = made
                script = Script(debugger.launch, Connected(channel, pid, stdout, stderr))
                if debugger.notify is not None:
                    script.listen(debugger.notify)
                self._script, self._standing, self._run = script, -1, nearest.run
                self._rerun = debugger.history.blank()
                return script
        return None

    def close(self) -> None:
        """End the copy."""
        if self._script is not None:
            self._script.process.close()
        self._script, self._standing, self._test, self._leaving, self._legs = None, -1, None, False, []

    def cancel(self) -> None:
        """Stay where we are."""
        self.close()
        self._debugger.notice = "cancelled: here is where you were"

    # -- messages ----------------------------------------------------------------------------

    def take(self, received: Received | None) -> Data | None:
        """Take a message of the copy."""
        script = self._script
        if script is None:
            return None
        if received is None:
            self.close()
            self._debugger.notice = "the copy of the script that ran the step again is gone"
            return None
        message, blobs = received
        self._rerun.handle(message, blobs)
        script.note(message)
        if isinstance(message, EpisodeEnded):
            self._ended(self._rerun.summaries[-1])
        elif isinstance(message, Stopped):
            script.running = False
            if not (self._leaving and self._next_leg()):
                self._stopped(message.stop)
        return message

    def _ended(self, summary: Summary) -> None:
        index = summary.index
        history = self._debugger.history
        first = history.summary_of(index)
        if first is not None and (self._run, index) not in self._compared:
            self._compared.add((self._run, index))
            history.differing += differences(first, summary, history.program)
        trace = self._rerun.traces.pop(index, None)
        if trace is None:
            return
        if self._test is None:
            history.visit(trace)
        elif (event := self._test(trace)) is not None:
            if self.found is not None:
                history.traces.pop(self.found.episode, None)
            self.found = Moment(index, event)
            history.visit(trace)
            if self._nearest:
                self.close()

    def _stopped(self, stop: Stop) -> None:
        debugger, wanted = self._debugger, self._wanted
        history = debugger.history
        self._standing = -1 if stop.over or isinstance(stop, Withheld) else self._rerun.current
        if isinstance(stop, Withheld):
            debugger.notice = withheld(stop)
            partial = self._rerun.traces.get(wanted.episode)
            if partial is not None and len(partial):
                history.visit(partial)
            self.close()
        if self._test is not None or self._leaving:
            self._test = None
            return
        trace = history.traces.get(wanted.episode)
        if trace is not None and len(trace):
            last = len(trace) - 1
            debugger.moment = Moment(wanted.episode, last if wanted.event < 0 else min(wanted.event, last))
        elif not debugger.notice:
            debugger.notice = "the step was run again, and did not come to its end"
