"""Which row of its table an event is about, and which event made a node: both follow from the kinds of the events."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from typing import Any

from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, CREATE, ZERO

_RUN = re.compile(rb"(?s)(.)\1*")
_TABLE = {ASSIGN: ACCUMULATE, ZERO: ACCUMULATE}
"""Kinds whose rows are counted together with those of another: all writes of grads."""


class EventRows:
    """They grow with the events."""

    def __init__(self) -> None:
        self.row = array("i")
        """Per event: the node (from the episode's first), write, update, sample or print that it is about."""
        self.born = array("i")
        """Per node the event that made it; -1 for one that is older than the episode."""
        self.next: dict[int, int] = {}
        self.older = 0

    def lay_out(self, columns: Mapping[str, Any]) -> None:
        """Take in the new events."""
        event, older = len(self.row), columns["outside"]
        for run in _RUN.finditer(columns["kind"][event:].tobytes()):
            kind, count = run.group()[0], len(run.group())
            if kind == CREATE:
                self._made(event, count, older)
            else:
                table = _TABLE.get(kind, kind)
                first = self.next.get(table, 0)
                self.row.extend(range(first, first + count))
                self.next[table] = first + count
            event += count
        self._pass_older(older)

    def _made(self, event: int, count: int, older: array[int]) -> None:
        """So many events, from this one on, made a node each."""
        while count:
            self._pass_older(older)
            first = len(self.born)
            several = min(count, older[self.older] - first) if self.older < len(older) else count
            self.row.extend(range(first, first + several))
            self.born.extend(range(event, event + several))
            event, count = event + several, count - several

    def _pass_older(self, older: array[int]) -> None:
        """Nodes of earlier episodes that come next have no event."""
        while self.older < len(older) and older[self.older] == len(self.born):
            self.born.append(-1)
            self.older += 1
