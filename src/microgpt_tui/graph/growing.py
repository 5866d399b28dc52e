"""A fold that grows with a live trace: the neighbourhood of a group, and the backward pass's progress through them.

A step of the live script adds one node: the fold takes in what is new and nothing else, so that the pane keeps up.
"""

from __future__ import annotations

from collections import defaultdict

from microgpt_tui.graph.folding import Fold
from microgpt_tui.graph.levels import Level, ranks
from microgpt_tui.graph.selection import Selection, selected, walk
from microgpt_tui.graph.state import Reached, backward_span, reached_by_sums, rows_of_pass
from microgpt_tui.protocol.codes import ZERO
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

        def inputs(k: int) -> list[int]:
            return [n for n in self.inputs.get(k, ()) if self.exists(n, event)]

        def users(k: int) -> list[int]:
            return [n for n in self.users.get(k, ()) if self.exists(n, event)]

        return selected(walk(g, inputs, users, (depth, depth), limit, each), inputs, users)

    def progress(self, event: int) -> list[int]:
        """Per group what ``state.sums_by_group`` counts; moves with the cursor instead of counting afresh."""
        trace = self.trace
        span = backward_span(trace, event)
        start, end = rows_of_pass(trace, event)
        if span is None or self._span is None or span[0] != self._span[0] or len(self._sums) > len(self.groups):
            self._span, self._rows, self._sums = span, start, []
        self._sums += [0] * (len(self.groups) - len(self._sums))
        target, group_of, kind, at = trace.target, self.group_of, trace.kind, trace.write_event
        for row in range(min(end, self._rows), max(end, self._rows)):
            if kind[at[row]] != ZERO:
                self._sums[group_of[target[row]]] += 1 if end > self._rows else -1
        self._rows = end
        return self._sums

    def reached(self, g: int, event: int) -> Reached:
        """How far the backward pass has come with a group."""
        return reached_by_sums(self.trace, event, self.progress(event)[g], self.uses(g))


@growing
def growing_fold(trace: Trace, level: Level) -> GrowingFold:
    """The fold of a trace at a level, up to date."""
    return GrowingFold(level)
