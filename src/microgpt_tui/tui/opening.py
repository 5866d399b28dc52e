"""Opening the screen on a script, or saying why there is nothing to open it on."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from rich.console import Console

from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.failure import explain
from microgpt_tui.session.process import Launch
from microgpt_tui.tui import palette
from microgpt_tui.tui.app import DebuggerApp
from microgpt_tui.tui.browser import BrowserDriver, tell

OPENING = 2.0
"""Seconds that the screen waits for the script's first stop before it opens regardless."""


def run_app(
    launch: Launch, *, theme: str = "", size: tuple[int, int] | None = None, startup: Sequence[str] = ()
) -> int:  # fmt: skip
    """Open the screen on a script, and give it commands; returns the exit status.

    In a browser: of ``size`` columns and rows.

    A script that is refused, or that fails before it has made a node, is not opened: its message with
    the remedy goes to stderr and the status is 2.
    """
    debugger = Debugger(launch)
    try:
        if size is not None:
            app = DebuggerApp(debugger, theme=theme, driver=BrowserDriver, startup=startup)
        else:
            palette.NO_COLOR = palette.NO_COLOR or few_colors()
            app = DebuggerApp(debugger, theme=theme, remember=remembered(), startup=startup)
        app.listen()
        failure = _first_stop(app)
        if failure is not None and size is not None:
            tell(f"microgpt-tui: {failure}")
        if failure is None:
            app.run(size=size)
            failure = app.failure
        return (app.return_value or 0) if failure is None else _report(debugger, failure)
    except KeyboardInterrupt:
        return 130
    finally:
        debugger.close()


def remembered() -> Path:
    """Where the screen keeps what a person made of it: the places of the edges, the theme."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "microgpt-tui" / "screen.json"


def few_colors() -> bool:
    """True for a terminal of 16 colours or fewer: they cannot tell magnitudes."""
    return Console(force_terminal=True).color_system in (None, "standard", "windows")


def _first_stop(app: DebuggerApp) -> str | None:
    """Wait a little for the script's first stop; the message when there is nothing to look at."""
    until = monotonic() + OPENING
    debugger = app.debugger
    while debugger.running and monotonic() < until:
        app.heard.wait(max(0.0, until - monotonic()))
        app.heard.clear()
        debugger.take_messages()
    return explain(debugger.history, str(debugger.launch.script))


def _report(debugger: Debugger, message: str) -> int:
    errors = debugger.process.errors().decode("utf-8", "replace").strip()
    if errors:
        print(errors, file=sys.stderr)
    print(f"microgpt-tui: {message}", file=sys.stderr)
    return 2
