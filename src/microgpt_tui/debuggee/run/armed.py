"""One breakpoint as the debuggee knows it."""

from __future__ import annotations

from typing import Any

from microgpt_tui.protocol.conditions import Condition, Template, condition, template


class Armed:
    """One breakpoint, live."""

    def __init__(self, message: dict[str, Any]) -> None:
        extra = frozenset(message["extra"])
        self.number: int = message["number"]
        self.kind: str = message["kind"]
        self.sites = frozenset(message["sites"])
        self.writes = frozenset(message["writes"])
        self.ops = frozenset(message["ops"])
        self.composites = frozenset(message["composites"])
        self.nodes = frozenset(message["nodes"])
        self.values: list[str] = message["values"]
        self.which: int = message["which"]
        self.phase: int = message["phase"]
        self.stdout: str = message.get("stdout", "")
        self.condition: Condition | None = condition(message["condition"], extra) if message["condition"] else None
        self.template: Template | None = template(message["log"], extra) if message.get("log") is not None else None
        self.ignore: int = message.get("ignore", 0)
        self.every = self.condition is not None and self.condition.event_level
        """The condition is asked at every event inside the place, not only at its first."""
        self.last = -1
        self.hits = 0
        self.bound: set[int] = set()
        """VAR: events at which the variable was bound."""

    def labelled(self, label: str) -> bool:
        """As ``trace.breakpoints.labelled``."""
        if not self.values:
            return True
        parts = label.split(", ")
        return (any if self.kind == "pos" else all)(v in parts for v in self.values)
