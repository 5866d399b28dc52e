"""The backward pass as a sequence of pictures: nothing moves, the gradients fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from microgpt_tui.graph.draw.shapes import Sheet
from microgpt_tui.graph.drawing import Drawing
from microgpt_tui.graph.engines import Renderer
from microgpt_tui.graph.files import ExportError, write_whole
from microgpt_tui.graph.fitting import draw, picture_for, subject_of, what_of
from microgpt_tui.graph.formats import FORMATS
from microgpt_tui.graph.model.figure import Figure
from microgpt_tui.graph.model.numbers import change_events
from microgpt_tui.graph.model.parts import family
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.request import Request
from microgpt_tui.graph.state import backward_span
from microgpt_tui.protocol.codes import BACKWARD
from microgpt_tui.trace.trace import Trace

MOST_FRAMES = 60
SECONDS = 0.7
"""How long the animation shows each frame."""
LAST_SECONDS = 2.5


def backward_of(trace: Trace, event: int) -> tuple[int, int]:
    """First and last event of the backward pass at a moment, or of the next one. Raises ExportError."""
    span = backward_span(trace, event)
    if span is None:
        span = next(((a, b) for a, b, phase in trace.phase_spans if phase == BACKWARD), None)
    if span is None:
        raise ExportError("no backward pass is recorded in this episode")
    return span


def frame_events(trace: Trace, picture: Picture, span: tuple[int, int], most: int) -> list[int]:
    """The moments to show: before the pass, every event that changes a drawn gradient, its end; at most ``most``."""
    boxes, groups = {box.key for box in picture.boxes}, picture.members
    events: list[int] = []
    last_box = -1
    for row, target in enumerate(trace.target):
        at = trace.write_event[row]
        if not span[0] <= at <= span[1]:
            continue
        box = groups.get(target, -1)
        if box in boxes:
            if box == last_box and picture.boxes and len(groups) > len(boxes):
                events[-1] = at  # a group's sums in a row are one frame
            else:
                events.append(at)
            last_box = box
    if len(events) > most - 2:
        step = len(events) / (most - 2)
        events = [events[min(len(events) - 1, int((i + 1) * step) - 1)] for i in range(most - 2)]
    return list(dict.fromkeys([span[0] - 1, *events, span[1]]))


def frames(
    trace: Trace, event: int, request: Request, renderer: Renderer | None = None, *, most: int = MOST_FRAMES
) -> Iterator[Drawing]:
    """A drawing for each frame, all on the layout of the last one. Raises ExportError, EngineError."""
    renderer = renderer or Renderer()
    span = backward_of(trace, event)
    final = draw(trace, span[1], request, renderer)
    if not final.picture.members:
        raise ExportError(f"{request.what} shows no gradients: there is nothing to see in its frames")
    events = frame_events(trace, final.picture, span, most)
    shape = [(box.key, box.title) for box in final.picture.boxes]
    for number, at in enumerate(events, 1):
        renderer.check()
        picture = picture_for(trace, at, final.request, shown=span[1])
        if [(box.key, box.title) for box in picture.boxes] != shape:
            raise ExportError("the selection changes during the backward pass: no fixed layout for it")
        picture.note = final.picture.note
        renderer.progress(f"frame {number} of {len(events)}")
        yield replace(final, event=at, picture=picture, notes=[])


def figure_frames(
    trace: Trace, event: int, request: Request, renderer: Renderer | None = None, *, most: int = MOST_FRAMES
) -> Iterator[Sheet]:
    """A designed figure at every moment at which one of its boxes begins to get its gradient, or has got all of it."""
    renderer = renderer or Renderer()
    make = what_of(request).figure
    assert make is not None
    span = backward_of(trace, event)
    final = make(subject_of(trace, span[1], request), None)
    events = figure_events(trace, final, span, most)
    for number, at in enumerate(events, 1):
        renderer.check()
        renderer.progress(f"frame {number} of {len(events)}")
        yield make(subject_of(trace, at, request), final).sheet


def figure_events(trace: Trace, found: Figure, span: tuple[int, int], most: int) -> list[int]:
    """The moments at which a figure's boxes change their state."""
    changes: set[int] = set()
    for place in found.parts:
        changes.update(change_events(trace, family(found.structure, place), span))
    events = sorted(e for e in changes if e >= 0)
    if len(events) > most - 2:
        events = [events[int(i * len(events) / (most - 2))] for i in range(most - 2)]
    return list(dict.fromkeys([span[0], *events, span[1]]))


def write_frames(
    trace: Trace,
    event: int,
    request: Request,
    folder: Path,
    form: str = "svg",
    *,
    overwrite: bool = False,
    most: int = MOST_FRAMES,
    renderer: Renderer | None = None,
) -> list[Path]:
    """Write ``frame-001.svg`` ... and ``animation.svg`` into a folder; returns the paths. Raises ExportError."""
    known = [name for name, one in FORMATS.items() if one.is_frame]
    if form not in known:
        raise ExportError(f"frames are {' or '.join(known)}, not {form}")
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"{folder}: not a folder. Choose another name for the frames.")
    if folder.exists() and any(folder.iterdir()) and not overwrite:
        raise ExportError(f"{folder} has files in it. Choose an empty folder, or say --overwrite.")
    drawings: Iterator[Drawing | Sheet] = (
        figure_frames(trace, event, request, renderer, most=most)
        if what_of(request).figure is not None
        else frames(trace, event, request, renderer, most=most)
    )
    written: list[Path] = []
    pictures: list[str] = []
    for number, drawing in enumerate(drawings, 1):
        folder.mkdir(parents=True, exist_ok=True)
        sheet = drawing if isinstance(drawing, Sheet) else drawing.sheet()
        made = {name: write(sheet) for name in dict.fromkeys(("svg", form)) if (write := FORMATS[name].write)}
        pictures.append(made["svg"].decode())
        path = folder / f"frame-{number:03d}.{form}"
        write_whole(path, [made[form]], overwrite=True)
        written.append(path)
    animation = folder / "animation.svg"
    write_whole(animation, [animated(pictures).encode()], overwrite=True)
    return [*written, animation]


def animated(pictures: list[str]) -> str:
    """One SVG that shows pictures of the same size one after another, for ever; browsers and slides play it."""
    opening = re.search(r"<svg[^>]*>", pictures[0])
    assert opening is not None
    total = SECONDS * (len(pictures) - 1) + LAST_SECONDS
    parts = [opening[0]]
    for i, picture in enumerate(pictures):
        start = SECONDS * i / total
        end = SECONDS * (i + 1) / total if i + 1 < len(pictures) else 1.0
        body = picture[picture.index(opening[0]) + len(opening[0]) : picture.rindex("</svg>")]
        body = re.sub(r'id="([^"]+)"', rf'id="f{i}-\1"', body)
        hidden = "visible" if i == 0 else "hidden"
        values, times = _timing(start, end)
        parts.append(
            f'<g visibility="{hidden}"><animate attributeName="visibility" calcMode="discrete" dur="{total:.2f}s" '
            f'repeatCount="indefinite" values="{values}" keyTimes="{times}"/>{body}</g>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _timing(start: float, end: float) -> tuple[str, str]:
    values, times = (["visible"], [0.0]) if start == 0 else (["hidden", "visible"], [0.0, start])
    if end < 1:
        values, times = [*values, "hidden"], [*times, end]
    return ";".join(values), ";".join(f"{t:.5f}" for t in times)
