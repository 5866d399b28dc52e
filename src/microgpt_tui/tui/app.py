"""The app: panes over one state, and the one handler that owns it.

A key becomes a command. Where a command's way is recorded the panes are drawn at once; else the script
runs, its messages come through a reader thread (``ScriptSpoke``), and the panes are drawn when it stops.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, ClassVar

from textual import events, on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input

from microgpt_tui.protocol.messages import Halted
from microgpt_tui.session.commands import Command, CommandError, Result, start
from microgpt_tui.session.commands.command import Effect, faults, lookup, permit
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.failure import explain
from microgpt_tui.trace.place import episode_text
from microgpt_tui.tui.collector import Collector
from microgpt_tui.tui.dialog import Palette
from microgpt_tui.tui.keymap import KEYS, TYPED, shown_key, textual_name
from microgpt_tui.tui.lines import Visible
from microgpt_tui.tui.main_screen import MainScreen
from microgpt_tui.tui.messages import (
    Asked,
    CommandCancelled,
    CommandChosen,
    CommandGiven,
    MomentChosen,
    NodeChosen,
    NothingThere,
    Rearranged,
    ScriptSpoke,
    SharesChanged,
    StepChosen,
    TourStopped,
)  # fmt: skip
from microgpt_tui.tui.pane import Pane, View
from microgpt_tui.tui.panes.source import SourcePane
from microgpt_tui.tui.pending import Pending
from microgpt_tui.tui.providers import PaletteCommands
from microgpt_tui.tui.screen_commands import ALL, do, read
from microgpt_tui.tui.screens.page import PageScreen
from microgpt_tui.tui.shares import Shares, load, save
from microgpt_tui.tui.themes import LOOKS, Readable, Recolour
from microgpt_tui.tui.timeline import Timeline
from microgpt_tui.tui.typeahead import TypeAhead

FRAME = 1 / 5
"""Seconds between repaints while the script runs."""
PATIENCE = 1.0
"""Seconds after which a script that does not pause is offered a signal."""

HINT = "s steps · S steps back · space runs and pauses · t is a tour · ? helps   (any key takes this line away)"
WELCOME = (
    "New here? t gives a guided tour of this script; it can be left at any point.  s steps · S steps back · ? helps"
)
"""The hint of the first start."""

_BINDINGS: list[BindingType] = [
    Binding(textual_name(key), f"do('{name}')", name, show=False, priority=key == "ctrl+c")
    for key, name in KEYS.items()
]
ASKING = frozenset(textual_name(key) for key, name in KEYS.items() if name in TYPED or lookup(name, ALL).needs_argument)
"""Keys after which a person types."""
BUSY = "the script is running: space pauses it"


class DebuggerApp(App[int]):
    """The screen of one session."""

    CSS_PATH = "app.tcss"
    TITLE = "microgpt-tui"
    COMMANDS: ClassVar = {PaletteCommands}
    BINDINGS: ClassVar[list[BindingType]] = [
        *_BINDINGS,
        Binding("escape", "calm", "dismiss", show=False),
        Binding("ctrl+z", "suspend_process", "suspend", show=False),
    ]
    AUTO_FOCUS = None

    def __init__(
        self, debugger: Debugger, *, hint: bool = True, theme: str = "", remember: Path | None = None,
        driver: type[Driver] | None = None, startup: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._looks: list[LineFilter] = []
        super().__init__(driver_class=driver)
        for look in LOOKS.values():
            self.register_theme(look.theme)
        self._remember = remember
        """Where the places of edges and the theme are kept; None to keep nothing."""
        self._shares = load(remember) if remember is not None else Shares()
        self.theme = theme or (self._shares.theme if self._shares.theme in LOOKS else "dark")
        for name in set(self.available_themes) - set(LOOKS):
            self.unregister_theme(name)  # what the panes draw has no colours in these
        self.debugger = debugger
        self.failure: str | None = None
        """Set when the script ended before there was anything to look at."""
        self._hint = hint
        self.heard = Event()
        """Set whenever the script has sent something."""
        self._startup = [*debugger.launch.first, *startup]
        """Commands that are still to be given before anything is typed."""
        self._on_terminal = os.isatty(0)
        self._giving = False
        """One of them is on its way."""
        self._standing = False
        self._told = False
        self._listening = False
        self._chosen: tuple[Moment, int] | None = None
        self._typeahead = TypeAhead(self, ASKING, self.on_event)
        self._pending = Pending(debugger)
        self._player: Timer | None = None
        """Steps by itself (``play``)."""
        self._running_freely = False
        self._awaiting = False
        """The script was resumed; the panes follow when it stops."""
        self._asked_to_pause = 0.0
        self._signals = 0
        self._ticker: Timer | None = None
        self._collector = Collector()
        self._last_view: View | None = None
        self._visible = Visible()

    # -- layout ------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[object]:
        """The one screen."""
        return MainScreen(self.debugger, self._shares)

    def on_load(self) -> None:
        """Before the terminal is taken."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._told_to_end, number)

    def on_mount(self) -> None:
        self._watch_theme(self.theme)

    def on_ready(self) -> None:
        """The screen stands: fill it."""
        self._standing = True
        self._ticker = self.set_interval(FRAME, self._tick, pause=True)
        self._collector.start()
        self.set_interval(1.0, self._collector.tick)
        if not self.is_headless and self._on_terminal:
            self.set_interval(1.0, self._look_for_terminal)
        self.main.fit(self.size.width, self.size.height)
        self.main.home().focus()
        if self._hint:
            self.say(WELCOME if self._first_start() else HINT)
        self.listen()
        if self.debugger.running:
            self._run_begins(for_long=True)
            self.post_message(ScriptSpoke())
        if self._startup and not self.debugger.running:
            self.call_after_refresh(self._give_next)
        self.call_after_refresh(self.repaint)

    def _told_to_end(self, number: signal.Signals) -> None:
        """Leave the terminal as it was; a second signal does not wait for that."""
        asyncio.get_running_loop().remove_signal_handler(number)
        self.exit(128 + number)

    def _look_for_terminal(self) -> None:
        """A terminal that is not ours to be told of its end by a signal may close too."""
        if not os.isatty(0):
            self._told_to_end(signal.SIGHUP)

    def on_unmount(self) -> None:
        if self._ticker is not None:
            self._ticker.stop()
        self._collector.stop()

    def on_resize(self, event: events.Resize) -> None:
        if self._standing:
            self.main.fit(event.size.width, event.size.height)
            self.call_after_refresh(self.repaint)

    @property
    def main(self) -> MainScreen:
        """The screen of the panes, whatever lies over it."""
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    @property
    def last_view(self) -> View | None:
        """What the panes were shown last."""
        return self._last_view

    # -- what is remembered ----------------------------------------------------------------------

    def _first_start(self) -> bool:
        """True once: nothing was remembered yet."""
        if self._remember is None or self._remember.exists():
            return False
        save(self._remember, self._shares)
        return True

    @on(SharesChanged)
    def _shares_changed(self) -> None:
        if self._remember is not None:
            save(self._remember, self.main.shares)

    # -- colours -------------------------------------------------------------------------------

    def get_line_filters(self) -> Sequence[LineFilter]:
        """No control character passes; then Textual's, between the theme's colours and the last look at what can be
        read."""
        if not self._looks:
            return [self._visible, *super().get_line_filters()]
        recolour, readable = self._looks
        return [self._visible, *([recolour] if recolour.enabled else []), *super().get_line_filters(), readable]

    def _watch_theme(self, theme_name: str) -> None:
        look = LOOKS.get(theme_name)
        self._looks = [Recolour(look), Readable()] if look is not None else []
        super()._watch_theme(theme_name)

    # -- typing ahead --------------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Keys that follow one that opens or closes the command line wait for it."""
        if isinstance(event, events.Key) and (self.return_value is not None or not self.screen_stack):
            return  # the session is being left
        if isinstance(event, events.Key) and not event.is_forwarded and self.stop_playing():
            self.say("stopped playing")
            return
        if isinstance(event, events.Key) and not event.is_forwarded and self._typeahead.holds(event):
            return
        await super().on_event(event)

    async def _check_bindings(self, key: str, priority: bool = False) -> bool:
        """Textual's own, which tells whether a key means something: one that means nothing says so."""
        if await super()._check_bindings(key, priority):
            return True
        if not priority and len(self.screen_stack) == 1 and not isinstance(self.focused, Input):
            self.say(f"{shown_key(key)} does nothing here; ? lists the keys")
        return False

    @on(events.DescendantFocus)
    async def _focus_moved(self) -> None:
        if self.screen_stack:
            await self._typeahead.focus_moved()

    # -- the script's messages: the one handler ------------------------------------------------

    def listen(self) -> None:
        """Hear the script from now on, in a reader thread."""
        if not self._listening:
            self._listening = True
            self.debugger.listen(self._tell)

    def _tell(self) -> None:
        """In the reader thread: something has come."""
        self.heard.set()
        if self._standing and self.is_running and not self._told:
            self._told = True
            self.post_message(ScriptSpoke())

    @on(ScriptSpoke)
    def _script_spoke(self) -> None:
        self._told = False
        taken = self.debugger.take_messages()
        if self.debugger.running:
            self.main.status.speed.note(len(self.debugger.history.summaries))
            if any(isinstance(message, Halted) for message in taken):
                self._halted()
            elif self.debugger.script.halted_at is not None and (trace := self.debugger.history.newest) is not None:
                trace.look_ahead()  # while the next portion of its record is encoded
        elif self._awaiting or (taken and self.debugger.over):
            self._stopped()

    def _halted(self) -> None:
        """The script has heard the pause: show its line while its record is on its way."""
        self.main.status.refresh()
        if (at := self.debugger.script.halted_at) is not None and at >= 0:
            site = self.debugger.history.program.sites[at]
            for pane in self.main.query(SourcePane):
                if site is not None and pane.view is not None:
                    pane.halt(site)

    def _stopped(self) -> None:
        """The script waits, or is over: go on with what is pending, else show where we are."""
        self._awaiting = False
        self.main.set_class(False, "running")
        self._asked_to_pause = 0.0
        self._signals = 0
        if self._ticker is not None:
            self._ticker.pause()
        self.main.status.unanswered = False
        stop = self.debugger.history.stop
        if stop is not None and (stop.over or stop.reason not in ("step",)):
            self._pending.forget_waiting()
        if stop is not None and stop.over:
            self.failure = explain(self.debugger.history, str(self.debugger.launch.script))
            if self.failure is not None:
                self.exit(2)
                return
        self._go_on()
        if not self._awaiting:
            self.repaint()

    def _go_on(self) -> None:
        """Move until the script has to be waited for, or nothing is pending."""
        try:
            effect = self._pending.advance()
        except CommandError as error:
            self.complain(str(error))
            return
        if effect is not None:
            self._run_begins(for_long=effect is Effect.RUNS)
            return
        for text in self.debugger.breakpoints.due(self.debugger.hit):
            self.post_message(CommandChosen(text))
        self._give_next()
        told = "; ".join(filter(None, [self.debugger.notice, *self.debugger.untold()]))
        if told and not self.main.footer.notice:
            self.say(told)

    def _give_next(self) -> None:
        """The next of the commands that come before anything is typed, when nothing is under way."""
        if self._startup and not self._giving and not self._pending and not self.debugger.running:
            self._giving = True
            self.post_message(CommandChosen(self._startup.pop(0)))

    @property
    def busy(self) -> bool:
        """True while a command waits for the script."""
        return self._awaiting or bool(self._pending)

    def _is_running(self) -> bool:
        return self.debugger.running

    def _run_begins(self, *, for_long: bool) -> None:
        self._awaiting = True
        self._running_freely = for_long
        self.main.status.speed.reset()
        self.main.status.speed.note(len(self.debugger.history.summaries))
        if self._ticker is not None:
            self._ticker.reset()
            self._ticker.resume()

    def _tick(self) -> None:
        """While the script runs: what has changed, and patience with a pause."""
        if not self.debugger.running or not self.is_running:
            return
        if self._asked_to_pause and monotonic() - self._asked_to_pause > PATIENCE:
            self.main.status.unanswered = True
        self.main.set_class(self._running_freely, "running")
        self.main.status.show(self._last_view, running=True)
        if self._running_freely and self._last_view is not None:
            self.main.tell_moment(f"as of {episode_text(self._last_view.trace)}, event {self._last_view.event + 1:,}")
        for pane in self.main.visible_panes():
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
            if self._chosen[0] == moment and self._chosen[1] < trace.end_node:  # run again, it may not be made yet
                node = self._chosen[1]
            else:
                self._chosen = None
        version = (moment.episode, moment.event, node, trace.version, debugger.branch.number)
        if self._last_view is not None and self._last_view.version[-1] != debugger.branch.number:
            for pane in self.main.query(Pane):
                pane.forget()
        self._last_view = View(debugger, trace, moment.event, node, version)
        return self._last_view

    def repaint(self) -> None:
        """Show where we are in everything that is visible."""
        view = self.view()
        self.main.status.show(view, running=self.debugger.running)
        self.main.footer.refresh()
        if view is None:
            return
        if not self.debugger.running:
            self.main.tell_moment("")
        self.main.banner.show(self.debugger)
        self.main.lesson.show(self.debugger)
        self.main.timeline.view = view
        self.main.narration.view = view
        for pane in self.main.visible_panes():
            pane.show(view)

    # -- commands ------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """One line for the person, until the next key."""
        self.main.footer.say(text)

    def complain(self, text: str) -> None:
        """As ``say``, for what could not be done."""
        self.main.footer.say(text, bad=True)

    async def action_do(self, name: str) -> None:
        """A key was pressed."""
        self.perform(lookup(name, ALL))

    def perform(self, command: Command[Any], argument: str = "") -> None:
        """Do a command, in the screen's way where it has one; what cannot be done is said, never raised."""
        self._collector.busy()
        self.main.footer.say("")
        try:
            permit(self.debugger, command)
            if command.needs_argument and not argument:
                self.main.start_typing(command.name + " ")
                return
            with faults():
                do(self, command, argument)
        except CommandError as error:
            self.complain(str(error))
        if self._is_running() and not self._awaiting:
            self._run_begins(for_long=True)
        if not self._awaiting:
            self.repaint()
            self._give_next()

    def obey(self, name: str, argument: str) -> None:
        """Do a command of the session's; one that moves waits for those before it. Raises CommandError."""
        command = lookup(name, ALL)
        moves = command.effect in (Effect.STEPS, Effect.RUNS)
        if self.debugger.running and command.effect is not Effect.ALWAYS and (self._running_freely or not moves):
            self.say(BUSY)
            return
        if moves and self._pending.full:
            return
        answer = start(self.debugger, command, argument)
        if not isinstance(answer, Result):
            self._pending.add(answer, command.effect)
            self._go_on()
        elif answer.ends:
            self.exit(0)
        elif "\n" in answer.text.strip():
            self.push_screen(PageScreen(command.name, answer.text))
        else:
            self.say(answer.text.strip() or f"{command.name}: done")

    def place(self) -> tuple[int, int] | None:
        """The line that the person means: the selected one of the Source pane, else the one being executed."""
        pane = self.main.left_pane("source")
        if isinstance(pane, SourcePane) and pane.line:
            return pane.file, pane.line
        return self.debugger.line_here()

    @on(CommandChosen)
    def _command_chosen(self, message: CommandChosen) -> None:
        self._giving = False
        try:
            command, argument = read(message.text)
        except CommandError as error:
            self.complain(str(error))
            return
        self.perform(command, argument)

    # -- what the screen's own commands ask for ----------------------------------------------------

    def pause(self) -> None:
        """Pause the script where it is."""
        self.debugger.pause()
        self._asked_to_pause = self._asked_to_pause or monotonic()
        self._pending.forget()

    def interrupt(self) -> None:
        """Signal a script that does not answer."""
        if not self.debugger.running:
            self.say("the script waits already: nothing to interrupt")
            return
        sent = self.debugger.process.interrupt(self._signals)
        self._signals += 1
        self._asked_to_pause = monotonic()
        self.main.status.unanswered = False
        self.say(f"sent {sent} to the script")

    def restart(self) -> None:
        """Begin the script anew."""
        self._pending.forget()
        self._last_view = self._chosen = None
        self.debugger.restart()
        self._listening = False
        self.listen()
        self._run_begins(for_long=True)

    def after_screen(self) -> None:
        """A screen over the panes has closed: it may have moved the cursor or sent the script on."""
        if self._is_running() and not self._awaiting:
            self._run_begins(for_long=True)
        else:
            self.repaint()

    async def action_tab(self, name: str, panel: int) -> None:
        """A tab was clicked."""
        await self.main.show_tab(name, panel)

    def action_command_palette(self) -> None:
        """Search everything there is to do."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def action_calm(self) -> None:
        """Take the notice and the banner away."""
        self.say("")
        self.main.banner.dismiss()

    # -- the command line ------------------------------------------------------------------------

    @on(CommandGiven)
    def _command_given(self, message: CommandGiven) -> None:
        self.main.stop_typing()
        self._command_chosen(CommandChosen(message.text))

    @on(CommandCancelled)
    def _command_cancelled(self) -> None:
        self.main.stop_typing()

    # -- choosing in panes -----------------------------------------------------------------------

    @on(NodeChosen)
    def _node_chosen(self, message: NodeChosen) -> None:
        if message.follow:
            self.follow(message.node)
        elif message.node >= 0:
            self._chosen = (self.debugger.moment, message.node)
            self.repaint()

    def follow(self, node: int) -> None:
        """Go to where a node is made."""
        trace = self._last_view.trace if self._last_view is not None else None
        if trace is None or node < 0:
            return
        owner = trace.owner(node)
        if not owner.first_node <= node < owner.end_node:
            self.complain("that value is not recorded here")  # of another episode, or from before a restart
            return
        born = owner.born[node - owner.first_node]
        try:
            self.debugger.goto(born, owner.index)
        except ValueError as error:
            self.complain(str(error))
            return
        self.repaint()

    @on(NothingThere)
    def _nothing_there(self, message: NothingThere) -> None:
        self.say(message.why)

    @on(TourStopped)
    async def _tour_stopped(self, message: TourStopped) -> None:
        if message.node >= 0:
            self._chosen = (self.debugger.moment, message.node)
        self.main.lesson.focus()
        if message.pane:
            await self.main.point_at(message.pane)

    @on(Asked)
    def _asked(self, message: Asked) -> None:
        self.main.lesson.focus()
        if not message.answered:
            self.main.start_typing("predict ")

    # -- slow play -------------------------------------------------------------------------------

    def play(self, rate: float) -> None:
        """Step so many times a second (backwards below 0) until a key is pressed, or there is nowhere to go."""
        self.stop_playing()
        word = "step" if rate > 0 else "back"
        self._player = self.set_interval(1 / abs(rate), lambda: self._play_on(word))
        self.say(f"playing, {abs(rate):g} {'a second' if rate > 0 else 'a second backwards'}: any key stops")

    def stop_playing(self) -> bool:
        """No further step by itself; True where there would have been."""
        player, self._player = self._player, None
        if player is not None:
            player.stop()
        return player is not None

    def _stays_at(self, moment: Moment) -> bool:
        return not self.busy and self.debugger.moment == moment

    def _play_on(self, word: str) -> None:
        if self.debugger.running or self.busy or len(self.screen_stack) > 1:
            return
        before, said = self.debugger.moment, self.main.footer.notice
        self.perform(lookup(word, ALL))
        if self._stays_at(before):
            self.stop_playing()
            self.say(self.debugger.notice or "nothing more to play")
        elif self.debugger.hit is not None:
            self.stop_playing()
        elif self._player is not None:
            self.say(said)

    @on(StepChosen)
    def _step_chosen(self, message: StepChosen) -> None:
        for number in (0, 1):
            self.main.panel(number).look_at(message.step)

    @on(MomentChosen)
    def _moment_chosen(self, message: MomentChosen) -> None:
        if message.episode is not None and message.episode not in self.debugger.history.traces:
            name = self.debugger.name_of(Moment(message.episode, -1))
            self._command_chosen(CommandChosen(f"goto {name}"))
            return
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

    @on(Rearranged)
    def _rearranged(self) -> None:
        self.repaint()

    def on_descendant_focus(self) -> None:
        with suppress(NoMatches):  # a focus before everything is there
            self.main.footer.refresh()
