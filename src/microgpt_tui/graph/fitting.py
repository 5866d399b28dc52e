"""A request as a picture, folded until it can be laid out in time and read on its slide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from microgpt_tui.graph import engines, layouts
from microgpt_tui.graph.drawing import Drawing
from microgpt_tui.graph.engines import Renderer
from microgpt_tui.graph.files import ExportError
from microgpt_tui.graph.legend import head_pixels
from microgpt_tui.graph.page import place
from microgpt_tui.graph.picture import Picture, moment_name
from microgpt_tui.graph.presets import Style
from microgpt_tui.graph.request import Request, Subject, What
from microgpt_tui.graph.state import node_at
from microgpt_tui.graph.whats import WHATS
from microgpt_tui.trace.names import name
from microgpt_tui.trace.trace import Trace


def what_of(request: Request) -> What:
    """The registry's entry. Raises ExportError that lists what there is."""
    if request.entry is not None:
        return request.entry
    if request.what not in WHATS:
        raise ExportError(f"nothing to draw is called {request.what!r}: there are {', '.join(WHATS)}")
    return WHATS[request.what]


def subject_of(trace: Trace, event: int, request: Request, shown: int | None = None) -> Subject:
    """What a request is about, at a moment."""
    graph_event = event if shown is None else shown
    loss = trace.loss_node()
    newest = loss if loss >= 0 and trace.born_at(loss) <= graph_event else node_at(trace, graph_event)
    node = request.node if request.node >= 0 else newest
    return Subject(trace, event, graph_event, node, request)


def picture_for(trace: Trace, event: int, request: Request, shown: int | None = None) -> Picture:
    """The picture that a request asks for, at a moment. Raises ExportError.

    With ``shown`` the graph is as it was at that event, and only the numbers are of ``event``.
    """
    subject = subject_of(trace, event, request, shown)
    make = what_of(request).picture
    if make is None:
        raise ExportError(
            f"{request.what} is too much for a picture: {' or '.join(what_of(request).lines)} can hold it"
        )
    picture = make(subject)
    if not picture.boxes:
        raise ExportError(f"nothing to draw around {name(trace, subject.node)} at this moment")
    picture.title = " · ".join(x for x in (request.script, picture.title) if x)
    picture.subtitle = moment_name(trace, event)
    return picture


def draw(trace: Trace, event: int, request: Request, renderer: Renderer | None = None) -> Drawing:
    """Lay a request out on its page: folded further, or turned, until its text can be read at that size.

    Raises ExportError, and EngineError when there is no Graphviz or it takes too long.
    """
    renderer = renderer or Renderer()
    best: Drawing | None = None
    notes: list[str] = []
    attempt, label, first, before = request, "", 0, 0
    while True:
        renderer.check()
        picture = picture_for(trace, event, attempt)
        picture.note = picture.note or label
        count, edges = len(picture.boxes), len(picture.arrows)
        first = first or count
        seconds = engines.estimated_seconds(count, edges)
        renderer.progress(f"{count} boxes, {edges} edges · {renderer.description} · about {seconds:.1f} s")
        too_slow = seconds > renderer.timeout / 2 if renderer.engine_name else count > layouts.MOST
        if too_slow and not request.force:
            notes.append(f"{count} boxes and {edges} edges would take too long to lay out: folded further")
        elif best is None or not _same_size(best.picture, picture):
            for style in _styles(picture, attempt):
                drawing = lay_out(trace, event, replace(attempt, style=style), picture, renderer)
                if best is None or drawing.page.scale > best.page.scale:
                    drawing.notes = [*notes, label] if label else list(notes)
                    best = drawing
                if drawing.is_readable or request.force:
                    break
        if best is not None and (request.force or best.is_readable):
            break
        budget = _smaller(attempt, count, best)
        if not budget or count == before:
            break  # it cannot be folded any further
        before = count
        attempt = replace(attempt, budget=budget, limit=min(attempt.limit, budget))
        label = f"folded from {first} boxes, so that the text can be read (--force draws all)"
    if best is None:
        raise ExportError("too large to be laid out in time: choose less, or allow it with --force")
    if not best.is_readable:
        best.notes.append(
            f"small text: {best.smallest_text:.0f} pixels on a slide of {best.style.width}×{best.style.height}. "
            "Draw less (a smaller --budget or --depth, --labels data), or --size free"
        )
    return best


def _same_size(a: Picture, b: Picture) -> bool:
    """True when another attempt has led to the same graph."""
    return (len(a.boxes), len(a.arrows)) == (len(b.boxes), len(b.arrows))


def _styles(picture: Picture, request: Request) -> Iterator[Style]:
    """As asked for; then, while the text is too small to be read, turned, without counts at the edges, in few words."""
    style = request.style
    ways = [style]
    if style.edges == "count" and picture.arrows:
        ways.append(replace(style, edges="none"))
    ways.append(replace(ways[-1], compact=True))
    for way in ways:
        yield way
        if request.auto_direction and picture.arrows:
            yield replace(way, direction="TB" if style.direction == "LR" else "LR")


def _smaller(request: Request, count: int, best: Drawing | None) -> int:
    """The next lower budget; 0 when it goes no further. A fold goes to its next coarser level."""
    part = 0.6 if best is None else min(0.85, max(0.4, best.smallest_text / best.style.minimum_text))
    budget = int(count * part) if what_of(request).elastic or best is None else count - 1
    return budget if 3 <= budget < count else 0


def lay_out(trace: Trace, event: int, request: Request, picture: Picture, renderer: Renderer) -> Drawing:
    """Give everything its place: Graphviz does, else, where there is none, we do. Raises EngineError."""
    style = request.style
    engine = renderer.engine_name
    if not picture.arrows:
        layout, engine = layouts.by_ourselves(picture, style), ""
    elif engine:
        layout = layouts.by_engine(picture, style, renderer)
    elif len(picture.boxes) <= layouts.MOST:
        layout = layouts.by_ourselves(picture, style)
    else:
        _ = renderer.engine  # says how to get one
    page = place(layout, style.width, style.height, head_pixels(picture, style))
    return Drawing(trace, event, request, picture, page, engine)
