"""Long sums as one box: the graph at a moment, with chains of additions closed that nobody has opened."""

from __future__ import annotations

import math
from collections.abc import Collection

from microgpt_tui.graph.selection import exists, users_at
from microgpt_tui.graph.state import share
from microgpt_tui.trace.formula import local_gradients
from microgpt_tui.trace.sums import addition_after, addition_before, adds, is_start, sum_at
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
        self._slopes: dict[int, list[float]] = {}
        self._terms: dict[int, list[tuple[int, int]]] = {}

    def chain(self, node: int) -> list[int]:
        """The additions in a node's box, oldest first; empty where the box is that node alone."""
        if node not in self._chains:
            for part in self._parts(node) if adds(self.trace, node) else [[node]]:
                long = len(part) + self._starts(part[0]) > 2 if len(part) > 1 else False
                self._chains.update(dict.fromkeys(part, part if long else []))
        return self._chains[node]

    def _parts(self, node: int) -> list[list[int]]:
        """The additions of the sum that a node is in, as far as they are made: up to the selected one; behind it."""
        trace, found = self.trace, [node]
        while (before := addition_before(trace, found[-1])) >= 0:
            found.append(before)
        found.reverse()
        if found[0] in self.opened:
            return [[n] for n in found]
        while (after := addition_after(trace, found[-1])) >= 0 and exists(trace, after, self.event):
            found.append(after)
        if self.focus not in found:
            return [found]
        behind = found.index(self.focus) + 1
        return [part for part in (found[:behind], found[behind:]) if part]

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
        if node in self._terms:
            return self._terms[node]
        first = [(int(c), chain[0]) for c in self.trace.children(chain[0]) if not is_start(self.trace, int(c))]
        self._terms[node] = first + [(int(self.trace.children(a)[1]), a) for a in chain[1:]]
        return self._terms[node]

    def slopes(self, end: int) -> list[float]:
        """d end / d term through the additions between, for each of ``terms``."""
        if end not in self._slopes:
            self._slopes[end] = self._slopes_of(end)
        return self._slopes[end]

    def _slopes_of(self, end: int) -> list[float]:
        chain, terms = self.chain(end), self.terms(end)
        behind, factor = {}, 1.0
        for at, below in zip(chain[::-1], [*chain[-2::-1], -1] if chain else [], strict=True):
            behind[at] = factor
            factor *= self._local(at, below) if below >= 0 else 1.0
        return [self._local(addition, term) * behind[addition] for term, addition in terms]

    def _local(self, addition: int, operand: int) -> float:
        locals_ = local_gradients(self.trace, addition, self.event)
        slot = next((i for i, c in enumerate(self.trace.children(addition)) if c == operand), -1)
        return locals_[slot][0] if 0 <= slot < len(locals_) else math.nan

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
