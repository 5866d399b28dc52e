"""Long sums as one box: the graph at a moment, with chains of additions closed that nobody has opened."""

from __future__ import annotations

import math
from collections.abc import Collection

from microgpt_tui.graph.selection import exists, users_at
from microgpt_tui.graph.state import share
from microgpt_tui.trace.formula import local_gradients
from microgpt_tui.trace.sums import addition_after, addition_before, is_start, sum_at
from microgpt_tui.trace.trace import Trace


def first_addition(trace: Trace, addition: int) -> int:
    """The addition that a sum of three terms or more begins with, which tells it apart; -1 for what is in no sum."""
    if sum_at(trace, addition) is None:
        return -1
    while (before := addition_before(trace, addition)) >= 0:
        addition = before
    return addition


class Sums:
    """What leads to what, where a closed sum is one box: its last addition so far stands for all of them.

    The selected node is never inside a box: a sum ends at it, and goes on behind it.
    """

    def __init__(self, trace: Trace, event: int, focus: int = -1, opened: Collection[int] = ()) -> None:
        self.trace, self.event, self.focus, self.opened = trace, event, focus, opened
        self._chains: dict[int, list[int]] = {}

    def chain(self, node: int) -> list[int]:
        """The additions in a node's box, oldest first; empty where the box is that node alone."""
        if node not in self._chains:
            found = self._chain(node) if self.trace.op_name(node) == "add" else []
            self._chains.update(dict.fromkeys(found or (node,), found))
        return self._chains[node]

    def _chain(self, node: int) -> list[int]:
        first = first_addition(self.trace, node)
        if first < 0 or first in self.opened:
            return []
        trace, found = self.trace, [node]
        while found[-1] != self.focus and (after := addition_after(trace, found[-1])) >= 0:
            if not exists(trace, after, self.event):
                break
            found.append(after)
        while (before := addition_before(trace, found[0])) >= 0 and before != self.focus:
            found.insert(0, before)
        return found if len(found) + self._starts(found[0]) > 2 else []

    def _starts(self, first: int) -> int:
        """1 for a first addition of two terms, 0 for one that adds to the 0 of ``sum``."""
        return int(not any(is_start(self.trace, c) for c in self.trace.children(first)))

    def box_of(self, node: int) -> int:
        """The node that stands for the box that a node is in."""
        chain = self.chain(node)
        return chain[-1] if chain else node

    def terms(self, node: int) -> list[tuple[int, int]]:
        """(term, the addition that adds it) of the closed sum that ends with a node, in the script's order."""
        chain = self.chain(node)
        if not chain:
            return []
        first = [(int(c), chain[0]) for c in self.trace.children(chain[0]) if not is_start(self.trace, int(c))]
        return first + [(int(self.trace.children(a)[1]), a) for a in chain[1:]]

    def slope(self, addition: int, term: int, end: int) -> float:
        """d end / d term, through the additions between."""
        chain = self.chain(end)
        factor, below = 1.0, term
        for at in chain[chain.index(addition) :]:
            locals_ = local_gradients(self.trace, at, self.event)
            slot = next((i for i, c in enumerate(self.trace.children(at)) if c == below), -1)
            factor *= locals_[slot][0] if 0 <= slot < len(locals_) else math.nan
            below = at
        return factor

    def inputs(self, node: int) -> list[int]:
        """What a box is made from."""
        terms = self.terms(node)
        return [t for t, _ in terms] if terms else [int(c) for c in self.trace.children(node)]

    def users(self, node: int, threshold: float = 0.0) -> list[int]:
        """The boxes that are made from one; with a ``threshold`` without those that brought less of its gradient."""
        trace, event = self.trace, self.event
        found = users_at(trace, node, event)
        if threshold:
            found = [u for u in found if not share(trace, node, u, event) < threshold]
        return list(dict.fromkeys(self.box_of(u) for u in found))
