"""What the debugger is told of the recording."""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable
from typing import Any

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.moments import Read
from microgpt_tui.debuggee.record.walk import doubles
from microgpt_tui.debuggee.run.channel import Channel
from microgpt_tui.protocol.messages import (
    EpisodeBegan,
    EpisodeEnded,
    EpisodeSummary,
    EventsRecorded,
    Hits,
    MomentsRead,
    SetupEnded,
)

PORTION = 40_000
"""Entries of the log that are encoded and sent at once."""
MOST_FAULTS = 20


class Report:
    """Sends what is new."""

    def __init__(self, channel: Channel, recorder: Recording) -> None:
        self.channel = channel
        self.recorder = recorder
        self._begun = -1
        """The episode whose beginning was told last."""
        self._moments_sent: Read = []
        """The optimizer's numbers that were told last."""

    def begin_again(self) -> None:
        """Another debugger's end: the running episode is told from its beginning."""
        self._begun = -1

    def beginning(self) -> None:
        """How the parameters stood when the episode began: goes before its events, once."""
        recorder = self.recorder
        if self._begun == recorder.episode_index:
            return
        self._begun = recorder.episode_index
        self._moments_sent = recorder.start_moments
        columns = {"start_data": recorder.start_data, "start_grad": recorder.start_grad}
        columns["start_grad_int"] = [type(grad) is int for grad in recorder.start_grad]
        columns.update({"buffer:" + name: values for name, values in recorder.start_buffers.items()})
        columns.update(self._moments(recorder.start_moments))
        blobs = {name: (0, doubles(values).tobytes()) for name, values in columns.items()}
        self.channel.send(EpisodeBegan(EpisodeSummary(**recorder.summary())), blobs)

    def events(self, *, complete: bool = False) -> None:
        """What is new in the running episode, in portions: the debugger takes one while the next is made."""
        encoder, log = self.recorder.encoder, self.recorder.log
        for end in range(encoder.done + PORTION, len(log), PORTION):
            encoder.feed(log, end)
            self._columns(complete=False)
        encoder.feed(log)
        if complete:
            encoder.close()
        else:
            encoder.scopes.scope()
        self._columns(complete=complete)
        self._moments_now(look=complete)

    def _moments_now(self, *, look: bool) -> None:
        """The optimizer's numbers, where they have changed."""
        read = self.recorder.read_moments(sys._getframe(), look=look)
        if read != self._moments_sent:
            self._moments_sent = read
            blobs = {name: (0, doubles(values).tobytes()) for name, values in self._moments(read).items()}
            self.channel.send(MomentsRead(EpisodeSummary(**self.recorder.summary())), blobs)

    def _moments(self, read: Read) -> dict[str, list[float]]:
        moments = self.recorder.moments
        return {"moment:" + n: c for n, c in moments.columns(read).items()} if moments is not None else {}

    def _columns(self, *, complete: bool) -> None:
        extras, blobs = self.recorder.encoder.columns.unsent()
        self.channel.send(EventsRecorded(EpisodeSummary(**self.recorder.summary()), complete, extras), blobs)

    def end(self, summary: dict[str, Any], setup: SetupEnded | None, hits: Callable[[], Hits]) -> None:
        """An episode is over; ``setup`` is what it has left, if it was the setup."""
        recorder = self.recorder
        whole = recorder.kept_whole or setup is not None
        if whole:
            self.beginning()
            self.events(complete=True)
        if setup is not None:
            self.channel.send(setup)
        blobs: dict[str, tuple[int, bytes]] = {}
        if recorder.episode_kind == "step":
            data = list(map(recorder.data_of, recorder.kept_nodes))
            blobs["data"] = (0, doubles(data).tobytes())
            if recorder.loss_grads is not None:
                blobs["grad"] = (0, array("f", doubles(recorder.loss_grads)).tobytes())
        losses = tuple(x for x in recorder.losses if type(x) in (int, float))
        events, edges = recorder.made_of() if recorder.counting else ((), 0)
        audits, faults = self._audited()
        message = EpisodeEnded(
            EpisodeSummary(**summary), whole, losses, events, edges, audits, faults, hits(), _printed()
        )
        self.channel.send(message, blobs)

    def _audited(self) -> tuple[int, tuple[tuple[int, float, float], ...]]:
        """What comparing ledgers with grads has found in this episode, where it was asked for."""
        recorder = self.recorder
        if recorder.audited is None:
            return 0, ()
        found = recorder.audits, tuple(recorder.audited[:MOST_FAULTS])
        recorder.audited, recorder.audits = [], 0
        return found


def _printed() -> int:
    """Bytes that the script has printed, as far as they have left it."""
    try:
        return os.lseek(1, 0, os.SEEK_CUR)
    except OSError:
        return -1
