"""The debuggee's end of the control channel: what is sent, when to stop, what is obeyed."""

from __future__ import annotations

import signal
import socket
import sys
from array import array
from collections.abc import Callable
from types import TracebackType
from typing import Any

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.walk import doubles
from microgpt_tui.debuggee.run.breakpoints import NEXT_PHASE, Breaks
from microgpt_tui.protocol import frames as wire
from microgpt_tui.protocol.codes import ACCUMULATE, CREATE, SiteKind

PORTION = 40_000
"""Entries of the log that are encoded and sent at once."""
PAUSE_SIGNAL = signal.SIGURG
"""Asks for a pause; ignored by default, so it cannot kill a script that is not ours yet."""


class Quit(BaseException):
    """The debugger wants the script to end now."""


class Control:
    """Stops the script and waits for commands; everything the debugger knows comes from here."""

    def __init__(self, channel: socket.socket, recorder: Recording) -> None:
        self.channel = channel
        self.read = wire.reader(channel)
        self.recorder = recorder
        self.goal: dict[str, Any] = {"kind": "free"}
        self.post_mortem: TracebackType | None = None
        """Where an uncaught exception was raised."""
        self.busy = False
        self.pause_wanted = False
        self.expecting = False
        """A pause waits for the first event of an episode."""
        self.stopped = False
        self.handlers: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {}
        """Commands that are answered while the script waits."""
        self.breaks = Breaks(recorder, self.stop, lambda: self.busy)
        recorder.send_episode = self.send_episode
        recorder.on_episode = self.episode_begins

    # -- sending -----------------------------------------------------------------------------

    def send(self, header: dict[str, Any], blobs: wire.Blobs | None = None) -> None:
        """Tell the debugger; a script whose debugger is gone ends, and cannot catch that."""
        try:
            self.channel.sendall(wire.pack(header, blobs))
        except (BrokenPipeError, ConnectionError):
            raise Quit from None

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
        header, blobs = self.recorder.encoder.flush()
        header.update(self.recorder.summary(), type="events", complete=complete)
        self.send(header, blobs)

    def send_start(self) -> None:
        """How the parameters stood when the episode began: goes before its events, once."""
        recorder = self.recorder
        if getattr(self, "started", -1) == recorder.episode_index:
            return
        self.started = recorder.episode_index
        columns = {"start_data": recorder.start_data, "start_grad": recorder.start_grad}
        columns.update({"buffer:" + name: values for name, values in recorder.start_buffers.items()})
        blobs = {name: (0, doubles(values).tobytes()) for name, values in columns.items()}
        self.send({**recorder.summary(), "type": "start"}, blobs)

    def send_episode(self, summary: dict[str, Any]) -> None:
        """An episode is over."""
        recorder = self.recorder
        self.busy = True
        whole = recorder.keep or recorder.episode_kind == "setup"
        if whole:
            self.send_start()
            self.send_events(complete=True)
        if recorder.episode_kind == "setup":
            self.send({"type": "kept", **recorder.kept_message})
        blobs: dict[str, tuple[int, bytes]] = {}
        if recorder.episode_kind == "step":
            data = list(map(recorder.data_of, recorder.kept_nodes))
            blobs["data"] = (0, doubles(data).tobytes())
            if recorder.loss_grads is not None:
                blobs["grad"] = (0, array("f", doubles(recorder.loss_grads)).tobytes())
        numbers = [x for x in recorder.losses if type(x) in (int, float)]
        self.send(
            {**summary, "type": "episode", "whole": whole, "losses": numbers, **self.audit(), **self.breaks.report()},
            blobs,
        )
        self.busy = False

    def audit(self) -> dict[str, Any]:
        """What comparing ledgers with grads has found in this episode, where it was asked for."""
        recorder = self.recorder
        if recorder.audited is None:
            return {}
        found = {"audits": recorder.audits, "audit_faults": recorder.audited[:20]}
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
            self.recorder.run_checked(lambda event: self.stop("pause"))  # at the next node: see `hands`
        elif self.expecting or self.recorder.has_event():
            self.stop("pause")
        else:
            self.pause_at_first_event()

    def pause_at_first_event(self) -> None:
        """At the very beginning of an episode there is nothing to show: stop at what comes first.

        It may be long in coming: a second pause does not wait for it.
        """
        self.expecting, self.pause_wanted = True, False
        self.recorder.run_checked(lambda event: self.stop("pause") if self.recorder.has_event() else None)

    def stop(self, reason: str, **detail: Any) -> None:
        """Tell the debugger where the script is and why, and wait until it may go on."""
        self.stopped, self.expecting = True, False
        if reason == "pause":
            # what there is to show follows when it is encoded
            self.send({"type": "halted", "site": self.recorder.places.statement_at(sys._getframe())})
        self.pause_wanted = False
        self.flush_output()
        self.send_start()
        self.send_events()
        self.send({"type": "stop", "reason": reason, **detail, **self.breaks.report()})
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
                command, _ = wire.unpack(self.read)
            except EOFError:
                raise Quit from None
            name = command["do"]
            if name == "go":
                self.go(command["goal"])
                return
            if name == "quit":
                raise Quit
            handler = self.handlers.get(name)
            answer: dict[str, Any] | None
            try:
                answer = handler(command) if handler else {"error": f"unknown command {name}"}
            except Exception as error:  # a command's fault is answered, it must not end the script
                answer = {"error": f"{type(error).__name__}: {error}"}
            self.send({"type": "answer", **(answer or {})})

    # -- going -------------------------------------------------------------------------------

    def go(self, goal: dict[str, Any]) -> None:
        """Let the script run until the goal is met.

        Goals: ``free``; ``episode`` (the next one, or the one with ``episode_kind`` and ``number``); ``steps``
        (so many training steps are over; stops before the first event after them);
        ``events`` (that many in all); ``operation`` (one as the source writes it is complete);
        ``leave`` (scope ``scope`` is over); ``after`` (the first event after it); ``iteration`` (the first
        event in an iteration of one of the loops ``sites``); ``source`` (the first event that is no
        accumulation from node ``node``); ``phase`` (the first event of another phase).
        ``armed``: the breakpoints to stop at on the way (``Resolved.message``).
        """
        self.goal = goal
        recorder = self.recorder
        recorder.keep = not goal.get("forget", False)
        recorder.audited = [] if goal.get("audit") else None
        self.breaks.arm(goal.get("armed", []))
        kind = goal["kind"]
        if kind == "phase":  # as fast as running: an armed breakpoint of our own
            self.breaks.arm([*goal.get("armed", []), NEXT_PHASE])
        if kind in ("free", "episode", "steps", "phase"):
            recorder.run_freely()
            self.breaks.hook()
            return
        encoder = recorder.encoder
        encoder.feed(recorder.log)
        start = encoder.events
        recorder.run_checked(self.checker(kind, goal, start))
        self.breaks.hook_binds()

    def checker(self, kind: str, goal: dict[str, Any], start: int) -> Callable[[bool], None]:
        recorder = self.recorder
        encoder = recorder.encoder
        kinds = encoder.c["kind"]
        last = encoder.c["scope_last"]
        met: Callable[[], bool]
        if kind == "events":
            wanted: int = goal["count"]

            def met() -> bool:
                return len(kinds) >= wanted
        elif kind == "operation":

            def met() -> bool:
                return (
                    len(kinds) > start
                    and encoder.operation_depth == 0
                    and not (kinds[-1] == CREATE and encoder.last_is_constant)
                )
        elif kind == "leave":
            scope = goal["scope"]

            def met() -> bool:
                return bool(last[scope] >= 0)
        elif kind == "after":
            scope = goal["scope"]

            def met() -> bool:
                return bool(last[scope] >= 0 and len(kinds) > max(start, last[scope] + 1))
        elif kind == "iteration":
            sites, stack = set(goal["sites"]), encoder.stack

            def met() -> bool:
                return any(s.kind is SiteKind.ITERATION and s.site in sites and s.number >= 0 for s in stack)
        elif kind == "source":
            node, sources = goal["node"], encoder.c["source"]

            def met() -> bool:
                return bool(len(kinds) > start and (kinds[-1] != ACCUMULATE or sources[-1] != node))
        else:
            raise ValueError(f"unknown goal {kind}")

        armed, composites, seen = bool(self.breaks.armed), self.breaks.composites, [start]

        def check(event: bool) -> None:
            encoder.feed(recorder.log)
            if armed and (len(kinds) > seen[0] or composites):
                seen[0] = len(kinds)
                if self.breaks.event():
                    return
            if met() and not self.busy:
                self.stop("step")

        return check

    def episode_begins(self) -> None:
        """Called at the start of every episode: a goal may be to get here."""
        goal = self.goal
        recorder = self.recorder
        if goal["kind"] == "steps":
            finished = recorder.counts["step"] - (recorder.episode_kind == "step")
            if finished >= goal["count"] or self.pause_wanted:
                self.stop("step")
            return
        if recorder.episode_kind == "other" and not self.pause_wanted:
            return
        if goal["kind"] == "free" and not self.pause_wanted:
            return
        elsewhere = "number" in goal and goal["number"] != recorder.episode_number
        elsewhere = elsewhere or goal.get("episode_kind", recorder.episode_kind) != recorder.episode_kind
        if goal["kind"] == "episode" and not self.pause_wanted and elsewhere:
            return
        if self.pause_wanted:
            self.pause_at_first_event()
            return
        self.go({"kind": "operation", "armed": goal.get("armed", [])})
