"""What is known of the run: the recorded episodes, a summary of every one, the parameters after every step."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.frames import Blobs
from microgpt_tui.protocol.messages import (
    EpisodeBegan,
    EpisodeEnded,
    EpisodeSummary,
    EventsRecorded,
    ScriptRead,
    SetupEnded,
    Stopped,
)
from microgpt_tui.protocol.stops import Killed, Stop
from microgpt_tui.trace.trace import Program, Trace, program_from


@dataclass(frozen=True, slots=True)
class Summary:
    """One episode in numbers; exists for every episode, recorded or not."""

    index: int
    kind: str
    number: int
    loss: float | None
    seconds: float
    cpu: float
    losses: tuple[float, ...]
    """What ``backward`` was called on, in order: ``loss`` is their sum."""
    events: tuple[int, ...]
    """How many of each kind there were, where counting was asked for."""
    edges: int
    """How many operands, where counting was asked for."""
    audits: int
    """How many ledger sums were compared with the node's own grad, where that was asked for."""
    audit_faults: tuple[tuple[int, float, float], ...]
    """(node, sum of its ledger, its own grad) where they differed."""
    data: array[float] | None = None
    """Parameters (``program.kept``) after the step, float64."""
    grad: array[float] | None = None
    """Their gradients after the last backward pass, float32."""


class History:
    """Grows by the script's messages; everything in it is read-only for views."""

    def __init__(self, budget: int = 1 << 29) -> None:
        self.program = Program()
        self.ready = False
        """The program's description has arrived."""
        self.traces: dict[int, Trace] = {}
        self.summaries: list[Summary] = []
        self.current = -1
        """Index of the newest episode."""
        self.stop: Stop | None = None
        """Set while the script waits or is over; None while it runs."""
        self.budget = budget
        """Bytes that recorded episodes may take; the oldest training steps are dropped first."""
        self.dropped = 0
        """Recorded episodes that were dropped to keep to the budget."""

    @property
    def newest(self) -> Trace | None:
        """The trace of the newest recorded episode."""
        return self.traces[max(self.traces)] if self.traces else None

    @property
    def recorded(self) -> list[int]:
        """The episodes in which something has happened that is recorded, in order."""
        return sorted(i for i, trace in self.traces.items() if len(trace))

    @property
    def steps(self) -> list[Summary]:
        """Summaries of the finished training steps, in order."""
        return [s for s in self.summaries if s.kind == "step"]

    def handle(self, message: Data, blobs: Blobs) -> None:
        """Take one message."""
        if isinstance(message, EventsRecorded):
            self._trace_for(message.summary).extend(message.extras, blobs, complete=message.complete)
        elif isinstance(message, EpisodeBegan):
            self._take_beginning(message, blobs)
        elif isinstance(message, EpisodeEnded):
            self._take_end(message, blobs)
        elif isinstance(message, ScriptRead):
            self.program = program_from(message)
            self.ready = True
        elif isinstance(message, SetupEnded):
            self.program.keep(message)
        elif isinstance(message, Stopped):
            self._take_stop(message.stop)

    def lost(self, status: int | None) -> None:
        """The process is gone: without a word, where it has not said that the script is over."""
        if self.stop is None or not self.stop.over:
            self._take_stop(Killed(status=status))

    def _take_stop(self, stop: Stop) -> None:
        self.stop = stop
        if stop.over and self.traces:
            self.traces[max(self.traces)].finish()

    def _trace_for(self, summary: EpisodeSummary) -> Trace:
        index = summary.index
        trace = self.traces.get(index)
        if trace is None:
            trace = Trace(self.program, index, summary.kind, summary.number, self.traces.get(0))
            trace.first_node = summary.first_node
            self.traces[index] = trace
            self.current = max(self.current, index)
        return trace

    def _take_beginning(self, message: EpisodeBegan, blobs: Blobs) -> None:
        trace = self._trace_for(message.summary)
        trace.first_node = message.summary.first_node
        for name, (_, raw) in blobs.items():
            column = array("d", bytes(raw))
            if name.startswith("buffer:"):
                trace.buffers[name.removeprefix("buffer:")] = column
            else:
                setattr(trace, name, column)

    def _take_end(self, message: EpisodeEnded, blobs: Blobs) -> None:
        s = message.summary
        data = array("d", bytes(blobs["data"][1])) if "data" in blobs else None
        grad = array("f", bytes(blobs["grad"][1])) if "grad" in blobs else None
        self.summaries.append(
            Summary(
                s.index, s.kind, s.number, s.loss, s.seconds, s.cpu, message.losses, message.events,
                message.edges, message.audits, message.audit_faults, data, grad,
            )
        )  # fmt: skip
        self.current = max(self.current, s.index)
        if not message.whole:
            self.traces.pop(s.index, None)
        self._keep_budget()

    def _keep_budget(self) -> None:
        total = sum(t.nbytes for t in self.traces.values())
        for index in sorted(self.traces):
            if total <= self.budget or index == max(self.traces):
                break
            if index:
                total -= self.traces.pop(index).nbytes
                self.dropped += 1
