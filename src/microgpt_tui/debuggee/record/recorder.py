"""The hot hooks, and the episodes that they fill.

Running freely, a hook is a bound ``list.append``. While somebody steps, the same names are
bound to Python functions that also look whether it is time to stop.
"""

from __future__ import annotations

import builtins
import os
import random
import sys
import time
from collections.abc import Callable
from operator import attrgetter
from types import FrameType
from typing import Any

from microgpt_tui.debuggee.record.counts import count
from microgpt_tui.debuggee.record.finished import Finished
from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.record.kinds import Opaque, Scope
from microgpt_tui.debuggee.record.moments import Moments, Read
from microgpt_tui.debuggee.record.operands import ENOUGH, Operands
from microgpt_tui.debuggee.record.places import Places
from microgpt_tui.debuggee.record.walk import double
from microgpt_tui.debuggee.rewrite import sites as names
from microgpt_tui.debuggee.rewrite.sites import SiteRecord
from microgpt_tui.protocol.codes import SiteKind

LONGEST_COPY = 4096
"""Items of a list that are copied when it is bound; of a longer one only the length is kept."""
LONGEST_GROWING = 256
"""The same for a list that grows by ``extend``: each growth copies it."""


MOST_BETWEEN = 40
"""Entries of the log between the announcement of a node and the node: its arguments may call functions."""


