"""What is known of the run: the recorded episodes, a summary of every one, the parameters after every step."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

from microgpt_tui.session.process import Message
from microgpt_tui.trace.trace import Matrix, Program, Trace, program_from


@dataclass(slots=True)
class Summary:
    """One episode in numbers; exists for every episode, recorded or not."""

    index: int
    kind: str
    number: int
    loss: float | None
    seconds: float
    cpu: float
    data: array[float] | None = None
    """Parameters (``program.kept``) after the step, float64."""
    grad: array[float] | None = None
    """Their gradients after the last backward pass, float32."""
    losses: list[float] = field(default_factory=list)
    """What ``backward`` was called on, in order: ``loss`` is their sum."""
    audits: int = 0
    """How many ledger sums were compared with the node's own grad, where that was asked for."""
    audit_faults: list[tuple[int, float, float]] = field(default_factory=list)
    """(node, sum of its ledger, its own grad) where they differed."""


@dataclass(slots=True)
class Stop:
    """Why the script is paused, or how it ended."""

    reason: str
    """``step``, ``pause``, ``break``, ``watch``, ``nan``; at the end ``end``, ``exit``, ``exception``, ``signal``,
    ``killed``, ``refused``."""
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """True when the script has ended."""
        return self.reason in ("end", "exit", "exception", "signal", "killed", "refused")


class History:
    """Grows by the debuggee's messages; everything in it is read-only for views."""

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
        self.answer: dict[str, Any] | None = None

    @property
    def newest(self) -> Trace | None:
        """The trace of the newest recorded episode."""
        return self.traces[max(self.traces)] if self.traces else None

    @property
    def steps(self) -> list[Summary]:
        """Summaries of the finished training steps, in order."""
        return [s for s in self.summaries if s.kind == "step"]

    def handle(self, message: Message) -> str:
        """Take one message; returns its type."""
        header, blobs = message
        kind = str(header.get("type"))
        if kind == "events":
            self._trace_for(header).extend(header, blobs)
        elif kind == "start":
            trace = self._trace_for(header)
            trace.first_node = header["first_node"]
            for name, (_, raw) in blobs.items():
                column = array("d")
                column.frombytes(raw)
                if name.startswith("buffer:"):
                    trace.buffers[name.removeprefix("buffer:")] = column
                else:
                    setattr(trace, name, column)
        elif kind == "episode":
            summary = Summary(
                header["index"],
                header["kind"],
                header["number"],
                header["loss"],
                header["seconds"],
                header["cpu"],
                losses=header.get("losses", []),
                audits=header.get("audits", 0),
                audit_faults=[tuple(fault) for fault in header.get("audit_faults", ())],
            )
            for name, code in (("data", "d"), ("grad", "f")):
                if name in blobs:
                    column = array(code)
                    column.frombytes(blobs[name][1])
                    setattr(summary, name, column)
            self.summaries.append(summary)
            self.current = max(self.current, header["index"])
            if not header["whole"]:
                self.traces.pop(header["index"], None)
            self._keep_budget()
        elif kind == "program":
            self.program = program_from(header)
            self.ready = True
        elif kind == "kept":
            self._take_kept(header)
        elif kind == "stop":
            self.stop = Stop(header["reason"], header)
        elif kind == "ended":
            self.stop = Stop(header["reason"], header)
            self._finish_last()
        elif kind == "refused":
            self.stop = Stop("refused", header)
        elif kind == "answer":
            self.answer = header
        return kind

    def lost(self, status: int | None) -> None:
        """The process is gone without a word."""
        if self.stop is None or not self.stop.over:
            self.stop = Stop("killed", {"status": status})
            self._finish_last()

    def _finish_last(self) -> None:
        if self.traces:
            self.traces[max(self.traces)].complete = True

    def _trace_for(self, header: dict[str, Any]) -> Trace:
        index = header["index"]
        trace = self.traces.get(index)
        if trace is None:
            trace = Trace(self.program, index, header["kind"], header["number"], self.traces.get(0))
            trace.first_node = header["first_node"]
            self.traces[index] = trace
            self.current = max(self.current, index)
        return trace

    def _take_kept(self, header: dict[str, Any]) -> None:
        program = self.program
        program.kept = array("q", header["kept"])
        program.matrices = [Matrix(name, tuple(shape), array("q", nodes)) for name, shape, nodes in header["matrices"]]
        program.namespace = header["namespace"]
        program.total_steps = header["total_steps"]

    def _keep_budget(self) -> None:
        total = sum(t.nbytes for t in self.traces.values())
        for index in sorted(self.traces):
            if total <= self.budget or index == max(self.traces):
                break
            if index:
                total -= self.traces.pop(index).nbytes
                self.dropped += 1
