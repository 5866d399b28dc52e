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
import resource
import signal
import struct
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any, NoReturn

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.identity import identity_of
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
    Took,
)
from microgpt_tui.protocol.fields import as_data

_fork, _exit, _waitpid = os.fork, os._exit, os.waitpid  # the script may replace its own
SECONDS = 120
"""A forward pass that takes longer is given up."""
WORKERS = 2
MOST_MATRICES = 30_000
"""As many as a pipe holds the numbers of."""
TOGETHER = 5
"""Parameters that are moved together, and one by one where they are not as their gradients say."""
RELATIVE, ABSOLUTE = 2e-6, 5e-8
"""What a gradient of the loss may be off."""
MOST_ACCURATE = 1e-7
OUTWARD = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "os.remove", "os.rename",
           "os.mkdir", "os.rmdir", "os.truncate", "shutil.")  # fmt: skip


class _IntoScript(BaseException):
    """A fork goes on with the script from here."""


class Refused(PermissionError):
    """What a fork must not do."""


Chosen = tuple[str, Sequence[int], list[int]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a step does without a change.

    Passes with no update of a parameter between them are one *round*; the last round is the one that is examined.
    """

    losses: list[float]
    """Of all passes."""
    passes: int
    """Passes of the last round."""
    grads: list[float]
    """What it has given to the parameters."""
    before: list[float]
    """What the parameters' gradients held as the step began."""
    written: dict[str, list[float]]
    """Parameter (its place) -> numbers that updates give it, after the first pass."""
    first: int
    """Nodes that the step makes before the graph of the last round begins."""
    nodes: int
    """... and before its last pass."""


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
        self.walks: tuple[CodeType, dict[str, Any]] | None = None
        """The function that runs a pass, and its module's names."""
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
        self.recorder.finished.release()  # a process that holds less is copied faster
        base = self._baseline()
        self._answer(lambda: self._try_functions(order.what))
        if base is None:
            return
        if not self.recorder.kept_nodes:
            self._say(
                NotExamined("parameters", "the script has no training loop: nothing marks where its graph begins")
            )
            return
        matrices = self._chosen_matrices(order)
        moves = sum(1 + min(order.per_matrix, len(set(nodes))) for _, _, nodes in matrices)
        self._say(Progress(0, moves))
        if base.first * 4 <= base.nodes or not self._later(order, base, matrices, moves):
            self._matrices(order, base, matrices, moves)

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
                frame = sys._getframe(1)
                self.walks = frame.f_code, frame.f_globals
                begins(loss)

        vars(builtins)[names.BACKWARD] = backward

    def graph(self) -> LiveGraph:
        """A reader of the script's nodes."""
        return LiveGraph(self.recorder.node_class, self.recorder.data_name, self.recorder.grad_name)

    # -- without a change --------------------------------------------------------------------

    def _baseline(self) -> Baseline | None:
        """What the step does without a change; None where its loss cannot be had, or not the same twice."""
        before = [_number(self.recorder.grad_of(n)) for n in self.recorder.kept_nodes]
        told = self._answer(self._run_step)
        again = self._answer(self._run_step)
        if not told or told.startswith(b"!"):
            why = told[1:].decode() or f"the forward pass takes more than {SECONDS} seconds"
            self._say(ForwardRun((), reproducible=False, untested=why))
            return None
        found = json.loads(told)
        losses, rounds = found["losses"], found["rounds"]
        second = json.loads(again) if again and not again.startswith(b"!") else {}
        same = bool(second.get("losses") == losses)
        deviation = Deviation(**found["first"]) if found["first"] else None
        self._say(ForwardRun(
            tuple(losses), same, found["compared"], found["wrong"], deviation, found["why"], max(1, len(rounds)),
            1 + sum(r["passes"] for r in rounds[:-1]),
        ))  # fmt: skip
        if not same:
            self._say(NotExamined("parameters", f"its forward pass gives {losses} and then {second.get('losses')}"))
            return None
        if not rounds:
            return None
        last = rounds[-1]
        grads = last["after"]
        if len(rounds) > 1:  # what was there before this round is of another loss
            grads = [after - held for after, held in zip(grads, last["before"], strict=True)]
            before = [0.0] * len(grads)
        return Baseline(losses, last["passes"], grads, before, found["written"], last["node"], found["nodes"])

    def _run_step(self) -> None:
        recorder, graph = self.recorder, self.graph()
        losses: list[float] = []
        rounds: list[dict[str, Any]] = []
        written: dict[int, list[float]] = {}
        told: dict[str, Any] = {"losses": losses, "rounds": rounds, "written": written, "compared": 0, "wrong": 0,
                                "first": None, "why": "", "nodes": 0}  # fmt: skip
        expected: dict[int, float] = {}
        known: list[Any] = []
        places = {identity_of(n): i for i, n in enumerate(recorder.kept_nodes)}
        born: dict[int, int] = {}
        updated = True

        def begins(loss: Any) -> None:
            nonlocal updated
            graph.node_class = recorder.node_class
            losses.append(_number(getattr(loss, recorder.data_name)))
            told["nodes"] = len(counted)
            if updated:
                before = [_number(recorder.grad_of(n)) for n in recorder.kept_nodes]
                rounds.append({"passes": 0, "before": before, "after": before, "node": len(counted)})
                updated = False
            rounds[-1]["passes"] += 1
            expected.clear()
            known.clear()
            try:
                below = graph.below([loss])
                rounds[-1]["node"] = min(
                    [rounds[-1]["node"], *(born[identity_of(n)] for n in below if identity_of(n) in born)]
                )
                adjoint = graph.reverse([loss], [1.0])
                if not graph.known:
                    raise NoRule("where its class keeps the operands of a node cannot be told")
                nodes = {identity_of(n): n for n in (*recorder.kept_nodes, *below)}
                for node in nodes.values():
                    if identity_of(node) in adjoint and (recorder.kept_nodes or not graph.operands(node)):
                        expected[identity_of(node)] = (
                            _number(getattr(node, recorder.grad_name)) + adjoint[identity_of(node)]
                        )
                        known.append(node)
            except (NoRule, ArithmeticError, ValueError, TypeError, RecursionError) as error:
                told["why"] = str(error)
                rounds[-1]["node"] = 0

        def ends() -> None:
            rounds[-1]["after"] = [_number(recorder.grad_of(n)) for n in recorder.kept_nodes]
            for node in known:
                if places and identity_of(node) not in places:
                    continue
                found, should = _number(getattr(node, recorder.grad_name)), expected[identity_of(node)]
                told["compared"] += 1
                if not abs(found - should) <= 1e-9 * max(1.0, abs(found), abs(should)):
                    told["wrong"] += 1
                    told["first"] = told["first"] or {"of": self._name_of(node), "found": found, "expected": should}

        def note(entry: Any) -> None:
            nonlocal updated
            record = recorder.records[entry[0]] if type(entry) is tuple else None
            if record is None or record.kind is not SiteKind.UPDATE or not rounds:
                return
            if not places:
                self.reply(json.dumps(told).encode())
            place = places.get(identity_of(entry[1]))
            if place is not None:
                updated = True
                written.setdefault(place, []).append(_number(recorder.data_of(entry[1])))

        def made(node: Any) -> None:
            born[identity_of(node)] = len(counted)
            counted.append(0)

        def over(why: str) -> NoReturn:
            self.reply(json.dumps(told).encode() if losses else b"!" + why.encode())
            _exit(0)

        counted = bytearray()
        self.ended = over
        self.at_backward(begins, ends)
        hooks = vars(builtins)
        hooks[names.NOTE], hooks[names.NODE] = note, made
        hooks[names.EPISODE] = lambda code, values: over("the step ends without a call of backward")

    def _name_of(self, node: Any) -> str:
        number = self.recorder.kept_ids.get(identity_of(node), -1)
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
                tried = Detached(calls, self.graph(), recorder.files)
                for result in tried.results(what):
                    self._say(result)
                told = tried.ladder_tested(self._run_pass) if self.walks is not None else None
                if told is not None:
                    self._say(told)
                self._say(Took("functions", time.process_time()))  # of this fork: its clock began with it
            _exit(0)

        self.ended = over
        self.at_backward(lambda loss: over(""))
        calls.listen()

    def _run_pass(self, loss: Any) -> None:
        """The script's own pass, from a node of ours."""
        assert self.walks is not None
        code, module = self.walks
        method = getattr(type(loss), code.co_name, None)
        if getattr(method, "__code__", None) is code:
            getattr(loss, code.co_name)()
        elif callable(found := module.get(code.co_name)) and getattr(found, "__code__", None) is code:
            found(loss)
        else:
            raise NoRule("the function that runs the pass cannot be called by its name")

    # -- parameters --------------------------------------------------------------------------

    def _chosen_matrices(self, order: Examine) -> list[Chosen]:
        """Name, shape and parameters of the matrices that are asked for."""
        place = {number: i for i, number in enumerate(self.recorder.kept_ids.values())}
        return [
            (name, shape, [place[n] for n in nodes]) for name, shape, nodes in self.recorder.kept_message["matrices"]
            if order.what in name and nodes
        ]  # fmt: skip

    def _later(self, order: Examine, base: Baseline, matrices: list[Chosen], moves: int) -> bool:
        """Move the parameters where the graph of the loss begins, not where the step begins.

        What comes before, such as an evaluation, is then run once. False where the loss depends on that, too: all
        parameters moved at once before and after it give different losses.
        """
        chance = random.Random(len(base.grads))
        everything = [(i, chance.choice((-1.0, 1.0))) for i in range(len(base.grads))]
        from_start = self._answer(lambda: self._moved(everything, 1e-3, base))

        def arrive() -> None:
            count = 0

            def made(node: Any) -> None:
                nonlocal count
                count += 1
                if count != base.first:
                    return
                signal.alarm(0)
                self.state = random.getstate()
                reply = self.reply
                self.mute()
                try:
                    same = self._answer(lambda: self._moved(everything, 1e-3, base)) == from_start
                    if same:
                        self._matrices(order, base, matrices, moves)
                    reply(b"1" if same else b"0")
                except _IntoScript:
                    return

            vars(builtins)[names.NODE] = made

        return len(from_start) == 8 and self._answer(arrive) == b"1"

    def _matrices(self, order: Examine, base: Baseline, matrices: list[Chosen], moves: int) -> None:
        workers = []
        todo, put = os.pipe()
        for number in range(min(len(matrices), MOST_MATRICES)):
            os.write(put, struct.pack("<H", number))
        os.close(put)
        for _ in range(WORKERS):
            pid = _fork()
            if not pid:
                try:
                    while taken := os.read(todo, 2):  # whoever is free takes the next
                        name, shape, nodes = matrices[struct.unpack("<H", taken)[0]]
                        self._say(self._matrix(name, shape, nodes, order.per_matrix, base, moves))
                    forks = resource.getrusage(resource.RUSAGE_CHILDREN)
                    self._say(Took("parameters", time.process_time() + forks.ru_utime + forks.ru_stime))
                except _IntoScript:
                    raise
                except BaseException as error:
                    self._say(NotExamined("parameters", f"{type(error).__name__}: {error}"))
                _exit(0)
            workers.append(pid)
        os.close(todo)
        for pid in workers:
            _waitpid(pid, 0)
        for name, _, _ in matrices[MOST_MATRICES:]:
            self._say(NotExamined("parameters", f"{name}: more than {MOST_MATRICES:,} matrices"))

    def _matrix(
        self, name: str, shape: Sequence[int], nodes: list[int], most: int, base: Baseline, total: int
    ) -> MatrixTested:
        grads, before = base.grads, base.before
        chosen = _chosen(nodes, grads, most)
        compared = wrong = zeros = stale = 0
        deviation: Deviation | None = None
        why: dict[str, int] = {}
        for group in _groups(chosen, grads):
            if len(group) > 1 and self._agree(group, base):
                compared += len(group)
                self._say(Progress(len(group), total))
                continue
            for i in group:
                found = self._slope([(i, 1.0)], base, grads[i])
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
            found = self._slope(direction, base, along)
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

    def _agree(self, group: list[int], base: Baseline) -> bool:
        """Whether a few parameters moved together do to the loss what their gradients say.

        Each is moved by another distance, so that wrong gradients do not make up for one another.
        """
        chance = random.Random(group[0])
        direction = [(i, chance.choice((-1.0, 1.0)) * chance.uniform(0.5, 1.5)) for i in group]
        along = math.fsum(base.grads[i] * d for i, d in direction)
        found = self._slope(direction, base, along)
        return isinstance(found, Slope) and not found.kink and _agrees(found, along)

    def _slope(self, direction: list[tuple[int, float]], base: Baseline, grad: float) -> Slope | str:
        """The derivative of the step's loss along a direction in the parameters, or why there is none.

        One difference that says what the gradient says is enough; else as many as the analysis of its error takes.
        """
        fault = ""
        known = {0.0: math.fsum(base.losses[-base.passes :])}

        def loss(distance: float) -> float | None:
            nonlocal fault
            if distance in known:
                return known[distance]
            told = self._answer(lambda: self._moved(direction, distance, base))
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

    def _moved(self, direction: list[tuple[int, float]], distance: float, base: Baseline) -> None:
        """Go on with parameters moved; answer the loss. What updates write before that is as it is without the move."""
        recorder = self.recorder
        moved: dict[int, float] = {}
        for i, factor in direction:
            node = recorder.kept_nodes[i]
            moved[i] = moved.get(i, 0.0) + factor * distance
            setattr(node, recorder.data_name, recorder.data_of(node) + factor * distance)
        losses: list[float] = []

        def begins(loss: Any) -> None:
            losses.append(_number(getattr(loss, recorder.data_name)))
            if len(losses) == len(base.losses):
                self.reply(struct.pack("<d", math.fsum(losses[-base.passes :])))

        self.at_backward(begins)
        if base.passes == len(base.losses):
            return
        places = {identity_of(n): i for i, n in enumerate(recorder.kept_nodes)}
        written = {int(i): iter(numbers) for i, numbers in base.written.items()}

        def note(entry: Any) -> None:
            record = recorder.records[entry[0]] if type(entry) is tuple else None
            if record is not None and record.kind is SiteKind.UPDATE and losses:
                place = places.get(identity_of(entry[1]), -1)
                number = next(written.get(place, iter(())), None)
                if number is not None:
                    setattr(entry[1], recorder.data_name, number + moved.get(place, 0.0))

        vars(builtins)[names.NOTE] = note


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


def _groups(chosen: list[int], grads: list[float]) -> list[list[int]]:
    """Parameters to move together, gradients of one size in a group, so that a large one does not hide a small one."""
    ordered = sorted(chosen, key=lambda i: abs(grads[i]))
    return [ordered[k : k + TOGETHER] for k in range(0, len(ordered), TOGETHER)]


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
