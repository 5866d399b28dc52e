"""Nodes into columns: values, operands, local gradients; many at once where they are alike."""

from __future__ import annotations

from array import array
from itertools import accumulate, chain, compress, repeat
from operator import attrgetter
from typing import Any

from microgpt_tui.debuggee.encode.columns import Columns, int_flag
from microgpt_tui.debuggee.record.edges import locals_attribute, operands_attribute
from microgpt_tui.debuggee.record.kinds import NAN, Maker
from microgpt_tui.debuggee.record.walk import doubles
from microgpt_tui.protocol.codes import CREATE, OUTSIDE_OP

_INT = {float: 0, int: 1, bool: 1}


class Nodes(Columns):
    """Numbers the nodes and fills their columns."""

    def settle(self) -> None:
        """Give the fresh nodes their columns."""
        fresh = self.fresh
        if not fresh:
            return
        c, ids = self.c, self.ids
        nodes, makers = fresh[:], self.fresh_makers[:]
        fresh.clear()
        self.fresh_makers.clear()
        self.last_is_constant = makers[-1][2]
        count, row = len(nodes), len(c["data"])
        first = self.first_node + row
        self.last_node = nodes[-1]
        if self.children_name is None:
            any(self.find_edges(node) for node in nodes)
        ids.update(zip(map(id, nodes), range(first, first + count), strict=True))
        edges = self.edges_of(nodes)
        if edges is None:
            for node in nodes:
                del ids[id(node)]
            self.settle_singly(nodes, makers)
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
        values = list(map(self.data_of, nodes))
        if set(map(type, values)) != {float}:
            values = [v if type(v) is float else self.odd_number(first + i, v) for i, v in enumerate(values)]
        c["data"].fromlist(values)

    def edges_of(self, nodes: list[Any]) -> tuple[list[int], list[int], Any, bytes] | None:
        """(operands per node, operands, local gradients, which of these are ints); None where a node is not like the
        others."""
        if self.children_name is None:
            self.kept_locals += repeat((), len(nodes))
            return [0] * len(nodes), [], (), b""
        try:
            edges = list(map(attrgetter(self.children_name), nodes))
            counts = list(map(len, edges))
            children = list(map(self.ids.__getitem__, map(id, chain.from_iterable(edges))))
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

    def settle_singly(self, nodes: list[Any], makers: list[Maker]) -> None:
        """The same one by one: operands from earlier episodes get their rows in between."""
        c = self.c
        for node, (op, site, _, _) in zip(nodes, makers, strict=True):
            before = len(c["data"])
            operands = self.operands(node)
            row = len(c["data"])
            if row > before:
                self.shift(before, row - before)
            number = self.first_node + row
            c["kind"].append(CREATE)
            value = self.data_of(node)
            c["data"].append(value if type(value) is float else self.odd_number(number, value))
            self.ids[id(node)] = number
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
        self.c["child"].extend(operands)
        self.c["local"].extend(doubles(list(factors)))
        self.c["local_int"].frombytes(self.int_flags(factors))

    def int_flags(self, values: Any) -> bytes:
        """Which of the numbers are ints; where one is no short number, grads are added up exactly from here on."""
        flags = list(map(int_flag, values))
        if None in flags and self.exact_sums is None:
            self.be_exact()
        return bytes(flag or 0 for flag in flags)

    def shift(self, row: int, by: int) -> None:
        """Rows came in between: what already counted on the later ones moves."""
        self.unresolved = [
            (op, scope, first + by if first >= row else first, end + by if end > row else end, event)
            for op, scope, first, end, event in self.unresolved
        ]
        for entry in self.stack:
            if entry.start_node > row:
                entry.start_node += by
        number = self.first_node + row
        if "operands" in self.extras:
            self.extras["operands"] = [(n + by if n >= number else n, v) for n, v in self.extras["operands"]]

    def operands(self, node: Any) -> list[int]:
        """The numbers of a node's operands, in the script's order."""
        if self.children_name is None and not self.find_edges(node):
            return []
        children = getattr(node, self.children_name or "", None)
        if not children:
            return []
        ids = self.ids
        try:
            return [ids[id(other)] for other in children]
        except KeyError:
            return [self.number_of(other) for other in children]

    def local_gradients(self, node: Any, count: int) -> Any:
        """The derivatives that a node keeps for its operands; NaN each where it keeps none."""
        factors: Any = getattr(node, self.locals_name, None) if self.locals_name else None
        if isinstance(factors, dict):
            factors = [factors.get(k, NAN) for k in getattr(node, self.children_name or "")]
        if factors is None or len(factors) != count:
            return (NAN,) * count
        return factors

    def find_edges(self, node: Any) -> bool:
        """Which attributes hold the operands and the local gradients: told from a node that has some."""
        self.children_name = operands_attribute(node, self.node_class)
        if self.children_name is None:
            return False
        self.locals_name = locals_attribute(node, self.children_name, self.node_class) or self.locals_name
        return True

    def reread_last_node(self) -> None:
        """Local gradients may be assigned after ``__init__``: read the newest node's edges once more."""
        node = self.last_node
        if node is None:
            return
        self.last_node = None
        operands = self.operands(node)
        if operands and self.locals_name is None:
            self.locals_name = locals_attribute(node, self.children_name or "", self.node_class)
        c = self.c
        row = self.ids[id(node)] - self.first_node
        start = c["child_start"][row]
        local = doubles(list(self.local_gradients(node, len(operands))))
        if operands == c["child"][start:].tolist() and local.tobytes() == c["local"][start:].tobytes():
            return
        del c["child"][start:], c["local"][start:], c["local_int"][start:]
        del self.kept_locals[row]
        self.add_edges(node, operands)
        self.kept_locals.insert(row, self.kept_locals.pop())
        for name in ("child", "local", "local_int"):
            self.sent[name] = min(self.sent[name], start)
        if len(c["data"]) > row + 1:  # nodes of earlier episodes came in after it
            self.sent["child_start"] = min(self.sent["child_start"], row + 1)
            for i in range(row + 1, len(c["data"])):
                c["child_start"][i] = len(c["child"])

    def number_of(self, node: Any) -> int:
        """The number of a node; one from an earlier episode, met for the first time, gets one without an event."""
        number = self.ids.get(id(node))
        if number is not None:
            return number
        if self.fresh:
            self.settle()
            if id(node) in self.ids:
                return self.ids[id(node)]
        c = self.c
        row = len(c["data"])
        number = self.ids[id(node)] = self.first_node + row
        self.outside.append(node)
        value = getattr(node, self.data_name, NAN)
        c["outside"].append(row)
        c["op"].append(self.operation_number(OUTSIDE_OP))
        c["data"].append(value if type(value) is float else self.odd_number(number, value))
        c["child_start"].append(len(c["child"]))
        c["site"].append(self.stack[0].site)
        self.kept_locals.append(None)
        grad = getattr(node, self.grad_name, 0)
        if type(grad) in (int, float) and grad:
            self.outside_grads[number] = grad
            self.extras.setdefault("start_grads", []).append((number, grad))
            if self.exact_sums is not None:
                self.sums()[number] = grad
        return number
