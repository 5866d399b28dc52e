"""The running episode as a trace: the encoder's own columns, so that the facts of ``trace`` are asked here too."""

from __future__ import annotations

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.walk import doubles
from microgpt_tui.protocol.messages import ScriptRead, SetupEnded
from microgpt_tui.trace.trace import Trace, program_from


class LiveTrace:
    """The newest state of the recording; ``trace()`` is as good as what the debugger would be sent now."""

    def __init__(self, recorder: Recording, script: ScriptRead) -> None:
        self.recorder = recorder
        self.program = program_from(script)
        self._setup: Trace | None = None
        self._trace: Trace | None = None
        self._events = -1

    def trace(self) -> Trace:
        """The running episode, everything in the log encoded."""
        recorder = self.recorder
        recorder.encoder.feed(recorder.log)
        if self._trace is None:
            self._trace = self._made()
        self._trace.changed()
        return self._trace

    def _made(self) -> Trace:
        recorder, encoder = self.recorder, self.recorder.encoder
        made = Trace(self.program, recorder.episode_index, recorder.episode_kind, recorder.episode_number, self._setup)
        for name, column in encoder.c.items():
            setattr(made, name, column)
        made.texts, made.shapes, made.ops, made.scope_values = (
            encoder.columns.texts, encoder.columns.shapes, encoder.columns.ops, encoder.scopes.scope_values
        )  # fmt: skip
        made.outside_grads = encoder.sums.outside_grads
        made.first_node = encoder.columns.first_node
        made.start_data, made.start_grad = doubles(recorder.start_data), doubles(recorder.start_grad)
        made.start_grad_int = doubles([type(grad) is int for grad in recorder.start_grad])
        return made

    def setup_ends(self, setup: SetupEnded) -> None:
        """The parameters are known; the columns of the setup stay, for what its nodes are."""
        self._setup = self.trace()
        self.program.keep(setup)

    def episode_opens(self) -> None:
        """Another episode: its columns are new ones."""
        self._trace = None
