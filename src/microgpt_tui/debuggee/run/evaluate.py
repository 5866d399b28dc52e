"""What the waiting script is asked: the value of an expression, another number for a node, an operation tried out."""

from __future__ import annotations

import ast
import builtins
import math
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.record.silent import silence
from microgpt_tui.debuggee.run.forked import SECONDS, answered
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.messages import (
    Answer,
    Evaluate,
    Evaluated,
    Execute,
    Executed,
    Failed,
    NumberSet,
    Operate,
    Operated,
    SetNumber,
)

MOST_ITEMS = 256
"""Of one list that are told."""
MOST_VALUES = 10_000
"""In all."""
LONGEST_TEXT = 2000
DEEPEST = 5


class Questions:
    """Answers for ``Control.handlers``."""

    def __init__(
        self, recorder: Recording, altered_site: int, send_events: Callable[[], None], begin_alone: Callable[[], None]
    ) -> None:
        self.recorder = recorder
        self.altered_site = altered_site
        self.send_events = send_events
        self.begin_alone = begin_alone
        """This is a copy of the process, and no debugger's."""
        self._values_left = MOST_VALUES
        self.post_mortem: TracebackType | None = None
        """Where the exception was raised that has ended the script."""

    def handlers(self) -> dict[type[Data], Callable[[Any], Answer]]:
        """Question -> what answers it."""
        return {Evaluate: self.evaluate, Execute: self.execute, SetNumber: self.set, Operate: self.operate}

    # -- where -------------------------------------------------------------------------------

    def frames(self) -> list[FrameType]:
        """The script's frames, innermost first; after an exception those in which it was raised."""
        trace = self.post_mortem
        found: list[FrameType] = []
        if trace is not None:
            while trace is not None:
                found.insert(0, trace.tb_frame)
                trace = trace.tb_next
        else:
            frame: FrameType | None = sys._getframe()
            while frame is not None:
                found.append(frame)
                frame = frame.f_back
        return [f for f in found if f.f_code.co_filename in self.recorder.files]

    def scope(self, frames: list[FrameType]) -> tuple[dict[str, Any], dict[str, Any], int]:
        """(globals, locals, line): the innermost function outside the autograd class, what is inside it behind."""
        node_class = self.recorder.node_class
        inner: list[FrameType] = []
        for frame in frames:
            inner.append(frame)
            first = frame.f_code.co_varnames[:1]
            of_class = bool(first) and isinstance(frame.f_locals.get(first[0]), node_class)
            method = of_class and hasattr(node_class, frame.f_code.co_name)
            name = frame.f_code.co_name
            if name == "<module>" or not (method or name.startswith("<")):
                break
        variables: dict[str, Any] = {}
        for frame in inner:
            for name, value in frame.f_locals.items():
                if not name.startswith((".", "@")) and name not in variables:
                    variables[name] = value
        if inner:
            outer = inner[-1]
            for name, value in outer.f_locals.items():
                if not name.startswith((".", "@")):
                    variables[name] = value
            return outer.f_globals, variables, outer.f_lineno
        return self.recorder.main_globals, {}, 0

    @contextmanager
    def unrecorded(self) -> Iterator[None]:
        """What the script does meanwhile is not part of the record; it is given up after a while."""
        saved = silence()

        def late(number: int, frame: Any) -> None:
            raise TimeoutError(f"gave up after {SECONDS} seconds")

        handler = signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler if handler is not None else signal.SIG_DFL)
            vars(builtins).update(saved)

    # -- print -------------------------------------------------------------------------------

    def evaluate(self, question: Evaluate) -> Answer:
        """``print EXPR``: evaluated where the script waits, in a copy of it: what it does there is undone."""
        globals_, locals_, line = self.scope(self.frames())
        text = question.text
        try:
            code = compile(text, "<print>", "eval")
        except SyntaxError as error:
            return Failed(f"not an expression: {error.msg}\n  {text}\n  {' ' * max(0, (error.offset or 1) - 1)}^")
        self.recorder.encoder.feed(self.recorder.log)  # the numbers of all nodes made so far

        def answer() -> Answer:
            self.begin_alone()
            value = eval(code, {**globals_, **locals_})  # the person's own expression in their own script
            self._values_left = MOST_VALUES
            return Evaluated(self.shown(value, 0), line)

        return answered(answer)

    def shown(self, value: Any, depth: int) -> dict[str, Any]:
        """A value as data: nodes by number, lists item by item; a node's own ``repr`` is never called."""
        node_class = self.recorder.node_class
        self._values_left -= 1
        most = min(MOST_ITEMS, max(0, self._values_left))
        if isinstance(value, node_class):
            number = self.recorder.encoder.nodes.ids.get(identity_of(value), -1)
            data, grad = getattr(value, self.recorder.data_name), getattr(value, self.recorder.grad_name)
            return {"node": number, "data": _plain(data), "grad": _plain(grad)}
        if isinstance(value, list | tuple | set | frozenset) and depth < DEEPEST:
            items = list(value)
            return {"list": [self.shown(v, depth + 1) for v in items[:most]], "length": len(items)}
        if isinstance(value, dict) and depth < DEEPEST:
            pairs = list(value.items())
            return {"dict": [[str(k)[:100], self.shown(v, depth + 1)] for k, v in pairs[:most]],
                    "length": len(pairs)}  # fmt: skip
        if type(value) in (int, float, bool, str, type(None), complex, bytes, range):
            number_ = _plain(value) if type(value) in (int, float) else None
            return {"text": repr(value)[:LONGEST_TEXT], "number": number_}
        return {"text": f"<{type(value).__name__}>", "number": None}

    # -- set ---------------------------------------------------------------------------------

    def find(self, number: int) -> Any:
        """The live object behind a node's number, or None."""
        recorder = self.recorder
        ids = recorder.encoder.nodes.ids
        for kept in recorder.kept_nodes:
            if recorder.kept_ids.get(identity_of(kept)) == number:
                return kept
        for entry in recorder.log:
            if isinstance(entry, recorder.node_class) and ids.get(identity_of(entry)) == number:
                return entry
        return next((n for n in recorder.encoder.nodes.outside if ids.get(identity_of(n)) == number), None)

    def set(self, question: SetNumber) -> Answer:
        """``set NODE = X``: the live object's number; recorded as an update at a site of its own."""
        if self.post_mortem is not None:
            return Failed("the script has ended: nothing can be changed any more")
        recorder = self.recorder
        recorder.encoder.feed(recorder.log)
        node, value = self.find(question.node), question.value
        if node is None:
            return Failed(f"node {question.node} is not alive in this episode")
        old = getattr(node, recorder.data_name)
        setattr(node, recorder.data_name, value)
        recorder.log.append((self.altered_site, node, value))
        self.send_events()
        return NumberSet(_plain(old), _plain(value))

    # -- exec --------------------------------------------------------------------------------

    def execute(self, question: Execute) -> Answer:
        """``exec STATEMENT``: what it gives to a node's number is recorded as an update, what to a variable as that."""
        try:
            tree = ast.parse(question.text, "<exec>")
            code = compile(tree, "<exec>", "exec")
        except SyntaxError as error:
            return Failed(f"not a statement: {error.msg}\n  {question.text}")
        bound = set(code.co_names) & {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and _is_stored(n)}
        frames = self.frames()
        globals_, _, line = self.scope(frames)
        frame = next((f for f in frames if f.f_globals is globals_ and f.f_lineno == line), None)
        if frame is not None:
            callers = frames[frames.index(frame) :]
            frame = next((f for f in callers if bound & _own_names(f)), frame)
            globals_, line = frame.f_globals, frame.f_lineno
            if beyond := sorted(bound - _own_names(frame)) if frame.f_code.co_name != "<module>" else []:
                tree.body.insert(0, ast.Global(beyond))  # what is no function's own is the module's
                code = compile(ast.fix_missing_locations(tree), "<exec>", "exec")
        recorder = self.recorder
        recorder.encoder.feed(recorder.log)
        made = (entry for entry in recorder.log if isinstance(entry, recorder.node_class))
        nodes = list({identity_of(node): node for node in (*recorder.kept_nodes, *made)}.values())
        before = list(map(recorder.data_of, nodes))
        with self.unrecorded():
            try:
                locals_ = frame.f_locals if frame is not None else globals_
                exec(code, globals_, locals_)  # the person's own statement in their own script
            except Exception as error:  # the statement's own fault
                return Failed(f"{type(error).__name__}: {error}")
            if frame is not None and locals_ is not globals_:
                _into_frame(frame)
        if frame is not None:
            own = bound & _own_names(frame)
            self.note_variables(own, frame, locals_)
            self.note_variables(bound - own, frame, globals_, "<module>")
        changed = 0
        for node, old in zip(nodes, before, strict=True):
            if (new := recorder.data_of(node)) is not old:
                recorder.log.append((self.altered_site, node, new))
                changed += 1
        self.send_events()
        return Executed(line, changed)

    def note_variables(
        self, bound: builtins.set[str], frame: FrameType, variables: dict[str, Any], where: str = ""
    ) -> None:
        """Record what a statement has bound, as the script's own statement of that variable would."""
        recorder, code = self.recorder, frame.f_code
        file, own = recorder.files.get(code.co_filename), {line for _, _, line in code.co_lines()}
        rows = recorder.encoder.c["bind_event"]
        before, left = len(rows), set(bound)
        for site, record in enumerate(recorder.records):
            if record is None or record.kind is not SiteKind.BIND or record.name not in left or record.file != file:
                continue
            if (where or record.line in own) and record.name in variables:
                left.discard(record.name)
                recorder.bind(site, variables[record.name])
                if where:
                    self.keep_telling(site, record.name, variables)
        recorder.encoder.feed(recorder.log)
        scope = self.scope_number(where or code.co_name)
        for row in range(before, len(rows)):
            rows[row] -= 1  # it is so from the moment on at which the script waits
            if scope >= 0:
                recorder.encoder.c["bind_scope"][row] = scope

    def keep_telling(self, site: int, name: str, variables: dict[str, Any]) -> None:
        """The record of the setup says otherwise: note a variable of the module as every later episode opens."""
        recorder, before = self.recorder, self.recorder.on_open
        value = variables[name]

        def opened() -> None:
            before()
            if variables.get(name) is value:
                recorder.bind(site, value)

        recorder.on_open = opened

    def scope_number(self, function: str) -> int:
        """The innermost scope of a running function, ``<module>`` for the script itself; -1 where there is none yet."""
        for scope in reversed(self.recorder.encoder.scopes.stack):
            record = self.recorder.records[scope.site]
            if (
                scope.kind is SiteKind.MODULE
                if function == "<module>"
                else (scope.kind is SiteKind.CALL and record is not None and record.name == function)
            ):
                return scope.number
        return -1

    # -- check -------------------------------------------------------------------------------

    def operate(self, question: Operate) -> Answer:
        """The script's own operation on other numbers: what finite differences are made of."""
        node_class, name = self.recorder.node_class, question.operation
        method = getattr(node_class, f"__{name}__", None) or getattr(node_class, name, None)
        if method is None:
            return Failed(f"the class has no operation {name}")
        results: list[float | None] = []
        with self.unrecorded():
            for point in question.points:
                try:
                    made = method(*[node_class(x) for x in point], *question.plain)
                    value = getattr(made, self.recorder.data_name)
                    results.append(float(value) if math.isfinite(value) else None)
                except TimeoutError:
                    raise
                except Exception:  # outside the operation's domain
                    results.append(None)
        return Operated(tuple(results))


