"""Changing a live number at the frontier, and taking it back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from microgpt_tui.protocol.messages import NumberSet, SetNumber
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.trace.names import name as name_of_node
from microgpt_tui.trace.references import node_named


class NotPossible(ValueError):
    """It cannot be changed now; the message says what would do."""


@dataclass(frozen=True, slots=True)
class Alteration:
    """A number that the person has set. From its moment on the run is not the script's own."""

    node: int
    name: str
    old: float
    new: float
    moment: Moment
    undone: bool = False

    @property
    def text(self) -> str:
        """In words."""
        if self.undone:
            return f"{self.name} is {self.new!r} again"
        return f"{self.name} was {self.old!r} and is {self.new!r}: altered from here on; `undo` before going on"


def set_value(debugger: Debugger, name: str, value: str) -> Alteration:
    """Give a node another number in the live script. Raises NotPossible, NotHere or Unanswered."""
    trace = debugger.trace
    if trace is None or not debugger.at_frontier:
        raise NotPossible("only the present can be changed: go to the newest event first (goto end, or continue)")
    if debugger.over or debugger.running:
        raise NotPossible("the script has ended" if debugger.over else "the script is running; pause it first")
    try:
        number = float(value)
    except ValueError:
        raise NotPossible(f"“{value}” is no number") from None
    node = node_named(trace, name, debugger.moment.event)
    made = _ask(debugger, node, number, name_of_node(trace, node))
    debugger.alterations.append(made)
    return made


def undo(debugger: Debugger) -> Alteration:
    """Put the last changed number back. Raises NotPossible once the script has gone on."""
    last = debugger.alterations[-1] if debugger.alterations else None
    if last is None or last.undone:
        raise NotPossible("nothing was changed")
    if debugger.moment != last.moment or not debugger.at_frontier:
        raise NotPossible("the script has gone on with the changed number; `restart` begins anew")
    made = _ask(debugger, last.node, last.old, last.name)
    debugger.alterations[-1] = replace(last, undone=True)
    return replace(made, undone=True)


def _ask(debugger: Debugger, node: int, number: float, shown: str) -> Alteration:
    answer = debugger.ask(SetNumber(node, number), NumberSet)
    debugger.to_frontier()
    return Alteration(node, shown, float(answer.old), float(answer.new), debugger.moment)
