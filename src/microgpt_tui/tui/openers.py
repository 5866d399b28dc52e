"""What only a screen can do: show panes and pages, ask, signal. By the names that actions use (``Desk.open``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.screen import ModalScreen

from microgpt_tui.session.commands import execute
from microgpt_tui.tui.actions import ACTIONS
from microgpt_tui.tui.panels import LEFT, RIGHT
from microgpt_tui.tui.screens.help import HelpScreen, pane_keys_markdown

if TYPE_CHECKING:
    from microgpt_tui.tui.app import DebuggerApp


def open_by_name(app: DebuggerApp, what: str, argument: str) -> None:
    """Do it, or show the pane of that name."""
    opener = OPENERS.get(what)
    if opener is not None:
        opener(app, argument)
    elif what in {name for name, *_ in LEFT}:
        app.main.show_left(what)
    elif what in {name for name, *_ in RIGHT}:
        app.run_worker(app.main.show_tab(what))
    else:
        app.complain(f"nothing here is called {what}")


def _command(app: DebuggerApp, argument: str) -> None:
    app.main.start_typing(argument)


def _palette(app: DebuggerApp, argument: str) -> None:
    app.action_command_palette()


def _help(app: DebuggerApp, argument: str) -> None:
    pane = app.main.focused_pane
    explanation = pane.explain(app.last_view) if pane is not None else ""
    title = pane.title if pane is not None else "microgpt-tui"
    keys = pane_keys_markdown(pane) if pane is not None else ""
    app.push_screen(HelpScreen(title, explanation, list(ACTIONS), keys))


def _quit(app: DebuggerApp, argument: str) -> None:
    app.exit(0)


def _follow(app: DebuggerApp, argument: str) -> None:
    choose = getattr(app.main.focused_pane, "action_choose", None)
    if choose is not None:
        choose()
    elif app.last_view is not None:
        app.follow(app.last_view.node)


def _full(app: DebuggerApp, argument: str) -> None:
    for pane in app.main.visible_panes():
        toggle = getattr(pane, "action_full", None)
        if toggle is not None:
            toggle()


def _flip(app: DebuggerApp, argument: str) -> None:
    if argument:
        open_by_name(app, argument.lower(), "")
    else:
        app.main.cycle(1)


def _flip_back(app: DebuggerApp, argument: str) -> None:
    app.main.cycle(-1)


def _restart(app: DebuggerApp, argument: str) -> None:
    app.restart()


def _pausing(app: DebuggerApp, argument: str) -> None:
    app.pausing()


def _interrupt(app: DebuggerApp, argument: str) -> None:
    app.interrupt()


def _breakpoints(app: DebuggerApp, argument: str) -> None:
    from microgpt_tui.tui.screens.breakpoints import BreakpointsScreen

    _over(app, BreakpointsScreen(app.debugger))


def _find(app: DebuggerApp, argument: str) -> None:
    from microgpt_tui.tui.screens.find import FindScreen

    if argument:
        app.answer("find", execute(app.debugger, f"find {argument}").text)
    else:
        _over(app, FindScreen(app.debugger))


def _root_cause(app: DebuggerApp, argument: str) -> None:
    from microgpt_tui.tui.screens.rootcause import RootCauseScreen

    if argument:
        execute(app.debugger, f"rootcause {argument}")
        app.repaint()
    else:
        _over(app, RootCauseScreen(app.debugger))


def _export(app: DebuggerApp, argument: str) -> None:
    from microgpt_tui.tui.screens.export import ExportScreen

    if app.last_view is not None:
        app.push_screen(ExportScreen(app.last_view, app.export_screenshot(), file=argument))


def _over(app: DebuggerApp, screen: ModalScreen[None]) -> None:
    """Show a screen over the panes; they are drawn anew when it closes: it may have moved the cursor."""
    if app.debugger.running:
        app.complain("the script is running: space pauses it")
    else:
        app.push_screen(screen, lambda _: app.after_screen())


OPENERS: dict[str, Callable[[DebuggerApp, str], None]] = {
    "command": _command, "palette": _palette, "help": _help, "quit": _quit, "follow": _follow, "full": _full,
    "flip": _flip, "flip-back": _flip_back, "restart": _restart, "pausing": _pausing, "interrupt": _interrupt,
    "breakpoints": _breakpoints, "find": _find, "export": _export,
    "rootcause": _root_cause,
}  # fmt: skip
"""What ``Desk.open`` knows besides the panes."""
