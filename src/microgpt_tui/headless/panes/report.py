"""What a pane's report is, and what all of them have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from microgpt_tui.session.debugger import Debugger
from microgpt_tui.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Here:
    """The moment that a report is about."""

    debugger: Debugger
    trace: Trace
    event: int

    def made(self, node: int) -> bool:
        """True when the node is there at the moment."""
        return node >= 0 and self.trace.born_at(node) <= self.event

    def data(self, nodes: Sequence[int]) -> list[float]:
        """Their numbers at the moment; NaN for what is not made yet."""
        return [self.trace.data_at(node, self.event) for node in nodes]


@dataclass(frozen=True, slots=True)
class Report:
    """A pane as data and as text."""

    name: str
    document: Callable[[Here], dict[str, Any]]
    """What the pane knows at the moment; ``missing`` says what it does not know, and why."""
    lines: Callable[[dict[str, Any]], list[str]]
    """The document for reading."""


def figure(value: float | None) -> str:
    """A number for a table."""
    return "-" if value is None or value != value else f"{value:.4f}" if abs(value) < 1000 else f"{value:.4g}"
