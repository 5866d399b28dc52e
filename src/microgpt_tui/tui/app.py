"""The app: panes over one state, and the one handler that owns it.

A key becomes an action of the registry, an action a call of the debugger. Where the answer is
recorded the panes are drawn at once; else the script runs, its messages come through a reader
thread (``ScriptSpoke``), and the panes are drawn when it stops.
"""

from __future__ import annotations

import importlib
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from time import monotonic
from typing import ClassVar

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.theme import Theme
from textual.timer import Timer
from textual.widgets import Label, Static

from microgpt_tui.session.commands import CommandError, execute
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.failure import explain
from microgpt_tui.session.process import Launch
from microgpt_tui.tui import actions, palette
from microgpt_tui.tui.actions import ACTIONS, Action
from microgpt_tui.tui.collector import Collector
from microgpt_tui.tui.commands import CommandLine, parse
from microgpt_tui.tui.footer import Footer
from microgpt_tui.tui.messages import ActionChosen, CommandCancelled, CommandGiven, ScriptSpoke
from microgpt_tui.tui.pane import MomentChosen, NodeChosen, Pane, View
from microgpt_tui.tui.panels import LEFT, RIGHT, LeftPanel, RightPanel, panel_of
from microgpt_tui.tui.panes.source import SourcePane
from microgpt_tui.tui.providers import RegistryCommands
from microgpt_tui.tui.screens.answer import AnswerScreen
from microgpt_tui.tui.screens.help import HelpScreen, pane_keys_markdown
from microgpt_tui.tui.status import StatusLine
from microgpt_tui.tui.timeline import Timeline

FRAME = 1 / 15
"""Seconds between repaints while the script runs."""
PATIENCE = 1.0
"""Seconds after which a script that does not pause is offered a signal."""
OPENING = 2.0
"""Seconds that the screen waits for the script's first stop before it opens regardless."""
SMALLEST = (60, 16)
COMPACT, WIDE = 100, 160
"""Below so many columns one side at a time; from so many two panels at the right."""
WAITING = 30
"""Keys that wait while a step runs, at most."""

THEME = Theme(
    "microgpt", primary="#56b4e9", secondary="#cc79a7", accent=palette.ACCENT, foreground=palette.TEXT,
    background=palette.BACKGROUND, surface=palette.SURFACE, panel="#222938", success=palette.GOOD,
    warning=palette.PHASE_COLORS[3], error=palette.BAD, dark=True,
)  # fmt: skip
"""The palette's colours for what Textual draws by itself."""

HINT = "s steps · S steps back · space runs and pauses · ? helps   (any key takes this line away)"

_KEYS = {
    ")": "right_parenthesis", "(": "left_parenthesis", "]": "right_square_bracket", "[": "left_square_bracket",
    ">": "greater_than_sign", "<": "less_than_sign", ":": "colon", "?": "question_mark", "/": "slash",
    ",": "comma", ".": "full_stop", "!": "exclamation_mark", "'": "apostrophe", "=": "equals_sign",
}  # fmt: skip


def _bindings() -> list[BindingType]:
    found: list[BindingType] = []
    for action in ACTIONS:
        for key in action.keys:
            name = _KEYS.get(key, key)
            found.append(Binding(name, f"do('{action.name}')", action.label, show=False, priority=key in ("ctrl+c",)))
    return found


class MainScreen(Screen[object], inherit_bindings=False):
    """The panes' screen: without Textual's own keys for Tab and Ctrl+C, which have other meanings here."""