def _is_stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _own_names(frame: FrameType) -> set[str]:
    """The variables of a function that runs; none of the module."""
    code = frame.f_code
    return set() if code.co_name == "<module>" else {*code.co_varnames, *code.co_cellvars, *code.co_freevars}


def _into_frame(frame: FrameType) -> None:
    """Write a function's changed ``f_locals`` back into its variables (by itself from Python 3.13 on)."""
    if sys.version_info < (3, 13):
        import ctypes

        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))


def failing_operation(recorder: Recording, trace: TracebackType | None) -> tuple[str, tuple[tuple[str, int], ...], int]:
    """Which operation raised, on which nodes, on which line: told from the innermost frame of the traceback."""
    inner: FrameType | None = None
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in recorder.files:
            inner, line = trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
    if inner is None or recorder.node_class.__name__ == "_Nothing":
        return "", (), 0
    recorder.encoder.feed(recorder.log)
    ids = recorder.encoder.nodes.ids
    operands = tuple(
        (name, ids[identity_of(value)]) for name in (*inner.f_code.co_varnames, *inner.f_code.co_freevars)
        if isinstance(value := inner.f_locals.get(name), recorder.node_class) and identity_of(value) in ids
    )  # fmt: skip
    name = inner.f_code.co_name
    around = inner.f_code.co_qualname.split(".<locals>.")[:-1]
    if around and operands:  # a closure that passes a gradient on
        return f"the derivative of {around[-1].rpartition('.')[2].strip('_')}", operands, line
    return name.strip("_") if hasattr(recorder.node_class, name) else "", operands, line


def _plain(value: Any) -> Any:
    """A number as JSON takes it: NaN and infinities as text."""
    if type(value) is bool or type(value) is int:
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return repr(value)[:100]
    return number if math.isfinite(number) else repr(number)
