"""From a wish to a file: what to draw, folded until it can be laid out and read, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from microgpt_tui.graph import dot, engines
from microgpt_tui.graph.engines import Cancelled, Engine, EngineError, LayoutFailed
from microgpt_tui.graph.files import ExportError, Written, format_of, write_whole
from microgpt_tui.graph.folding import Folded, fold_selection, fold_to_budget, made_in, scope_of_node
from microgpt_tui.graph.legend import head_pixels
from microgpt_tui.graph.levels import Level, ranks
from microgpt_tui.graph.page import Layout, Page, place, read_layout
from microgpt_tui.graph.picture import (
    Picture,
    list_parameters,
    moment_name,
    picture_of_groups,
    picture_of_nodes,
)
from microgpt_tui.graph.presets import Style
from microgpt_tui.graph.selection import Selection, between, cone, to_loss, to_parameters, top_paths, with_operands
from microgpt_tui.graph.titles import scope_title
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.trace.names import describe, name
from microgpt_tui.trace.trace import Trace

WHATS = {
    "cone": "the neighbourhood of the selected value",
    "slice": "everything between two values",
    "parameters": "everything the selected value was computed from",
    "loss": "everything between the selected value and the loss",
    "paths": "the paths to the loss that matter most",
    "statement": "the statement that made the value",
    "head": "the inner loop iteration around it, such as an attention head",
    "block": "the function call or loop iteration around it",
    "layer": "the layer around it",
    "position": "the token position around it",
    "step": "the whole step, folded",
    "model": "the whole step, with one box for all iterations of a loop",
}
"""Pictures of graphs: what they show."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to draw of which moment, and how."""

    what: str = "cone"
    node: int = -1
    """The selected value; -1 for the one that the moment is about."""
    other: int = -1
    """The other end of a slice."""
    depth: int = 3
    limit: int = 40
    """Most nodes of a cone."""
    budget: int = 60
    """Most boxes; more are folded."""
    threshold: float = 0.0
    paths: int = 3
    style: Style = field(default_factory=Style)
    force: bool = False
    """Draw it however long it takes and however small the text gets."""
    script: str = ""
    """Shown in the title."""
    auto_direction: bool = True
    """Iteration the picture when it fits the slide better that way."""


@dataclass(slots=True)
class Drawing:
    """A picture that is laid out, ready to be written in any format."""

    picture: Picture
    style: Style
    layout: Layout
    page: Page
    engine: Engine
    notes: list[str]
    request: Request | None = None
    """What was drawn in the end: the wish, folded until it fits."""

    @property
    def members(self) -> dict[int, int]:
        """Node -> key of the box that it is in."""
        return self.picture.members

    @property
    def smallest_text(self) -> float:
        """Pixels of the smallest text on the page."""
        return dot.EDGE_TEXT * self.page.scale

    @property
    def is_readable(self) -> bool:
        """True when no text is smaller than the style wants it, or when there is no slide to fit on."""
        return not self.style.is_slide or self.smallest_text >= self.style.minimum_text

    def source(self) -> str:
        """As a DOT document with all positions pinned."""
        return dot.document(self.picture, self.style, self.page)

    def rendered(self, form: str, timeout: float = 60.0, cancelled: Callable[[], bool] = lambda: False) -> bytes:
        """As a file's bytes: svg, png or pdf."""
        data = engines.render(
            self.source(), form, self.engine, layout="nop2", dpi=144 if form == "png" else 0,
            timeout=timeout, cancelled=cancelled,
        )  # fmt: skip
        return self.page.sized_svg(data, self.style.theme.background) if form == "svg" else data


# -- what to draw ----------------------------------------------------------------------------------


def node_at(trace: Trace, event: int) -> int:
    """The node that a moment is about: made, accumulated into, updated; else the last one made before."""
    for e in range(min(event, len(trace) - 1), -1, -1):
        node = trace.node_of(e)
        if node >= 0:
            return node
    return -1


