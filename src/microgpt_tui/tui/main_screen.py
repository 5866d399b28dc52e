"""The panes' screen: what is where, at which size, and which pane has the focus."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Label, Static

from microgpt_tui.session.debugger import Debugger
from microgpt_tui.tui.banner import Banner
from microgpt_tui.tui.command_line import CommandLine
from microgpt_tui.tui.footer import Footer
from microgpt_tui.tui.lesson_strip import LessonStrip
from microgpt_tui.tui.messages import Rearranged, SharesChanged
from microgpt_tui.tui.narration import Narration
from microgpt_tui.tui.pane import Pane
from microgpt_tui.tui.panels import LEFT, LeftPanel, RightPanel, panel_of
from microgpt_tui.tui.shares import Shares
from microgpt_tui.tui.status import StatusLine
from microgpt_tui.tui.timeline import Timeline

SMALLEST = (60, 16)
COMPACT, WIDE = 110, 160
"""Below so many columns one side at a time; from so many two panels at the right."""


class MainScreen(Screen[object], inherit_bindings=False):
    """Status, panes, timeline, footer. Without Textual's own keys for Tab and Ctrl+C: they mean other things here."""

    AUTO_FOCUS = None

    def __init__(self, debugger: Debugger, shares: Shares) -> None:
        super().__init__(id="_default")
        self.debugger = debugger
        self._last_right = 0
        """The right-hand panel that had the focus last."""
        self.shares = shares
        self._dragged = ""
        """The edge that follows the mouse: ``left`` or ``source``."""

    def compose(self) -> ComposeResult:
        yield StatusLine(self.debugger, id="status")
        with Container(id="body"):
            with Container(id="left"):
                for name, *_ in LEFT:
                    yield LeftPanel(name)
            yield RightPanel(0, "value")
            yield RightPanel(1, "graph")
        yield Banner(id="banner")
        yield Narration(id="narration")
        yield LessonStrip(id="lesson")
        yield Timeline(id="timeline")
        with Container(id="bottom"):
            yield Footer(id="footer")
            with Container(id="prompt"):
                yield Label(":")
                yield CommandLine(self.debugger)
        yield Static("", id="small")

    # -- parts -------------------------------------------------------------------------------

    @property
    def footer(self) -> Footer:
        """The bottom line."""
        return self.query_one(Footer)

    @property
    def status(self) -> StatusLine:
        """The top line."""
        return self.query_one(StatusLine)

    @property
    def timeline(self) -> Timeline:
        """The line of the episode's phases."""
        return self.query_one(Timeline)

    @property
    def banner(self) -> Banner:
        """What tells of a stop."""
        return self.query_one(Banner)

    @property
    def lesson(self) -> LessonStrip:
        """The stop of the guided tour, or a question."""
        return self.query_one(LessonStrip)

    @property
    def narration(self) -> Narration:
        """The lines that say what happened."""
        return self.query_one(Narration)

    def left_pane(self, name: str) -> Pane:
        """Source, Where or Variables."""
        return self.query_one(f"#panel-{name}", LeftPanel).pane

    def panel(self, number: int) -> RightPanel:
        """A right-hand panel."""
        return self.query_one(f"#right-{number}", RightPanel)

    @property
    def focused_pane(self) -> Pane | None:
        """The pane that has the focus."""
        return self.focused if isinstance(self.focused, Pane) else None

    # -- sizes -------------------------------------------------------------------------------

    @property
    def compact(self) -> bool:
        """One side at a time."""
        return self.has_class("compact")

    @property
    def wide(self) -> bool:
        """Two panels at the right."""
        return self.has_class("wide")

    def fit(self, width: int, height: int) -> None:
        """Lay out for a size."""
        self.set_class(width < COMPACT, "compact")
        self.set_class(width >= WIDE, "wide")
        self.share_out(width)
        small = width < SMALLEST[0] or height < SMALLEST[1]
        self.set_class(small, "small")
        if small:
            self.query_one("#small", Static).update(
                f"The terminal is too small: {width}×{height}.\nmicrogpt-tui needs {SMALLEST[0]}×{SMALLEST[1]} or more."
                "\n\nMake it larger, or press q to quit."
            )

    def share_out(self, width: int = 0) -> None:
        """Give the sides their columns and the left panes their rows."""
        width = width or self.size.width
        if not self.compact:
            self.query_one("#left").styles.width = self.shares.left_columns(width)
        for name, rows in zip(("source", "where", "variables"), self.shares.rows, strict=True):
            self.query_one(f"#panel-{name}").styles.height = f"{rows}fr"

    def widen(self, by: int) -> None:
        """Move the edge between the sides."""
        self.shares.left = self.shares.left_columns(self.size.width) + by
        self.shares.left = self.shares.left_columns(self.size.width)
        self._shared()

    def heighten(self, by: int) -> None:
        """Move the edge below the source."""
        first, where, variables = self.shares.rows
        self.shares.rows = (max(4, min(40, first + by)), where, variables)
        self._shared()

    def _shared(self) -> None:
        self.share_out()
        self.post_message(SharesChanged())
        self.call_after_refresh(self.post_message, Rearranged())

    def on_mouse_down(self, event: events.MouseDown) -> None:
        edge = self.query_one("#left").region
        below = self.query_one("#panel-source").region.bottom
        if self.compact or self.zoomed is not None or not edge.height or not edge.y <= event.screen_y < edge.bottom:
            return
        if event.screen_x in (edge.right - 1, edge.right):
            self._dragged = "left"
        elif edge.x <= event.screen_x < edge.right and event.screen_y in (below - 1, below):
            self._dragged = "source"
        if self._dragged:
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragged == "left":
            self.widen(int(event.screen_x) - self.shares.left_columns(self.size.width))
        elif self._dragged == "source":
            source, whole = self.query_one("#panel-source").region, self.query_one("#left").region
            wanted, rest = event.screen_y - source.y, whole.bottom - event.screen_y
            others = sum(self.shares.rows[1:])
            self.heighten(round(others * wanted / max(1, rest)) - self.shares.rows[0])

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._dragged:
            self._dragged = ""
            self.release_mouse()

    # -- now -----------------------------------------------------------------------------------

    def tell_moment(self, stale: str) -> None:
        """While the script runs: of which moment the panes still tell; "" when they are up to date."""
        for panel in (*self.query(LeftPanel), *self.query(RightPanel)):
            old = stale if not panel.pane.classes & {"pane-training", "pane-output"} else ""
            if panel.border_subtitle != old:
                panel.border_subtitle = old
            if panel.pane.stale != bool(old):
                panel.pane.stale = bool(old)
                panel.pane.refresh()

    # -- one pane alone ------------------------------------------------------------------------

    @property
    def zoomed(self) -> LeftPanel | RightPanel | None:
        """The panel that has the screen for itself."""
        found = self.query(".zoomed").results()
        return next((p for p in found if isinstance(p, LeftPanel | RightPanel)), None)

    def zoom(self, panel: LeftPanel | RightPanel | None) -> None:
        """Give a panel the whole screen; None gives every panel its place back."""
        for other in (*self.query(LeftPanel), *self.query(RightPanel)):
            other.set_class(other is panel, "zoomed")
        left = isinstance(panel, LeftPanel)
        self.set_class(panel is not None, "zooming")
        self.set_class(left, "zooming-left")
        if self.compact:
            self.set_class(left or (panel is None and self.has_class("flipped")), "flipped")
        self.query_one("#left").styles.width = (
            "1fr" if left or self.compact else self.shares.left_columns(self.size.width)
        )
        self.call_after_refresh(self.post_message, Rearranged())

    def toggle_zoom(self) -> None:
        """The focused pane alone, or all panes again."""
        self.zoom(None if self.zoomed is not None else self._panel_around(self.focused_pane or self.home()))

    def _panel_around(self, pane: Pane) -> LeftPanel | RightPanel:
        return panel_of(pane) or next(panel for panel in self.query(LeftPanel) if panel.pane is pane)

    def visible_panes(self) -> list[Pane]:
        """The panes that are on the screen."""
        if self.has_class("small"):
            return []
        if self.zoomed is not None:
            return [self.zoomed.pane]
        return self._panes_in_place()

    def _panes_in_place(self) -> list[Pane]:
        found: list[Pane] = []
        flipped = self.has_class("flipped")
        if not self.compact or flipped:
            found += [panel.pane for panel in self.query(LeftPanel)]
        if not self.compact or not flipped:
            found.append(self.panel(0).pane)
            if self.wide:
                found.append(self.panel(1).pane)
        return found

    # -- focus -------------------------------------------------------------------------------

    def focus_pane(self, pane: Pane) -> None:
        """Give a visible pane the focus."""
        if self.zoomed is not None:
            self.zoom(self._panel_around(pane))
        pane.focus()
        panel = panel_of(pane)
        if panel is not None:
            self._last_right = panel.number
        self.footer.refresh()
        self.post_message(Rearranged())

    def cycle(self, by: int) -> None:
        """To the next pane; where only one side fits, to the other side."""
        if self.compact:
            flipped = not self.has_class("flipped")
            self.set_class(flipped, "flipped")
            self.call_after_refresh(self.focus_pane, self.home())
            return
        panes = self._panes_in_place()
        focused = self.focused_pane
        at = panes.index(focused) if focused in panes else -by
        self.focus_pane(panes[(at + by) % len(panes)])

    def home(self) -> Pane:
        """The pane that gets the focus when nothing else has it."""
        if self.compact and self.has_class("flipped"):
            return self.left_pane("source")
        return self.panel(self._last_right if self.wide else 0).pane

    def show_left(self, name: str) -> None:
        """Source, Where or Variables gets the focus."""
        if self.compact:
            self.add_class("flipped")
        self.call_after_refresh(self.focus_pane, self.left_pane(name))

    async def point_at(self, name: str) -> None:
        """A pane is on the screen; the focus stays where it is."""
        if self.zoomed is not None:
            self.zoom(None)
        if any(name == left for left, *_ in LEFT):
            self.set_class(self.compact, "flipped")
        else:
            await self._activate(name)
        self.post_message(Rearranged())

    async def show_tab(self, name: str, panel: int | None = None) -> None:
        """A tab of the right-hand side gets the focus: where it stands already, else in the panel used last."""
        pane = await self._activate(name, panel)
        self.call_after_refresh(self.focus_pane, pane)

    async def _activate(self, name: str, panel: int | None = None) -> Pane:
        self.remove_class("flipped")
        number = self._last_right if panel is None else panel
        if not self.wide:
            number = 0
        elif self.panel(1 - number).active == name:
            number = 1 - number
        return await self.panel(number).activate(name)

    # -- the command line ----------------------------------------------------------------------

    def start_typing(self, text: str) -> None:
        """The command line takes the footer's place."""
        self._prompt(shown=True)
        self.query_one(CommandLine).start(text)

    def stop_typing(self) -> None:
        """And gives it back."""
        self._prompt(shown=False)
        self.home().focus()

    def _prompt(self, *, shown: bool) -> None:
        self.query_one("#prompt").display = shown  # by a class of the screen, every widget's style would be made anew
        self.footer.display = not shown
