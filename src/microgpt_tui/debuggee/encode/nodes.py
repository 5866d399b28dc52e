"""Nodes into columns: values, operands, local gradients; many at once where they are of one kind."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from itertools import accumulate, chain, compress, repeat
from operator import attrgetter
from typing import Any

from microgpt_tui.debuggee.encode.columns import Columns
from microgpt_tui.debuggee.encode.sums import Sums
from microgpt_tui.debuggee.record.edges import locals_attribute, operands_attribute
from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.record.kinds import NAN, Maker, Scope
from microgpt_tui.debuggee.record.operands import Operands
from microgpt_tui.debuggee.record.walk import doubles
from microgpt_tui.protocol.codes import CREATE, OUTSIDE_OP

_INT = {float: 0, int: 1, bool: 1}


class Nodes:
    """Numbers the nodes and fills their columns."""

    def __init__(self, columns: Columns, sums: Sums, kept: dict[int, int], stack: list[Scope]) -> None:
        self.columns = columns
        self.sums = sums
        self.stack = stack
        self.shifted: Callable[[int, int], None] = lambda row, by: None
        """Rows came in before others that were there already: (the first that moves, by how many)."""
        self.observed = Operands({})
        """What operations were seen to be made of."""
        self.ids: dict[int, int] = dict(kept)
        """``id`` of a node -> its number."""
        self.pending: list[Any] = []
        """Nodes made since the last ``flush``: their columns are filled many at a time."""
        self.pending_makers: list[Maker] = []
        self.outside: list[Any] = []
        """Nodes of earlier episodes that have been met."""
        self.kept_locals: list[Any] = []
        """Per node of the episode what it keeps its local gradients in."""
        self.children_name: str | None = None
        self.locals_name: str | None = None
        self.last_node: Any = None
        self.last_is_constant = False

    @property
    def events(self) -> int:
        """How many events there are so far."""
        return len(self.columns.c["kind"]) + len(self.pending)

    @property
    def rows(self) -> int:
        """How many nodes have a place in the columns so far."""
        return len(self.columns.c["data"]) + len(self.pending)

    def flush(self) -> None:
        """Give the pending nodes their columns."""
        pending = self.pending
        if not pending:
            return
        c, ids = self.columns.c, self.ids
        nodes, makers = pending[:], self.pending_makers[:]
        pending.clear()
        self.pending_makers.clear()
        self.last_is_constant = makers[-1][2]
        count, row = len(nodes), len(c["data"])
        first = self.columns.first_node + row
        self.last_node = nodes[-1]
        if self.children_name is None and not self.observed.needed:
            any(self.find_edges(node) for node in nodes)
        ids.update(zip(map(identity_of, nodes), range(first, first + count), strict=True))
        edges = self.edges_of(nodes)
        if edges is None:
            for node in nodes:
                del ids[identity_of(node)]
            self.flush_singly(nodes, makers)
            return
        counts, children, factors, ints = edges
        c["kind"].frombytes(bytes(count))  # CREATE is 0
        c["op"].fromlist([maker[0] for maker in makers])
        c["site"].fromlist([maker[1] for maker in makers])
        starts = list(accumulate(counts, initial=len(c["child"])))
        c["child_start"].fromlist(starts[:-1])
        c["child"].fromlist(children)
        c["local"].extend(factors)
        c["local_int"].frombytes(ints)
        values = list(map(self.columns.data_of, nodes))
        if set(map(type, values)) != {float}:
            values = [v if type(v) is float else self.columns.odd_number(first + i, v) for i, v in enumerate(values)]
        c["data"].fromlist(values)

    def edges_of(self, nodes: list[Any]) -> tuple[list[int], list[int], Any, bytes] | None:
        """(operands per node, operands, local gradients, which of these are ints); None where a node is not like the
        others."""
        if self.observed.needed:
            return None
        if self.children_name is None:
            self.kept_locals += repeat((), len(nodes))
            return [0] * len(nodes), [], (), b""
        try:
            edges = list(map(attrgetter(self.children_name), nodes))
            counts = list(map(len, edges))
            children = list(map(self.ids.__getitem__, map(identity_of, chain.from_iterable(edges))))
            if self.locals_name is None:
                self.kept_locals += repeat(None, len(nodes))
                return counts, children, repeat(NAN, len(children)), bytes(len(children))
            kept = list(map(attrgetter(self.locals_name), nodes))
            if list(map(len, kept)) != counts or not set(map(type, kept)) <= {tuple, list}:
                return None
            factors = list(chain.from_iterable(kept))
            ints = bytes(map(_INT.__getitem__, map(type, factors)))
            if any(abs(factor) >= 2**53 for factor in set(compress(factors, ints))):
                return None
            doubles_ = array("d", factors)
        except (AttributeError, KeyError, TypeError, OverflowError):
            return None
        self.kept_locals += kept
        return counts, children, doubles_, ints

    def flush_singly(self, nodes: list[Any], makers: list[Maker]) -> None:
        """The same one by one: operands from earlier episodes get their rows in between."""
        c = self.columns.c
        for node, (op, site, _, _) in zip(nodes, makers, strict=True):
            before = len(c["data"])
            operands = self.operands(node)
            row = len(c["data"])
            if row > before:
                self.shifted(before, row - before)
            number = self.columns.first_node + row
            c["kind"].append(CREATE)
            value = self.columns.data_of(node)
            c["data"].append(value if type(value) is float else self.columns.odd_number(number, value))
            self.ids[identity_of(node)] = number
            c["child_start"].append(len(c["child"]))
            c["op"].append(op)
            c["site"].append(site)
            self.add_edges(node, operands)

    def add_edges(self, node: Any, operands: list[int]) -> None:
        """The operands and local gradients of the newest row."""
        kept = getattr(node, self.locals_name, None) if operands and self.locals_name else ()
        known = isinstance(kept, tuple | list) and len(kept) == len(operands)
        self.kept_locals.append(kept if known else None)
        if not operands:
            return
        factors = self.local_gradients(node, len(operands))
        self.columns.c["child"].extend(operands)
        self.columns.c["local"].extend(doubles(list(factors)))
        self.columns.c["local_int"].frombytes(self.sums.int_flags(factors))

    def operands(self, node: Any) -> list[int]:
        """The numbers of a node's operands, in the script's order."""
        if self.observed.needed:
            children: Any = self.observed.of(node)
        elif self.children_name is None and not self.find_edges(node):
            return []
        else:
            children = getattr(node, self.children_name or "", None)
        if not children:
            return []
        ids = self.ids
        try:
            return [ids[identity_of(other)] for other in children]
        except KeyError:
            return [self.number_of(other) for other in children]

    def local_gradients(self, node: Any, count: int) -> Any:
        """The derivatives that a node keeps for its operands; NaN each where it keeps none."""
        own = self.locals_name and not self.observed.needed
        factors: Any = getattr(node, self.locals_name or "", None) if own else None
        if isinstance(factors, dict):
            factors = [factors.get(k, NAN) for k in getattr(node, self.children_name or "")]
        if factors is None or len(factors) != count:
            return (NAN,) * count
        return factors

    def find_edges(self, node: Any) -> bool:
        """Which attributes hold the operands and the local gradients: told from a node that has some."""
        self.children_name = operands_attribute(node, self.columns.node_class)
        if self.children_name is None:
            return False
        self.locals_name = locals_attribute(node, self.children_name, self.columns.node_class) or self.locals_name
        return True

    def reread_last_node(self) -> None:
        """Local gradients may be assigned after ``__init__``: read the newest node's edges once more."""
        node = self.last_node
        if node is None:
            return
        self.last_node = None
        operands = self.operands(node)
        if operands and self.locals_name is None and not self.observed.needed:
            self.locals_name = locals_attribute(node, self.children_name or "", self.columns.node_class)
        c = self.columns.c
        row = self.ids[identity_of(node)] - self.columns.first_node
        start = c["child_start"][row]
        local = doubles(list(self.local_gradients(node, len(operands))))
        if operands == c["child"][start:].tolist() and local.tobytes() == c["local"][start:].tobytes():
            return
        del c["child"][start:], c["local"][start:], c["local_int"][start:]
        del self.kept_locals[row]
        self.add_edges(node, operands)
        self.kept_locals.insert(row, self.kept_locals.pop())
        for name in ("child", "local", "local_int"):
            self.columns.sent[name] = min(self.columns.sent[name], start)
        if len(c["data"]) > row + 1:  # nodes of earlier episodes came in after it
            self.columns.sent["child_start"] = min(self.columns.sent["child_start"], row + 1)
            for i in range(row + 1, len(c["data"])):
                c["child_start"][i] = len(c["child"])

    def number_of(self, node: Any) -> int:
        """The number of a node; one from an earlier episode, met for the first time, gets one without an event."""
        number = self.ids.get(identity_of(node))
        if number is not None:
            return number
        if self.pending:
            self.flush()
            if identity_of(node) in self.ids:
                return self.ids[identity_of(node)]
        c = self.columns.c
        row = len(c["data"])
        number = self.ids[identity_of(node)] = self.columns.first_node + row
        self.outside.append(node)
        value = getattr(node, self.columns.data_name, NAN)
        c["outside"].append(row)
        c["op"].append(self.columns.operation_number(OUTSIDE_OP))
        c["data"].append(value if type(value) is float else self.columns.odd_number(number, value))
        c["child_start"].append(len(c["child"]))
        c["site"].append(self.stack[0].site)
        self.kept_locals.append(None)
        grad = getattr(node, self.columns.grad_name, 0)
        if type(grad) in (int, float) and grad:
            self.sums.outside_grads[number] = grad
            self.columns.extras.setdefault("start_grads", []).append((number, grad))
            if self.sums.exact_sums is not None:
                self.sums.now()[number] = grad
        return number
