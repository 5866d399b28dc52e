"""Indexes over the columns that grow with the trace: stepping late in a long episode must not build them anew.

Each takes the rows that came since the last time (``update``); a trace that was cut starts them afresh.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from microgpt_tui.protocol.codes import ASSIGN, BASE_PHASE, phase_after

if TYPE_CHECKING:
    from microgpt_tui.trace.trace import Trace

_END = -1


class Users:
    """Node -> the nodes made from it: per operand a chain through the edges, in creation order."""

    def __init__(self) -> None:
        self.nodes = 0
        """Nodes whose operands are in."""
        self.edges = 0
        self.head = array("i")
        """Per node of the episode its first edge as an operand, or -1."""
        self.tail = array("i")
        self.following = array("i")
        """Per edge the next edge with the same operand, or -1."""
        self.user = array("i")
        """Per edge the node (from the episode's first) whose operand it is."""
        self.older: dict[int, list[int]] = {}
        """The same for operands that are older than the episode."""

    def update(self, trace: Trace) -> None:
        """Take the new nodes."""
        starts, child, first = trace.child_start, trace.child, trace.first_node
        begin, n = self.nodes, len(trace.born)
        fresh = n - begin
        self.head.extend(array("i", (_END,)) * fresh)
        self.tail.extend(array("i", (_END,)) * fresh)
        head, tail, user, older = self.head, self.tail, self.user, self.older
        self.following.extend(array("i", (_END,)) * (len(child) - self.edges))
        following = self.following
        edge = self.edges
        for node in range(begin, n):
            end = starts[node + 1] if node + 1 < n else len(child)
            for c in child[edge:end]:
                user.append(node)
                c -= first
                if c >= 0:
                    last = tail[c]
                    if last < 0:
                        head[c] = edge
                    else:
                        following[last] = edge
                    tail[c] = edge
                else:
                    known = older.get(c + first)
                    if known is None:
                        older[c + first] = [node]
                    else:
                        known.append(node)
                edge += 1
        self.nodes, self.edges = n, edge

    def of(self, trace: Trace, node: int) -> list[int]:
        """The users' numbers, in creation order; one that uses it twice is there twice."""
        first = trace.first_node
        if node < first:
            return [first + i for i in self.older.get(node, ())]
        found = []
        edge = self.head[node - first]
        while edge >= 0:
            found.append(first + self.user[edge])
            edge = self.following[edge]
        return found


class Rows:
    """Node -> rows of a column that are about it, in order."""

    def __init__(self) -> None:
        self.done = 0
        self.rows: dict[int, array[int]] = {}

    def update(self, column: array[int]) -> None:
        """Take the new rows."""
        index = self.rows
        row = self.done
        for node in column[row:]:
            rows = index.get(node)
            if rows is None:
                index[node] = array("i", (row,))
            else:
                rows.append(row)
            row += 1
        self.done = row


class Seeds:
    """Rows of the writes that started a backward pass: an assigned grad with no contributor."""

    def __init__(self) -> None:
        self.done = 0
        """Events that were looked at."""
        self.rows: list[int] = []

    def update(self, trace: Trace) -> None:
        """Take the new events."""
        raw = trace.kind[self.done :].tobytes()
        at = raw.find(ASSIGN)
        while at >= 0:
            row = trace.row[self.done + at]
            if trace.source[row] < 0 and trace.target[row] >= trace.first_node:  # not a parameter's clipped gradient
                self.rows.append(row)
            at = raw.find(ASSIGN, at + 1)
        self.done += len(raw)


class Phases:
    """Spans of events by phase: runs of creates, of grad writes, of updates and zeroings."""

    def __init__(self) -> None:
        self.done = 0
        self.spans: list[tuple[int, int, int]] = []

    def update(self, trace: Trace) -> None:
        """Take the new events: the last span may grow."""
        base = BASE_PHASE[trace.episode_kind]
        raw = trace.kind[self.done :].tobytes()
        offset, n = self.done, len(trace)
        begin, _, current = self.spans.pop() if self.spans else (0, 0, base)
        at = 0
        while at < len(raw):
            kind = raw[at]
            phase = phase_after(current, kind, base, offset + at == 0)
            if phase != current:
                if offset + at > begin:
                    self.spans.append((begin, offset + at - 1, current))
                begin, current = offset + at, phase
            at = _run_end(raw, at, kind)
        if n:
            self.spans.append((begin, n - 1, current))
        self.done = n


def _run_end(raw: bytes, start: int, value: int) -> int:
    """One past the end of the run of ``value`` that starts at ``start``, at C speed."""
    step = 64
    end = start + 1
    n = len(raw)
    if end < n and raw[end] != value:
        return end
    single = bytes((value,))
    while end < n:
        stop = min(n, end + step)
        stripped = raw[end:stop].lstrip(single)
        if stripped:
            return stop - len(stripped)
        end = stop
        step *= 2
    return n
