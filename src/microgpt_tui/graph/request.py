"""What is asked for: which part of the graph, how it looks, and the registry entry that draws it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from microgpt_tui.graph.model.figure import Figure
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.presets import Style
from microgpt_tui.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Request:
    """What to draw of which moment, and how."""

    what: str = "cone"
    node: int = -1
    """The selected value; -1 for the loss, before there is one for what the moment is about."""
    other: int = -1
    """The other end of a slice."""
    depth: int = 3
    limit: int = 40
    """Most nodes of a cone."""
    budget: int = 60
    """Most boxes; more are folded."""
    threshold: float = 0.0
    paths: int = 3
    layer: int = 0
    """Of the attention heatmaps."""
    style: Style = field(default_factory=Style)
    force: bool = False
    """Draw it however long it takes and however small the text gets."""
    script: str = ""
    """Shown in the title."""
    entry: What | None = None
    """Stands in for the registry's: what a pane shows."""
    auto_direction: bool = True
    """Turn the picture when it fits the slide better that way."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A request at a moment, its value found."""

    trace: Trace
    event: int
    """The numbers are of this event."""
    shown: int
    """The graph is as it was at this event."""
    node: int
    """The selected value; -1 where nothing exists yet."""
    request: Request


@dataclass(frozen=True, slots=True)
class What:
    """Something that can be drawn: a selection as a picture, or text that no picture could hold."""

    name: str
    meaning: str
    """One line for help, the dialog and docs/export.md."""
    picture: Callable[[Subject], Picture] | None = None
    """Raises ExportError where there is nothing of the kind."""
    figure: Callable[[Subject, Figure | None], Figure] | None = None
    """A design of its own, which needs no layout, placed like another one where one is given; ``picture`` says the same
    in boxes and arrows."""
    lines: Mapping[str, Callable[[Subject], Iterator[str]]] = field(default_factory=dict)
    """Without a picture: format -> what to write."""
    needs_node: bool = True
    needs_other: bool = False
    """It is about two values."""
    elastic: bool = False
    """It can have any size, so it shrinks exactly as much as its text is too small."""
    labels: str = "both"
    """What its boxes show unless something else is asked for."""
