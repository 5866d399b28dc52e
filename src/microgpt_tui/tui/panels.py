"""The right-hand panels: the same tabs in each, one shown at a time; panes are made when first shown."""

from __future__ import annotations

import importlib

from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from microgpt_tui.tui.pane import Pane

LEFT = (
    ("source", "1", "Source", "source.SourcePane"),
    ("where", "2", "Where", "where.WherePane"),
    ("variables", "3", "Variables", "variables.VariablesPane"),
)
RIGHT = (
    ("value", "4", "Value", "value.ValuePane"),
    ("graph", "5", "Graph", "graph.GraphPane"),
    ("attention", "6", "Attention", "attention.AttentionPane"),
    ("tokens", "7", "Tokens", "tokens.TokensPane"),
    ("residual", "R", "Residual", "residual.ResidualPane"),
    ("weights", "8", "Weights", "weights.WeightsPane"),
    ("training", "9", "Training", "training.TrainingPane"),
    ("output", "0", "Output", "output.OutputPane"),
)
"""(name, key, title, where its class is) of every pane."""

SHORT = {
    "value": "Val", "graph": "Gra", "attention": "Att", "tokens": "Tok", "residual": "Res", "weights": "Wts",
    "training": "Tr", "output": "Out",
}  # fmt: skip


def pane_class(name: str) -> type[Pane]:
    """The class of a pane, by the pane's name."""
    where = next(w for n, _, _, w in (*LEFT, *RIGHT) if n == name)
    module, _, cls = where.partition(".")
    found: type[Pane] = getattr(importlib.import_module(f"microgpt_tui.tui.panes.{module}"), cls)
    return found


def make_pane(name: str) -> Pane:
    """A pane by its name."""
    return pane_class(name)(classes=f"pane-{name}")


class LeftPanel(Container):
    """One of the three panes at the left, with its title."""

    def __init__(self, name: str) -> None:
        super().__init__(id=f"panel-{name}", classes="panel")
        self.pane = make_pane(name)
        _, key, title, _ = next(entry for entry in LEFT if entry[0] == name)
        self.border_title = Content.from_markup(f"[bold]{key}[/] {title}")

    def compose(self) -> ComposeResult:
        yield self.pane


class RightPanel(Container):
    """Tabs in its border, one pane inside."""

    def __init__(self, number: int, first: str) -> None:
        super().__init__(id=f"right-{number}", classes="panel right")
        self.number = number
        self.active = first
        self.panes: dict[str, Pane] = {}
        self.step: int | None = None
        """The finished training step that was chosen on the curve; None for the cursor's moment."""

    def compose(self) -> ComposeResult:
        pane = self.panes[self.active] = make_pane(self.active)
        yield pane

    def on_mount(self) -> None:
        self.retitle()

    def on_resize(self) -> None:
        self.retitle()

    @property
    def pane(self) -> Pane:
        """The one that is shown."""
        return self.panes[self.active]

    async def activate(self, name: str) -> Pane:
        """Show this tab."""
        if name != self.active:
            self.panes[self.active].display = False
            self.active = name
            pane = self.panes.get(name)
            if pane is None:
                pane = self.panes[name] = make_pane(name)
                await self.mount(pane)
                self.look_at(self.step)
            else:
                pane.display = True
            self.retitle()
        return self.panes[name]

    def look_at(self, step: int | None) -> None:
        """Show the run's past in the panes that can, as it was after a finished training step."""
        self.step = step
        for pane in self.panes.values():
            look_at = getattr(pane, "look_at", None)
            if look_at is not None:
                look_at(step)

    def retitle(self) -> None:
        """Write the tabs into the border: in full where they fit, shortened where they do not."""
        room = self.outer_size.width - 6  # corners, and a line and a blank at each side
        ways: tuple[tuple[dict[str, str], str, str], ...] = (
            ({}, " ─ ", ""), ({}, "  ", ""), ({}, " ", ""), (SHORT, " ", self.active), (SHORT, " ", ""),
        )  # fmt: skip
        for names, gap, whole in ways:
            labels = [(n, k, names.get(n, t) if n != whole else t) for n, k, t, _ in RIGHT]
            if sum(len(k) + 1 + len(t) for _, k, t in labels) + len(gap) * (len(labels) - 1) <= room:
                break
        else:
            labels = [(n, k, t if n == self.active else "") for n, k, t, _ in RIGHT]
            gap = " "
        self.border_title = Content.from_markup(gap.join(self._label(*label) for label in labels))

    def _label(self, name: str, key: str, title: str) -> str:
        shown = f"{key} {title}".rstrip()
        style = "bold $accent reverse" if name == self.active else "$muted"
        return f"[{style}][@click=app.tab('{name}', {self.number})]{shown}[/][/]"


def panel_of(widget: Widget | None) -> RightPanel | None:
    """The right-hand panel that a widget is in."""
    while widget is not None:
        if isinstance(widget, RightPanel):
            return widget
        parent = widget.parent
        widget = parent if isinstance(parent, Widget) else None
    return None
