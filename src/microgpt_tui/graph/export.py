"""What × format → file: written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from microgpt_tui.graph import dot
from microgpt_tui.graph.drawing import Drawing, Sketch
from microgpt_tui.graph.engines import EngineError, Missing, Renderer
from microgpt_tui.graph.files import ExportError, Written, check_free, write_whole
from microgpt_tui.graph.fitting import draw, picture_for, subject_of, what_of
from microgpt_tui.graph.formats import FORMATS
from microgpt_tui.graph.pages import page_of
from microgpt_tui.graph.request import Request, What
from microgpt_tui.trace.trace import Trace


def formats_of(what: What) -> tuple[str, ...]:
    """The formats that something can be written in."""
    return tuple(FORMATS if what.picture is not None else what.lines)


def format_of(path: Path, what: What, given: str = "") -> str:
    """The format by name or by the file's ending. Raises ExportError that lists those there are."""
    form = given or path.suffix.lstrip(".").lower()
    if form not in FORMATS:
        raise ExportError(f"{given or path.name}: no such format. There are {', '.join(FORMATS)}.")
    known = formats_of(what)
    if form not in known:
        endings = " or ".join(f".{name}" for name in known)
        raise ExportError(f"{what.name} ({what.meaning}) cannot be written as {form}: write it as {endings}")
    return form


def export(
    trace: Trace,
    event: int,
    request: Request,
    path: Path,
    form: str = "",
    *,
    overwrite: bool = False,
    renderer: Renderer | None = None,
    later: Iterable[tuple[Trace, int]] = (),
) -> Written:
    """Write what a request asks for; ``later`` is for a page's slider.

    Without any Graphviz the DOT document is written beside, where that name is free, and the error says so.
    Raises ExportError, EngineError, Cancelled.
    """
    what = what_of(request)
    form = format_of(path, what, form)
    check_free(path, overwrite)
    if what.picture is None:
        lines = what.lines[form](subject_of(trace, event, request))
        return Written(path, write_whole(path, (line.encode() for line in lines), overwrite=overwrite))
    write, write_sketch = FORMATS[form].write, FORMATS[form].write_sketch
    renderer = renderer or Renderer()
    engine, notes = "", list[str]()
    if form == "html":
        size = write_whole(path, [page_of(trace, event, request, renderer, later)], overwrite=overwrite)
        return Written(path, size)
    if write is None:
        assert write_sketch is not None
        picture = picture_for(trace, event, request)
        data = write_sketch(Sketch(trace, event, request, picture))
    elif what.figure is not None:
        renderer.progress(f"{what.name} · our own layout")
        found = what.figure(subject_of(trace, event, request), None)
        data, notes = write(found.sheet), found.notes
        size = write_whole(path, [data], overwrite=overwrite)
        return Written(path, size, len(found.parts), len(found.plan.edges), "", tuple(notes))
    else:
        drawing = _drawing(trace, event, request, path, renderer, overwrite)
        picture, notes, engine = drawing.picture, drawing.notes, drawing.engine
        renderer.progress(f"{len(picture.boxes)} boxes, {len(picture.arrows)} edges · writing {path.name}")
        data = write(drawing.sheet())
    size = write_whole(path, [data], overwrite=overwrite)
    return Written(
        path, size, len(picture.boxes), len(picture.arrows), engine, tuple(dict.fromkeys((picture.note, *notes)))
    )


def _drawing(trace: Trace, event: int, request: Request, path: Path, renderer: Renderer, overwrite: bool) -> Drawing:
    """Laid out; where only an engine could do that and there is none, the DOT document is written and the error says
    so."""
    try:
        return draw(trace, event, request, renderer)
    except Missing as error:
        kept = path.with_suffix(".dot")
        source = dot.document(picture_for(trace, event, request), request.style).encode()
        if kept.exists() and not overwrite and kept.read_bytes() != source:
            raise EngineError(f"{kept} is there already and stays as it is. {error}") from None
        write_whole(kept, [source], overwrite=True)
        raise EngineError(f"wrote {kept} instead of {path.name}. {error}") from None
