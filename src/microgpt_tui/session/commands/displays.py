"""What is shown at every stop."""

from __future__ import annotations

from microgpt_tui.session.commands.command import Command, Result
from microgpt_tui.session.commands.values import names
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.displays import displayed
from microgpt_tui.trace.watches import expression


def _display(debugger: Debugger, argument: str) -> Result:
    if argument:
        debugger.displays.add(expression(argument, debugger.history.program))
    values = displayed(debugger.displays, debugger.history, debugger.moment)
    return Result("\n".join(v.line for v in values) or "nothing is displayed: display EXPR",
                  {"displays": [{"expression": v.text, "value": v.value} for v in values]})  # fmt: skip


def _undisplay(debugger: Debugger, argument: str) -> Result:
    debugger.displays.remove(argument)
    return _display(debugger, "")


COMMANDS = (
    Command("display", "[EXPR]", "Show a value at every stop", _display, aliases=("w",), choices=names),
    Command("undisplay", "[EXPR]", "Show a value no more; none of them without an expression", _undisplay,
            choices=lambda d: [e.text for e in d.displays.expressions]),
)  # fmt: skip