def scope_for(trace: Trace, node: int, what: str) -> int:
    """The scope around a node's birth that ``what`` names. Raises ExportError that lists what there is."""
    scope = scope_of_node(trace, node)
    path = trace.scope_path(scope) if scope >= 0 else []
    rank = ranks(trace).rank
    tests: dict[str, Callable[[int], bool]] = {
        "statement": lambda s: trace.scope_kind(s) == SiteKind.STATEMENT,
        "block": lambda s: rank[s] >= 3 and trace.scope_kind(s) in (SiteKind.CALL, SiteKind.ITERATION),
        "head": lambda s: rank[s] >= 3 and trace.scope_kind(s) == SiteKind.ITERATION,
        "layer": lambda s: rank[s] == 2 and trace.scope_kind(s) == SiteKind.ITERATION,
        "position": lambda s: rank[s] == 1 and trace.scope_kind(s) == SiteKind.ITERATION,
    }
    found = next((s for s in reversed(path) if tests[what](s)), -1)
    if found < 0:
        where = " › ".join(scope_title(trace, s) for s in path) or "it is older than this step (a parameter?)"
        raise ExportError(f"no {what} around {name(trace, node)}: {where}. Select another value with --node.")
    return found


def picture_for(trace: Trace, event: int, request: Request, shown: int | None = None) -> Picture:
    """The picture that a request asks for, at a moment. Raises ExportError.

    With ``shown`` the graph is as it was at that event, and only the numbers are of ``event``.
    """
    node = request.node if request.node >= 0 else node_at(trace, event if shown is None else shown)
    if request.what not in WHATS:
        raise ExportError(f"nothing to draw is called {request.what!r}: there are {', '.join(WHATS)}")
    if node < 0 and request.what not in ("step", "model"):
        raise ExportError("no value exists yet at this moment")
    picture = _picture(trace, event, event if shown is None else shown, node, request)
    if not picture.boxes:
        raise ExportError(_nothing(trace, request, node))
    what = request.what
    subject = {"step": "the whole step, folded", "model": "one step as blocks"}.get(what, "")
    if what in ("cone", "slice", "parameters", "loss", "paths"):
        subject = {"cone": "", "slice": "between values: ", "parameters": "inputs of ", "paths": "paths from "}.get(
            what, "from value to loss: "
        ) + describe(trace, node)
    elif not subject:
        scope = scope_for(trace, node, what)
        subject = f"{what} {scope_title(trace, scope, 50)}"
    picture.title = " · ".join(x for x in (request.script, subject) if x)
    picture.subtitle = moment_name(trace, event)
    return picture


def _nothing(trace: Trace, request: Request, node: int) -> str:
    if request.what in ("slice", "loss", "paths"):
        other = name(trace, request.other) if request.what == "slice" else "the loss"
        return f"no path leads from {name(trace, node)} to {other} at this moment"
    return f"nothing to draw around {name(trace, node)} at this moment"


def _picture(trace: Trace, event: int, shown: int, node: int, request: Request) -> Picture:
    what, budget = request.what, request.budget
    if what == "step":
        folded = fold_to_budget(trace, budget, shown, _position_near(trace, node, shown))
        return _listed(picture_of_groups(trace, folded, event))
    if what == "model":
        return _listed(picture_of_groups(trace, _model(trace, shown, budget), event))
    if what == "cone":
        chosen = cone(trace, node, shown, request.depth, request.depth, min(request.limit, budget), request.threshold)
        return picture_of_nodes(trace, chosen, event, focus=node, threshold=request.threshold)
    if what in ("slice", "parameters", "loss", "paths"):
        chosen = _slice(trace, shown, node, request)
        if len(chosen.nodes) <= budget:
            return picture_of_nodes(trace, chosen, event, focus=node, threshold=request.threshold)
        return _listed(picture_of_groups(trace, fold_selection(trace, chosen.nodes, budget), event, focus=node))
    scope = scope_for(trace, node, what)
    nodes = with_operands(trace, made_in(trace, scope, shown))
    return _listed(picture_of_groups(trace, fold_selection(trace, nodes, budget, scope=scope), event, focus=node))


