"""The debugger: a cursor in the recorded history, and the live script at its end.

One object for every front end: the screen, the headless commands and the tests call the same methods. A move goes at
once where the answer is recorded; at the frontier it resumes the script, and the cursor follows when that stops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from microgpt_tui.protocol import goals
from microgpt_tui.protocol.conditions import LONGEST_PRINTED, printed_line
from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.goals import Goal
from microgpt_tui.protocol.messages import (
    Answer,
    Command,
    EpisodeEnded,
    Failed,
    ScriptRead,
    Stopped,
)
from microgpt_tui.protocol.stops import AtBreakpoints, RecordingEnds, StepsOver
from microgpt_tui.session.branches import Branch
from microgpt_tui.session.breakpoint_files import take as take_breakpoints
from microgpt_tui.session.breakpoints import BreakpointList, Hit
from microgpt_tui.session.checkpoints import Checkpoints
from microgpt_tui.session.cursor import Cursor
from microgpt_tui.session.displays import Displays
from microgpt_tui.session.history import History
from microgpt_tui.session.looked import Looked
from microgpt_tui.session.moment import Moment, name_of
from microgpt_tui.session.prediction import Prediction
from microgpt_tui.session.process import Connected, Launch, Process, Received, Resumed
from microgpt_tui.session.recordings import Opened, open_recording
from microgpt_tui.session.script import Script
from microgpt_tui.session.tour import Tour
from microgpt_tui.session.travel import Travel
from microgpt_tui.trace import navigation
from microgpt_tui.trace.navigation import BEFORE, BEYOND, Edge
from microgpt_tui.trace.trace import Trace

FEW = 4
"""Events of one operation, inside which no step stops."""
RECORDED = 6
"""Recorded steps take this part of the memory for going back at most, the copies of the script the rest."""
A = TypeVar("A", bound=Answer)
Where = int | Goal | Edge | None
"""What ``navigation`` answers."""


class Unanswered(ValueError):
    """The script does not answer a question: why."""


def _to(where: Callable[[Trace, int], Where]) -> Callable[[Debugger], bool]:
    """The move to where that is from the cursor. A move is True when the cursor has moved, or the script runs."""

    def move(debugger: Debugger) -> bool:
        trace = debugger.trace
        return trace is not None and debugger.go(where(trace, debugger.moment.event))

    return move


def _iteration(where: Callable[[Trace, int, str | None], Where], which: str) -> Callable[..., bool]:
    """The same for iterations of the loop over positions, or of the loop with a variable ``name``."""

    def move(debugger: Debugger, name: str | None = None) -> bool:
        trace = debugger.trace
        nothing = f"no loop {name} here" if name else f"no {which} position in this episode"
        return trace is not None and debugger.go(where(trace, debugger.moment.event, name), nothing)

    return move


class Debugger:
    """A script under the recorder, and where in its history we are."""

    def __init__(self, launch: Launch, history: History | None = None) -> None:
        self.breakpoints = BreakpointList()
        self.displays = Displays()
        self.tour = Tour()
        self.prediction = Prediction()
        self.looked = Looked()
        """Which of the calls around the cursor is looked at."""
        self._begin(launch, history or History(launch.history_memory // RECORDED or 1 << 29))

    def _begin(self, launch: Launch, history: History) -> None:
        self.notify: Callable[[], None] | None = None
        opened = open_recording(launch.recording, history.budget) if launch.recording is not None else None
        if opened is not None:
            history = opened.runs[0].history
        self.first = Script(launch, opened.runs[0].process if opened is not None else None)
        """The script's first process, in whose folder everything is."""
        self.branch = Branch(0, "main", history, self.first)
        """The run that is looked at."""
        self.branches = [self.branch]
        self.travel = Travel(self)
        self._look_at(self.branch)
        self._told = 0
        """Of ``history.differing`` so many were said."""
        self.notice = ""
        """One line about the last command, for the person; empty when it did what it says."""
        self.hit: tuple[Moment, tuple[int, ...]] | None = None
        """The last stop at breakpoints: where, and their numbers."""
        self.pokes: dict[int, list[Any]] = {}
        """Episode -> changes of its record, tried out (``pokes.Poke``): the run itself knows nothing of them."""
        self.bookmarks: dict[str, Moment] = {}
        self.found: list[Moment] = []
        """What the last search has found: where ``findnext`` goes."""
        self.query = ""
        """What it has looked for: ``findnext`` looks for it in other episodes too."""
        if opened is not None:
            try:
                self._take_in(opened)
            except BaseException:
                opened.close()
                raise

    def _take_in(self, opened: Opened) -> None:
        self.script.running = False
        for run in opened.runs[1:]:
            parent = next(b for b in self.branches if b.number == run.parent)
            script = Script(self.launch, run.process)
            script.running = False
            self.branches.append(
                Branch(run.number, run.name, run.history, script, parent, run.left, run.changed, run.moment)
            )
        self.bookmarks = dict(opened.bookmarks)
        take_breakpoints(self.breakpoints, opened.breakpoints, self.history.program)
        self._jump(opened.runs[0].moment)
        wanted = next(b for b in self.branches if b.number == opened.branch)
        if wanted is not self.branch:
            self.switch(wanted)
            self._jump(wanted.moment)

    def _jump(self, moment: Moment) -> None:
        try:
            self.cursor.jump(moment)
        except ValueError:  # it stood in an episode that is not in the file
            self.to_frontier()

    def _look_at(self, branch: Branch) -> None:
        self.branch = branch
        self.history = branch.history
        self.script = branch.script
        self.cursor = Cursor(branch.history)
        self.cursor.moment = branch.moment
        self.breakpoints.attach(branch.history.traces, self._printed)

    def switch(self, branch: Branch) -> None:
        """Look at another run, where it was left."""
        self.branch.moment = self.moment
        self.travel.close()
        self._look_at(branch)
        self.hit = None
        self.found = []
        self._told = len(branch.history.differing)
        self.breakpoints.changed()

    @property
    def alterations(self) -> list[Any]:
        """Numbers that the person has set (``alterations.Alteration``): from the first on the run is altered."""
        return self.branch.alterations

    @property
    def checkpoints(self) -> Checkpoints | None:
        """The copies of the script that sleep, where there can be any."""
        process = self.first.process
        return process.checkpoints if isinstance(process, Process) else None

    @property
    def memory(self) -> str:
        """What going back takes, and what was let go to keep to it, for the status line; empty without checkpoints."""
        checkpoints = self.checkpoints
        if checkpoints is None:
            return ""
        used = self.history.nbytes + checkpoints.memory
        gone = checkpoints.dropped + self.history.dropped
        let_go = f", {gone:,} let go" if gone else ""
        return f"history {used >> 20:,}/{checkpoints.budget >> 20:,} MB{let_go}"

    def untold(self) -> list[str]:
        """What was not the same when it was run again, in words: each once."""
        differing = self.history.differing
        told, self._told = self._told, len(differing)
        return differing[told:]

    def restart(self) -> None:
        """Begin the script anew; breakpoints and displays stay. A reader thread has to be started again: ``listen``."""
        self.close()
        self.breakpoints.restarted()
        self.launch.goal = goals.Episode()
        self._begin(self.launch, History(self.history.budget))

    def close(self) -> None:
        """End the script and forget its files."""
        self.travel.close()
        for branch in self.branches[1:]:
            branch.script.process.close()
        self.first.process.close()

    # -- where -----------------------------------------------------------------------------

    @property
    def launch(self) -> Launch:
        """What is run, and how."""
        return self.script.launch

    @property
    def process(self) -> Connected:
        """The script's process."""
        return self.script.process

    @property
    def running(self) -> bool:
        """True while the script runs."""
        return self.script.running or self.travel.running

    @property
    def over(self) -> bool:
        """True when the script has ended."""
        return self.history.stop is not None and self.history.stop.over

    @property
    def moment(self) -> Moment:
        """The cursor's moment."""
        return self.cursor.moment

    @moment.setter
    def moment(self, moment: Moment) -> None:
        self.cursor.moment = moment
        self.history.touch(moment.episode)

    @property
    def now(self) -> tuple[int, int]:
        """The same as a plain pair: from where on hits are counted."""
        return self.moment.episode, self.moment.event

    @property
    def trace(self) -> Trace | None:
        """The episode under the cursor."""
        return self.cursor.trace

    @property
    def at_frontier(self) -> bool:
        """True when the cursor is where the live script is."""
        return self.cursor.at_frontier

    def name_of(self, moment: Moment) -> str:
        """``3:1200`` for training step 3, event 1200; ``setup:5``, ``sample 2:17``."""
        return str(name_of(self.history, moment))

    def jump(self, moment: Moment) -> None:
        """Go to a recorded moment, remembered for ``visit(-1)``. Raises ValueError for one that is not recorded."""
        self.cursor.jump(moment)

    def goto(self, event: int, episode: int | None = None) -> None:
        """Go to an event (from 0) of a recorded episode. Raises ValueError."""
        self.jump(Moment(self.moment.episode if episode is None else episode, event))

    def visit(self, direction: int) -> bool:
        """Back (-1) or forward (+1) through the moments that were jumped to."""
        return self.cursor.visit(direction)

    def to_frontier(self) -> None:
        """Move the cursor to the newest event."""
        self.cursor.to_frontier()

    # -- messages --------------------------------------------------------------------------

    def receive(self, received: Received | None) -> Data | None:
        """Take a message of the script (None: it is gone), and return it; moves the cursor when the script stopped."""
        if received is None:
            was_over = self.over
            self.history.lost(self.process.wait(5))
            self._stopped(follow=not was_over)
            return None
        message, blobs = received
        self.history.handle(message, blobs)
        self.script.note(message)
        if self.checkpoints is not None and isinstance(message, EpisodeEnded | Stopped):
            self.checkpoints.recorded = self.history.nbytes
            self.checkpoints.welcome()
        if self.launch.resumed is not None:
            self._take_over(self.launch.resumed, message)
        if isinstance(message, EpisodeEnded):
            self.breakpoints.take_hits(message.hits, message.summary.index)
        elif isinstance(message, Stopped):
            self.breakpoints.take_hits(message.hits, self.history.current)
            if not isinstance(message.stop, AtBreakpoints) or self._holds(message.stop):
                self._stopped(follow=True)
                if isinstance(message.stop, AtBreakpoints) and message.stop.event >= 0 and self.hit is not None:
                    self.moment = self.hit[0]  # the script has run on from there
        return message

    def _take_over(self, kept: Resumed, message: Data) -> None:
        """Take over what a recording tells, and see whether this is the same run."""
        found: list[str] = []
        if isinstance(message, ScriptRead):
            refused = take_breakpoints(self.breakpoints, kept.breakpoints, self.history.program)
            self.bookmarks = {name: Moment(*at) for name, at in kept.bookmarks.items()}
            found += [f"{kept.path.name}: not set here: {row}" for row in refused]
            if [text for _, text in kept.files] != [text for _, text in self.history.program.files]:
                found.append(f"the script is not as it was when {kept.path.name} was recorded")
        elif isinstance(message, EpisodeEnded) and message.summary.kind == "step" and self.branch.parent is None:
            loss, was = message.summary.loss, kept.losses.get(message.summary.number)
            if was is not None and loss is not None and repr(loss) != repr(was):
                found.append(f"step {message.summary.number}: loss {loss!r}; in {kept.path.name} it was {was!r}")
        self.branches[0].history.differing += found

    def _stopped(self, *, follow: bool) -> None:
        self.script.running = False
        if follow:
            self.to_frontier()
            program = self.history.program
            if self.over and not program.train_sites and not program.sample_sites and self.moment.episode == 0:
                self.moment = Moment(0, 0)  # all of it is one episode: it is looked at from its beginning

    def listen(self, notify: Callable[[], None]) -> None:
        """Read the script's messages in a thread of their own from now on, for callers with an event loop.

        ``notify`` is called in that thread after each; ``take_messages`` then handles what has come.
        Questions (``ask``) still work: they wait for their answer in the same queue.
        """
        self.notify = notify
        for branch in self.branches:
            branch.script.listen(notify)

    def take_messages(self) -> list[Data | None]:
        """Handle every message that has come, in order; None when the process is gone."""
        taken = [self.receive(received) for received in self.script.come()]
        while (copy := self.travel.script) is not None and (received := next(copy.come(), ...)) is not ...:
            self.travel.take(received)
        return taken

    def wait(self, on_message: Callable[[Data | None], None] | None = None) -> None:
        """Receive until the script stops (for callers without an event loop)."""
        while self.running:
            if (copy := self.travel.script) is not None and copy.running:
                self.travel.take(copy.next_message())
                continue
            message = self.receive(self.script.next_message())
            if on_message is not None:
                on_message(message)

    def ask(self, question: Command, expected: type[A]) -> A:
        """Send a question to the waiting script and wait for its answer. Raises Unanswered."""
        if self.running:
            raise Unanswered("the script is running; pause it first")
        if self.launch.recording is not None:
            raise Unanswered(self.process.gone)
        self.process.send(question)
        while not isinstance(message := self.receive(self.script.next_message()), expected):
            if message is None:
                raise Unanswered(self.process.gone)
            if isinstance(message, Answer):
                raise Unanswered(message.error if isinstance(message, Failed) else f"another question's: {message}")
        return message

    # -- moves: True when the cursor has moved, or the script runs ---------------------------

    def go(self, answer: Where, nothing: str = "") -> bool:
        """Act on where a move leads; ``nothing`` is what to say when it leads nowhere."""
        self.notice = ""
        self.hit = None
        if isinstance(answer, Goal):
            if self.trace is not self.history.newest:
                self.notice = "this step was run again only as far as here"
                return False
            return self._live(answer)
        if answer is BEYOND:
            return self.next_episode()
        if answer is BEFORE:
            return self.previous_episode(last=True)
        if isinstance(answer, int):
            if not self._stops_before(answer):
                self.moment = Moment(self.moment.episode, answer)
            return True
        self.notice = nothing
        return False

    step = _to(navigation.step)
    """One operation as the source writes it."""
    back = _to(navigation.back)
    """One operation back."""
    step_event = _to(navigation.step_event)
    """One event: inside an operation too."""
    back_event = _to(navigation.back_event)
    """One event back."""
    next_statement = _to(navigation.next_statement)
    """The next statement at this scope or outside it."""
    previous_statement = _to(navigation.previous_statement)
    """The previous statement."""
    finish = _to(navigation.finish)
    """The end of this call or loop iteration."""
    start_of_scope = _to(navigation.start_of_scope)
    """The start of this call or loop iteration."""
    next_iteration = _iteration(navigation.next_iteration, "later")
    """The next iteration of a loop."""
    previous_iteration = _iteration(navigation.previous_iteration, "earlier")
    """The previous iteration of that loop."""
    next_phase = _to(navigation.next_phase)
    """The first event of the next phase."""
    previous_phase = _to(navigation.previous_phase)
    """The first event of this phase, or of the one before."""

    def next_episode(self) -> bool:
        """The first event of the next training step or sample."""
        self.notice = ""
        later = self._neighbour(1)
        if later is None:
            return self._live(goals.Episode())
        return self._go_to_episode(later, 0)

    def previous_episode(self, *, last: bool = False) -> bool:
        """The first (or last) event of the episode before; in the middle of one, its own first event."""
        self.notice = ""
        if not last and self.moment.event > 0:
            self.moment = Moment(self.moment.episode, 0)
            return True
        earlier = self._neighbour(-1)
        if earlier is None:
            self.notice = "this is the beginning of the history"
            return False
        return self._go_to_episode(earlier, -1 if last else 0)

    def _neighbour(self, direction: int) -> int | None:
        """The episode before or after the cursor's, recorded or not."""
        here = self.moment.episode
        known = {*self.history.recorded, *(s.index for s in self.history.summaries)}
        empty = set(self.history.traces) - set(self.history.recorded)
        side = [i for i in known - empty if (i > here if direction > 0 else i < here)]
        return (min if direction > 0 else max)(side, default=None)

    def _go_to_episode(self, index: int, event: int) -> bool:
        """To an event (-1: the last) of an episode; where it was not kept it is run again."""
        if self.script.running:
            self.notice = "the script is running; space pauses it"
            return False
        trace = self.history.traces.get(index)
        if trace is not None:
            self.moment = Moment(index, len(trace) - 1 if event < 0 else event)
            return True
        if self.travel.to(index, event):
            return True
        return self._skip_to(index, event)

    def _skip_to(self, index: int, event: int) -> bool:
        """There is no way to an episode: to the next one that is recorded, and why."""
        ahead = index > self.moment.episode
        side = [i for i in self.history.recorded if (i > index if ahead else i < index)]
        if not side:
            return False
        index = min(side) if ahead else max(side)
        self.notice = f"the episodes between are not kept: {self.notice}"
        self.moment = Moment(index, len(self.history.traces[index]) - 1 if event < 0 else event)
        return True

    def goto_whole(self, index: int, event: int = -1) -> bool:
        """To an event of an episode of the past: at once where it is recorded, else by running it again."""
        self.notice = ""
        self.hit = None
        return self._go_to_episode(index, event)

    # -- running ---------------------------------------------------------------------------

    def _live(self, goal: Goal) -> bool:
        if isinstance(self.history.stop, RecordingEnds):
            self.notice = "the recording ends here: what comes after needs the script itself"
        elif self.over:
            self.notice = "the script has ended: this is its last event"
        elif self.running:
            self.notice = "the script is running; space pauses it"
        elif isinstance(self.history.stop, StepsOver):
            self.notice = f"the {self.launch.most_steps} training steps that were asked for are over"
        else:
            self._resume(replace(goal, most_steps=self.launch.most_steps))
            return True
        return False

    def _resume(self, goal: Goal | None = None) -> None:
        self.history.stop = None
        self.hit = None
        self.script.resume(self.breakpoints.live(self.history.program, str(self.process.stdout)), goal)

    def run(self) -> bool:
        """Run freely: every step leaves its loss and weights, the last one everything."""
        self.notice = ""
        return self._live(goals.End(forget=True))

    def run_to(self, kind: str, number: int) -> bool:
        """Run to the first event of a training step or sample that is still to come."""
        return self._live(goals.Episode(kind, number, forget=True))

    def run_to_event(self, count: int) -> bool:
        """Run until the running episode has so many events."""
        return self._live(goals.Events(count))

    def run_steps(self, count: int, *, forget: bool = False) -> bool:
        """Run until so many training steps are over, everything recorded; with ``forget`` the last one only."""
        return self._live(goals.Steps(count, forget=forget))

    def pause(self) -> None:
        """Ask the script to stop where it is; a way back is given up."""
        if self.travel.running:
            self.travel.cancel()
        else:
            self.script.pause()

    # -- breakpoints -----------------------------------------------------------------------

    def _printed(self, end: int) -> str:
        return printed_line(self.process.output(max(0, end - LONGEST_PRINTED), end))

    def _holds(self, stop: AtBreakpoints) -> bool:
        """False when a stop turns out to be none (a watched value has not changed): the script goes on."""
        newest = self.history.newest
        assert newest is not None  # its events came before the stop
        event = stop.event if stop.event >= 0 else len(newest) - 1
        confirmed = self.breakpoints.confirmed(stop, newest, event)
        if confirmed is None:
            self._resume()
            return False
        self.history.stop = confirmed
        self.hit = Moment(newest.index, event), confirmed.numbers
        self.breakpoints.stopped(confirmed.numbers, confirmed.failures)
        return True

    def continue_forward(self) -> bool:
        """To the next stop: in the record first, then live."""
        self.notice = ""
        self.hit = None
        start = self.moment
        for index in sorted(i for i in self.history.traces if i >= start.episode):
            trace = self.history.traces[index]
            first = start.event if index == start.episode else -1
            hit = self.breakpoints.after(trace, first)
            last = hit.event if hit is not None else len(trace) - 1
            self.breakpoints.take_logs_between(trace, first, last)
            if hit is not None:
                return self._stop_in(trace, hit)
        if self.over:
            self.to_frontier()
            self.notice = "no later stop: the script has ended, and this is its last event"
            return self.moment != start
        return self._live(goals.End(forget=True))

    def continue_backward(self) -> bool:
        """To the stop before; without one to the beginning of the history. Never ends the session."""
        self.notice = ""
        self.hit = None
        start = self.moment
        indices = [i for i in self.history.recorded if i <= start.episode]
        for index in reversed(indices):
            trace = self.history.traces[index]
            hit = self.breakpoints.before(trace, start.event if index == start.episode else len(trace))
            if hit is not None:
                return self._stop_in(trace, hit)
        if indices:
            self.moment = Moment(indices[0], 0)
        self.notice = "no earlier stop: this is the beginning of the history"
        return self.moment != start

    def _stops_before(self, target: int) -> bool:
        """A move over several events stops at a breakpoint between, in either direction."""
        trace, event, breakpoints = self.trace, self.moment.event, self.breakpoints
        if trace is None or abs(target - event) <= FEW or not breakpoints.any_set:
            return False
        hit = breakpoints.after(trace, event) if target > event else breakpoints.before(trace, event)
        if hit is None or not min(target, event) < hit.event < max(target, event):
            return False
        return self._stop_in(trace, hit)

    def _stop_in(self, trace: Trace, hit: Hit) -> bool:
        if self.cursor.skips(trace.index):
            self.notice = "the episodes between were run freely: their stops are not looked for backwards"
        self.moment = Moment(trace.index, hit.event)
        self.hit = self.moment, hit.numbers
        self.breakpoints.stopped(hit.numbers, ())
        return True

    def stop_at(self, moment: Moment) -> None:
        """Stop at the breakpoints that fit a recorded moment."""
        trace = self.history.traces[moment.episode]
        hit = self.breakpoints.after(trace, moment.event - 1)
        if hit is not None:
            self._stop_in(trace, hit)

    def line_here(self) -> tuple[int, int] | None:
        """(file, line) of the statement under the cursor."""
        trace, event = self.trace, self.moment.event
        return navigation.line_of_statement(trace, event) if trace is not None and event >= 0 else None


__all__ = ["Debugger", "Moment", "Unanswered"]
