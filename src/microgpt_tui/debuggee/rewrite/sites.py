"""The table of sites that the rewriter fills and the recorder reads; the names of the hooks between them."""

from __future__ import annotations

from dataclasses import dataclass, field

from microgpt_tui.protocol.codes import FIRST_SITE, SiteKind

MARK, NODE, NOTE, SOURCE, PROPAGATE, BIND, CLASS, EPISODE, BACKWARD, CHOOSE, DRAW, PRINTED = (
    "@mg_mark", "@mg_node", "@mg_note", "@mg_source", "@mg_propagate", "@mg_bind", "@mg_class", "@mg_episode",
    "@mg_backward", "@mg_choose", "@mg_draw", "@mg_printed",
)  # fmt: skip
STEPPING = "@mg_stepping"
BEFORE = "@mg_before"
DELTA, FACTOR = "@mg_delta", "@mg_factor"
TYPE, LIST, COPIED = "@mg_type", "@mg_list", "@mg_copied"
"""A list that is noted is copied, since it may grow before the note is read; ``type`` and ``list``, whatever the script
calls so."""


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """A site as the recorder knows it; ``Site`` in the trace is the same without the extras."""

    kind: SiteKind
    file: int
    line: int
    column: int
    end_line: int
    end_column: int
    name: str = ""
    statement: int = -1
    names: tuple[str, ...] = ()
    depth: int = 0
    """How many loops of its function are around it."""
    function: int = 0
    """The CALL or MODULE site it belongs to."""
    candidates: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """STATEMENT: operation -> expression sites that may make it."""


@dataclass(frozen=True, slots=True)
class Making:
    """How a call of the autograd class makes a node, beyond its place."""

    reads: tuple[str, ...] = ()
    """Variables of the operation whose data it reads: its operands, or containers of them."""
    dispatch: str = ""
    """The parameter that says which operation is meant."""
    wraps: bool = False
    """It makes a node of what it is given: the operation is whichever calls it."""


@dataclass(slots=True)
class Sites:
    """The growing table of sites; numbers below ``FIRST_SITE`` are marks without a place."""

    records: list[SiteRecord | None] = field(default_factory=lambda: [None] * FIRST_SITE)
    makers: dict[int, Making] = field(default_factory=dict)
    """Of the CREATE sites."""

    def add(self, record: SiteRecord) -> int:
        self.records.append(record)
        return len(self.records) - 1
