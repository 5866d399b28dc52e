"""What only a screen can do: commands of its own, and its own way of doing some of the session's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from textual.screen import ModalScreen

from microgpt_tui.session.commands import GROUPS, Command, CommandError, Result, complete, parse, start
from microgpt_tui.session.commands.breakpoints import toggle
from microgpt_tui.session.commands.command import Effect, Touches, faults, lookup
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.tui.copying import WHATS, copied
from microgpt_tui.tui.messages import SharesChanged
from microgpt_tui.tui.panels import LEFT, RIGHT
from microgpt_tui.tui.panes.source import SourcePane
from microgpt_tui.tui.themes import LOOKS

if TYPE_CHECKING:
    from microgpt_tui.tui.app import DebuggerApp

SLOW, FAST = 2, 30
"""Steps a second of slow play: without a number, and at most."""

# -- the session's commands, in a screen's way -------------------------------------------------


def _run(app: DebuggerApp, argument: str) -> None:
    if app.debugger.running:
        _pause(app, "")
    else:
        app.obey("run", argument)


def _pause(app: DebuggerApp, argument: str) -> None:
    if app.debugger.running:
        app.pause()
    else:
        app.say("the script is paused already; q quits")


def _restart(app: DebuggerApp, argument: str) -> None:
    app.restart()


def _where(app: DebuggerApp, argument: str) -> None:
    app.main.show_left("where")


def _break(app: DebuggerApp, argument: str) -> None:
    if argument:
        app.obey("break", argument)
    else:
        app.say(toggle(app.debugger, app.place()).text)


def _breakpoints(app: DebuggerApp, argument: str) -> None:
    from microgpt_tui.tui.screens.breakpoints import BreakpointsScreen

    _over(app, BreakpointsScreen(app.debugger))


def _display(app: DebuggerApp, argument: str) -> None:
    if argument:
        app.obey("display", argument)
    else:
        app.main.start_typing("display ")


def _find(app: DebuggerApp, argument: str) -> None:
    from microgpt_tui.tui.screens.find import FindScreen

    if argument:
        app.obey("find", argument)
    else:
        _over(app, FindScreen(app.debugger))


def _root_cause(app: DebuggerApp, argument: str) -> None:
    from microgpt_tui.tui.screens.rootcause import RootCauseScreen

    if argument:
        app.obey("rootcause", argument)
    else:
        _over(app, RootCauseScreen(app.debugger))


def _check(app: DebuggerApp, argument: str) -> None:
    from microgpt_tui.tui.screens.check import CheckScreen

    _over(app, CheckScreen(app.debugger, argument))


def _frame(word: str) -> Callable[[DebuggerApp, str], None]:
    """A call to look at: the source pane shows where it stands."""

    def run(app: DebuggerApp, argument: str) -> None:
        with faults():
            answer = start(app.debugger, lookup(word, ALL), argument)
        assert isinstance(answer, Result)
        app.say(answer.text.splitlines()[0])
        pane = app.main.left_pane("source")
        if isinstance(pane, SourcePane) and "file" in answer.data:
            pane.look_at(answer.data["file"], answer.data["line"])

    return run


def _help(app: DebuggerApp, argument: str) -> None:
    from microgpt_tui.tui.reference import help_on

    app.push_screen(help_on(app.main.focused_pane, app.last_view, argument))


INSTEAD: dict[str, Callable[[DebuggerApp, str], None]] = {
    "run": _run, "pause": _pause, "restart": _restart, "where": _where, "break": _break, "breakpoints": _breakpoints,
    "display": _display, "find": _find, "rootcause": _root_cause, "check": _check, "help": _help,
    **{word: _frame(word) for word in ("up", "down", "frame")},
}  # fmt: skip
"""What a screen does for a command of the session's."""

# -- commands that only a screen has -----------------------------------------------------------


def _interrupt(app: DebuggerApp, argument: str) -> None:
    app.interrupt()


def _follow(app: DebuggerApp, argument: str) -> None:
    choose = getattr(app.main.focused_pane, "action_choose", None)
    if choose is not None:
        choose()
    elif app.last_view is not None:
        app.follow(app.last_view.node)


def _full(app: DebuggerApp, argument: str) -> None:
    for pane in app.main.visible_panes():
        toggle_full = getattr(pane, "action_full", None)
        if toggle_full is not None:
            toggle_full()


def _export(app: DebuggerApp, argument: str) -> None:
    from microgpt_tui.tui.screens.export import ExportScreen

    if app.last_view is not None:
        focused = app.main.focused_pane
        panes = [*([focused] if focused is not None else []), *app.main.visible_panes()]
        app.push_screen(ExportScreen.over(app, app.last_view, panes, argument))


def _share(word: str) -> Callable[[DebuggerApp, str], None]:
    def run(app: DebuggerApp, argument: str) -> None:
        main = app.main
        if word in ("wider", "narrower"):
            main.widen(4 if word == "wider" else -4)
        else:
            main.heighten(2 if word == "taller" else -2)

    return run


def _copy(app: DebuggerApp, argument: str) -> None:
    if argument and argument not in WHATS:
        raise CommandError(f"copy what? {', '.join(WHATS)}")
    view = app.last_view
    found = copied(app.main.focused_pane, view, argument) if view is not None else ""
    if not found:
        raise CommandError(f"there is no {argument or 'value'} to copy here")
    app.copy_to_clipboard(found)
    app.say(f"copied: {found.splitlines()[0]}")