class DebuggerApp(App[int]):
    """The screen of one session."""

    CSS_PATH = "app.tcss"
    TITLE = "microgpt-tui"
    COMMANDS: ClassVar = {RegistryCommands}
    BINDINGS: ClassVar[list[BindingType]] = [*_bindings(), Binding("escape", "calm", "dismiss", show=False)]
    AUTO_FOCUS = None

    def __init__(self, debugger: Debugger, *, hint: bool = True) -> None:
        super().__init__()
        self.debugger = debugger
        self.failure: str | None = None
        """Set when the script ended before there was anything to look at."""
        self._hint = hint
        self.heard = Event()
        """Set whenever the script has sent something."""
        self._told = False
        self._listening = False
        self._chosen: tuple[Moment, int] | None = None
        self._pending: deque[tuple[Callable[[], bool], bool]] = deque()
        """Moves that wait for the script to stop; with each whether it lets the script run for long."""
        self._for_long = False
        """The action that is being done lets the script run on its own."""
        self._running_freely = False
        self._awaiting = False
        """A move has sent the script on; the panes follow when it stops."""
        self._asked_to_pause = 0.0
        self._signals = 0
        self._ticker: Timer | None = None
        self._collector = Collector()
        self._last_view: View | None = None
        self._focus_right = 0

    # -- layout ------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield StatusLine(self.debugger, id="status")
        with Container(id="body"):
            with Container(id="left"):
                for name, *_ in LEFT:
                    yield LeftPanel(name)
            yield RightPanel(0, "value")
            yield RightPanel(1, "graph")
        yield Timeline(id="timeline")
        with Container(id="bottom"):
            yield Footer(id="footer")
            with Container(id="prompt"):
                yield Label(":")
                yield CommandLine(self.debugger)
        yield Static("", id="small")

    def get_default_screen(self) -> Screen[object]:
        """The one screen."""
        return MainScreen(id="_default")

    def on_mount(self) -> None:
        self.register_theme(THEME)
        self.theme = THEME.name
        self._ticker = self.set_interval(FRAME, self._tick, pause=True)
        self._collector.start()
        self.set_interval(1.0, self._collector.tick)
        self._arrange(self.size.width, self.size.height)
        self.panel(0).pane.focus()
        if self._hint:
            self.footer.say(HINT)
        self.listen()
        if self.debugger.running:
            self._run_begins(for_long=True)
            self.post_message(ScriptSpoke())
        self.call_after_refresh(self.repaint)

    def on_unmount(self) -> None:
        if self._ticker is not None:
            self._ticker.stop()
        self._collector.stop()

    def on_resize(self, event: events.Resize) -> None:
        self._arrange(event.size.width, event.size.height)
        self.call_after_refresh(self.repaint)

    def _arrange(self, width: int, height: int) -> None:
        screen = self.screen_stack[0]
        screen.set_class(width < COMPACT, "compact")
        screen.set_class(width >= WIDE, "wide")
        small = width < SMALLEST[0] or height < SMALLEST[1]
        screen.set_class(small, "small")
        if small:
            screen.query_one("#small", Static).update(
                f"The terminal is too small: {width}×{height}.\nmicrogpt-tui needs {SMALLEST[0]}×{SMALLEST[1]} or more."
                "\n\nMake it larger, or press q to quit."
            )

    @property
    def footer(self) -> Footer:
        """The bottom line."""
        return self.screen_stack[0].query_one(Footer)

    @property
    def status(self) -> StatusLine:
        """The top line."""
        return self.screen_stack[0].query_one(StatusLine)

    def panel(self, number: int) -> RightPanel:
        """A right-hand panel."""
        return self.screen_stack[0].query_one(f"#right-{number}", RightPanel)

    def visible_panes(self) -> list[Pane]:
        """The panes that are on the screen."""
        screen = self.screen_stack[0]
        found: list[Pane] = []
        compact, flipped = screen.has_class("compact"), screen.has_class("flipped")
        if not compact or flipped:
            found += [panel.pane for panel in screen.query(LeftPanel)]
        if not compact or not flipped:
            found.append(self.panel(0).pane)
            if screen.has_class("wide"):
                found.append(self.panel(1).pane)
        return found

    # -- the script's messages: the one handler ------------------------------------------------

    def listen(self) -> None:
        """Hear the script from now on, in a reader thread."""
        if not self._listening:
            self._listening = True
            self.debugger.listen(self._tell)

    def _tell(self) -> None:
        """In the reader thread: something has come."""
        self.heard.set()
        if self.is_running and not self._told:
            self._told = True
            self.post_message(ScriptSpoke())

    @on(ScriptSpoke)
    def _script_spoke(self) -> None:
        self._told = False
        kinds = self.debugger.take_messages()
        if self.debugger.running:
            self.status.speed.note(len(self.debugger.history.summaries))
        elif self._awaiting or "lost" in kinds or "ended" in kinds:
            self._stopped()

    def _stopped(self) -> None:
        """The script waits, or is over: go on with what is pending, else show where we are."""
        self._awaiting = False
        self._asked_to_pause = 0.0
        self._signals = 0
        if self._ticker is not None:
            self._ticker.pause()
        self.status.unanswered = False
        stop = self.debugger.history.stop
        if stop is not None and (stop.over or stop.reason not in ("step",)):
            self._pending.clear()
        if stop is not None and stop.over:
            self.failure = explain(self.debugger.history, str(self.debugger.launch.script))
            if self.failure is not None:
                self.exit(2)
                return
        self._go_on()
        if not self._awaiting:
            self.repaint()

    def _go_on(self) -> None:
        """Do pending moves until one needs the script."""
        while self._pending and not self.debugger.running:
            move, for_long = self._pending.popleft()
            try:
                moved = move()
            except (CommandError, ValueError) as error:
                self.complain(str(error))
                self._pending.clear()
                return
            if self._is_running():
                self._run_begins(for_long=for_long)
                return
            if not moved and self.debugger.notice:
                self._pending.clear()
        if self.debugger.notice and not self.footer.notice:
            self.say(self.debugger.notice)

    @property
    def busy(self) -> bool:
        """True while a move waits for the script."""
        return self._awaiting or bool(self._pending)

    def _is_running(self) -> bool:
        return self.debugger.running

    def _run_begins(self, *, for_long: bool) -> None:
        self._awaiting = True
        self._running_freely = for_long
        self.status.speed.reset()
        self.status.speed.note(len(self.debugger.history.summaries))
        if self._ticker is not None:
            self._ticker.reset()
            self._ticker.resume()

    def _tick(self) -> None:
        """While the script runs: what has changed, and patience with a pause."""
        if not self.debugger.running or not self.is_running:
            return
        if self._asked_to_pause and monotonic() - self._asked_to_pause > PATIENCE:
            self.status.unanswered = True
        self.status.show(self._last_view, running=True)
        for pane in self.visible_panes():
            if "pane-training" in pane.classes or "pane-output" in pane.classes:
                view = self._last_view
                if view is not None:
                    pane.show(view)

    # -- drawing -----------------------------------------------------------------------------

    def view(self) -> View | None:
        """What the panes are to show: the moment under the cursor and the selected node."""
        debugger = self.debugger
        trace = debugger.trace
        moment = debugger.moment
        if trace is None or not 0 <= moment.event < len(trace):
            return self._last_view
        node = trace.node_of(moment.event)
        if self._chosen is not None:
            if self._chosen[0] == moment:
                node = self._chosen[1]
            else:
                self._chosen = None
        version = (moment.episode, moment.event, node, trace.version)
        self._last_view = View(debugger, trace, moment.event, node, version)
        return self._last_view

    def repaint(self) -> None:
        """Show where we are in everything that is visible."""
        view = self.view()
        self.status.show(view, running=self.debugger.running)
        if view is None:
            return
        self.screen_stack[0].query_one(Timeline).view = view
        for pane in self.visible_panes():
            pane.show(view)

    # -- the desk of the actions -----------------------------------------------------------------

    def say(self, text: str) -> None:
        """One line for the person, until the next key."""
        self.footer.say(text)

    def complain(self, text: str) -> None:
        """As ``say``, for what could not be done."""
        self.footer.say(text, bad=True)

    def repeat(self, move: Callable[[], bool], count: int = 1) -> None:
        """Make a move so many times, waiting for the script in between."""
        if self.debugger.running and self._running_freely:
            self.say("the script is running: space pauses it")
            return
        if self.debugger.running and len(self._pending) >= WAITING:
            return
        self._pending.extend([(move, self._for_long)] * count)
        self._go_on()

    def answer(self, command: str, text: str) -> None:
        """Show what a command answers: a line in the footer, more on a page of its own."""
        text = text.strip()
        if "\n" in text:
            self.push_screen(AnswerScreen(command, text))
        else:
            self.say(text or f"{command}: done")

    def place(self) -> tuple[int, int] | None:
        """The line that the person means: the selected one of the Source pane, else the one being executed."""
        pane = self.screen_stack[0].query_one("#panel-source", LeftPanel).pane
        if isinstance(pane, SourcePane) and pane.line:
            return pane.file, pane.line
        return self.debugger.line_here()

    def open(self, what: str, argument: str = "") -> None:
        """Show a pane or a screen, or do what only a screen can."""
        opener = getattr(self, "open_" + what.replace("-", "_"), None)
        if opener is not None:
            opener(argument)
        elif what in {n for n, *_ in LEFT}:
            self._focus_left(what)
        elif what in {n for n, *_ in RIGHT}:
            self.run_worker(self._focus_tab(what), exclusive=False)
        else:
            self.complain(f"nothing here is called {what}")

    async def action_do(self, name: str) -> None:
        """A key was pressed."""
        self.perform(actions.find(name))

    def perform(self, action: Action, argument: str = "") -> None:
        """Do an action; what cannot be done is said, never raised."""
        self._collector.busy()
        self.footer.say("")
        self._for_long = not action.moves
        try:
            action.run(self, argument)
        except (CommandError, ValueError) as error:
            self.complain(str(error))
        if not self._awaiting:
            self.repaint()

    @on(ActionChosen)
    def _action_chosen(self, message: ActionChosen) -> None:
        try:
            action = actions.find(message.name)
        except CommandError as error:
            self.complain(str(error))
            return
        self.perform(action, message.argument)

    # -- what only a screen can do -----------------------------------------------------------------

    def open_pausing(self, argument: str) -> None:
        """A pause was asked for."""
        self._asked_to_pause = self._asked_to_pause or monotonic()
        self._pending.clear()

    def open_interrupt(self, argument: str) -> None:
        """Signal a script that does not answer."""
        if not self.debugger.running:
            self.say("the script waits already: nothing to interrupt")
            return
        sent = self.debugger.process.interrupt(self._signals)
        self._signals += 1
        self._asked_to_pause = monotonic()
        self.status.unanswered = False
        self.say(f"sent {sent} to the script")

    def open_command(self, argument: str) -> None:
        """Type a command."""
        self.screen_stack[0].add_class("typing")
        self.screen_stack[0].query_one(CommandLine).start(argument)

    def open_palette(self, argument: str) -> None:
        """Search everything there is to do."""
        self.action_command_palette()

    def open_help(self, argument: str) -> None:
        """Explain the focused pane; list keys and commands."""
        pane = self._focused_pane()
        explanation = pane.explain(self._last_view) if pane is not None else ""
        title = pane.title if pane is not None else "microgpt-tui"
        keys = pane_keys_markdown(pane) if pane is not None else ""
        self.push_screen(HelpScreen(title, explanation, list(ACTIONS), keys))

    def open_restart(self, argument: str) -> None:
        """Begin the script anew."""
        self._pending.clear()
        self._last_view = self._chosen = None
        self.debugger.restart()
        self._listening = False
        self.listen()
        self._run_begins(for_long=True)

    def open_breakpoints(self, argument: str) -> None:
        """The list of breakpoints."""
        if not self._open_screen("breakpoints", "BreakpointsScreen", argument):
            self.answer("breakpoints", execute(self.debugger, "breakpoints").text)

    def open_find(self, argument: str) -> None:
        """Search nodes."""
        if argument:
            self.answer("find", execute(self.debugger, f"find {argument}").text)
        elif not self._open_screen("find", "FindScreen", argument):
            self.open_command("find ")

    def open_export(self, argument: str) -> None:
        """A picture of what the focused pane shows."""
        pane = self._focused_pane()
        export = getattr(pane, "action_export", None)
        if export is None:
            self.complain("export: the Graph pane (5) writes pictures; focus it first")
        else:
            export()

    def _open_screen(self, module: str, name: str, argument: str) -> bool:
        try:
            made = getattr(importlib.import_module(f"microgpt_tui.tui.screens.{module}"), name)
        except (ModuleNotFoundError, AttributeError):
            return False
        self.push_screen(made(self.debugger), lambda _: self.repaint())
        return True

    def open_quit(self, argument: str) -> None:
        """End the session."""
        self.exit(0)

    def open_follow(self, argument: str) -> None:
        """Enter, in the focused pane."""
        pane = self._focused_pane()
        choose = getattr(pane, "action_choose", None)
        if choose is not None:
            choose()
        elif self._last_view is not None:
            self._follow(self._last_view.node)

    def open_full(self, argument: str) -> None:
        """Numbers in full in every pane that has them so."""
        for pane in self.visible_panes():
            toggle = getattr(pane, "action_full", None)
            if toggle is not None:
                toggle()

    def open_flip(self, argument: str) -> None:
        """The next pane, or the one named; on a small terminal the other side."""
        if argument:
            self.open(argument.lower())
            return
        self._cycle(1)

    def open_flip_back(self, argument: str) -> None:
        """The pane before."""
        self._cycle(-1)

    def _focused_pane(self) -> Pane | None:
        focused = self.screen_stack[0].focused
        return focused if isinstance(focused, Pane) else None

    def _cycle(self, by: int) -> None:
        screen = self.screen_stack[0]
        if screen.has_class("compact"):
            self._flip(not screen.has_class("flipped"))
            return
        panes = self.visible_panes()
        focused = self._focused_pane()
        at = panes.index(focused) if focused in panes else -by
        self._focus(panes[(at + by) % len(panes)])

    def _flip(self, flipped: bool) -> None:
        screen = self.screen_stack[0]
        screen.set_class(flipped, "flipped")
        pane = screen.query_one("#panel-source", LeftPanel).pane if flipped else self.panel(0).pane
        self.call_after_refresh(self._focus, pane)

    def _focus(self, pane: Pane) -> None:
        pane.focus()
        panel = panel_of(pane)
        if panel is not None:
            self._focus_right = panel.number
        self.footer.refresh()
        self.repaint()

    def _focus_left(self, name: str) -> None:
        screen = self.screen_stack[0]
        if screen.has_class("compact"):
            screen.add_class("flipped")
        self.call_after_refresh(self._focus, screen.query_one(f"#panel-{name}", LeftPanel).pane)

    async def _focus_tab(self, name: str, panel: int | None = None) -> None:
        screen = self.screen_stack[0]
        screen.remove_class("flipped")
        wide = screen.has_class("wide")
        number = self._focus_right if panel is None else panel
        if not wide:
            number = 0
        elif self.panel(1 - number).active == name:
            number = 1 - number
        pane = await self.panel(number).activate(name)
        self.call_after_refresh(self._focus, pane)

    async def action_tab(self, name: str, panel: int) -> None:
        """A tab was clicked."""
        await self._focus_tab(name, panel)

    def action_calm(self) -> None:
        """Take the notice away."""
        self.footer.say("")

    # -- the command line ------------------------------------------------------------------------

    @on(CommandGiven)
    def _command_given(self, message: CommandGiven) -> None:
        self._leave_command_line()
        try:
            action, argument = parse(message.text)
        except CommandError as error:
            self.complain(str(error))
            return
        self.perform(action, argument)

    @on(CommandCancelled)
    def _leave_command_line(self) -> None:
        screen = self.screen_stack[0]
        screen.remove_class("typing")
        compact_left = screen.has_class("compact") and screen.has_class("flipped")
        pane = screen.query_one("#panel-source", LeftPanel).pane if compact_left else self.panel(self._shown_right).pane
        pane.focus()

    @property
    def _shown_right(self) -> int:
        return self._focus_right if self.screen_stack[0].has_class("wide") else 0

    # -- choosing in panes -----------------------------------------------------------------------

    @on(NodeChosen)
    def _node_chosen(self, message: NodeChosen) -> None:
        if message.follow:
            self._follow(message.node)
        elif message.node >= 0:
            self._chosen = (self.debugger.moment, message.node)
            self.repaint()

    def _follow(self, node: int) -> None:
        trace = self._last_view.trace if self._last_view is not None else None
        if trace is None or node < 0:
            return
        owner = trace.owner(node)
        born = owner.born_at(node) if owner is trace else owner.born[node - owner.first_node]
        try:
            self.debugger.goto(born, owner.index)
        except ValueError as error:
            self.complain(str(error))
            return
        self.repaint()

    @on(MomentChosen)
    def _moment_chosen(self, message: MomentChosen) -> None:
        try:
            self.debugger.goto(message.event, message.episode)
        except ValueError as error:
            self.complain(str(error))
            return
        self.repaint()

    @on(Timeline.Scrubbed)
    def _scrubbed(self, message: Timeline.Scrubbed) -> None:
        trace = self.debugger.trace
        if trace is not None and 0 <= message.event < len(trace):
            self.debugger.moment = Moment(trace.index, message.event)
            self.repaint()

    def on_descendant_focus(self) -> None:
        with suppress(NoMatches):  # a focus before everything is there
            self.footer.refresh()


# -- opening -----------------------------------------------------------------------------------


def run_app(launch: Launch) -> int:
    """Open the screen on a script; returns the exit status.

    A script that is refused, or that fails before it has made a node, is not opened: its message with
    the remedy goes to stderr and the status is 2.
    """
    debugger = Debugger(launch)
    try:
        app = DebuggerApp(debugger)
        app.listen()
        failure = _first_stop(app)
        if failure is None:
            app.run()
            failure = app.failure
        return (app.return_value or 0) if failure is None else _report(debugger, failure)
    except KeyboardInterrupt:
        return 130
    finally:
        debugger.close()


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
