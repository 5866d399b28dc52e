"""Dot products: sums of products of two nodes, through scale factors and offsets."""

from __future__ import annotations

from dataclasses import dataclass

from microgpt_tui.recognise.operations import Graph, Role
from microgpt_tui.recognise.parameters import matrix_of

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


def weighted_by_matrix(graph: Graph, node: int) -> tuple[int, int]:
    """The nearest product of a matrix's element below a node: (that parameter, the other operand) or (-1, -1).

    Breadth first, so that the answer is the same element of the same row at every position.
    """
    level = [node]
    for _ in range(12):
        best = (-1, -1)
        below: list[int] = []
        for top in level:
            children = graph.children(top)
            if graph.role(top) is Role.MULTIPLY and len(children) == 2:
                for parameter, other in (children, children[::-1]):
                    if (best[0] < 0 or parameter < best[0]) and matrix_of(graph.trace, parameter) is not None:
                        best = (int(parameter), int(other))
            below.extend(children)
        if best[0] >= 0:
            return best
        level = list(dict.fromkeys(c for c in below if not graph.is_parameter(c)))[:64]
    return -1, -1


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
