"""One breakpoint as the debuggee knows it."""

from __future__ import annotations

from microgpt_tui.protocol.breakpoints import LiveBreakpoint
from microgpt_tui.protocol.conditions import Condition, Template, template


class Armed:
    """One breakpoint, live."""

    def __init__(self, message: LiveBreakpoint) -> None:
        place = message.place
        self.number = message.number
        self.kind = place.kind
        self.sites = place.sites
        self.writes = place.writes
        self.ops = place.ops
        self.composites = place.composites
        self.nodes = place.nodes
        self.values = place.values
        self.which = place.number
        self.phase = place.phase
        self.stdout = message.stdout
        self.condition: Condition | None = place.predicate
        self.template: Template | None = template(message.log, place.extra) if message.log is not None else None
        self.ignore = message.ignore
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
