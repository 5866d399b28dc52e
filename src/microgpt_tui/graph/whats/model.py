"""``model``: the whole step with the iterations of each loop in one box."""

from __future__ import annotations

from microgpt_tui.graph.folding import fold
from microgpt_tui.graph.group_picture import list_parameters, picture_of_groups
from microgpt_tui.graph.levels import Level
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.request import Subject, What


def picture(subject: Subject) -> Picture:
    """As fine as the budget allows."""
    trace, event = subject.trace, subject.shown
    folded = fold(trace, Level.POSITIONS, event, join=True)
    for level in (Level.LAYERS, Level.BLOCKS):
        finer = fold(trace, level, event, join=True)
        if len(finer.groups) > subject.request.budget:
            break
        folded = finer
    folded.note = f"by {folded.level.label}; ×N: iterations of a loop in one box"
    found = picture_of_groups(trace, folded, subject.event)
    list_parameters(found)
    found.title = "one step as blocks"
    return found


WHATS = (
    What(
        "model", "the whole step, with one box for all iterations of a loop", picture, needs_node=False, labels="names"
    ),
)
