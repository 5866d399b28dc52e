"""A step examined in forks of the script's process: its functions on detached nodes, its loss with parameters moved.

The process forks as the step begins. That fork forks again for whatever it tries: each such process returns into the
script, which runs the step's forward pass as it is, the recorder's hooks switched off, until ``backward`` is called,
answers and is gone. Nothing of the script's is touched: output goes nowhere, and what would reach the world outside
(a file written, a program started, a connection) is refused.
"""

from __future__ import annotations

import builtins
import contextlib
import fcntl
import json
import math
import os
import random
import signal
import struct
import sys
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.recorder import Nothing
from microgpt_tui.debuggee.record.silent import silence
from microgpt_tui.debuggee.rewrite import sites as names
from microgpt_tui.debuggee.run.calls import Calls
from microgpt_tui.debuggee.run.detached import Detached
from microgpt_tui.debuggee.run.live_graph import LiveGraph, NoRule
from microgpt_tui.debuggee.run.slope import WIDEST, Slope, slope
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.protocol.examination import (
    Deviation,
    Examination,
    Examine,
    Examined,
    ForwardRun,
    MatrixTested,
    NotExamined,
    Progress,
)
from microgpt_tui.protocol.fields import as_data

_fork, _exit, _waitpid = os.fork, os._exit, os.waitpid  # the script may replace its own
SECONDS = 120
"""A forward pass that takes longer is given up."""
WORKERS = 2
RELATIVE, ABSOLUTE = 2e-6, 5e-8
"""What a gradient of the loss may be off."""
MOST_ACCURATE = 1e-7
OUTWARD = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "os.remove", "os.rename",
           "os.mkdir", "os.rmdir", "os.truncate", "shutil.")  # fmt: skip


class _IntoScript(BaseException):
    """A fork goes on with the script from here."""


class Refused(PermissionError):
    """What a fork must not do."""


