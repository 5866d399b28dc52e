"""``step``: the whole step, one position of it in detail."""

from __future__ import annotations

from microgpt_tui.graph.folding import fold_to_budget, scope_of_node
from microgpt_tui.graph.group_picture import list_parameters, picture_of_groups
from microgpt_tui.graph.levels import ranks
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.request import Subject, What
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.trace.trace import Trace


def picture(subject: Subject) -> Picture:
    """All nodes that exist, folded."""
    trace, event = subject.trace, subject.shown
    folded = fold_to_budget(trace, subject.request.budget, event, _position_near(trace, subject.node, event))
    found = picture_of_groups(trace, folded, subject.event)
    list_parameters(found)
    found.title = WHATS[0].meaning
    return found


def _position_near(trace: Trace, node: int, event: int) -> int:
    """The scope around a node where it lies in a position, else the last position by an event; -1 without positions."""
    scope = scope_of_node(trace, node)
    rank = ranks(trace).rank
    if any(rank[s] == 1 for s in trace.scope_path(scope)):
        return scope
    iterations = (s for s in range(len(rank) - 1, -1, -1) if rank[s] == 1 and trace.scope_kind(s) == SiteKind.ITERATION)
    return next((s for s in iterations if trace.scope_first[s] <= event), -1)


WHATS = (What("step", "the whole step, folded", picture, needs_node=False),)
