"""Every write of a gradient, laid out: of backward passes only the order in which nodes propagate is recorded.

What a node gives to its operands follows by the script's own arithmetic, ``child.grad += local * v.grad``: from the
operands and the local gradients, from what the grads were before, and from whether these numbers are ints or floats.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import chain, compress, islice, repeat
from operator import itemgetter, sub
from typing import Any

from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, NOTED_ASSIGN, NOTED_INT, ZERO

NAN = float("nan")
_IS_WRITE = bytes(kind in (ACCUMULATE, ASSIGN, ZERO) for kind in range(256))


class Gradients:
    """The writes of an episode, one row each, in order; they grow with the columns that they follow from."""

    def __init__(self, first_node: int, start: Mapping[int, Any], outside: Mapping[int, float]) -> None:
        """``start``: grads when the episode began; ``outside``: those of older nodes that come in later (it grows)."""
        self.first_node = first_node
        self.outside_grads = outside
        self.met = 0
        """Of ``outside_grads`` so many are in ``sums``."""
        self.target = array("i")
        self.source = array("i")
        """The node that propagates, or -1."""
        self.delta = array("d")
        """What was added; NaN for an assignment."""
        self.factor = array("d")
        """The local gradient; NaN where it is not known."""
        self.after = array("d")
        self.write_site = array("i")
        self.write_event = array("i")
        self.int_after = array("i")
        """Rows after which the grad was a Python int."""
        self.sums: list[Any] = [0] * first_node
        """Per node its grad so far, as the script has it: a new one's is 0."""
        for number, grad in start.items():
            self.sums[number] = grad
        self.notes = self.passes = self.exact = self.events = 0

    def lay_out(self, columns: Mapping[str, Any]) -> None:
        """Take in what is new in the columns."""
        self.sums.extend([0] * (self.first_node + len(columns["data"]) - len(self.sums)))
        for number, grad in islice(self.outside_grads.items(), self.met, None):
            self.sums[number] = grad
        self.met = len(self.outside_grads)
        noted, passes = columns["noted_row"], columns["pass_row"]
        while self.notes < len(noted) or self.passes < len(passes):
            following = passes[self.passes] if self.passes < len(passes) else None
            end = len(noted) if following is None else bisect_left(noted, following, self.notes)
            if end > self.notes:
                self._take_notes(columns, self.notes, end)
                self.notes = end
            else:
                self._propagate(columns, self.passes)
                self.passes += 1
        kinds = columns["kind"]
        if self.events < len(kinds):
            writes = kinds[self.events :].tobytes().translate(_IS_WRITE)
            self.write_event.extend(compress(range(self.events, len(kinds)), writes))
            self.events = len(kinds)

    def _take_notes(self, c: Mapping[str, Any], start: int, end: int) -> None:
        """Writes that were noted one by one."""
        self.target.extend(c["noted_target"][start:end])
        self.source.extend(c["noted_source"][start:end])
        self.factor.extend(c["noted_factor"][start:end])
        self.write_site.extend(c["noted_site"][start:end])
        sums, row, exact = self.sums, len(self.after), c["exact_row"]
        for target, value, flags in zip(
            c["noted_target"][start:end], c["noted_value"][start:end], c["noted_flags"][start:end], strict=True
        ):
            told: Any = int(value) if flags & NOTED_INT else value
            assigned = flags & NOTED_ASSIGN
            after = told if assigned else sums[target] + told
            if self.exact < len(exact) and exact[self.exact] == row:
                after = c["exact_after"][self.exact]
                if c["exact_int"][self.exact]:
                    self.int_after.append(row)
                self.exact += 1
            elif type(after) is int:
                self.int_after.append(row)
            sums[target] = after
            self.delta.append(NAN if assigned else value)
            self.after.append(as_double(after))
            row += 1

    def _propagate(self, c: Mapping[str, Any], number: int) -> None:
        """A run of nodes that give to their operands, one after another."""
        begin, ends = c["pass_start"][number], c["pass_start"]
        order = c["order"][begin : ends[number + 1] if number + 1 < len(ends) else None]
        givers, edges = edges_of(order, c, self.first_node)
        targets, factors, ints = (picked(c[name], edges) for name in ("child", "local", "local_int"))
        sums, row = self.sums, len(self.after)
        deltas: list[Any] = []
        afters: list[Any] = []
        add_delta, add_after = deltas.append, afters.append
        for target, factor, giver, is_int in zip(targets, factors, givers, ints, strict=True):
            upstream = sums[giver]
            delta = (int(factor) if is_int and type(upstream) is int else factor) * upstream
            after = sums[target] = sums[target] + delta
            add_delta(delta)
            add_after(after)
        self.target.extend(targets)
        self.source.fromlist(givers)
        self.factor.extend(factors)
        self.write_site.extend(repeat(c["pass_site"][number], len(targets)))
        if int in set(map(type, afters)):
            self.int_after.extend(row + i for i, after in enumerate(afters) if type(after) is int)
            deltas, afters = list(map(as_double, deltas)), list(map(as_double, afters))
        self.delta.fromlist(deltas)
        self.after.fromlist(afters)


def edges_of(order: Sequence[int], c: Mapping[str, Any], first_node: int) -> tuple[list[int], list[int]]:
    """Of nodes that propagate in this order: as often as each has operands the node, and the places of its edges."""
    rows = [number - first_node for number in order]
    starts, last, end = c["child_start"], len(c["child_start"]) - 1, len(c["child"])
    begins, ends = picked(starts, rows), [starts[row + 1] if row < last else end for row in rows]
    givers = list(chain.from_iterable(map(repeat, order, map(sub, ends, begins))))
    return givers, list(chain.from_iterable(map(range, begins, ends)))


def picked(column: Sequence[Any], places: Sequence[int]) -> Sequence[Any]:
    """The values at these places: at once, which is much faster than one by one."""
    return itemgetter(*places)(column) if len(places) > 1 else [column[place] for place in places]


def as_double(value: Any) -> float:
    """A number as a double; NaN for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return NAN