class Recorder:
    """What the instrumented script reports to; ``stop`` is called when it is to wait."""

    def __init__(self, records: list[SiteRecord | None], names_: tuple[str, str], files: dict[str, int]) -> None:
        self.records = records
        self.data_name, self.grad_name = names_
        self.files = files
        self.places = Places(records, files)
        self.log: list[Any] = []
        self.finished = Finished()
        self.operands = Operands(files)
        self.node_hook: Callable[[Any], None] = self.log.append
        self.node_class: type = Nothing
        self.data_of, self.grad_of = attrgetter(names_[0]), attrgetter(names_[1])
        self.episode_index = 0
        self.episode_kind = "setup"
        self.episode_number = 0
        self.counts = {"setup": 0, "step": 0, "sample": 0, "other": 0}
        self.keep = True
        """Whether whole episodes go to the debugger, or only their summaries."""
        self.keep_ends = False
        """The first step, and the last episode of each loop, go to the debugger whatever ``keep`` says."""
        self.keep_index = -1
        """An episode that goes to the debugger whatever ``keep`` says: the one in which a branch has left."""
        self.loop_over = False
        self.counting = False
        """Whether the summaries say what the episodes were made of."""
        self.first_node = 0
        self.kept_nodes: list[Any] = []
        self.kept_ids: dict[int, int] = {}
        self.weights: dict[int, Any] = {}
        self.buffers: dict[str, list[float]] = {}
        self.losses: list[float] = []
        self.loss_grads: list[Any] | None = None
        self.backward_depth = 0
        self.propagating = False
        """In the loop of a backward pass whose entries are whole nodes: a pause waits for the next."""
        self.passes: list[int] = []
        """Where in the log such loops begin, and end."""
        self.started = time.perf_counter()
        self.cpu_started = time.process_time()
        self.train_sites: frozenset[int] = frozenset()
        self.makers: dict[int, names.Making] = {}
        self.main_globals: dict[str, Any] = {}
        self.namespaces: list[dict[str, Any]] = []
        self.modules: set[str] = {"__main__"}
        self.send_episode: Callable[[dict[str, Any]], None] = lambda summary: None
        self.check: Callable[[bool], None] | None = None
        self.on_episode: Callable[[], None] = lambda: None
        self.on_backward: Callable[[Any], None] = lambda loss: None
        """A backward pass begins from this node, or (None) has ended."""
        self.on_open: Callable[[], None] = lambda: None
        """An episode has been opened, of whatever kind: its first event is still to come."""
        self.total_steps: int | None = None
        self.total_of: Callable[[FrameType], int | None] = lambda frame: None
        self.die_random = random.Random(0)
        self.start_data: list[Any] = []
        self.start_grad: list[Any] = []
        """Of ``kept_nodes`` when the episode began, as the script's own objects."""
        self.start_buffers: dict[str, list[float]] = {}
        self.moments: Moments | None = None
        self.start_moments: Read = []
        """Numbers of an optimizer when the episode began."""
        self.start_stack: list[Scope] = []

    # -- hooks -----------------------------------------------------------------------------

    def install(self) -> None:
        """Put the hooks that never change into ``builtins``, and the free ones beside them."""
        self.operands.watching = bool(self.makers)
        hooks = vars(builtins)
        hooks[names.BIND] = self.bind
        hooks[names.TYPE], hooks[names.LIST], hooks[names.COPIED] = type, list, self.copied
        hooks[names.BEFORE] = self.before
        hooks[names.PROPAGATE] = self.propagate
        hooks[names.STEPPING] = False
        hooks[names.CLASS] = self.define_class
        hooks[names.EPISODE] = self.episode
        hooks[names.BACKWARD] = self.backward
        hooks[names.CHOOSE] = self.choose
        hooks[names.DRAW] = self.draw
        hooks[names.PRINTED] = self.printed
        self.run_freely()

    def run_freely(self) -> None:
        """Let the script run: a hook is one ``list.append``."""
        self.check = None
        append = self.log.append
        hooks = vars(builtins)
        hooks[names.MARK] = hooks[names.NOTE] = append
        self.bind_node(append)
        hooks[names.SOURCE] = self.source_freely if hooks.get(names.STEPPING) else append

    def bind_node(self, hook: Callable[[Any], None]) -> None:
        """What is called with every node; where operands are still looked at, these first."""
        self.node_hook = hook

        def watched(node: Any) -> None:
            self.observe(node, sys._getframe(2))
            self.node_hook(node)

        vars(builtins)[names.NODE] = watched if self.operands.watching else hook

    def observe(self, node: Any, frame: FrameType) -> None:
        """An operation has made a node, in this function or one that it has called."""
        making = None
        for entry in reversed(self.log[-MOST_BETWEEN:]):
            kind = type(entry)
            making = self.makers.get(entry[0] if kind is tuple else entry) if kind is int or kind is tuple else None
            if making is not None or isinstance(entry, self.node_class):
                break
        if making is not None and isinstance(node, self.node_class):
            self.operands.made(node, making, frame)
            if self.operands.kept > ENOUGH:
                self.stop_watching()

    def stop_watching(self) -> None:
        """Once it is clear that the class keeps its operands where they are read from, nothing more is looked at."""
        if self.operands.watching and self.operands.is_clear():
            self.operands.watching = False
            vars(builtins)[names.NODE] = self.node_hook

    def source_freely(self, node: Any) -> None:
        """A node begins to propagate its gradient: from this one on, one entry a node again."""
        hooks = vars(builtins)
        hooks[names.STEPPING] = False
        hooks[names.SOURCE] = self.log.append
        self.log.append(node)

    def source_checked(self, node: Any) -> None:
        """A node begins to propagate its gradient: from this one on, every contribution is noted."""
        if self.check is not None:
            self.check(False)
        vars(builtins)[names.STEPPING] = self.check is not None
        if self.check is None:
            self.log.append(node)

    @property
    def stepping(self) -> bool:
        """Every contribution of a backward pass is noted by itself."""
        return bool(vars(builtins)[names.STEPPING])

    def propagate(self, code: int) -> None:
        """The loop that propagates gradients begins, or is over."""
        self.propagating = code >= 0
        self.passes.append(len(self.log))
        self.log.append(code)

    def run_portions(self, portion: Callable[[], int]) -> None:
        """Let the script run, and ask how many entries it may make before the next question; 0: it was bound anew."""
        self.check = None
        left = portion()
        if not left:
            return
        append = self.log.append

        def entry(code: Any) -> None:
            nonlocal left
            append(code)
            left -= 1
            if not left:
                left = portion()

        hooks = vars(builtins)
        hooks[names.MARK] = hooks[names.NOTE] = hooks[names.SOURCE] = entry
        hooks[names.STEPPING] = False
        self.bind_node(entry)

    def run_checked(self, check: Callable[[bool], None]) -> None:
        """Ask ``check(an event may have happened)`` after every entry."""
        self.check = check
        append = self.log.append

        def mark(code: int) -> None:
            append(code)
            check(False)

        def event(entry: Any) -> None:
            append(entry)
            check(True)

        hooks = vars(builtins)
        hooks[names.MARK] = mark
        self.bind_node(event)
        hooks[names.NOTE] = event
        hooks[names.SOURCE] = self.source_checked

    def bind(self, code: int, value: Any, path: Any = None, one: bool = False, root: Any = None) -> None:
        """A variable was bound (or, with a path from its root, a list in it has grown)."""
        kind = type(value)
        if path is not None:
            if kind is not list or not value:
                return
            if one:
                item = value[-1]
                if type(item) in (list, tuple):
                    item = self.copied(item, 0)
                elif type(item) not in (int, float, str) and not isinstance(item, self.node_class):
                    return
                self.log.append((code, item, path, True, identity_of(root)))
            elif len(value) <= LONGEST_GROWING:
                self.log.append((code, self.copied(value, 0), path, False, identity_of(root)))
        elif kind is float or kind is int or kind is str or kind is bool:
            self.log.append((code, value))
        elif kind is list or kind is tuple:
            self.log.append((code, self.copied(value, 0), identity_of(value)))
        elif isinstance(value, self.node_class):
            self.log.append((code, value))

    def copied(self, value: Any, depth: int = 0) -> Any:
        """The nodes or numbers in a (nested) list as they are now; weights are not copied."""
        if identity_of(value) in self.weights:
            return value
        if not value:
            return ()
        if len(value) > LONGEST_COPY:
            return Opaque(len(value))
        kind = type(value[0])
        if kind is list or kind is tuple:
            if depth > 3:
                return Opaque(len(value))
            return tuple([self.copied(part, depth + 1) if type(part) in (list, tuple) else part for part in value])
        if kind is int or kind is float or kind is bool or isinstance(value[0], self.node_class):
            return tuple(value)
        return Opaque(len(value))

    def before(self, code: int, owner: Any) -> None:
        """A node's data is about to be written: what it is now, where the episode's start does not tell."""
        if isinstance(owner, self.node_class) and identity_of(owner) not in self.kept_ids:
            self.log.append((code, owner, self.data_of(owner)))

    def define_class(self, cls: type) -> None:
        """The script has defined its autograd class."""
        self.node_class = self.operands.node_class = cls

    def backward(self, loss: Any = None) -> None:
        """A backward pass begins (with the node it starts from) or, without one, has ended."""
        if loss is None:
            self.backward_depth -= 1
            if self.backward_depth == 0:
                self.loss_grads = self.kept_grads() if self.kept_nodes else None
                self.on_backward(None)
            return
        self.stop_watching()
        self.backward_depth += 1
        if self.backward_depth == 1 and isinstance(loss, self.node_class):
            self.losses.append(getattr(loss, self.data_name))
            self.on_backward(loss)

    def choose(self, code: int, choices: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """``random.choices``: what it chose, from what, by which draw. The generator is read, never moved."""
        generator = getattr(choices, "__self__", None)
        if not isinstance(generator, random.Random) or kwargs.get("k", 1) != 1 or len(args) > 3:
            return choices(*args, **kwargs)
        given = list(args)
        for place, name in ((1, "weights"), (2, "cum_weights")):
            if name in kwargs and kwargs[name] is not None:
                kwargs[name] = list(kwargs[name])
            elif len(given) > place and given[place] is not None:
                given[place] = list(given[place])
        try:
            self.die_random.setstate(generator.getstate())
            draw = self.die_random.random()
        except (NotImplementedError, TypeError, ValueError):
            draw = float("nan")
        chosen = choices(*given, **kwargs)
        population = given[0] if given else kwargs.get("population")
        weights = kwargs.get("weights") or (given[1] if len(given) > 1 else None) or []
        if population is not None and len(population) <= LONGEST_COPY and weights:
            self.note((code, draw, weights, population, chosen[0]))
        return chosen

    def draw(self, code: int, function: Callable[[], Any]) -> Any:
        """``random.random()``: the number drawn, if it is a generator's."""
        value = function()
        if isinstance(getattr(function, "__self__", None), random.Random):
            self.note((code, value, (), None, None))
        return value

    def printed(self, code: int) -> None:
        """Something was printed: how many bytes of output there are now."""
        try:
            sys.stdout.flush()
            end = os.lseek(1, 0, os.SEEK_CUR)
        except (OSError, ValueError, AttributeError):
            return
        self.note((code, end))

    def note(self, entry: tuple[Any, ...]) -> None:
        self.log.append(entry)
        if self.check is not None:
            self.check(True)

    # -- episodes --------------------------------------------------------------------------

    def episode(self, code: int, values: tuple[Any, ...]) -> None:
        """An iteration of the training or sampling loop begins; a negative code: the loop is over."""
        frame = sys._getframe(1)
        if code < 0:
            self.loop_over = True
            self.begin("other", frame)
            self.loop_over = False
            self.on_episode()
            return
        if code in self.train_sites and self.total_steps is None:
            self.total_steps = self.total_of(frame)
        self.begin("step" if code in self.train_sites else "sample", frame)
        record = self.records[code]
        if record is not None and record.kind is SiteKind.ITERATION:
            self.log.append((code, values))
        self.on_episode()

    def begin(self, kind: str, frame: FrameType | None) -> None:
        """Close the running episode and open the next."""
        if self.episode_kind == "setup":
            self.end_of_setup(frame)
        elif not self.is_empty():
            self.close()
            self.episode_index += 1
        self.episode_kind = kind
        self.counts[kind] += 1
        self.episode_number = self.counts[kind] if kind in ("step", "sample") else 0
        self.open(frame)

    def is_empty(self) -> bool:
        """True for code between steps and samples in which nothing has happened: it is no episode."""
        return self.episode_kind == "other" and not self.has_event()

    def has_event(self) -> bool:
        """True when something has happened in the running episode, apart from statements and variables."""
        quiet = (SiteKind.BIND, SiteKind.ELEMENT, SiteKind.APPEND, SiteKind.ITERATION, SiteKind.GIVER)
        for entry in self.log:
            if type(entry) is int:
                continue
            record = self.records[entry[0]] if type(entry) is tuple else None
            if record is None or record.kind not in quiet:
                return True
        return False

    def kept_grads(self) -> list[Any]:
        """The parameters' grads; 0 for one that the script has set to None: no gradient."""
        grads = list(map(self.grad_of, self.kept_nodes))
        return [0 if g is None else g for g in grads] if any(g is None for g in grads) else grads

    def open(self, frame: FrameType | None) -> None:
        """Start an episode: note how the parameters stand, start a new log."""
        self.start_data = list(map(self.data_of, self.kept_nodes))
        self.start_grad = self.kept_grads()
        self.start_buffers = {name: list(b) for name, b in self.buffers.items()}
        self.start_moments = self.read_moments(frame, look=True)
        self.start_stack = self.places.stack_of(frame)
        self.finished.take(self.log)
        self.passes.clear()
        self.operands.episode_opens()
        self.losses = []
        self.loss_grads = None
        self.on_open()
        self.restart_clock()

    @property
    def kept_whole(self) -> bool:
        """The running episode goes to the debugger with all its events."""
        first = self.episode_kind == "step" and self.episode_number == 1
        return self.keep or self.episode_index == self.keep_index or (self.keep_ends and (self.loop_over or first))

    def restart_clock(self, waited: tuple[float, float] | None = None) -> None:
        """The running episode's time counts from now on; or without what was ``waited`` (wall clock, CPU)."""
        if waited is None:
            self.started, self.cpu_started = time.perf_counter(), time.process_time()
        else:
            self.started += waited[0]
            self.cpu_started += waited[1]

    def close(self) -> None:
        """Tell the debugger how the episode went; with ``keep``, all of it."""
        self.send_episode(self.summary())

    def summary(self) -> dict[str, Any]:
        """Numbers of the running episode that cost nothing to know."""
        return {
            "index": self.episode_index,
            "kind": self.episode_kind,
            "number": self.episode_number,
            "loss": _loss(self.losses),
            "seconds": time.perf_counter() - self.started,
            "cpu": time.process_time() - self.cpu_started,
            "first_node": self.first_node,
        }

    def made_of(self) -> tuple[tuple[int, ...], int]:
        """What the running episode was made of so far: see ``record.counts``."""
        return count(self.log, self.passes, self.records, self.node_class, self.operands)

    def read_moments(self, frame: FrameType | None, *, look: bool) -> Read:
        """The optimizer's numbers as they are now; ``frame`` is the innermost."""
        if self.moments is None:
            return []
        modules = enumerate((self.main_globals, *self.namespaces))
        return self.moments.read([*modules, *self.namespaces_of(frame)], look=look)

    def namespaces_of(self, frame: FrameType | None) -> list[tuple[Any, dict[str, Any]]]:
        """The variables of the script's functions that are running, each with its code."""
        found: list[tuple[Any, dict[str, Any]]] = []
        while frame is not None:
            if frame.f_code.co_filename in self.files and frame.f_code.co_name != "<module>":
                found.append((frame.f_code, frame.f_locals))
            frame = frame.f_back
        return found

    def end_of_setup(self, frame: FrameType | None) -> None:
        """The setup is over."""
        self.close()
        self.episode_index += 1


class Nothing:
    """Stands for the autograd class until the script has defined it."""


def _loss(losses: list[Any]) -> float | None:
    numbers = [double(x) for x in losses if isinstance(x, int | float)]
    if not numbers:
        return None
    return numbers[0] if len(numbers) == 1 else sum(numbers)
