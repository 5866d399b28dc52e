"""Runs that have left the script's own: each with its history and its process, asleep while another is looked at."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

from microgpt_tui.protocol.messages import Command
from microgpt_tui.session.history import History
from microgpt_tui.session.moment import Moment, name_of
from microgpt_tui.session.script import Script
from microgpt_tui.trace.trace import Trace


def copied(trace: Trace) -> Trace:
    """What is recorded of an episode, for another run to go on with."""
    made = Trace(trace.program, trace.index, trace.episode_kind, trace.number, trace.setup)
    for name, value in vars(trace).items():
        if name in ("program", "setup", "derived", "grown") or name.startswith("_") or name not in vars(made):
            continue
        setattr(
            made,
            name,
            value[:] if isinstance(value, list | array) else dict(value) if isinstance(value, dict) else value,
        )
    return made


@dataclass(eq=False)
class Branch:
    """A run of the script: its own, or one that left another where something was changed."""

    number: int
    name: str
    history: History
    script: Script
    parent: Branch | None = None
    left: Moment | None = None
    """Where it left its parent: the last event that they share."""
    changed: str = ""
    """What was changed there, as it was typed."""
    moment: Moment = field(default_factory=lambda: Moment(0, -1))
    """The cursor, while another run is looked at."""
    alterations: list[Any] = field(default_factory=list)
    orders: list[Command] = field(default_factory=list)
    """What its process was told to change where it left, in order: a copy that comes by there is told the same."""
    altered: Moment | None = None
    """Where it stood after these: until something runs, more changes belong to them."""

    def owner(self, index: int) -> int:
        """The run in which an episode of this one's past was first run: whose checkpoints lead to it."""
        run = self
        while run.parent is not None and run.left is not None and index <= run.left.episode:
            run = run.parent
        return run.number

    def changes_before(self, moment: Moment) -> list[Branch]:
        """The runs on the way to a moment of this one that left in its episode before it, the oldest first."""
        found, run = [], self
        while run.parent is not None and run.left is not None and moment.episode <= run.left.episode:
            if run.left.episode == moment.episode and run.left.event < moment.event:
                found.append(run)
            run = run.parent
        return found[::-1]

    def describe(self) -> tuple[str, str, str, str]:
        """(name, where it left, what was changed, how far it is and its loss)."""
        history = self.history
        left = (
            f"from {self.parent.name} at {name_of(self.parent.history, self.left)}" if self.parent and self.left else ""
        )
        steps = history.steps
        far = f"{len(steps)} steps" if steps else "in its first step"
        loss = steps[-1].loss if steps else None
        return self.name, left, self.changed, far + (f", loss {loss:.4f}" if loss is not None else "")
