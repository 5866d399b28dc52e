"""What is drawn, before it is drawn anywhere: boxes, arrows and clusters with their numbers at a moment."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

from microgpt_tui.graph.draw.shapes import Shape
from microgpt_tui.graph.presets import Style
from microgpt_tui.graph.state import Reached
from microgpt_tui.protocol.codes import PHASE_NAMES
from microgpt_tui.trace.trace import Trace


class Body(Protocol):
    """A table for a box of its own: a heatmap, bars."""

    def size(self, style: Style) -> tuple[float, float]:
        """Width and height in points."""

    def shapes(self, x: float, y: float, style: Style) -> list[Shape]:
        """Drawn from its upper left corner."""

    def text(self) -> str:
        """In plain lines."""


@dataclass(slots=True)
class Box:
    """A node, or a group of nodes."""

    key: int
    title: str
    kind: str
    """``operation``, ``parameter``, ``constant``, ``loss``, ``group`` or ``table``."""
    op: str = ""
    node: int = -1
    scope: int = -1
    count: int = 1
    """How many nodes it stands for."""
    iterations: int = 1
    data: float = math.nan
    """Of one node, or of what a group hands on when that is one number."""
    grad: float = math.nan
    """Of one number; of several the Euclidean norm of their gradients."""
    state: Reached = Reached.NONE
    cluster: int = -1
    """The innermost scope that is drawn as a frame around it, or -1."""
    focus: bool = False
    more_inputs: int = 0
    more_users: int = 0
    uses: str = ""
    """Parameters that it uses and that have no box of their own."""
    result: str = ""
    """Of a group: what its statement made, in words."""
    body: Body | None = None
    """Of a table: what is drawn instead of the numbers above."""


@dataclass(slots=True)
class Arrow:
    """From an operand to what was made of it: the way of the data; gradients flow against it."""

    tail: int
    head: int
    count: int = 1
    """How many operands it stands for."""
    local: float = math.nan
    """d head / d tail, of a single edge."""
    contribution: float = math.nan
    """What has been added to the tail's grad through it; summed over ``count``."""
    share: float = math.nan
    """The part of the tail's grad, in absolute values, that came this way."""
    carrying: bool = False
    """The gradient passes here at this very moment."""


@dataclass(slots=True)
class Picture:
    """Everything that a renderer needs, in the terminal or in DOT."""

    boxes: list[Box]
    arrows: list[Arrow]
    clusters: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Scope -> (label, the cluster around it or -1)."""
    title: str = ""
    subtitle: str = ""
    note: str = ""
    backward: bool = False
    """Gradients exist at this moment."""
    members: dict[int, int] = field(default_factory=dict)
    """Node -> key of the box that it is in."""
    legend: str = ""
    """Of a table: how to read it."""
    rows: list[dict[str, object]] = field(default_factory=list)
    """Of a table: its numbers, for JSON."""


def moment_name(trace: Trace, event: int) -> str:
    """``step 3:1200 · backward · loss 3.1778``; after an update, that parameters are shown as they were used."""
    number = f" {trace.number}" if trace.number else ""
    phase = PHASE_NAMES[trace.phase_of(max(0, event))]
    text = f"{trace.episode_kind}{number}:{event + 1} · {phase}"
    loss = trace.loss_node(event)
    if loss >= 0:
        text += f" · loss {trace.data_at(loss, event):.4f}"
    updated = bool(trace.update_event) and trace.update_event[0] <= event
    return f"{text} · parameters as the forward pass used them" if updated else text


def table_picture(title: str, legend: str, body: Body, rows: list[dict[str, object]]) -> Picture:
    """A picture that is one table."""
    return Picture([Box(0, title, "table", body=body)], [], title=title, legend=legend, rows=rows)