def _position_near(trace: Trace, node: int, event: int) -> int:
    """The scope around a node where it lies in a position, else the last position by an event; -1 without positions."""
    scope = scope_of_node(trace, node)
    rank = ranks(trace).rank
    if any(rank[s] == 1 for s in trace.scope_path(scope)):
        return scope
    iterations = (s for s in range(len(rank) - 1, -1, -1) if rank[s] == 1 and trace.scope_kind(s) == SiteKind.ITERATION)
    return next((s for s in iterations if trace.scope_first[s] <= event), -1)


def _listed(picture: Picture) -> Picture:
    list_parameters(picture)
    return picture


def _model(trace: Trace, event: int, budget: int) -> Folded:
    from microgpt_tui.graph.folding import fold

    folded = fold(trace, Level.POSITIONS, event, join=True)
    for level in (Level.LAYERS, Level.BLOCKS):
        finer = fold(trace, level, event, join=True)
        if len(finer.groups) > budget:
            break
        folded = finer
    folded.note = f"by {folded.level.label}; ×N: iterations of a loop in one box"
    return folded


def _slice(trace: Trace, event: int, node: int, request: Request) -> Selection:
    if request.what == "slice":
        if request.other < 0:
            raise ExportError("a slice needs its other end: --to NODE")
        return between(trace, node, request.other, event)
    if request.what == "parameters":
        return to_parameters(trace, node, event)
    if request.what == "paths":
        loss = trace.loss_node(event) if trace.loss_node(event) >= 0 else trace.loss_node()
        if loss < 0:
            raise ExportError("no loss yet: paths lead to what backward() was called on")
        found = top_paths(trace, node, loss, event, request.paths)
        return Selection(tuple(sorted({n for p in found for n in p.nodes})), {}, {})
    return to_loss(trace, node, event)


# -- laid out --------------------------------------------------------------------------------------


def draw(
    trace: Trace,
    event: int,
    request: Request,
    engine: Engine | None = None,
    *,
    timeout: float = 60.0,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[str], None] = lambda line: None,
) -> Drawing:
    """Lay a request out on its page: folded further, or turned, until its text can be read at that size.

    Raises ExportError, and EngineError when there is no Graphviz or it takes too long.
    """
    engine = engine or engines.find()
    best: Drawing | None = None
    notes: list[str] = []
    attempt, label, first, before = request, "", 0, 0
    while True:
        if cancelled():
            raise Cancelled("cancelled: nothing was written")
        picture = picture_for(trace, event, attempt)
        count, edges = len(picture.boxes), len(picture.arrows)
        first = first or count
        seconds = engines.estimated_seconds(count, edges)
        progress(f"{count} boxes, {edges} edges · {engine.description} · about {seconds:.1f} s")
        if seconds > timeout / 2 and not request.force:
            notes.append(f"{count} boxes and {edges} edges would take too long to lay out: folded further")
        elif best is None or not same_size(best.picture, picture):
            for drawing in _ways(picture, attempt, engine, timeout, cancelled):
                drawing.request = replace(attempt, style=drawing.style)
                if best is None or drawing.page.scale > best.page.scale:
                    drawing.notes = [*notes, label] if label else list(notes)
                    best = drawing
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
            f"small text: {best.smallest_text:.0f} pixels on a slide of {best.style.width}×{best.style.height}"
        )
    return best


def same_size(a: Picture, b: Picture) -> bool:
    """True when another attempt has led to the same graph."""
    return (len(a.boxes), len(a.arrows)) == (len(b.boxes), len(b.arrows))


def _ways(
    picture: Picture, request: Request, engine: Engine, timeout: float, cancelled: Callable[[], bool]
) -> Iterable[Drawing]:
    """The picture as asked for; while its text is too small to be read, turned, and without counts at its edges."""
    style = request.style
    styles = [style]
    if style.edges == "count":
        styles.append(replace(style, edges="none"))
    for candidate in styles:
        drawing = lay_out(picture, candidate, engine, timeout, cancelled)
        yield drawing
        if drawing.is_readable or request.force:
            return
        if request.auto_direction:
            turned = replace(candidate, direction="TB" if style.direction == "LR" else "LR")
            drawing = lay_out(picture, turned, engine, timeout, cancelled)
            yield drawing
            if drawing.is_readable:
                return


