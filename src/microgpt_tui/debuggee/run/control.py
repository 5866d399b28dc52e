"""When the script stops, what it obeys then, and how it goes on."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable
from operator import sub
from typing import Any

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.run.breakpoints import NEXT_PHASE, Breaks
from microgpt_tui.debuggee.run.channel import Channel, Ended, give_back, usual_builtins
from microgpt_tui.debuggee.run.perturb import Examiner
from microgpt_tui.debuggee.run.reached import at_beginning, checker, within_episode
from microgpt_tui.debuggee.run.report import Report
from microgpt_tui.protocol import goals
from microgpt_tui.protocol.breakpoints import LiveBreakpoint
from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.goals import Goal
from microgpt_tui.protocol.messages import Answer, Failed, Halted, Resume, SetupEnded, Stopped
from microgpt_tui.protocol.stops import GoalMet, Paused, Stop

PORTION, NEAR = 4000, 200
"""On the way to an event: entries of the log after which it is looked how far it is, at most; and events that are
looked at one by one."""
PAUSE_SIGNAL = signal.SIGURG
"""Asks for a pause; ignored by default, so it cannot kill a script that is not ours yet."""


class Control:
    """Stops the script and waits for commands."""

    def __init__(self, channel: Channel, recorder: Recording, examiner: Examiner | None = None) -> None:
        self.channel = channel
        self.recorder = recorder
        self.examiner = examiner or Examiner(None, recorder)
        self.report = Report(channel, recorder)
        self.goal: Goal = goals.End()
        self.breakpoints: tuple[LiveBreakpoint, ...] = ()
        self.busy = False
        """An episode is being reported: not a place to stop."""
        self.pause_wanted = False
        self.expecting = False
        """A pause waits for the first event of an episode."""
        self.stopped = False
        self.alone = False
        """There is no debugger: a copy that the script has forked itself, or that answers a question."""
        self.handlers: dict[type[Data], Callable[[Any], Answer]] = {}
        """Questions that are answered while the script waits."""
        self.at_boundary: Callable[[], None] = lambda: None
        """An episode begins: here a copy of the process can be made."""
        self.breaks = Breaks(recorder, self.stop, lambda: self.busy)
        recorder.send_episode = self.episode_ends
        recorder.on_episode = self.episode_begins

    def begin_alone(self) -> None:
        """This is a copy of the script's process that no debugger is to hear of."""
        self.alone = True
        self.channel.close()

    # -- episodes ----------------------------------------------------------------------------

    def episode_ends(self, summary: dict[str, Any]) -> None:
        """Called at the end of every episode."""
        self.breaks.episode_ends()
        self.busy = True
        setup = SetupEnded(**self.recorder.kept_message) if self.recorder.episode_kind == "setup" else None
        changed = usual_builtins()
        try:
            self.report.end(summary, setup, self.breaks.report)
            if setup is not None:
                self.breaks.setup_ends(setup)
        finally:
            give_back(changed)
        self.busy = False

    def episode_begins(self) -> None:
        """Called at the start of every episode: a goal may be to get here."""
        self.at_boundary()
        recorder, kind = self.recorder, self.recorder.episode_kind
        if kind == "step":
            self.examiner.step_begins(recorder.episode_number, self.begin_alone)
            if self.examiner.forked:
                return
        if isinstance(self.goal, goals.Whole | goals.At):
            self.comes_to(recorder.episode_index)
            return
        steps_over = recorder.counts["step"] - (kind == "step")
        reached = at_beginning(self.goal, kind, recorder.episode_number, steps_over, pause=self.pause_wanted)
        if isinstance(reached, Paused):
            self.pause_at_first_event()
        elif isinstance(reached, Stop):
            self.stop(reached)
        elif reached is not None:
            self.go(reached, self.breakpoints)

    def comes_to(self, index: int) -> None:
        """On the way to an episode of the past, or to a moment in it."""
        goal = self.goal
        if isinstance(goal, goals.At) and index == goal.index:
            self.go(goals.Events(goal.count), self.breakpoints)
        elif isinstance(goal, goals.Whole):
            self.recorder.keep = goal.first <= index
            if index > goal.last:
                self.stop(GoalMet())

    # -- pausing -----------------------------------------------------------------------------

    def listen(self) -> None:
        """From here on the pause signal is heard."""
        signal.signal(PAUSE_SIGNAL, self.pause)

    def pause(self, number: int, frame: Any) -> None:
        """Stop here, or at the next place where that can be."""
        if self.stopped:
            return
        if self.busy:
            self.pause_wanted = True
        elif self.recorder.propagating and not self.recorder.stepping:
            self.recorder.run_checked(lambda event: self.stop(Paused()))  # before the next node
        elif self.expecting or self.recorder.has_event():
            self.stop(Paused())
        else:
            self.pause_at_first_event()

    def pause_at_first_event(self) -> None:
        """At the very beginning of an episode there is nothing to show: stop at what comes first.

        It may be long in coming: a second pause does not wait for it.
        """
        self.expecting, self.pause_wanted = True, False
        self.recorder.run_checked(lambda event: self.stop(Paused()) if self.recorder.has_event() else None)

    # -- stopping ----------------------------------------------------------------------------

    def stop(self, stop: Stop) -> None:
        """Tell the debugger where the script is and why, and wait until it may go on."""
        self.stopped, self.expecting = True, False
        since = time.perf_counter(), time.process_time()
        if isinstance(stop, Paused):
            # what there is to show follows when it is encoded
            self.channel.send(Halted(self.recorder.places.statement_at(sys._getframe())))
        self.pause_wanted = False
        flush_output()
        self.report.beginning()
        self.report.events()
        self.tell(stop)
        self.obey()
        self.recorder.restart_clock((time.perf_counter() - since[0], time.process_time() - since[1]))
        self.stopped = False

    def tell(self, stop: Stop) -> None:
        """That and why the script stands still, with what was hit until here."""
        self.channel.send(Stopped(stop, self.breaks.report()))

    def obey(self) -> None:
        """Answer questions until the script may go on. Raises Ended."""
        while not isinstance(command := self.channel.receive(), Resume):
            handler = self.handlers.get(type(command))
            try:
                answer = handler(command) if handler else Failed(f"no question: {command}")
            except Ended:
                raise
            except BaseException as error:  # a question's fault is answered, it must not end the script
                answer = Failed(f"{type(error).__name__}: {error}")
            self.channel.send(answer)
        self.go(command.goal, command.breakpoints)

    # -- going -------------------------------------------------------------------------------

    def go(self, goal: Goal, breakpoints: tuple[LiveBreakpoint, ...] = ()) -> None:
        """Let the script run until the goal is reached or one of the breakpoints is hit."""
        self.goal, self.breakpoints = goal, breakpoints
        recorder = self.recorder
        recorder.keep = not goal.forget
        recorder.counting = goal.counting
        recorder.audited = [] if goal.audit else None
        # the next phase is looked for as fast as running: by a breakpoint of our own
        self.breaks.arm((*breakpoints, NEXT_PHASE) if isinstance(goal, goals.Phase) else breakpoints)
        if isinstance(goal, goals.Events) and not breakpoints and not recorder.stepping:
            self.approach(goal)
        elif within_episode(goal):
            recorder.encoder.feed(recorder.log)
            recorder.run_checked(self.check_for(goal, recorder.encoder.events))
            self.breaks.hook_binds()
        else:
            recorder.run_freely()
            self.breaks.hook()

    def approach(self, goal: goals.Events) -> None:
        """Run freely to a little before an event, and look at each from there on."""
        recorder = self.recorder
        encoder = recorder.encoder
        kinds, starts, children = (encoder.c[name] for name in ("kind", "child_start", "child"))
        encoder.feed(recorder.log)
        start, nodes, most = len(kinds), 0, 3

        def portion() -> int:
            """Entries that cannot lead beyond the event: one makes as many as a node has operands, and its own."""
            nonlocal nodes, most
            encoder.feed(recorder.log)
            if len(starts) > nodes:
                ends = (*starts[nodes + 1 :], len(children))
                most = max(most, 1 + max(map(sub, ends, starts[nodes:])))
                nodes = len(starts)
            left = goal.count - len(kinds)
            if left > NEAR:
                return min(PORTION, max(1, left // most))
            recorder.run_checked(self.check_for(goal, start))
            return 0

        recorder.run_portions(portion)

    def check_for(self, goal: Goal, start: int) -> Callable[[bool], None]:
        """What is asked after every entry of the log."""
        recorder = self.recorder
        encoder = recorder.encoder
        kinds = encoder.c["kind"]
        reached = checker(goal, encoder, start)
        looking, composites, seen = bool(self.breakpoints), self.breaks.composites, start

        def check(event: bool) -> None:
            nonlocal seen
            encoder.feed(recorder.log)
            if looking and (len(kinds) > seen or composites):
                seen = len(kinds)
                if self.breaks.event():
                    return
            if reached() and not self.busy:
                self.stop(GoalMet())

        return check


def flush_output() -> None:
    """What the script has printed so far is to be seen while it waits."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # the script may have replaced or closed it
        sys.stdout.flush()
