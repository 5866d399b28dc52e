"""The debugger: a cursor in the recorded history, and the live script at its end.

One object for every face: the screen, the headless commands and the tests press the same
methods. A method moves the cursor at once where the answer is recorded; at the frontier it
sends the script on, and the cursor follows when the script stops (``receive``).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from microgpt_tui.protocol import goals
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.protocol.conditions import LONGEST_PRINTED, printed_line
from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.goals import Goal
from microgpt_tui.protocol.messages import (
    Answer,
    Command,
    EpisodeBegan,
    EpisodeEnded,
    EventsRecorded,
    Failed,
    Halted,
    Hits,
    Resume,
    Stopped,
)
from microgpt_tui.protocol.stops import AtBreakpoints, StepsOver, Stop
from microgpt_tui.session.breakpoints import BreakpointList, Hit, changes
from microgpt_tui.session.displays import Displays
from microgpt_tui.session.history import History, Summary
from microgpt_tui.session.moment import Moment, name_of
from microgpt_tui.session.process import Launch, Process, Received
from microgpt_tui.trace import navigation
from microgpt_tui.trace.breakpoints import Place, find, parse, resolve
from microgpt_tui.trace.navigation import BEFORE, BEYOND, Edge
from microgpt_tui.trace.trace import Trace
from microgpt_tui.trace.watches import expression

FEW = 4
"""Events of one operation, inside which no step stops."""
SECOND_PAUSE = 0.2
"""Seconds that a pause may wait for the first event of an episode."""


A = TypeVar("A", bound=Answer)


class Unanswered(ValueError):
    """The script does not answer a question: why."""


class Debugger:
    """A script under the recorder, and where in its history we are."""

    def __init__(self, launch: Launch, history: History | None = None) -> None:
        self.launch = launch
        self.history = history or History()
        self.process = Process(launch)
        self.moment = Moment(0, -1)
        self.running = True
        """The script runs now."""
        self.halted = False
        """It has stopped for a pause, and what it has recorded is on its way here."""
        self.halted_at = -1
        """The site of the statement where it has, or -1."""
        self.notice = ""
        """One line about the last command, for the person; empty when it did what it says."""
        self._inbox: queue.SimpleQueue[Received | None] | None = None
        self.visited: list[Moment] = []
        self.visited_at = 0
        self.breakpoints = BreakpointList()
        self.breakpoints.output = self._printed
        self.breakpoints.traces = self.history.traces
        self.hit: tuple[Moment, tuple[int, ...]] | None = None
        """The last stop at breakpoints: where, and their numbers."""
        self.logs: list[tuple[int, str, Moment]] = []
        """What log points have said: (number, text, moment)."""
        self._goal: Goal = goals.End()
        self._goes = 0
        """How often the script was sent on."""
        self.displays = Displays()
        self.alterations: list[Any] = []
        """Numbers that the person has set (``alterations.Alteration``): from the first on the run is altered."""
        self.bookmarks: dict[str, Moment] = {}
        self.found: list[Moment] = []
        """What the last search has found: where ``findnext`` goes."""

    # -- messages --------------------------------------------------------------------------

    def receive(self, received: Received | None) -> Data | None:
        """Take a message of the script (None: it is gone), and return it; moves the cursor when the script stopped."""
        history = self.history
        if received is None:
            status = self.process.wait(5)
            was_over = self.over
            history.lost(status)
            self.running = False
            if not was_over:
                self._go_to_frontier()
            return None
        message, blobs = received
        history.handle(message, blobs)
        still = self.halted and isinstance(message, EpisodeBegan | EventsRecorded)
        self.halted = still or isinstance(message, Halted)
        if isinstance(message, Halted):
            self.halted_at = message.site
        elif isinstance(message, EpisodeEnded):
            self._take_hits(message.hits, message.summary.index)
        elif isinstance(message, Stopped):
            self._take_hits(message.hits, history.current)
            if not self._passes(message.stop):
                self.running = False
                self._go_to_frontier()
        return message

    def listen(self, notify: Callable[[], None]) -> None:
        """Read the script's messages in a thread of their own from now on, for callers with an event loop.

        ``notify`` is called in that thread after each; ``take_messages`` then handles what has come.
        Questions (``ask``) still work: they wait for their answer in the same queue.
        """
        inbox: queue.SimpleQueue[Received | None] = queue.SimpleQueue()
        self._inbox = inbox

        def read() -> None:
            while True:
                message = self.process.receive()
                inbox.put(message)
                notify()
                if message is None:
                    return

        threading.Thread(target=read, name="microgpt-tui reader", daemon=True).start()

    def take_messages(self) -> list[Data | None]:
        """Handle every message that has come, in order; None when the process is gone."""
        taken = []
        while self._inbox is not None and not self._inbox.empty():
            taken.append(self.receive(self._inbox.get()))
        return taken

    def _next_message(self) -> Received | None:
        return self.process.receive() if self._inbox is None else self._inbox.get()

    def wait(self, on_message: Callable[[Data | None], None] | None = None) -> None:
        """Receive until the script stops (for callers without an event loop)."""
        while self.running:
            message = self.receive(self._next_message())
            if on_message is not None:
                on_message(message)

    def _go_to_frontier(self) -> None:
        trace = self.history.newest
        while trace is not None and not len(trace) and trace.index > 0:
            earlier = [i for i in self.history.traces if i < trace.index]
            trace = self.history.traces[max(earlier)] if earlier else None
        if trace is not None and len(trace):
            self._move(trace.index, len(trace) - 1)

    # -- where -----------------------------------------------------------------------------

    @property
    def trace(self) -> Trace | None:
        """The episode under the cursor."""
        return self.history.traces.get(self.moment.episode)

    @property
    def at_frontier(self) -> bool:
        """True when the cursor is where the live script is."""
        newest = self.history.newest
        return newest is not None and self.moment == Moment(newest.index, len(newest) - 1)

    @property
    def over(self) -> bool:
        """True when the script has ended."""
        return self.history.stop is not None and self.history.stop.over

    def summary_of(self, episode: int) -> Summary | None:
        """The summary of a finished episode."""
        return next((s for s in self.history.summaries if s.index == episode), None)

    def _move(self, episode: int, event: int) -> None:
        self.moment = Moment(episode, event)

    def jump(self, moment: Moment) -> None:
        """Go to a recorded moment, remembered for ``visit(-1)``. Raises ValueError for one that is not recorded."""
        trace = self.history.traces.get(moment.episode)
        if trace is None or not 0 <= moment.event < len(trace):
            raise ValueError(f"not recorded: {self.name_of(moment)}")
        if moment != self.moment:
            del self.visited[self.visited_at :]
            self.visited.append(self.moment)
            self.visited_at = len(self.visited)
        self.moment = moment

    def visit(self, direction: int) -> bool:
        """Back (-1) or forward (+1) through the moments that were jumped to."""
        if direction < 0 and self.visited_at > 0:
            if self.visited_at == len(self.visited):
                self.visited.append(self.moment)
            self.visited_at -= 1
        elif direction > 0 and self.visited_at < len(self.visited) - 1:
            self.visited_at += 1
        else:
            return False
        self.moment = self.visited[self.visited_at]
        return True

    def name_of(self, moment: Moment) -> str:
        """``3:1200`` for training step 3, event 1200; ``setup:5``, ``sample 2:17``."""
        return str(name_of(self.history, moment))

    # -- stepping --------------------------------------------------------------------------

    def _forward(self, answer: int | Goal | Edge | None, nothing: str) -> bool:
        """Act on a forward answer. Returns True when the cursor has moved or the script runs."""
        self.notice = ""
        self.hit = None
        if isinstance(answer, int):
            hit = self._on_the_way(answer)
            if hit is None:
                self._move(self.moment.episode, answer)
            return True
        if isinstance(answer, Goal):
            return self._live(answer)
        if answer is BEYOND:
            return self.next_episode()
        self.notice = nothing
        return False

    def _live(self, goal: Goal) -> bool:
        if self.over:
            self.notice = "the script has ended: this is its last event"
            return False
        if self.running:
            self.notice = "the script is running; space pauses it"
            return False
        if isinstance(self.history.stop, StepsOver):
            self.notice = f"the {self.launch.most_steps} training steps that were asked for are over"
            return False
        self._goal = replace(goal, most_steps=self.launch.most_steps)
        self._go()
        return True

    def _go(self) -> None:
        self.history.stop = None
        self.hit = None
        self.running = True
        self._goes += 1
        breakpoints = self.breakpoints.live(self.history.program, str(self.process.folder.stdout))
        self.process.send(Resume(self._goal, breakpoints))

    def _backward(self, answer: int | Edge | None, nothing: str) -> bool:
        self.notice = ""
        self.hit = None
        if isinstance(answer, int):
            hit = self._on_the_way(answer)
            if hit is None:
                self._move(self.moment.episode, answer)
            return True
        if answer is BEFORE:
            return self.previous_episode(last=True)
        self.notice = nothing
        return False

    def _ahead(self, where: Callable[[Trace, int], int | Goal | Edge]) -> bool:
        trace = self.trace
        return trace is not None and self._forward(where(trace, self.moment.event), "")

    def _behind(self, where: Callable[[Trace, int], int | Edge]) -> bool:
        trace = self.trace
        return trace is not None and self._backward(where(trace, self.moment.event), "")

    def step(self) -> bool:
        """One operation as the source writes it."""
        return self._ahead(navigation.step)

    def back(self) -> bool:
        """One operation back."""
        return self._behind(navigation.back)

    def step_event(self) -> bool:
        """One event: inside an operation too."""
        return self._ahead(navigation.step_event)

    def back_event(self) -> bool:
        """One event back."""
        return self._behind(navigation.back_event)

    def next_statement(self) -> bool:
        """The next statement at this scope or outside it."""
        return self._ahead(navigation.next_statement)

    def previous_statement(self) -> bool:
        """The previous statement."""
        return self._behind(navigation.previous_statement)

    def finish(self) -> bool:
        """The end of this call or loop iteration."""
        return self._ahead(navigation.finish)

    def start_of_scope(self) -> bool:
        """The start of this call or loop iteration."""
        return self._behind(navigation.start_of_scope)

    def next_iteration(self, name: str | None = None) -> bool:
        """The next iteration of the loop over positions, or of the loop with this variable."""
        trace = self.trace
        nothing = f"no loop {name} here" if name else "no later position in this episode"
        return trace is not None and self._forward(navigation.next_iteration(trace, self.moment.event, name), nothing)

    def previous_iteration(self, name: str | None = None) -> bool:
        """The previous iteration of that loop."""
        trace = self.trace
        nothing = f"no loop {name} here" if name else "no earlier position in this episode"
        return trace is not None and self._backward(
            navigation.previous_iteration(trace, self.moment.event, name), nothing
        )

    def next_phase(self) -> bool:
        """The first event of the next phase."""
        return self._ahead(navigation.next_phase)

    def previous_phase(self) -> bool:
        """The first event of this phase, or of the one before."""
        return self._behind(navigation.previous_phase)

    def next_episode(self) -> bool:
        """The first event of the next training step or sample."""
        self.notice = ""
        later = [i for i, t in self.history.traces.items() if i > self.moment.episode and len(t)]
        if later:
            episode = self.moment.episode
            self._move(min(later), 0)
            if min(later) != episode + 1:
                self.notice = "steps between were run freely: only their losses and weights are kept"
            return True
        return self._live(goals.Episode())

    def previous_episode(self, *, last: bool = False) -> bool:
        """The first (or last) event of the episode before; in the middle of one, its own first event."""
        self.notice = ""
        if not last and self.moment.event > 0:
            self._move(self.moment.episode, 0)
            return True
        earlier = [i for i, t in self.history.traces.items() if i < self.moment.episode and len(t)]
        if not earlier:
            self.notice = "this is the beginning of the history"
            return False
        target = max(earlier)
        if target != self.moment.episode - 1:
            self.notice = "the episodes between were run freely: only their losses and weights are kept"
        self._move(target, len(self.history.traces[target]) - 1 if last else 0)
        return True

    # -- running ---------------------------------------------------------------------------

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

    def run_steps(self, count: int) -> bool:
        """Run until so many training steps are over, everything recorded."""
        return self._live(goals.Steps(count))

    # -- breakpoints -----------------------------------------------------------------------

    def _printed(self, end: int) -> str:
        return printed_line(self.process.output(max(0, end - LONGEST_PRINTED), end))

    def _take_hits(self, hits: Hits, episode: int) -> None:
        self.breakpoints.take_hits(hits.counts, episode)
        self.logs += [(number, text, Moment(episode, event)) for number, text, episode, event in hits.logs]

    def _passes(self, stop: Stop) -> bool:
        """True when a stop turns out to be none (a watched value has not changed): the script goes on."""
        if not isinstance(stop, AtBreakpoints):
            return False
        newest = self.history.newest
        assert newest is not None  # its events came before the stop
        event = len(newest) - 1
        numbers = []
        for number in dict.fromkeys(stop.numbers):
            watched = self.breakpoints.get(number).expression
            if not watched or changes(expression(watched, newest.program), newest, event):
                numbers.append(number)
                if watched:
                    self.breakpoints.take_watch(number, newest.index)
        if not numbers and not stop.failures:
            self._go()
            return True
        texts = tuple(self.breakpoints.get(n).text for n in numbers)
        self.history.stop = AtBreakpoints(tuple(numbers), texts, stop.failures)
        self.hit = Moment(newest.index, event), tuple(numbers)
        self.breakpoints.stopped(numbers, stop.failures)
        return False

    def continue_forward(self) -> bool:
        """To the next stop: in the record first, then live with the breakpoints armed."""
        self.notice = ""
        self.hit = None
        start = self.moment
        for index in sorted(i for i in self.history.traces if i >= start.episode):
            trace = self.history.traces[index]
            first = start.event if index == start.episode else -1
            hit = self.breakpoints.after(trace, first)
            last = hit.event if hit is not None else len(trace) - 1
            self.logs += [(n, t, Moment(index, e)) for n, t, e in self.breakpoints.logs_between(trace, first, last)]
            if hit is not None:
                self._stop_at(index, hit.event, hit.numbers)
                return True
        if self.over:
            self._go_to_frontier()
            self.notice = "no later stop: the script has ended, and this is its last event"
            return self.moment != start
        return self._live(goals.End(forget=True))

    def continue_backward(self) -> bool:
        """To the stop before; without one to the beginning of the history. Never ends the session."""
        self.notice = ""
        self.hit = None
        start = self.moment
        indices = sorted((i for i in self.history.traces if i <= start.episode), reverse=True)
        for index in indices:
            trace = self.history.traces[index]
            hit = self.breakpoints.before(trace, start.event if index == start.episode else len(trace))
            if hit is not None:
                self._stop_at(index, hit.event, hit.numbers)
                return True
        first = next((i for i in reversed(indices) if len(self.history.traces[i])), None)
        if first is not None:
            self._move(first, 0)
        self.notice = "no earlier stop: this is the beginning of the history"
        return self.moment != start

    def _on_the_way(self, target: int) -> Hit | None:
        """A step over several events stops at a breakpoint between, in either direction; there the cursor is then."""
        trace, event = self.trace, self.moment.event
        if trace is None or abs(target - event) <= FEW or not self.breakpoints.any_set:
            return None
        breakpoints = self.breakpoints
        hit = breakpoints.after(trace, event) if target > event else breakpoints.before(trace, event)
        if hit is None or hit.event == target or (hit.event > target) == (target > event):
            return None
        self._stop_at(trace.index, hit.event, hit.numbers)
        return hit

    def _stop_at(self, episode: int, event: int, numbers: tuple[int, ...]) -> None:
        skipped = self.moment.episode != episode and any(
            i not in self.history.traces
            for i in range(min(episode, self.moment.episode) + 1, max(episode, self.moment.episode))
        )
        self._move(episode, event)
        self.hit = self.moment, numbers
        if skipped:
            self.notice = "the episodes between were run freely: their stops are not looked for backwards"
        self.breakpoints.stopped(numbers, ())

    def stop_at(self, numbers: tuple[int, ...]) -> AtBreakpoints:
        """A stop at these breakpoints in the record."""
        return AtBreakpoints(numbers, tuple(b.text for n in numbers for b in self.breakpoints if b.number == n))

    def toggle_line(self, file: int, line: int) -> bool:
        """Set a breakpoint on a line, or remove those that are there; True when one was set. Raises BreakpointError."""
        program = self.history.program
        here = self.breakpoints.on_line(file, line)
        for b in here:
            self.breakpoints.delete(b.number)
        if here:
            return False
        self.breakpoints.add(parse("", program, line=(file, line)), program, since=self.now)
        return True

    def line_here(self) -> tuple[int, int] | None:
        """(file, line) of the statement under the cursor."""
        trace, event = self.trace, self.moment.event
        if trace is None or event < 0:
            return None
        scope = trace.scope_of(event)
        while scope >= 0 and trace.scope_kind(scope) != SiteKind.STATEMENT:
            scope = trace.scope_parent[scope]
        if scope < 0:
            return None
        site = trace.program.site(trace.scope_site[scope])
        return site.file, site.line

    def first_of(self, place: Place, trace: Trace, event: int) -> int | None:
        """The first event after this one that a place names; from the episode's start where there is none."""
        events, _ = find(resolve(place, trace.program), trace, self.breakpoints.output)
        return next((e for e in events if e > event), events[0] if events else None)

    def take_logs(self) -> list[tuple[int, str, Moment]]:
        """What log points have said since the last time."""
        said, self.logs = self.logs, []
        return said

    def to_frontier(self) -> None:
        """Move the cursor to the newest event."""
        self._go_to_frontier()

    def restart(self) -> None:
        """Begin the script anew; breakpoints and displays stay. A reader thread has to be started again: ``listen``."""
        self.process.close()
        self.launch.goal = goals.Episode()
        self.process = Process(self.launch)
        self.history = History(self.history.budget)
        self.breakpoints.traces = self.history.traces
        self.breakpoints.restarted()
        self._inbox = None
        self.moment = Moment(0, -1)
        self.running = True
        self.hit = None
        self.notice = ""
        self.visited, self.visited_at = [], 0
        self.found, self.logs, self.alterations = [], [], []
        self.bookmarks.clear()

    @property
    def now(self) -> tuple[int, int]:
        """The cursor as a plain pair: from where on hits are counted."""
        return self.moment.episode, self.moment.event

    def pause(self) -> None:
        """Ask the script to stop where it is."""
        if self.running:
            self.process.pause()
            again = threading.Timer(SECOND_PAUSE, self._pause_again, (self._goes,))
            again.daemon = True
            again.start()

    def _pause_again(self, go: int) -> None:
        """A script that is between two episodes and does not come to an event stops where it is."""
        if self.running and not self.halted and self._goes == go:
            self.process.pause()

    def goto(self, event: int, episode: int | None = None) -> None:
        """Go to an event (from 0) of a recorded episode. Raises ValueError."""
        self.jump(Moment(self.moment.episode if episode is None else episode, event))

    def ask(self, question: Command, expected: type[A]) -> A:
        """Send a question to the waiting script and wait for its answer. Raises Unanswered."""
        if self.running:
            raise Unanswered("the script is running; pause it first")
        self.process.send(question)
        while not isinstance(message := self.receive(self._next_message()), expected):
            if message is None:
                raise Unanswered("the script is gone")
            if isinstance(message, Answer):
                raise Unanswered(message.error if isinstance(message, Failed) else f"another question's: {message}")
        return message

    def close(self) -> None:
        """End the script and forget its files."""
        self.process.close()


__all__ = ["Debugger", "Moment"]
