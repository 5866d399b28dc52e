"""Dot products: sums of products of two nodes, through scale factors and offsets."""

from __future__ import annotations

from dataclasses import dataclass

from microgpt_tui.recognise.operations import Graph, Role
from microgpt_tui.recognise.origins import Origins

MOST_TERMS = 1 << 14


@dataclass(frozen=True, slots=True)
class Dot:
    """``result = scale( sum_j left[j] * right[j] )``: nodes; ``products[j]`` is the product of dimension j."""

    result: int
    """After scaling: what the softmax gets."""
    sum: int
    """The plain dot product."""
    products: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]


def peel(graph: Graph, node: int) -> int:
    """The node below scale factors and constant offsets (``÷ √d``, ``+ 0``)."""
    for _ in range(8):
        role = graph.role(node)
        children = graph.children(node)
        if role in (Role.MULTIPLY, Role.DIVIDE, Role.ADD, Role.SUBTRACT):
            varying = [c for c in children if not graph.is_constant(c)]
            if len(varying) != 1:
                return node
            node = int(varying[0])
        elif role is Role.NEGATE and len(children) == 1:
            node = int(children[0])
        else:
            return node
    return node


def terms(graph: Graph, node: int) -> list[int] | None:
    """The products that a chain of additions adds up, oldest first; None when something else is added too."""
    found: list[int] = []
    stack = [node]
    while stack:
        top = stack.pop()
        role = graph.role(top)
        children = graph.children(top)
        if role is Role.ADD:
            stack.extend(children)
        elif role is Role.MULTIPLY and len(children) == 2:
            found.append(top)
        elif not (graph.is_constant(top, 0) and graph.data(top) == 0):
            return None
        if len(found) > MOST_TERMS:
            return None
    found.sort()
    return found


def dot(graph: Graph, node: int) -> Dot | None:
    """The dot product below a node, its two sides in the order in which the script multiplies; None if it is none."""
    inner = peel(graph, node)
    products = terms(graph, inner)
    if not products:
        return None
    pairs = [tuple(graph.children(p)) for p in products]
    return Dot(node, inner, tuple(products), tuple(a for a, _ in pairs), tuple(b for _, b in pairs))


def score(graph: Graph, origins: Origins, node: int) -> Dot | None:
    """The dot product of two computed vectors below a score: through scales, offsets, caps and norms; None if none."""
    level = [node]
    for _ in range(8):
        below: list[int] = []
        for top in level:
            found = _computed_products(graph, origins, top)
            if found:
                pairs = [_pair(graph, p) for p in found]
                return Dot(node, top, tuple(found), tuple(a for a, _ in pairs), tuple(b for _, b in pairs))
            computed = [int(c) for c in graph.children(top) if origins.of(int(c)) >= 0]
            if len(computed) == 1 or graph.role(top) in (Role.MULTIPLY, Role.DIVIDE):
                below += computed
        level = below
    return None


def _pair(graph: Graph, product: int) -> tuple[int, int]:
    children = graph.children(product)
    return int(children[0]), int(children[-1])


def _computed_products(graph: Graph, origins: Origins, node: int) -> list[int]:
    """The products of two computed numbers that a sum in any grouping adds up, oldest first; empty for others."""
    found: list[int] = []
    stack = [node]
    while stack and len(found) <= MOST_TERMS:
        top = stack.pop()
        role = graph.role(top)
        children = [int(c) for c in graph.children(top)]
        computed = [c for c in children if origins.of(c) >= 0]
        if role is Role.MULTIPLY and len(computed) == 2:
            found.append(top)
        elif role in (Role.ADD, Role.SUBTRACT) and computed and (len(computed) == 2 or node == top or found or stack):
            if any(c not in computed and (graph.is_parameter(c) or graph.data(c)) for c in children):
                return []
            stack += computed
        elif role in (Role.NEGATE, Role.MULTIPLY) and len(computed) == 1 and top != node:
            if any(graph.is_parameter(c) for c in children):
                return []
            stack += computed
        else:
            return []
    return sorted(found)


def weighted(graph: Graph, origins: Origins, node: int) -> tuple[int, int]:
    """The nearest linear layer below a node: (the parameter of its first product, the other operand) or (-1, -1).

    Breadth first, so that the answer is the same element of the same row at every position.
    """
    level = [node]
    for _ in range(16):
        best = (-1, -1)
        below: list[int] = []
        for top in level:
            if graph.role(top) is Role.ADD and (found := _linear(graph, top))[0] >= 0:
                best = min(best, found) if best[0] >= 0 else found
            below += graph.children(top)
        if best[0] >= 0:
            return best
        level = list(dict.fromkeys(c for c in below if origins.of(c) >= 0))[:64]
    return -1, -1


def _linear(graph: Graph, node: int) -> tuple[int, int]:
    """The first product of a parameter in a sum of two or more of them, and perhaps a bias; (-1, -1) for others."""
    found: list[tuple[int, int]] = []
    stack = [node]
    while stack:
        top = stack.pop()
        children = [int(c) for c in graph.children(top)]
        if graph.role(top) is Role.ADD:
            stack += children
        elif graph.role(top) is Role.MULTIPLY and len(children) == 2 and any(map(graph.is_parameter, children)):
            a, b = children
            found.append((a, b) if graph.is_parameter(a) and not (graph.is_parameter(b) and b < a) else (b, a))
        elif not graph.is_parameter(top) and not graph.is_constant(top, 0):
            return -1, -1
    return min(found) if len(found) > 1 else (-1, -1)


def sum_end(graph: Graph, product: int) -> int:
    """The end of the chain of additions that a product goes into."""
    node = product
    while True:
        users = graph.users(node)
        if len(users) != 1 or graph.role(users[0]) is not Role.ADD:
            return node
        others = [c for c in graph.children(users[0]) if c != node]
        if others and graph.role(int(others[0])) not in (Role.MULTIPLY, Role.LEAF):
            return node
        node = users[0]