def _smaller(request: Request, count: int, best: Drawing | None) -> int:
    """The next lower budget; 0 when it goes no further.

    A fold goes to its next coarser level. A cone, which can have any size, shrinks as much as its text is too small.
    """
    part = 0.6 if best is None else min(0.85, max(0.4, best.smallest_text / best.style.minimum_text))
    budget = int(count * part) if request.what == "cone" or best is None else count - 1
    return budget if 3 <= budget < count else 0


def without_clusters(picture: Picture) -> Picture:
    """The same picture without frames."""
    return replace(picture, boxes=[replace(box, cluster=-1) for box in picture.boxes], clusters={})


def lay_out(
    picture: Picture, style: Style, engine: Engine, timeout: float = 60.0, cancelled: Callable[[], bool] = lambda: False
) -> Drawing:
    """Let the engine place everything, and put it on the page."""
    try:
        data = engines.render(dot.document(picture, style), "json0", engine, timeout=timeout, cancelled=cancelled)
    except LayoutFailed:
        if not picture.clusters:
            raise
        # Graphviz 2.43 gives up on some graphs with frames ("trouble in init_rank")
        picture = without_clusters(picture)
        data = engines.render(dot.document(picture, style), "json0", engine, timeout=timeout, cancelled=cancelled)
    layout = read_layout(data.decode())
    page = place(layout, style.width, style.height, head_pixels(picture, style))
    return Drawing(picture, style, layout, page, engine, [])


def export(
    trace: Trace,
    event: int,
    request: Request,
    path: Path,
    form: str = "",
    *,
    overwrite: bool = False,
    engine: Engine | None = None,
    timeout: float = 60.0,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[str], None] = lambda line: None,
) -> Written:
    """Draw a request and write it. Without any Graphviz the DOT document is written beside, and the error says so.

    Raises ExportError, EngineError, Cancelled.
    """
    form = format_of(path, form)
    if path.exists() and not overwrite:
        raise ExportError(f"{path} exists already. Choose another name, or say --overwrite.")
    if form in ("dot", "json"):
        return _export_text(trace, event, request, path, form, overwrite)
    try:
        engine = engine or engines.find()
    except EngineError as error:
        kept = path.with_suffix(".dot")
        picture = picture_for(trace, event, request)
        write_whole(kept, [dot.document(picture, request.style).encode()], overwrite=overwrite)
        raise EngineError(f"wrote {kept} instead of {path.name}. {error}") from None
    drawing = draw(trace, event, request, engine, timeout=timeout, cancelled=cancelled, progress=progress)
    progress(f"{len(drawing.picture.boxes)} boxes, {len(drawing.picture.arrows)} edges · writing {path.name}")
    data = drawing.rendered(form, timeout, cancelled)
    size = write_whole(path, [data], overwrite=overwrite)
    notes = (drawing.picture.note, *drawing.notes)
    picture = drawing.picture
    return Written(path, size, len(picture.boxes), len(picture.arrows), drawing.engine.name, notes)


def _export_text(trace: Trace, event: int, request: Request, path: Path, form: str, overwrite: bool) -> Written:
    from microgpt_tui.graph.interchange import picture_json

    picture = picture_for(trace, event, request)
    text = dot.document(picture, request.style) if form == "dot" else picture_json(trace, event, picture)
    size = write_whole(path, [text.encode()], overwrite=overwrite)
    return Written(path, size, len(picture.boxes), len(picture.arrows), notes=(picture.note,))


def export_scalars(trace: Trace, event: int, path: Path, form: str, *, overwrite: bool = False) -> Written:
    """The whole unfolded graph for other tools: ``dot``, or ``json`` (see docs/export.md)."""
    from microgpt_tui.graph.interchange import scalar_json

    lines = dot.scalar_lines(trace, event) if form == "dot" else scalar_json(trace, event)
    return Written(path, write_whole(path, (line.encode() for line in lines), overwrite=overwrite))


__all__ = [
    "WHATS", "Drawing", "ExportError", "Request", "Written", "draw", "export", "export_scalars", "format_of", "lay_out",
    "node_at", "picture_for", "scope_for", "write_whole",
]  # fmt: skip