class Examiner:
    """Forks off as the step begins that is to be examined."""

    def __init__(self, order: Examine | None, recorder: Recording) -> None:
        self.order = order
        self.recorder = recorder
        self.forked = False
        self.ended: Callable[[str], NoReturn] = _leave
        """In a fork: the script is over, without the answer that was waited for."""
        self.state: Any = None
        """The random generator's, as the step begins."""
        self._out = -1

    # -- the first fork --------------------------------------------------------------------

    def step_begins(self, step: int, alone: Callable[[], None]) -> None:
        """A training step begins (0: the script): the examination, if it is that one's. The script goes on at once.

        ``alone`` takes the fork away from the debugger.
        """
        if self.order is None or self.order.step != step or self.forked:
            return
        order, self.order = self.order, None
        self.state = random.getstate()
        middle = _fork()
        if middle:
            _waitpid(middle, 0)
            return
        if _fork():  # an orphan is nobody's child: the script can wait for its own
            _exit(0)
        self.forked = True
        alone()
        try:
            self._examine(order)
        except _IntoScript:
            return
        except BaseException as error:
            self._say(NotExamined("examination", f"{type(error).__name__}: {error}"))
        self._say(Examined())
        _exit(0)

    def _examine(self, order: Examine) -> None:
        self._out = os.open(order.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        signal.signal(signal.SIGURG, signal.SIG_IGN)
        self._shut_off()
        losses, grads, before = self._baseline()
        self._answer(lambda: self._try_functions(order.what))
        if not losses:
            return
        if not self.recorder.kept_nodes:
            self._say(
                NotExamined("parameters", "the script has no training loop: nothing marks where its graph begins")
            )
            return
        self._matrices(order, losses, grads, before)

    def _shut_off(self) -> None:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in range(256):
            with contextlib.suppress(OSError):
                if fd in (0, 1, 2) or (fd not in (nowhere, self._out) and _is_written(fd)):
                    os.dup2(nowhere, fd)

        def watch(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
                if arguments[0] != os.devnull:
                    raise Refused(f"it writes to {arguments[0]}, which a trial must not")
            elif event.startswith(OUTWARD):
                raise Refused(f"it calls {event}, which a trial must not")

        sys.addaudithook(watch)

    def _say(self, message: Examination) -> None:
        os.write(self._out, json.dumps(message, default=as_data).encode() + b"\n")

    # -- forks that run the forward pass -----------------------------------------------------

    def _answer(self, prepare: Callable[[], None]) -> bytes:
        """Fork; ``prepare`` there, and go on with the script. What it has written to its pipe."""
        receive, send = os.pipe()
        pid = _fork()
        if not pid:
            os.close(receive)
            signal.signal(signal.SIGALRM, lambda number, frame: _exit(3))
            signal.alarm(SECONDS)

            def ended(why: str) -> NoReturn:
                os.write(send, b"!" + why.encode())
                _exit(0)

            self.ended = ended
            self.reply: Callable[[bytes], None] = lambda data: _write_and_leave(send, data)
            self.mute()
            random.setstate(self.state)  # Python seeds its generator anew in every fork
            prepare()
            raise _IntoScript
        os.close(send)
        parts = []
        while part := os.read(receive, 1 << 16):
            parts.append(part)
        os.close(receive)
        _waitpid(pid, 0)
        return b"".join(parts)

    def mute(self) -> None:
        """The recorder's hooks do nothing."""
        silence()
        hooks = vars(builtins)
        nothing = deque[Any](maxlen=0).append
        for name in (names.MARK, names.NODE, names.NOTE, names.SOURCE, names.PROPAGATE):
            hooks[name] = nothing
        hooks[names.CLASS] = self.recorder.define_class
        hooks[names.EPISODE] = lambda code, values: self.ended("the step ends without a call of backward")
        hooks[names.BACKWARD] = lambda loss=None: None

    def at_backward(self, begins: Callable[[Any], None], ends: Callable[[], None] = lambda: None) -> None:
        """Call these as each backward pass begins, with its loss, and as it has ended."""
        depth = 0

        def backward(loss: Any = None) -> None:
            nonlocal depth
            if loss is None:
                depth -= 1
                if depth == 0:
                    ends()
                return
            depth += 1
            if depth == 1 and isinstance(loss, self.recorder.node_class):
                begins(loss)

        vars(builtins)[names.BACKWARD] = backward

    def graph(self) -> LiveGraph:
        """A reader of the script's nodes."""
        return LiveGraph(self.recorder.node_class, self.recorder.data_name, self.recorder.grad_name)

    # -- without a change --------------------------------------------------------------------

    def _baseline(self) -> tuple[list[float], list[float], list[float]]:
        """Losses of the step's backward passes, the parameters' gradients after the last, and at the beginning."""
        before = [_number(self.recorder.grad_of(n)) for n in self.recorder.kept_nodes]
        told = self._answer(self._run_step)
        again = self._answer(self._run_step)
        if not told or told.startswith(b"!"):
            why = told[1:].decode() or f"the forward pass takes more than {SECONDS} seconds"
            self._say(ForwardRun((), reproducible=False, untested=why))
            return [], [], before
        found = json.loads(told)
        losses, grads = found["losses"], found["grads"]
        second = json.loads(again) if again and not again.startswith(b"!") else {}
        same = bool(second.get("losses") == losses)
        deviation = Deviation(**found["first"]) if found["first"] else None
        self._say(ForwardRun(tuple(losses), same, found["compared"], found["wrong"], deviation, found["why"]))
        if not same:
            self._say(NotExamined("parameters", f"its forward pass gives {losses} and then {second.get('losses')}"))
            return [], grads, before
        return losses, grads, before

    def _run_step(self) -> None:
        recorder, graph = self.recorder, self.graph()
        losses: list[float] = []
        told: dict[str, Any] = {"losses": losses, "grads": [], "compared": 0, "wrong": 0, "first": None, "why": ""}
        expected: dict[int, float] = {}
        known: list[Any] = []

        def begins(loss: Any) -> None:
            graph.node_class = recorder.node_class
            losses.append(_number(getattr(loss, recorder.data_name)))
            expected.clear()
            known.clear()
            try:
                adjoint = graph.reverse([loss], [1.0])
                if not graph.known:
                    raise NoRule("where its class keeps the operands of a node cannot be told")
                nodes = {id(n): n for n in (*recorder.kept_nodes, *graph.below([loss]))}
                for node in nodes.values():
                    if id(node) in adjoint and (recorder.kept_nodes or not graph.operands(node)):
                        expected[id(node)] = _number(getattr(node, recorder.grad_name)) + adjoint[id(node)]
                        known.append(node)
            except (NoRule, ArithmeticError, ValueError, TypeError, RecursionError) as error:
                told["why"] = str(error)

        def ends() -> None:
            told["grads"] = [_number(recorder.grad_of(n)) for n in recorder.kept_nodes]
            kept = set(map(id, recorder.kept_nodes))
            for node in known:
                if kept and id(node) not in kept:
                    continue
                found, should = _number(getattr(node, recorder.grad_name)), expected[id(node)]
                told["compared"] += 1
                if not abs(found - should) <= 1e-9 * max(1.0, abs(found), abs(should)):
                    told["wrong"] += 1
                    told["first"] = told["first"] or {"of": self._name_of(node), "found": found, "expected": should}

        def note(entry: Any) -> None:
            record = recorder.records[entry[0]] if type(entry) is tuple else None
            if record is not None and record.kind is SiteKind.UPDATE and losses and told["grads"]:
                self.reply(json.dumps(told).encode())

        def over(why: str) -> NoReturn:
            self.reply(json.dumps(told).encode() if told["grads"] or losses else b"!" + why.encode())
            _exit(0)

        self.ended = over
        self.at_backward(begins, ends)
        hooks = vars(builtins)
        hooks[names.NOTE] = note
        hooks[names.EPISODE] = lambda code, values: over("the step ends without a call of backward")

    def _name_of(self, node: Any) -> str:
        number = self.recorder.kept_ids.get(id(node), -1)
        for name, shape, nodes in getattr(self.recorder, "kept_message", {}).get("matrices", ()):
            if number in nodes:
                return _element(name, shape, nodes.index(number))
        return f"a leaf with the number {getattr(node, self.recorder.data_name)}"

    # -- functions ---------------------------------------------------------------------------

    def _try_functions(self, what: str) -> None:
        recorder = self.recorder
        calls = Calls(set(recorder.files), lambda: recorder.node_class, recorder.data_name)

        def over(why: str) -> NoReturn:
            calls.stop()
            self.mute()
            self.ended = _leave
            if why:
                self._say(NotExamined("forward", why))
            if recorder.node_class is not Nothing:
                for result in Detached(calls, self.graph(), recorder.files).results(what):
                    self._say(result)
            _exit(0)

        self.ended = over
        self.at_backward(lambda loss: over(""))
        calls.listen()

    # -- parameters --------------------------------------------------------------------------

    def _matrices(self, order: Examine, losses: list[float], grads: list[float], before: list[float]) -> None:
        recorder = self.recorder
        place = {number: i for i, number in enumerate(recorder.kept_ids.values())}
        matrices = [
            (name, shape, [place[n] for n in nodes]) for name, shape, nodes in recorder.kept_message["matrices"]
            if order.what in name and nodes
        ]  # fmt: skip
        total = sum(1 + min(order.per_matrix, len(set(nodes))) for _, _, nodes in matrices)
        self._say(Progress(0, total))
        workers = []
        for w in range(WORKERS):
            pid = _fork()
            if not pid:
                try:
                    for name, shape, nodes in matrices[w::WORKERS]:
                        self._say(self._matrix(name, shape, nodes, order.per_matrix, losses, grads, before, total))
                except _IntoScript:
                    raise
                except BaseException as error:
                    self._say(NotExamined("parameters", f"{type(error).__name__}: {error}"))
                _exit(0)
            workers.append(pid)
        for pid in workers:
            _waitpid(pid, 0)

    def _matrix(
        self, name: str, shape: Sequence[int], nodes: list[int], most: int, losses: list[float], grads: list[float],
        before: list[float], total: int,
    ) -> MatrixTested:  # fmt: skip
        chosen = _chosen(nodes, grads, most)
        compared = wrong = zeros = stale = 0
        deviation: Deviation | None = None
        why: dict[str, int] = {}
        for i in chosen:
            found = self._slope([(i, 1.0)], losses, grads[i])
            self._say(Progress(1, total))
            if isinstance(found, str):
                why[found] = why.get(found, 0) + 1
                continue
            compared += 1
            if not _agrees(found, grads[i]):
                wrong += 1
                zeros += grads[i] == 0
                stale += before[i] != 0 and _agrees(found, grads[i] - before[i])
                if deviation is None:
                    deviation = Deviation(_element(name, shape, nodes.index(i)), grads[i], found.value)
        distinct = list(dict.fromkeys(nodes))
        together = False
        if not wrong and compared and len(distinct) > 1:
            chance = random.Random(len(nodes))
            direction = [(i, chance.choice((-1.0, 1.0))) for i in distinct]
            along = math.fsum(grads[i] * d for i, d in direction)
            found = self._slope(direction, losses, along)
            if isinstance(found, Slope):
                together = _agrees(found, along)
                if not together and not found.kink:
                    wrong += 1
                    deviation = Deviation(f"{name}, all of it along one direction", along, found.value)
            else:
                why[found] = why.get(found, 0) + 1
        self._say(Progress(1, total))
        untested = "; ".join(f"{w} ({n}×)" if n > 1 else w for w, n in why.items())
        return MatrixTested(name, len(distinct), compared, wrong, together, untested, deviation, zeros, stale)

    def _slope(self, direction: list[tuple[int, float]], losses: list[float], grad: float) -> Slope | str:
        """The derivative of the step's loss along a direction in the parameters, or why there is none.

        One difference that says what the gradient says is enough; else as many as the analysis of its error takes.
        """
        fault = ""
        known = {0.0: math.fsum(losses)}

        def loss(distance: float) -> float | None:
            nonlocal fault
            if distance in known:
                return known[distance]
            told = self._answer(lambda: self._moved(direction, distance, len(losses)))
            if len(told) == 8:
                known[distance] = struct.unpack("<d", told)[0]
                return known[distance] if math.isfinite(known[distance]) else None
            fault = told[1:].decode() or "a forward pass does not end"
            return None

        kept = self.recorder.kept_nodes
        size = math.sqrt(sum(_number(self.recorder.data_of(kept[i])) ** 2 for i, _ in direction) / len(direction))
        size = max(size, 0.05) / math.sqrt(len(direction))
        h = WIDEST * size / 4
        up, down = loss(h), loss(-h)
        if up is not None and down is not None:
            once = Slope((up - down) / (2 * h), 0.0, grad, grad, kink=False)
            if _agrees(once, grad):
                return once
        found = slope(loss, size, MOST_ACCURATE)
        if found is None:
            return fault or "the loss has no value beside this point"
        return (
            found
            if found.kink or found.error < 1e-3 * max(1e-3, abs(found.value))
            else "differences are too inaccurate"
        )

    def _moved(self, direction: list[tuple[int, float]], distance: float, passes: int) -> None:
        recorder = self.recorder
        for i, factor in direction:
            node = recorder.kept_nodes[i]
            setattr(node, recorder.data_name, recorder.data_of(node) + factor * distance)
        losses: list[float] = []

        def begins(loss: Any) -> None:
            losses.append(_number(getattr(loss, recorder.data_name)))
            if len(losses) == passes:
                self.reply(struct.pack("<d", math.fsum(losses)))

        self.at_backward(begins)


def _agrees(found: Slope, grad: float) -> bool:
    if found.kink:
        return found.agrees(grad, RELATIVE)
    return abs(found.value - grad) <= 3 * found.error + RELATIVE * max(abs(grad), abs(found.value)) + ABSOLUTE


def _chosen(nodes: list[int], grads: list[float], most: int) -> list[int]:
    """Parameters to move one by one: most of them with a gradient, some without."""
    distinct = list(dict.fromkeys(nodes))
    chance = random.Random(len(distinct))
    reached = [i for i in distinct if grads[i]]
    others = [i for i in distinct if not grads[i]]
    few = min(len(others), max(most // 4, most - len(reached)))
    return chance.sample(reached, min(len(reached), most - few)) + chance.sample(others, few)


def _element(name: str, shape: Sequence[int], place: int) -> str:
    """``wq[2][5]``."""
    if len(shape) == 2 and shape[1] > 0:
        return f"{name}[{place // shape[1]}][{place % shape[1]}]"
    return f"{name}[{place}]" if shape else name


def _is_written(fd: int) -> bool:
    return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & (os.O_WRONLY | os.O_RDWR))


def _number(value: Any) -> float:
    if value is None:  # no gradient
        return 0.0
    return array("d", [value])[0] if type(value) in (int, float, bool) else math.nan


def _write_and_leave(fd: int, data: bytes) -> NoReturn:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    _exit(0)


def _leave(why: str) -> NoReturn:
    _exit(0)
