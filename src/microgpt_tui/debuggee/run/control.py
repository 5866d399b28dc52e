"""The debuggee's end of the control channel: what is sent, when to stop, what is obeyed."""

from __future__ import annotations

import signal
import socket
import sys
from array import array
from collections.abc import Callable
from types import TracebackType
from typing import Any

from microgpt_tui.debuggee.encode.encoder import Encoder
from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.walk import doubles
from microgpt_tui.debuggee.run.breakpoints import NEXT_PHASE, Breaks
from microgpt_tui.protocol import frames, goals
from microgpt_tui.protocol.breakpoints import LiveBreakpoint
from microgpt_tui.protocol.codes import ACCUMULATE, CREATE, SiteKind
from microgpt_tui.protocol.fields import Data, MessageError
from microgpt_tui.protocol.goals import Goal
from microgpt_tui.protocol.messages import (
    Answer,
    EpisodeBegan,
    EpisodeEnded,
    EpisodeSummary,
    EventsRecorded,
    Failed,
    Halted,
    Quit,
    Resume,
    SetupEnded,
    Stopped,
)
from microgpt_tui.protocol.stops import GoalMet, Paused, StepsOver, Stop

PORTION = 40_000
"""Entries of the log that are encoded and sent at once."""
PAUSE_SIGNAL = signal.SIGURG
"""Asks for a pause; ignored by default, so it cannot kill a script that is not ours yet."""


class Ended(BaseException):
    """The debugger wants the script to end now, or is gone."""


