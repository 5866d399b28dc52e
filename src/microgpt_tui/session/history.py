"""What is known of the run: the recorded episodes, a summary of every one, the parameters after every step."""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.frames import Blobs
from microgpt_tui.protocol.messages import (
    CannotSleep,
    EpisodeBegan,
    EpisodeEnded,
    EpisodeSummary,
    EventsRecorded,
    MomentsRead,
    ScriptRead,
    SetupEnded,
    Stopped,
)
from microgpt_tui.protocol.stops import Killed, Stop
from microgpt_tui.recognise.cutting import cut, is_flat
from microgpt_tui.trace.trace import Program, Trace, program_from


class Stored(Protocol):
    """An array that is kept elsewhere."""

    def read(self) -> array[float]:
        """The array itself."""


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
    printed: int = -1
    """Bytes of the script's output when it was over."""
    weights: Stored | None = None
    gradients: Stored | None = None

    @property
    def data(self) -> array[float] | None:
        """Parameters (``program.kept``) after the step, float64."""
        return self.weights.read() if self.weights is not None else None

    @property
    def grad(self) -> array[float] | None:
        """Their gradients after the last backward pass, float32."""
        return self.gradients.read() if self.gradients is not None else None


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
        self.pinned: set[int] = set()
        """Episodes that are never dropped: nothing leads back to them."""
        self.cannot_sleep = ""
        """Why the script's process could not be copied, where it was tried last."""
        self.differing: list[str] = []
        """Steps that were not the same when they were run again, in words."""
        self._flat: bool | None = None
        """All parameters are flat lists that were not looked into yet; None before it is known."""
        self._spool = Spool()
        self._used: dict[int, None] = {}
        """Recorded episodes, the one looked at last behind the others."""

    @property
    def newest(self) -> Trace | None:
        """The trace of the newest recorded episode."""
        return self.traces[max(self.traces)] if self.traces else None

    @property
    def recorded(self) -> list[int]:
        """The episodes in which something has happened that is recorded, in order."""
        return sorted(i for i, trace in self.traces.items() if len(trace))

    def kinds(self) -> dict[int, tuple[str, int]]:
        """(kind, number) of the recorded episodes, by index."""
        return {i: (t.episode_kind, t.number) for i, t in self.traces.items()}

    @property
    def nbytes(self) -> int:
        """Memory that the recorded episodes take."""
        return sum(t.nbytes for t in self.traces.values())

    @property
    def in_memory(self) -> list[Trace]:
        """The recorded episodes that need not be read first."""
        return list(self.traces.values())

    @property
    def steps(self) -> list[Summary]:
        """Summaries of the finished training steps, in order."""
        return [s for s in self.summaries if s.kind == "step"]

    def summary_of(self, index: int) -> Summary | None:
        """The summary of an episode that has ended."""
        at = bisect_left(self.summaries, index, key=lambda s: s.index)
        found = self.summaries[at] if at < len(self.summaries) else None
        return found if found is not None and found.index == index else None

    def printed_in(self, byte: int) -> int | None:
        """The episode in which a byte of the output (counted from 0) was printed."""
        return next((s.index for s in self.summaries if s.printed > byte), None)

    def blank(self) -> History:
        """One of the same program, for what is run again."""
        made = History(self.budget)
        made.program, made.ready = self.program, self.ready
        made.traces.update({i: self.traces[i] for i in (0,) if i in self.traces})
        return made

    def until(self, index: int) -> History:
        """The part before an episode: what a branch that leaves in it shares."""
        made = self.blank()
        made.traces.update({i: trace for i, trace in self.traces.items() if i < index})
        made.summaries = [s for s in self.summaries if s.index < index]
        made.current = index
        made._spool = self._spool
        return made

    def visit(self, trace: Trace) -> None:
        """Take in an episode that was run again."""
        self.traces[trace.index] = trace
        self.touch(trace.index)
        self._keep_budget()

    def touch(self, index: int) -> None:
        """An episode is looked at."""
        self._used.pop(index, None)
        self._used[index] = None

    def handle(self, message: Data, blobs: Blobs) -> None:
        """Take one message."""
        if isinstance(message, EventsRecorded):
            trace = self._trace_for(message.summary)
            trace.extend(message.extras, blobs, complete=message.complete)
            self.look_for_matrices(trace)
        elif isinstance(message, MomentsRead):
            columns = {name.removeprefix("moment:"): array("d", bytes(raw)) for name, (_, raw) in blobs.items()}
            self._trace_for(message.summary).take_moments(columns)
        elif isinstance(message, EpisodeBegan):
            self._take_beginning(message, blobs)
        elif isinstance(message, EpisodeEnded):
            self._take_end(message, blobs)
        elif isinstance(message, CannotSleep):
            self.cannot_sleep = message.reason
        elif isinstance(message, ScriptRead):
            self.program = program_from(message)
            self.ready = True
        elif isinstance(message, SetupEnded):
            self.program.keep(message)
            self._flat = None
        elif isinstance(message, Stopped):
            self._take_stop(message.stop)

    def look_for_matrices(self, trace: Trace) -> None:
        """Where all parameters are flat lists: cut them, once, as the first pass over an episode's loss begins."""
        if self._flat is None:
            self._flat = self.ready and bool(self.program.matrices) and is_flat(self.program)
        if self._flat and trace.episode_kind in ("step", "sample") and (len(trace.pass_start) or trace.complete):
            self._flat = False
            if found := cut(trace):
                self.program.cut(found)
                for each in (*self.in_memory, trace):
                    each.derived.clear()
                    each.grown.clear()

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
            elif name.startswith("moment:"):
                trace.moments[name.removeprefix("moment:")] = column
            else:
                setattr(trace, name, column)

    def _take_end(self, message: EpisodeEnded, blobs: Blobs) -> None:
        s = message.summary
        data = self._spool.keep("d", blobs["data"][1]) if "data" in blobs else None
        grad = self._spool.keep("f", blobs["grad"][1]) if "grad" in blobs else None
        self.summaries.append(
            Summary(
                s.index, s.kind, s.number, s.loss, s.seconds, s.cpu, message.losses, message.events,
                message.edges, message.audits, message.audit_faults, message.printed, data, grad,
            )
        )  # fmt: skip
        self.current = max(self.current, s.index)
        if not message.whole:
            self.traces.pop(s.index, None)
        self._keep_budget()

    def _keep_budget(self) -> None:
        total = self.nbytes
        if total <= self.budget:
            return
        steps = [s.index for s in self.summaries if s.kind == "step"]
        kept = {0, max(self.traces), *steps[:1], *self.pinned, *list(self._used)[-1:]}
        order = [*(i for i in sorted(self.traces) if i not in self._used), *self._used]
        for index in order:
            if total > self.budget and index not in kept and index in self.traces:
                total -= self.traces.pop(index).nbytes
                self._used.pop(index, None)
                self.dropped += 1


class Spool:
    """A file for the numbers of many steps, so that memory stays flat."""

    def __init__(self) -> None:
        self._file = -1
        self._end = 0

    def keep(self, kind: str, raw: bytes | memoryview) -> Spooled:
        """Put away an array's bytes."""
        if self._file < 0:
            self._file, path = tempfile.mkstemp(prefix="microgpt-tui-")
            Path(path).unlink()
            weakref.finalize(self, os.close, self._file)
        start = self._end
        self._end += os.pwrite(self._file, raw, start)
        return Spooled(self, kind, start, self._end)

    def read(self, start: int, end: int) -> bytes:
        """What was put there."""
        return os.pread(self._file, end - start, start)


@dataclass(frozen=True, slots=True)
class Spooled:
    """An array in a spool."""

    spool: Spool
    kind: str
    start: int
    end: int

    def read(self) -> array[float]:
        """The array itself."""
        return array(self.kind, self.spool.read(self.start, self.end))
