"""``cone``: the neighbourhood of a value."""

from __future__ import annotations

from microgpt_tui.graph.addresses import address
from microgpt_tui.graph.node_picture import picture_of_nodes
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.request import Subject, What
from microgpt_tui.graph.selection import cone


def picture(subject: Subject) -> Picture:
    """Its operands and users, so many steps to each side."""
    trace, node, request = subject.trace, subject.node, subject.request
    most = min(request.limit, request.budget)
    chosen = cone(trace, node, subject.shown, request.depth, request.depth, most, request.threshold)
    found = picture_of_nodes(trace, chosen, subject.event, focus=node, threshold=request.threshold)
    found.title = address(trace, node)
    return found


WHATS = (What("cone", "the neighbourhood of the selected value", picture, elastic=True),)
