"""``graph``: every node that the loss was computed from, one box each; what students draw by hand."""

from __future__ import annotations

from microgpt_tui.graph.files import ExportError
from microgpt_tui.graph.folding import nodes_at
from microgpt_tui.graph.node_picture import picture_of_nodes
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.request import Subject, What
from microgpt_tui.graph.selection import Selection
from microgpt_tui.trace.trace import Trace

PLAIN = 60
"""Up to so many nodes are drawn one by one unless something else is asked for."""
MOST = 400


def nodes_below(trace: Trace, event: int, most: int = MOST) -> tuple[int, ...]:
    """The loss and what it was computed from; without a loss all nodes of the episode. Stops after ``most``."""
    loss = trace.loss_node()
    if loss < 0:
        count = nodes_at(trace, event)
        return tuple(range(trace.first_node, trace.first_node + min(count, most + 1)))
    found, stack = {loss}, [loss]
    while stack and len(found) <= most:
        for child in trace.children(stack.pop()):
            if child not in found:
                found.add(child)
                stack.append(child)
    return tuple(sorted(found))


def picture(subject: Subject) -> Picture:
    """Raises ExportError where there are too many."""
    trace, request = subject.trace, subject.request
    nodes = nodes_below(trace, subject.shown)
    if len(nodes) > MOST and not request.force:
        raise ExportError(
            f"more than {MOST} nodes: too many for a box each. --what model draws what they are, --what step folds"
        )
    found = picture_of_nodes(
        trace, Selection(nodes, {}, {}), subject.event, threshold=request.threshold, clusters=False
    )
    found.title = "every value and operation"
    return found


WHATS = (What("graph", "every value and operation that the loss was computed from", picture, needs_node=False),)
