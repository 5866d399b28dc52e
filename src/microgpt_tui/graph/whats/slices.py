"""What lies between a value and another one, the parameters, or the loss."""

from __future__ import annotations

from collections.abc import Callable

from microgpt_tui.graph.addresses import address
from microgpt_tui.graph.files import ExportError
from microgpt_tui.graph.folding import fold_selection
from microgpt_tui.graph.group_picture import list_parameters, picture_of_groups
from microgpt_tui.graph.node_picture import picture_of_nodes
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.request import Subject, What
from microgpt_tui.graph.selection import Selection, between, to_loss, to_parameters, top_paths
from microgpt_tui.trace.names import name


def _between(subject: Subject) -> Selection:
    other = subject.request.other
    if other < 0:
        raise ExportError("a slice needs its other end: --to NODE")
    found = between(subject.trace, subject.node, other, subject.shown)
    return _reaching(subject, found, name(subject.trace, other))


def _to_parameters(subject: Subject) -> Selection:
    return to_parameters(subject.trace, subject.node, subject.shown)


def _to_loss(subject: Subject) -> Selection:
    return _reaching(subject, to_loss(subject.trace, subject.node, subject.shown), "the loss")


def _paths(subject: Subject) -> Selection:
    trace, event = subject.trace, subject.shown
    loss = trace.loss_node(event) if trace.loss_node(event) >= 0 else trace.loss_node()
    if loss < 0:
        raise ExportError("no loss yet: paths lead to what backward() was called on")
    found = top_paths(trace, subject.node, loss, event, subject.request.paths)
    nodes = tuple(sorted({node for path in found for node in path.nodes}))
    return _reaching(subject, Selection(nodes, {}, {}), "the loss")


def _reaching(subject: Subject, found: Selection, target: str) -> Selection:
    if not found.nodes:
        raise ExportError(f"no path leads from {name(subject.trace, subject.node)} to {target} at this moment")
    return found


def _drawn(select: Callable[[Subject], Selection], title: str) -> Callable[[Subject], Picture]:
    """Single nodes where the budget allows it, else folded."""

    def picture(subject: Subject) -> Picture:
        trace, event, node, request = subject.trace, subject.event, subject.node, subject.request
        chosen = select(subject)
        if len(chosen.nodes) <= request.budget:
            found = picture_of_nodes(trace, chosen, event, focus=node, threshold=request.threshold)
        else:
            found = picture_of_groups(trace, fold_selection(trace, chosen.nodes, request.budget), event, focus=node)
            list_parameters(found)
        found.title = title + address(trace, node)
        return found

    return picture


WHATS = (
    What("slice", "everything between two values", _drawn(_between, "between values: "), needs_other=True),
    What("parameters", "everything the selected value was computed from", _drawn(_to_parameters, "inputs of ")),
    What("loss", "everything between the selected value and the loss", _drawn(_to_loss, "from value to loss: ")),
    What("paths", "the paths to the loss that matter most", _drawn(_paths, "paths from ")),
)
