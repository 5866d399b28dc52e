"""The screen of a session that somebody looks at in a browser: its terminal is a pipe to the server."""

from __future__ import annotations

import os
import sys

from textual.drivers.web_driver import WebDriver
from textual.messages import ExitApp

from microgpt_tui.protocol.escape import visible_lines


class BrowserDriver(WebDriver):
    """Textual's, ended by the end of its pipe: a server that was killed leaves no session behind."""

    def run_input_thread(self) -> None:
        """In a thread: what is typed, until the pipe ends."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            self._app.post_message(ExitApp())


def tell(text: str) -> None:
    """Show a text in the place of a screen that cannot open."""
    shown = visible_lines(text).replace("\n", "\r\n").encode("utf-8", "replace") + b"\r\n"
    assert sys.__stdout__ is not None
    os.write(sys.__stdout__.fileno(), b"__GANGLION__\nD" + len(shown).to_bytes(4, "big") + shown)
