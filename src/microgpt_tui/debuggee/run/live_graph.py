"""The graph behind live nodes, and a backward pass over it that is not the script's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from microgpt_tui.debuggee.record.edges import attribute_names, locals_attribute, operands_attribute
from microgpt_tui.debuggee.record.identity import identity_of


class NoRule(Exception):
    """How these nodes pass on their gradients cannot be told from them: they keep no local gradients, no closure."""


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set | frozenset) else []


@dataclass(slots=True)
class LiveGraph:
    """Reads nodes of the script's class: their operands, and what passes a gradient on to them."""

    node_class: type
    data_name: str
    grad_name: str
    operands_name: str | None = None
    locals_name: str | None = None
    closure_name: str | None = None
    pairs_name: str | None = None
    """The attribute that holds pairs of an operand and its local gradient."""

    def operands(self, node: Any) -> list[Any]:
        """The nodes that a node was made from; empty for a leaf."""
        if self.pairs_name is not None:
            return [operand for operand, _ in self._pairs(node)]
        if self.operands_name is None:
            self.operands_name = operands_attribute(node, self.node_class)
            if self.operands_name is None:
                self.pairs_name = next((n for n in attribute_names(node) if self._pairs(node, n)), None)
                return self.operands(node) if self.pairs_name is not None else []
        found = getattr(node, self.operands_name, None)
        return [x for x in found if isinstance(x, self.node_class)] if found else []

    @property
    def known(self) -> bool:
        """True when some node has shown where operands are kept."""
        return self.operands_name is not None or self.pairs_name is not None

    def _pairs(self, node: Any, name: str | None = None) -> list[tuple[Any, float]]:
        """(operand, local gradient) from a list of pairs or of objects that hold both; empty where it is none."""
        found: list[tuple[Any, float]] = []
        for item in _items(getattr(node, name or self.pairs_name or "", None)):
            parts: list[Any] = list(item) if isinstance(item, tuple | list) else [
                getattr(item, n, None) for n in attribute_names(item)
            ]  # fmt: skip
            nodes = [x for x in parts if isinstance(x, self.node_class)]
            numbers = [x for x in parts if type(x) in (int, float, bool)]
            if len(nodes) != 1 or len(numbers) != 1:
                return []
            found.append((nodes[0], float(numbers[0])))
        return found

    def factors(self, node: Any, operands: Sequence[Any]) -> list[float] | None:
        """The local gradients beside the operands, where a node keeps them."""
        if self.pairs_name is not None:
            return [factor for _, factor in self._pairs(node)]
        if self.closure_name is None and self.locals_name is None and operands:
            self.locals_name = locals_attribute(node, self.operands_name or "", self.node_class)
        if self.locals_name is None:
            return None
        kept = getattr(node, self.locals_name, None)
        if isinstance(kept, dict):
            return [kept[x] for x in operands]
        fits = isinstance(kept, tuple | list) and len(kept) == len(operands)
        return list(kept) if fits and kept is not None and all(type(x) in (int, float, bool) for x in kept) else None

    def closure(self, node: Any) -> Callable[[], Any] | None:
        """What a node calls to pass its gradient on, where it keeps such a thing."""
        if self.closure_name is None:
            for name in attribute_names(node):
                kept = getattr(node, name, None)
                if callable(kept) and not isinstance(kept, type) and getattr(kept, "__code__", None) is not None \
                        and kept.__code__.co_argcount - len(kept.__defaults__ or ()) <= 0 \
                        and not hasattr(type(node), name):  # fmt: skip
                    self.closure_name = name
                    break
        kept = getattr(node, self.closure_name, None) if self.closure_name else None
        return kept if callable(kept) else None

    def below(self, tops: Sequence[Any]) -> list[Any]:
        """Every node that these were made from, and themselves, operands first. Raises NoRule for a cycle."""
        order: list[Any] = []
        state: dict[int, int] = {}
        todo: list[tuple[Any, bool]] = [(top, False) for top in reversed(tops)]
        while todo:
            node, ready = todo.pop()
            if ready:
                state[identity_of(node)] = 2
                order.append(node)
                continue
            if identity_of(node) in state:
                if state[identity_of(node)] == 1:  # met below itself
                    raise NoRule("the graph has a cycle")
                continue
            state[identity_of(node)] = 1
            todo.append((node, True))
            todo.extend((x, False) for x in self.operands(node) if state.get(identity_of(x)) != 2)
        return order

    def reverse(self, tops: Sequence[Any], seeds: Sequence[float]) -> dict[int, float]:
        """``id`` of a node -> derivative of the weighted sum of ``tops`` by it. Raises NoRule.

        Closures are called on the nodes themselves: their grads are put back afterwards.
        """
        order = self.below(tops)
        if any(self.operands(n) and self.factors(n, self.operands(n)) is None for n in order):
            return self._by_closures(order, tops, seeds)
        adjoint = dict.fromkeys(map(identity_of, order), 0.0)
        for top, seed in zip(tops, seeds, strict=True):
            adjoint[identity_of(top)] += seed
        for node in reversed(order):
            operands = self.operands(node)
            upstream = adjoint[identity_of(node)]
            if operands and upstream:
                for operand, factor in zip(operands, self.factors(node, operands) or (), strict=False):
                    adjoint[identity_of(operand)] += factor * upstream
        return adjoint

    def _by_closures(self, order: list[Any], tops: Sequence[Any], seeds: Sequence[float]) -> dict[int, float]:
        grad = self.grad_name
        if any(self.operands(n) and self.closure(n) is None for n in order):
            raise NoRule("its nodes keep neither local gradients nor a closure that passes a gradient on")
        before = [getattr(n, grad) for n in order]
        try:
            for node in order:
                setattr(node, grad, 0.0)
            for top, seed in zip(tops, seeds, strict=True):
                setattr(top, grad, getattr(top, grad) + seed)
            for node in reversed(order):
                closure = self.closure(node) if self.operands(node) else None
                if closure is not None:
                    closure()
            return {identity_of(n): float(getattr(n, grad)) for n in order}
        finally:
            for node, value in zip(order, before, strict=True):
                setattr(node, grad, value)
