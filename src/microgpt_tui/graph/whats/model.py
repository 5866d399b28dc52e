"""``model``: the designed figure of the model, from the structure of its computation."""

from __future__ import annotations

from microgpt_tui.graph.files import ExportError
from microgpt_tui.graph.model.figure import Figure, figure
from microgpt_tui.graph.model.parts import family
from microgpt_tui.graph.model.units import held
from microgpt_tui.graph.picture import Arrow, Box, Picture
from microgpt_tui.graph.request import Subject, What


def _figure(subject: Subject, like: Figure | None = None) -> Figure:
    """The model behind the loss. Raises ExportError where the episode has none."""
    trace = subject.trace
    target = trace.loss_node() if subject.request.node < 0 else subject.request.node
    if target < 0:
        raise ExportError(
            "no loss: the model is what backward() was called on. Choose a training step, such as 1; of a loss "
            "that was computed before the loop: --at setup:end --node loss"
        )
    if not len(trace.children(target)):
        raise ExportError("the operands of this script's values are not recorded: there is nothing to draw a model of")
    request = subject.request
    title = " · ".join(t for t in (request.script, "the model") if t)
    found = figure(trace, subject.event, request.style, title, target, like)
    if not any(u.matrices for u in found.structure.units):
        raise ExportError("nothing that the loss was computed from is a parameter. --what graph draws every value")
    return found


_KINDS = {"loss": "cross-entropy"}
"""Of a position; ``loss`` is what ``backward`` was called on."""


def picture(subject: Subject) -> Picture:
    """The same as boxes and arrows: for each its parameters, and the norm of their gradient."""
    found = _figure(subject)
    boxes = []
    for place, part in found.parts.items():
        numbers = found.numbers[place]
        group = held([m for u in family(found.structure, place) for m in u.matrices])
        kind = "loss" if part.is_loss else _KINDS.get(part.unit.kind, part.unit.kind)
        box = Box(
            place, part.title, kind, count=len(part.unit.vector),
            data=numbers.low if numbers.size == 1 else float("nan"), grad=numbers.grad, state=numbers.state,
        )  # fmt: skip
        box.uses = ", ".join(f"{h.name} {h.shape_text} · {h.count:,}".replace("  ", " ") for h in group)
        box.result = " · ".join([*part.lines, numbers.result])
        boxes.append(box)
    arrows = [Arrow(a, b) for a, b in found.plan.edges]
    drawn = Picture(boxes, arrows, title="the model", backward=subject.trace.loss_node(subject.event) >= 0)
    if found.structure.missing:
        drawn.note = "not used in this step: " + ", ".join(m.name for m in found.structure.missing)
    return drawn


WHATS = (
    What(
        "model", "the model: its layers, attention and matrices, with the norm of every gradient", picture, _figure,
        needs_node=False,
    ),
)  # fmt: skip
