"""What can be copied (``y``): the selected row of the focused pane, or a value, a name, a formula, the sentence."""

from __future__ import annotations

from collections.abc import Callable

from microgpt_tui.narrate import story
from microgpt_tui.trace.formula import formula
from microgpt_tui.trace.names import name
from microgpt_tui.tui.pane import Pane, View


def _formula(view: View) -> str:
    made = formula(view.trace, view.node, view.event)
    return f"{made.symbols}\n{made.numbers}"


OF_NODE: dict[str, Callable[[View], str]] = {
    "value": lambda view: view.trace.data_text(view.node, view.event),
    "grad": lambda view: repr(view.trace.grad_at(view.node, view.event)),
    "name": lambda view: name(view.trace, view.node),
    "formula": _formula,
}
"""Parts of the selected value, to the last bit."""
WHATS = ("row", *OF_NODE, "sentence")


def copied(pane: Pane | None, view: View, what: str) -> str:
    """The text to copy; "" where there is nothing of that kind."""
    if what == "sentence":
        return str(story(view.trace, view.event))
    if what in OF_NODE:
        return OF_NODE[what](view) if view.node >= 0 else ""
    row = pane.selected_text() if pane is not None else ""
    if row or what == "row":
        return row
    if view.node < 0:
        return str(story(view.trace, view.event))
    return f"{name(view.trace, view.node)} = {view.trace.data_text(view.node, view.event)}"
