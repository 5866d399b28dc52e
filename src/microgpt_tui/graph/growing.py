"""A fold that grows with a live trace: the neighbourhood of a group, and the backward pass's progress through them.

A step of the live script adds one node: the fold takes in what is new and nothing else, so that the pane keeps up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict

from microgpt_tui.graph.folding import Fold
from microgpt_tui.graph.levels import Level, ranks
from microgpt_tui.graph.selection import Selection
from microgpt_tui.graph.state import Reached, backward_span
from microgpt_tui.protocol.codes import ACCUMULATE
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.trace import Trace


class GrowingFold:
    """An episode folded at a level, with its edges in both directions."""

    def __init__(self, level: Level) -> None:
        self.level = level
        self._generation = -1

    def _begin(self, trace: Trace) -> None:
        self.fold = Fold(trace, self.level)
        self.fold.add_older(range(trace.first_node))
        self.groups, self.group_of = self.fold.groups, self.fold.group_of
        self.inputs: defaultdict[int, dict[int, int]] = defaultdict(dict)
        """Group -> (group of operands -> how many), itself included."""
        self.users: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self._rows = 0
        self._sums: list[int] = []
        self._span: tuple[int, int] | None = None

    def update(self, trace: Trace) -> None:
        """Take in the nodes that were made since."""
        self.trace = trace
        if ranks(trace).generation != self._generation:
            self._generation = ranks(trace).generation
            self._begin(trace)  # new scopes have changed what a group is
        for (operand, user), count in self.fold.extend(trace.end_node).items():
            self.inputs[user][operand] = self.inputs[user].get(operand, 0) + count
            self.users[operand][user] = self.users[operand].get(user, 0) + count

    def uses(self, g: int) -> int:
        """How many operands of others the nodes of a group are: so many sums their gradients get."""
        return sum(self.users[g].values())

    # -- at a moment -------------------------------------------------------------------------

    def exists(self, g: int, event: int) -> bool:
        """True when a group has begun by an event."""
        group = self.groups[g]
        return group.scope < 0 or self.trace.born_at(group.first) <= event

    def cone(self, g: int, event: int, depth: int, limit: int, each: int = 1 << 30) -> Selection:
        """Groups around one, nearest first; ``nodes`` of the result are group numbers."""
        chosen = {g: None}
        below, above = [g], [g]
        for _ in range(depth):
            below = self._next(chosen, below, self.inputs, event, min(limit, len(chosen) + each))
            above = self._next(chosen, above, self.users, event, min(limit, len(chosen) + each))
        more_inputs, more_users = {}, {}
        for k in chosen:
            left_out = sum(1 for n in self.inputs.get(k, ()) if n not in chosen)
            if left_out:
                more_inputs[k] = left_out
            left_out = sum(1 for n in self.users.get(k, ()) if n not in chosen and self.exists(n, event))
            if left_out:
                more_users[k] = left_out
        return Selection(tuple(sorted(chosen)), more_inputs, more_users)

    def _next(
        self, chosen: dict[int, None], now: list[int], links: dict[int, dict[int, int]], event: int, limit: int
    ) -> list[int]:
        found = []
        for g in now:
            for near in links.get(g, ()):
                if near not in chosen and len(chosen) < limit and self.exists(near, event):
                    chosen[near] = None
                    found.append(near)
        return found

    def progress(self, event: int) -> list[int]:
        """Per group, how many sums its gradients have got in the latest backward pass; moves with the cursor."""
        trace = self.trace
        span = backward_span(trace, event)
        start = bisect_right(trace.write_event, span[0] - 1) if span else 0
        if span is None or self._span is None or span[0] != self._span[0] or len(self._sums) > len(self.groups):
            self._span, self._rows, self._sums = span, start, []
        self._sums += [0] * (len(self.groups) - len(self._sums))
        if span is None:
            return self._sums
        target, group_of, kind, at = trace.target, self.group_of, trace.kind, trace.write_event
        rows = bisect_right(at, min(event, span[1]))
        for row in range(min(rows, self._rows), max(rows, self._rows)):
            if kind[at[row]] == ACCUMULATE:
                self._sums[group_of[target[row]]] += 1 if rows > self._rows else -1
        self._rows = rows
        return self._sums

    def reached(self, g: int, event: int) -> Reached:
        """How far the backward pass has come with a group."""
        sums = self.progress(event)
        if self._span is None:
            return Reached.NONE
        if sums[g] == 0 and self.uses(g):
            return Reached.WAITING
        return Reached.FINAL if sums[g] >= self.uses(g) or event > self._span[1] else Reached.ACCUMULATING


@growing
def growing_fold(trace: Trace, level: Level) -> GrowingFold:
    """The fold of a trace at a level, up to date."""
    return GrowingFold(level)