def _theme(app: DebuggerApp, argument: str) -> None:
    if not argument:
        app.search_themes()
    elif argument in LOOKS:
        app.theme = app.main.shares.theme = argument
        app.post_message(SharesChanged())
    else:
        raise CommandError(f"no theme {argument!r}: {', '.join(LOOKS)}")


def _play(app: DebuggerApp, argument: str) -> None:
    words = argument.lower().removesuffix("/s").split()
    sign = 1
    if words[:1] == ["back"]:
        sign, words = -1, words[1:]
    try:
        rate = sign * float(words[0].removesuffix("/s")) if words else sign * SLOW
    except ValueError:
        raise CommandError(f"play how fast? play 4/s, play 0.5/s, play back 4/s, not {argument!r}") from None
    if not 0.05 <= abs(rate) <= FAST:
        raise CommandError(f"from one step in 20 seconds to {FAST} a second: play 4/s")
    app.play(rate)


def _command(app: DebuggerApp, argument: str) -> None:
    app.main.start_typing(argument)


def _palette(app: DebuggerApp, argument: str) -> None:
    app.action_command_palette()


def _pane(app: DebuggerApp, argument: str) -> None:
    if argument:
        app.perform(parse(argument, COMMANDS)[0])
    else:
        app.main.cycle(1)


def _pane_before(app: DebuggerApp, argument: str) -> None:
    app.main.cycle(-1)


def _show(name: str) -> Callable[[DebuggerApp, str], None]:
    def run(app: DebuggerApp, argument: str) -> None:
        if name in (n for n, *_ in LEFT):
            app.main.show_left(name)
        else:
            app.run_worker(app.main.show_tab(name))

    return run


PANES = tuple(name for name, *_ in (*LEFT, *RIGHT))

COMMANDS: tuple[Command[DebuggerApp], ...] = (
    Command("interrupt", "", "Signal a script that does not pause: SIGINT, then SIGTERM, then SIGKILL", _interrupt,
            Effect.ALWAYS),
    Command("follow", "", "To where the selected value is made (Enter in a pane)", _follow, Effect.STEPS),
    Command("full", "", "Every number in full, or short again (v in Value and Variables)", _full, Effect.ALWAYS),
    Command("export", "[FILE]", "A picture of what is shown", _export, Effect.ALWAYS, touches=Touches.PICTURES),
    Command("theme", "[NAME]", f"Other colours: {', '.join(LOOKS)}", _theme, Effect.ALWAYS,
            choices=lambda debugger: tuple(LOOKS)),
    Command("copy", "[WHAT]", f"To the clipboard: {', '.join(WHATS)}; the selected row, else the value", _copy,
            Effect.ALWAYS, choices=lambda debugger: WHATS),
    Command("zoom", "", "The focused pane alone on the screen, and back", lambda app, argument: app.main.toggle_zoom(),
            Effect.ALWAYS),
    *(Command(word, "", f"{what} by a few {unit}", _share(word), Effect.ALWAYS) for word, what, unit in (
        ("wider", "More room for the code", "columns"), ("narrower", "Less room for the code", "columns"),
        ("taller", "More room for the source", "rows"), ("lower", "Less room for the source", "rows"))),
    Command("play", "[back] [N/s]", "Step by itself, N times a second; any key stops", _play, Effect.ALWAYS),
    Command("type", "[TEXT]", "Type a command", _command, Effect.ALWAYS),
    Command("palette", "", "Search everything there is to do", _palette, Effect.ALWAYS),
    Command("pane", "[NAME]", "To the next pane; on a small terminal, flip between the two sides", _pane,
            Effect.ALWAYS, choices=lambda debugger: PANES),
    Command("rpane", "", "To the pane before", _pane_before, Effect.ALWAYS),
    *(Command(name, "", f"Show the {name} pane", _show(name), Effect.ALWAYS) for name in PANES if name not in INSTEAD),
)  # fmt: skip

EVERY: dict[str, tuple[Command[Any], ...]] = {**GROUPS, "Screen": COMMANDS}
"""Every command by group, as help lists them."""
ALL: tuple[Command[Any], ...] = tuple(c for group in EVERY.values() for c in group)


def do(app: DebuggerApp, command: Command[Any], argument: str) -> None:
    """Do a command, in the screen's way where it has one. Raises CommandError."""
    if command.name in INSTEAD:
        INSTEAD[command.name](app, argument)
    elif command in COMMANDS:
        command.run(app, argument)
    else:
        app.obey(command.name, argument)


def read(text: str) -> tuple[Command[Any], str]:
    """A line typed on the screen: the command and its argument. Raises CommandError."""
    return parse(text, COMMANDS)


def completions(text: str, debugger: Debugger) -> Sequence[str]:
    """What a beginning can become."""
    return complete(debugger, text, COMMANDS)


def _over(app: DebuggerApp, screen: ModalScreen[None]) -> None:
    """Show a screen over the panes; they are drawn anew when it closes: it may have moved the cursor."""
    if app.debugger.running:
        app.complain("the script is running: space pauses it")
    else:
        app.push_screen(screen, lambda _: app.after_screen())
