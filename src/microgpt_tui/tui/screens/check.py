"""The check: how far it is, then what is wrong, what was tested and what was not; Enter goes to a finding."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from microgpt_tui.audit.findings import ERROR, Report
from microgpt_tui.session.commands.gradients import answer, check_of, finished
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.examination import Cancelled
from microgpt_tui.tui import palette
from microgpt_tui.tui.dialog import Dialog


class CheckScreen(Dialog[None]):
    """Over the panes: runs a check in a thread; Esc ends it, and closes."""

    DEFAULT_CSS = """
    #check { width: 96%; max-width: 130; height: auto; max-height: 92%; border: round $accent; padding: 0 1; }
    #check-body { height: auto; max-height: 40; }
    #check-foot { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "close"),
        Binding("up", "move(-1)", "up", show=False),
        Binding("down", "move(1)", "down", show=False),
        Binding("enter,g", "go", "go there"),
    ]

    def __init__(self, debugger: Debugger, what: str) -> None:
        super().__init__()
        self.debugger = debugger
        self.check = check_of(debugger, what)
        self.report: Report | None = None
        self.at = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="check"):
            with VerticalScroll(id="check-body"):
                yield Static("starting", id="check-card")
            yield Static("Esc ends the check", id="check-foot")

    def on_mount(self) -> None:
        self.query_one("#check").border_title = "Check"
        self.run_check()

    def on_unmount(self) -> None:
        if self.report is None:
            self.check.cancel()

    @work(thread=True, exclusive=True, group="check", exit_on_error=False)
    def run_check(self) -> None:
        """In a thread: the script is run once more beside the session."""
        try:
            report = finished(self.check, lambda text: self.app.call_from_thread(self.show_progress, text))
        except Cancelled:
            return
        except Exception as error:  # shown where the report would be
            self.app.call_from_thread(self.show_progress, f"the check failed: {type(error).__name__}: {error}")
            return
        self.app.call_from_thread(self.show_report, report)

    def show_progress(self, text: str) -> None:
        """How far it is."""
        if self.is_mounted:
            self.query_one("#check-card", Static).update(text)

    def show_report(self, report: Report) -> None:
        """It is through."""
        self.report = report
        answer(self.debugger, report)
        if self.is_mounted:
            self.query_one("#check-card", Static).update(self.card(report))
            foot = "↑ ↓ choose · Enter goes there · Esc closes" if report.findings else "Esc closes"
            self.query_one("#check-foot", Static).update(foot)

    def card(self, report: Report) -> Text:
        """The report: findings first, what was not tested before what was."""
        text = Text()
        text.append(report.headline + "\n", style=f"bold {palette.BAD if report.errors else palette.TEXT}")
        for i, f in enumerate(report.findings):
            mark, style = ("▶ ", f"on {palette.HIGHLIGHT}") if i == self.at else ("  ", "")
            color = palette.BAD if f.grade == ERROR else palette.TEXT
            text.append(f"{mark}line {f.line}: {f.text}  [{f.grade}: {f.rule}]\n", style=f"{color} {style}".strip())
            if f.evidence:
                text.append(f"    {f.evidence}\n", style=palette.DIM)
        text.append("\nnot tested\n" if report.untested else "", style="bold")
        for u in report.untested:
            text.append(f"  {u.kind:<10} {u.name:<28} {u.why}\n", style=palette.DIM)
        text.append("\ntested\n", style="bold")
        for t in report.tested:
            wrong = f", {t.wrong} wrong" if t.wrong else ""
            text.append(f"  {t.kind:<10} {t.name:<28} {t.how}{wrong}\n", style=palette.BAD if t.wrong else palette.TEXT)
        return text

    def action_leave(self) -> None:
        """End what is under way, and close."""
        if self.report is None:
            self.check.cancel()
        self.dismiss()

    def action_move(self, by: int) -> None:
        """Another finding."""
        if self.report is not None and self.report.findings:
            self.at = max(0, min(len(self.report.findings) - 1, self.at + by))
            self.query_one("#check-card", Static).update(self.card(self.report))

    def action_go(self) -> None:
        """To the event that shows the chosen finding, where that step is recorded; else to its line's first event."""
        if self.report is not None and self.report.findings:
            f = self.report.findings[self.at]
            traces = self.debugger.history.traces
            index = next((i for i, t in traces.items() if t.episode_kind == "step" and t.number == f.step), -1)
            if index >= 0 and 0 <= f.event < len(traces[index]):
                self.debugger.jump(Moment(index, f.event))
        self.dismiss()
