"""A page: a picture with its frames of the backward pass, other training steps, and what each thing says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from microgpt_tui.graph.addresses import address
from microgpt_tui.graph.draw.shapes import Sheet
from microgpt_tui.graph.engines import Renderer
from microgpt_tui.graph.fitting import draw, picture_for, subject_of, what_of
from microgpt_tui.graph.formats.html import differences, page, tips
from microgpt_tui.graph.frames import backward_of, figure_events, frame_events
from microgpt_tui.graph.model.figure import Figure
from microgpt_tui.graph.numbers import signed
from microgpt_tui.graph.paint import painted
from microgpt_tui.graph.request import Request
from microgpt_tui.graph.state import backward_span
from microgpt_tui.protocol.codes import ACCUMULATE
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.formula import formula
from microgpt_tui.trace.ledger import ledger
from microgpt_tui.trace.names import name
from microgpt_tui.trace.trace import Trace

MOST_FRAMES = 30
LONGEST = 150
"""Characters of a formula."""
ENTRIES = 5
"""Contributions of a ledger."""
Moment = tuple[Trace, int]


def page_of(
    trace: Trace, event: int, request: Request, renderer: Renderer | None = None, later: Iterable[Moment] = ()
) -> bytes:
    """One self-contained page. ``later``: the same of other training steps, for a slider through them.

    Raises ExportError, EngineError.
    """
    renderer = renderer or Renderer()
    if what_of(request).figure is not None:
        return _figure_page(trace, event, request, renderer, later)
    drawing = draw(trace, event, request, renderer)
    sheet = drawing.sheet()
    frames: list[dict[str, Any]] = []
    span = backward_span(trace, event)
    if drawing.picture.members and span is not None:
        for at in frame_events(trace, drawing.picture, span, MOST_FRAMES):
            renderer.check()
            picture = picture_for(trace, at, drawing.request, shown=span[1])
            if len(picture.boxes) != len(drawing.picture.boxes):
                break
            picture.note = drawing.picture.note
            frames.append(_state(sheet, painted(picture, drawing.style, drawing.page), trace, at, _nodes(picture)))
    steps = [_state(sheet, sheet, trace, event, _nodes(drawing.picture))]
    for other, at in later:
        renderer.check()
        found = draw(other, at, drawing.request, renderer)
        steps.append(_state(sheet, found.sheet(), other, at, _nodes(found.picture)))
    about = _about(trace, event, _nodes(drawing.picture)) | _cells(sheet)
    return page(sheet, frames, _named(steps, [trace.number, *(s["number"] for s in steps[1:])]), about)


def _figure_page(trace: Trace, event: int, request: Request, renderer: Renderer, later: Iterable[Moment]) -> bytes:
    make = what_of(request).figure
    assert make is not None
    base = make(subject_of(trace, event, request), None)
    frames = []
    span = backward_of(trace, event) if trace.loss_node() >= 0 else None
    if span is not None and span[1] <= event:
        for at in figure_events(trace, base, span, MOST_FRAMES):
            renderer.check()
            found = make(subject_of(trace, at, request), base)
            frames.append(_state(base.sheet, found.sheet, trace, at, _units(found), tips(found.sheet)))
    steps = [_state(base.sheet, base.sheet, trace, event, _units(base), tips(base.sheet))]
    for other, at in later:
        renderer.check()
        found = make(subject_of(other, at, request), base)
        if set(found.parts) == set(base.parts):
            steps.append(_state(base.sheet, found.sheet, other, at, _units(found), tips(found.sheet)))
    about = tips(base.sheet)
    about |= {key: f"{about.get(key, '')}\n{text}" for key, text in _about(trace, event, _units(base)).items()}
    return page(base.sheet, frames, _named(steps, [s["number"] for s in steps]), about)


def _named(steps: list[dict[str, Any]], numbers: list[int]) -> list[dict[str, Any]]:
    for step, number in zip(steps, numbers, strict=True):
        step["label"] = f"step {number}"
    return steps


def _state(
    before: Sheet, after: Sheet, trace: Trace, event: int, nodes: dict[str, int], said: dict[str, str] | None = None
) -> dict[str, Any]:
    """What differs from the page at a moment."""
    about = _about(trace, event, nodes)
    if said is not None:
        about = {key: f"{said.get(key, '')}\n{text}" for key, text in about.items()}
    return {
        "label": f"event {event + 1:,}", "number": trace.number, "groups": differences(before, after), "about": about,
    }  # fmt: skip


def _nodes(picture: Any) -> dict[str, int]:
    return {f"n{box.key}": box.node for box in picture.boxes if box.node >= 0}


def _units(found: Figure) -> dict[str, int]:
    return {f"unit{place}": part.unit.vector[0] for place, part in found.parts.items()}


def _cells(sheet: Sheet) -> dict[str, str]:
    return {key: text for key, text in tips(sheet).items() if key.startswith("cell")}


def _about(trace: Trace, event: int, nodes: dict[str, int]) -> dict[str, str]:
    return {key: explained(trace, node, event) for key, node in nodes.items()}


def explained(trace: Trace, node: int, event: int) -> str:
    """How a value was made, and what its gradient is the sum of."""
    updated = bool(trace.update_event) and trace.update_event[0] <= event
    lines = [*_origin(trace, node, len(trace) if updated else trace.born_at(node))]
    entries = [c for c in ledger(trace, node, event) if c.done]
    sums = [c for c in entries if c.kind == ACCUMULATE]
    if entries:
        lines.append(f"grad {signed(trace.grad_at(node, event))}" + (f" = sum of {len(sums)}:" if sums else ""))
    for entry in sums[:ENTRIES]:
        way = f"{signed(entry.factor)} × {signed(entry.upstream)} = " if entry.factor == entry.factor else ""
        lines.append(f"  {way}{signed(entry.delta)} from {name(trace, entry.source)}")
    if len(sums) > ENTRIES:
        lines.append(f"  and {len(sums) - ENTRIES} more")
    return "\n".join(lines)


@derived
def _origin(trace: Trace, node: int, event: int) -> tuple[str, ...]:
    """Its address and how it was made: the same at every moment between its birth and the optimizer's updates."""
    if not len(trace.children(node)):
        return (address(trace, node),)
    found = formula(trace, node, event)
    return address(trace, node), _cut(found.symbols), _cut(found.numbers)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
