"""A selection of nodes as a picture: a box each, with its numbers at a moment."""

from __future__ import annotations

import math
from collections import Counter

from microgpt_tui.graph.clusters import add_clusters
from microgpt_tui.graph.picture import Arrow, Box, Picture
from microgpt_tui.graph.selection import Selection, exists
from microgpt_tui.graph.state import carrying, contributions, data_used, grad_shown, reached
from microgpt_tui.protocol.codes import ACCUMULATE, CONSTANT_OP
from microgpt_tui.trace.formula import local_gradients
from microgpt_tui.trace.names import matrix_place, name, own_name, symbol
from microgpt_tui.trace.trace import Trace


def box_title(trace: Trace, node: int) -> tuple[str, str]:
    """(kind, title) of a single node: its name where a variable has one, else its operation."""
    if matrix_place(trace, node) is not None and not len(trace.children(node)):
        return "parameter", name(trace, node)
    op = trace.op_name(node)
    if op == CONSTANT_OP:
        return "constant", "const"
    own = own_name(trace, node)
    if op in ("leaf", "outside"):
        return "constant", own or op
    return "operation", f"{own} {symbol(op)}" if own else name(trace, node)


def node_box(
    trace: Trace, node: int, event: int, selection: Selection | None = None, title: tuple[str, str] | None = None
) -> Box:
    """The box of a single node at a moment; ``title`` as ``box_title`` has it."""
    kind, words = title or box_title(trace, node)
    if node == trace.loss_node(event):
        kind = "loss"
    scope = trace.scope_of(trace.born_at(node)) if trace.born_at(node) >= 0 else -1
    state = reached(trace, node, event)
    return Box(
        node, words, kind, trace.op_name(node), node, scope,
        data=data_used(trace, node, event), grad=grad_shown(trace, node, event, state), state=state,
        more_inputs=selection.more_inputs.get(node, 0) if selection else 0,
        more_users=selection.more_users.get(node, 0) if selection else 0,
    )  # fmt: skip


def node_arrows(trace: Trace, nodes: tuple[int, ...], event: int) -> list[Arrow]:
    """The edges among nodes, one per operand: of ``x * x`` two."""
    inside = set(nodes)
    now = carrying(trace, event)
    found: list[Arrow] = []
    totals: dict[int, float] = {}
    for user in nodes:
        children = trace.children(user)
        if not any(c in inside for c in children):
            continue
        slopes = local_gradients(trace, user, event)
        seen: Counter[int] = Counter()
        for slot, child in enumerate(children):
            if child not in inside:
                continue
            given = contributions(trace, child, user, event)
            amount = given[seen[child]] if seen[child] < len(given) else math.nan
            seen[child] += 1
            if child not in totals:
                totals[child] = sum(abs(trace.delta[r]) for r in _sums(trace, child, event))
            part = abs(amount) / totals[child] if totals[child] else math.nan
            slope = slopes[slot][0] if slot < len(slopes) else math.nan
            found.append(Arrow(child, user, 1, slope, amount, part, now == (child, user)))
    return found


def _sums(trace: Trace, node: int, event: int) -> list[int]:
    return [
        r for r in trace.writes_of(node)
        if trace.write_event[r] <= event and trace.kind[trace.write_event[r]] == ACCUMULATE
    ]  # fmt: skip


def picture_of_nodes(
    trace: Trace, selection: Selection, event: int, *, focus: int = -1, threshold: float = 0.0, clusters: bool = True
) -> Picture:
    """A picture with one box per node; edges below the ``threshold`` share of a gradient are left out."""
    nodes = tuple(n for n in selection.nodes if exists(trace, n, event))
    arrows = node_arrows(trace, nodes, event)
    if threshold:
        arrows = [a for a in arrows if not a.share < threshold]
        linked = {a.tail for a in arrows} | {a.head for a in arrows} | {focus}
        nodes = tuple(n for n in nodes if n in linked)
    boxes = [node_box(trace, n, event, selection) for n in nodes]
    for box in boxes:
        box.focus = box.node == focus
    members = {box.node: box.key for box in boxes}
    picture = Picture(boxes, arrows, backward=trace.loss_node(event) >= 0, members=members)
    if clusters:
        add_clusters(trace, picture)
    return picture
