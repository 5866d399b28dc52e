"""Breakpoints in the terms of one program, as both processes know them."""

from __future__ import annotations

from dataclasses import dataclass

from microgpt_tui.protocol.conditions import Condition, condition
from microgpt_tui.protocol.fields import Data


@dataclass(frozen=True, slots=True)
class Resolved(Data):
    """A place in the terms of one program: sites, nodes, operations."""

    kind: str
    sites: frozenset[int] = frozenset()
    """Statements, scopes or bindings, after ``kind``."""
    writes: frozenset[int] = frozenset()
    """LINE: sites of gradient writes on that line, where no statement is."""
    ops: frozenset[str] = frozenset()
    composites: frozenset[str] = frozenset()
    """Operations that are written with other operations (``sub``): their last node counts."""
    nodes: frozenset[int] = frozenset()
    values: tuple[str, ...] = ()
    """Parts of a scope's label that are wanted, as ``li=0``; for var the name; for print the text."""
    number: int = 0
    """STEP, SAMPLE, POS: which."""
    phase: int = -1
    condition: str = ""
    extra: frozenset[str] = frozenset()
    """Names of the script's loops that the condition may use."""

    @property
    def every(self) -> bool:
        """The condition is asked at every event inside the place, not only at its first."""
        return bool(self.condition) and condition(self.condition, self.extra).event_level

    @property
    def predicate(self) -> Condition | None:
        """The compiled condition."""
        return condition(self.condition, self.extra) if self.condition else None


@dataclass(frozen=True, slots=True)
class LiveBreakpoint(Data):
    """A breakpoint that the running script looks for."""

    number: int
    place: Resolved
    log: str | None = None
    """LOG POINT: what to say instead of stopping."""
    ignore: int = 0
    """So many hits are passed by first."""
    stdout: str = ""
    """The file of the script's output."""
