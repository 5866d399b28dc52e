"""The calls of a forward pass that take or give nodes,
with their operands as they were: to be called again, detached."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CellType, CodeType, FrameType, FunctionType
from typing import Any

from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.rewrite.analyse import NO_OPERATION

_listen = sys.setprofile  # the script may replace its own
CALLS = 24
"""Calls of one function that are kept."""
MOST_LEAVES = 20_000
GENERATOR = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


@dataclass(frozen=True, slots=True)
class Leaf:
    """A node among the arguments: which, and its number at the call."""

    key: int
    data: Any


@dataclass(slots=True)
class Call:
    """One call: the function, and its arguments with leaves for nodes."""

    code: CodeType
    function: Callable[..., Any]
    given: list[Any]
    named: dict[str, Any]
    leaves: dict[int, Any]
    """Key -> the number of a node among the arguments."""
    held: list[Any]
    """The nodes themselves: their ``id`` must stay theirs."""
    result: Any = None


@dataclass(slots=True)
class Function:
    """A function of the script, and some of its calls."""

    code: CodeType
    calls: int = 0
    kept: list[Call] = field(default_factory=list)
    callees: set[CodeType] = field(default_factory=set)


class Calls:
    """Listens to a run (``sys.setprofile``) and keeps calls of every function of the script's files."""

    def __init__(self, files: set[str], node_class: Callable[[], type], data_name: str) -> None:
        self.files = files
        self.node_class = node_class
        self.data_name = data_name
        self.functions: dict[CodeType, Function] = {}
        self._skipped: set[CodeType] = set()
        self._stack: list[tuple[FrameType, Function, Call | None]] = []

    def listen(self) -> None:
        """From here on."""
        _listen(self._heard)

    @staticmethod
    def stop() -> None:
        """No longer."""
        _listen(None)

    def _heard(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            code = frame.f_code
            if code not in self._skipped:
                function = self.functions.get(code)
                if function is None:
                    if not self._wanted(code):
                        self._skipped.add(code)
                        return
                    function = self.functions[code] = Function(code)
                if self._stack:
                    self._stack[-1][1].callees.add(code)
                call = self._call(frame, function) if _is_taken(function.calls) else None
                function.calls += 1
                self._stack.append((frame, function, call))
        elif event == "return" and self._stack and self._stack[-1][0] is frame:
            _, function, call = self._stack.pop()
            if call is not None and len(function.kept) < CALLS:
                call.result = argument
                if call.leaves or isinstance(argument, self.node_class()) or _has_nodes(argument, self.node_class()):
                    function.kept.append(call)

    def _wanted(self, code: CodeType) -> bool:
        name = code.co_name
        return code.co_filename in self.files and not name.startswith("<") and name not in NO_OPERATION \
            and name != "_backward" and not code.co_flags & GENERATOR  # fmt: skip

    def _call(self, frame: FrameType, function: Function) -> Call | None:
        code, variables = frame.f_code, frame.f_locals
        freezer = Freezer(self.node_class(), self.data_name)
        count = code.co_argcount
        names = code.co_varnames
        given = [freezer.frozen(variables[n]) for n in names[:count] if n in variables]
        if len(given) < count:
            return None
        named = {n: freezer.frozen(variables[n]) for n in names[count : count + code.co_kwonlyargcount]}
        at = count + code.co_kwonlyargcount
        if code.co_flags & inspect.CO_VARARGS:
            given += freezer.frozen(list(variables[names[at]]))
            at += 1
        if code.co_flags & inspect.CO_VARKEYWORDS:
            named |= freezer.frozen(dict(variables[names[at]]))
        if freezer.full:
            return None
        cells = tuple(CellType(variables[n]) if n in variables else CellType() for n in code.co_freevars)
        made = FunctionType(code, frame.f_globals, code.co_name, None, cells)
        return Call(code, made, given, named, freezer.leaves, freezer.held)


def _is_taken(number: int) -> bool:
    """Some of the first calls, and later ones ever more rarely: spread over the step."""
    return number < 10 or (number & (number - 1)) == 0 or (number % 3 == 0 and (n := number // 3) & (n - 1) == 0)


class Freezer:
    """Copies lists, tuples and dicts of nodes with leaves in their places; anything else stays as it is."""

    def __init__(self, node_class: type, data_name: str) -> None:
        self.node_class = node_class
        self.data_name = data_name
        self.leaves: dict[int, Any] = {}
        self.held: list[Any] = []
        self.full = False

    def frozen(self, value: Any) -> Any:
        """The copy."""
        if isinstance(value, self.node_class):
            key = identity_of(value)
            if key not in self.leaves:
                self.full = self.full or len(self.leaves) >= MOST_LEAVES
                self.leaves[key] = getattr(value, self.data_name)
                self.held.append(value)
            return Leaf(key, self.leaves[key])
        kind = type(value)
        if self.full:
            return value
        if kind is list or kind is tuple:
            return kind([self.frozen(x) for x in value])
        if kind is dict:
            return {k: self.frozen(x) for k, x in value.items()}
        return value


class Thawed:
    """Arguments with new, detached nodes; ``moved`` adds something to one of them: a number, or a dual one."""

    def __init__(self, call: Call, node_class: type, moved: tuple[int, Any] | None = None) -> None:
        self.nodes: dict[int, Any] = {}
        for key, number in call.leaves.items():
            self.nodes[key] = node_class(number + moved[1] if moved is not None and moved[0] == key else number)
        given, named = [self._thawed(x) for x in call.given], {k: self._thawed(x) for k, x in call.named.items()}
        self.result = call.function(*given, **named)

    def _thawed(self, value: Any) -> Any:
        kind = type(value)
        if kind is Leaf:
            return self.nodes[value.key]
        if kind is list or kind is tuple:
            return kind([self._thawed(x) for x in value])
        if kind is dict:
            return {k: self._thawed(x) for k, x in value.items()}
        return value


def nodes_in(value: Any, node_class: type, depth: int = 6) -> Iterator[Any]:
    """The nodes in (nested) lists, tuples and dicts, in order."""
    if isinstance(value, node_class):
        yield value
    elif depth and isinstance(value, list | tuple):
        for part in value:
            yield from nodes_in(part, node_class, depth - 1)
    elif depth and isinstance(value, dict):
        for part in value.values():
            yield from nodes_in(part, node_class, depth - 1)


def _has_nodes(value: Any, node_class: type) -> bool:
    return next(nodes_in(value, node_class), None) is not None