class Control:
    """Stops the script and waits for commands; everything the debugger knows comes from here."""

    def __init__(self, channel: socket.socket, recorder: Recording) -> None:
        self.channel = channel
        self.read = frames.reader(channel)
        self.recorder = recorder
        self.goal: Goal = goals.End()
        self.breakpoints: tuple[LiveBreakpoint, ...] = ()
        self.post_mortem: TracebackType | None = None
        """Where an uncaught exception was raised."""
        self.busy = False
        self.pause_wanted = False
        self.expecting = False
        """A pause waits for the first event of an episode."""
        self.stopped = False
        self.handlers: dict[type[Data], Callable[[Any], Answer]] = {}
        """Questions that are answered while the script waits."""
        self.started = -1
        """The episode whose beginning was told last."""
        self.breaks = Breaks(recorder, self.stop, lambda: self.busy)
        recorder.send_episode = self.send_episode
        recorder.on_episode = self.episode_begins

    # -- sending -----------------------------------------------------------------------------

    def send(self, message: Data, blobs: frames.Blobs | None = None) -> None:
        """Tell the debugger; a script whose debugger is gone ends, and cannot catch that."""
        try:
            self.channel.sendall(frames.pack(message, blobs))
        except (BrokenPipeError, ConnectionError):
            raise Ended from None

    def send_events(self, *, complete: bool = False) -> None:
        """What is new in the running episode, in portions: the debugger takes one while the next is made."""
        recorder = self.recorder
        encoder, log = recorder.encoder, recorder.log
        for end in range(encoder.done + PORTION, len(log), PORTION):
            encoder.feed(log, end)
            self._send_columns(complete=False)
        encoder.feed(log)
        if complete:
            while encoder.stack:
                encoder.pop()
        else:
            encoder.scope()
        self._send_columns(complete=complete)

    def _send_columns(self, *, complete: bool) -> None:
        extras, blobs = self.recorder.encoder.flush()
        self.send(EventsRecorded(self.summary(), complete, extras), blobs)

    def summary(self) -> EpisodeSummary:
        """The running episode in numbers."""
        return EpisodeSummary(**self.recorder.summary())

    def send_start(self) -> None:
        """How the parameters stood when the episode began: goes before its events, once."""
        recorder = self.recorder
        if self.started == recorder.episode_index:
            return
        self.started = recorder.episode_index
        columns = {"start_data": recorder.start_data, "start_grad": recorder.start_grad}
        columns["start_grad_int"] = [type(grad) is int for grad in recorder.start_grad]
        columns.update({"buffer:" + name: values for name, values in recorder.start_buffers.items()})
        blobs = {name: (0, doubles(values).tobytes()) for name, values in columns.items()}
        self.send(EpisodeBegan(self.summary()), blobs)

    def send_episode(self, summary: dict[str, Any]) -> None:
        """An episode is over."""
        recorder = self.recorder
        self.breaks.episode_ends()
        self.busy = True
        whole = recorder.keep or recorder.episode_kind == "setup"
        if whole:
            self.send_start()
            self.send_events(complete=True)
        if recorder.episode_kind == "setup":
            setup = SetupEnded(**recorder.kept_message)
            self.send(setup)
            self.breaks.setup_ends(setup)
        blobs: dict[str, tuple[int, bytes]] = {}
        if recorder.episode_kind == "step":
            data = list(map(recorder.data_of, recorder.kept_nodes))
            blobs["data"] = (0, doubles(data).tobytes())
            if recorder.loss_grads is not None:
                blobs["grad"] = (0, array("f", doubles(recorder.loss_grads)).tobytes())
        losses = tuple(x for x in recorder.losses if type(x) in (int, float))
        events, edges = recorder.made_of() if recorder.counting else ((), 0)
        message = EpisodeEnded(
            EpisodeSummary(**summary), whole, losses, events, edges, *self.audit(), self.breaks.report()
        )
        self.send(message, blobs)
        self.busy = False

    def audit(self) -> tuple[int, tuple[tuple[int, float, float], ...]]:
        """What comparing ledgers with grads has found in this episode, where it was asked for."""
        recorder = self.recorder
        if recorder.audited is None:
            return 0, ()
        found = recorder.audits, tuple(recorder.audited[:20])
        recorder.audited, recorder.audits = [], 0
        return found

    # -- stopping ----------------------------------------------------------------------------

    def listen(self) -> None:
        """From here on the pause signal is heard."""
        signal.signal(PAUSE_SIGNAL, self.pause)

    def pause(self, number: int, frame: Any) -> None:
        if self.stopped:
            return
        if self.busy:
            self.pause_wanted = True
        elif self.recorder.propagating and not self.recorder.stepping:
            self.recorder.run_checked(lambda event: self.stop(Paused()))  # at the next node: see `hands`
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

    def stop(self, stop: Stop) -> None:
        """Tell the debugger where the script is and why, and wait until it may go on."""
        self.stopped, self.expecting = True, False
        if isinstance(stop, Paused):
            # what there is to show follows when it is encoded
            self.send(Halted(self.recorder.places.statement_at(sys._getframe())))
        self.pause_wanted = False
        self.flush_output()
        self.send_start()
        self.send_events()
        self.send(Stopped(stop, self.breaks.report()))
        self.obey()
        self.stopped = False

    @staticmethod
    def flush_output() -> None:
        """What the script has printed so far is to be seen while it waits."""
        try:
            sys.stdout.flush()
        except (OSError, ValueError, AttributeError):
            pass

    def obey(self) -> None:
        """Serve commands until one lets the script go on."""
        while True:
            try:
                command, _ = frames.unpack(self.read)
            except EOFError:
                raise Ended from None
            except MessageError as error:
                self.send(Failed(str(error)))
                continue
            if isinstance(command, Resume):
                self.go(command.goal, command.breakpoints)
                return
            if isinstance(command, Quit):
                raise Ended
            handler = self.handlers.get(type(command))
            try:
                answer = handler(command) if handler else Failed(f"no question: {command}")
            except Exception as error:  # a question's fault is answered, it must not end the script
                answer = Failed(f"{type(error).__name__}: {error}")
            self.send(answer)

    # -- going -------------------------------------------------------------------------------

    def go(self, goal: Goal, breakpoints: tuple[LiveBreakpoint, ...] = ()) -> None:
        """Let the script run until the goal is met or one of the breakpoints is hit."""
        self.goal, self.breakpoints = goal, breakpoints
        recorder = self.recorder
        recorder.keep = not goal.forget
        recorder.counting = goal.counting
        recorder.audited = [] if goal.audit else None
        # the next phase is looked for as fast as running: by a breakpoint of our own
        self.breaks.arm((*breakpoints, NEXT_PHASE) if isinstance(goal, goals.Phase) else breakpoints)
        if isinstance(goal, goals.End | goals.Episode | goals.Steps | goals.Phase):
            recorder.run_freely()
            self.breaks.hook()
            return
        recorder.encoder.feed(recorder.log)
        recorder.run_checked(self.checker(goal, recorder.encoder.events))
        self.breaks.hook_binds()

    def checker(self, goal: Goal, start: int) -> Callable[[bool], None]:
        """What is asked after every entry of the log: whether the goal is met, having gone on from ``start`` events."""
        recorder = self.recorder
        encoder = recorder.encoder
        kinds = encoder.c["kind"]
        met = met_by(goal, encoder, start)
        armed, composites, seen = bool(self.breaks.armed), self.breaks.composites, [start]

        def check(event: bool) -> None:
            encoder.feed(recorder.log)
            if armed and (len(kinds) > seen[0] or composites):
                seen[0] = len(kinds)
                if self.breaks.event():
                    return
            if met() and not self.busy:
                self.stop(GoalMet())

        return check

    def episode_begins(self) -> None:
        """Called at the start of every episode: a goal may be to get here."""
        goal = self.goal
        recorder = self.recorder
        kind, number = recorder.episode_kind, recorder.episode_number
        finished = recorder.counts["step"] - (kind == "step")
        if 0 < goal.most_steps <= finished:
            self.stop(StepsOver())
        elif isinstance(goal, goals.Steps):
            if finished >= goal.count or self.pause_wanted:
                self.stop(GoalMet())
        elif self.pause_wanted:
            self.pause_at_first_event()
        elif kind == "other" or isinstance(goal, goals.End):
            return
        elif not isinstance(goal, goals.Episode) or goal.is_at(kind, number):
            self.go(goals.Operation(most_steps=goal.most_steps), self.breakpoints)


def met_by(goal: Goal, encoder: Encoder, start: int) -> Callable[[], bool]:
    """Whether a goal within an episode is met by the columns; the script has gone on from ``start`` events."""
    kinds = encoder.c["kind"]
    last = encoder.c["scope_last"]
    if isinstance(goal, goals.Events):
        wanted = goal.count
        return lambda: len(kinds) >= wanted
    if isinstance(goal, goals.Operation):
        return lambda: (
            len(kinds) > start
            and encoder.operation_depth == 0
            and not (kinds[-1] == CREATE and encoder.last_is_constant)
        )
    if isinstance(goal, goals.ScopeEnd):
        scope = goal.scope
        return lambda: bool(last[scope] >= 0)
    if isinstance(goal, goals.AfterScope):
        scope = goal.scope
        return lambda: bool(last[scope] >= 0 and len(kinds) > max(start, last[scope] + 1))
    if isinstance(goal, goals.Iteration):
        sites, stack = goal.sites, encoder.stack
        return lambda: any(s.kind is SiteKind.ITERATION and s.site in sites and s.number >= 0 for s in stack)
    if isinstance(goal, goals.OtherSource):
        node = goal.node
        return lambda: len(kinds) > start and (kinds[-1] != ACCUMULATE or encoder.newest_source() != node)
    raise ValueError(f"{goal} is no goal within an episode")
