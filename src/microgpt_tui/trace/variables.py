"""The script's variables at a moment: rebuilt from what was bound, appended to and replaced up to then."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from microgpt_tui.protocol.codes import APPENDED, REPLACED, WHOLE, BindKind, SiteKind
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.trace import Trace

Nested = Any
"""A node number or a number, or a list of such, nested as the script nests it."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A name and what it stands for at a moment."""

    name: str
    kind: BindKind
    value: Nested
    """NODE: a node's number. NODES: nested lists of them. NUMBER, INTEGER, TEXT: itself. NUMBERS: nested numbers.
    OTHER: None."""
    shape: tuple[int, ...]
    """Lengths of the nesting, outermost first; -1 where parts differ in length; ``()`` for a scalar."""
    scope: int
    """The call (or module) whose variable it is."""
    event: int
    """How many events had happened when it was bound; -1 for the setup's."""

    @property
    def flat(self) -> list[Any]:
        """The leaves, row-major: numbers of nodes or plain numbers."""
        return list(_leaves(self.value)) if isinstance(self.value, list) else [self.value]

    @property
    def has_nodes(self) -> bool:
        """True when the leaves are nodes."""
        return self.kind in (BindKind.NODE, BindKind.NODES)


def _leaves(value: Nested) -> Any:
    for part in value:
        if isinstance(part, list):
            yield from _leaves(part)
        else:
            yield part


def shape_of(value: Nested) -> tuple[int, ...]:
    """Lengths of a nesting; -1 where parts differ."""
    shape: list[int] = []
    level = [value]
    while level and all(isinstance(v, list) for v in level):
        lengths = {len(v) for v in level}
        shape.append(lengths.pop() if len(lengths) == 1 else -1)
        level = [x for v in level for x in v]
    return tuple(shape)


class Bindings:
    """Rows of the binding columns, by frame and name, and by the list that they changed."""

    def __init__(self) -> None:
        self.by_frame: dict[int, dict[str, list[int]]] = {}
        """Frame -> name -> rows that bind it as a whole, in order."""
        self.changes: dict[int, list[int]] = {}
        """Identity of a list -> rows that changed it."""
        self.done = 0

    def update(self, trace: Trace) -> None:
        """Take the rows that came since the last time."""
        for row in range(self.done, len(trace.bind_event)):
            if trace.bind_index[row] == WHOLE:
                names = self.by_frame.setdefault(trace.bind_scope[row], {})
                names.setdefault(bound_name(trace, row), []).append(row)
            else:
                self.changes.setdefault(trace.bind_list[row], []).append(row)
        self.done = len(trace.bind_event)


@growing
def bindings(trace: Trace) -> Bindings:
    """The index of a trace's bindings."""
    return Bindings()


def bound_name(trace: Trace, row: int) -> str:
    """The name that a binding row binds."""
    site = trace.program.site(trace.bind_site[row])
    return trace.texts[trace.bind_path[row]] if site.kind == SiteKind.ITERATION else site.name


def known_from(trace: Trace, row: int) -> int:
    """The first event at which a variable has its value: the one after the binding, in its function."""
    return max(trace.bind_event[row], trace.scope_first[trace.bind_scope[row]])


def bound_at(trace: Trace, row: int) -> int:
    """The event that a binding belongs to: the last one before it, or the first of its function."""
    return max(trace.bind_event[row] - 1, trace.scope_first[trace.bind_scope[row]])


def path_keys(text: str) -> list[Any]:
    """``[0]['key']`` -> 0, "key"."""
    return [ast.literal_eval(p) for p in text[1:-1].split("][")] if text else []


def _row_value(trace: Trace, row: int) -> Nested:
    kind = trace.bind_kind[row]
    start = trace.bind_start[row]
    if kind == BindKind.NODE:
        return trace.bound_nodes[start]
    if kind == BindKind.NUMBER:
        return trace.bound_numbers[start]
    if kind == BindKind.INTEGER:
        number = trace.bound_numbers[start]
        return int(number) if number == number else None
    if kind == BindKind.TEXT:
        return trace.texts[start]
    if kind == BindKind.OTHER:
        return None
    column: Any = trace.bound_nodes if kind == BindKind.NODES else trace.bound_numbers
    shape = trace.shapes[trace.bind_shape[row]]
    return _unflatten(shape, column, start)[0]


def _unflatten(shape: Any, column: Any, start: int) -> tuple[Nested, int]:
    if isinstance(shape, int):
        return list(column[start : start + shape]), start + shape
    parts = []
    for inner in shape:
        part, start = _unflatten(inner, column, start)
        parts.append(part)
    return parts, start


def _apply(trace: Trace, value: Nested, row: int) -> Nested:
    """A list after one change: an item set, appended, or a part replaced. Changes ``value`` in place."""
    text = trace.texts[trace.bind_path[row]] if trace.bind_path[row] >= 0 else ""
    path = path_keys(text)
    new = _row_value(trace, row)
    index = trace.bind_index[row]
    if index == REPLACED and not path:
        return new
    part = value
    walk = path[:-1] if index == REPLACED else path
    for key in walk:
        if not isinstance(part, list) or not isinstance(key, int) or not -len(part) <= key < len(part):
            return value
        part = part[key]
    if not isinstance(part, list):
        return value
    if index == APPENDED:
        part.append(new)
    else:
        key = path[-1] if index == REPLACED else index
        if isinstance(key, int) and -len(part) <= key < len(part):
            part[key] = new
    return value


def _value_at(trace: Trace, row: int, event: int) -> tuple[BindKind, Nested]:
    kind = BindKind(trace.bind_kind[row])
    value = _row_value(trace, row)
    identity = trace.bind_list[row]
    if identity and isinstance(value, list):
        bound = trace.bind_event[row]
        for change in bindings(trace).changes.get(identity, ()):
            if (change > row or trace.bind_event[change] > bound) and trace.bind_event[change] <= event:
                changed = BindKind(trace.bind_kind[change])
                value = _apply(trace, value, change)
                if changed in (BindKind.NODE, BindKind.NODES):
                    kind = BindKind.NODES
    return kind, value


def _last_visible(trace: Trace, rows: list[int], event: int) -> int:
    for row in reversed(rows):
        if trace.bind_event[row] <= event:
            return row
    return -1


def frames(trace: Trace, event: int) -> list[int]:
    """The calls around an event, innermost first; the module last."""
    found = []
    scope = trace.scope_of(event)
    while scope >= 0:
        if trace.scope_kind(scope) in (SiteKind.CALL, SiteKind.MODULE):
            found.append(scope)
        scope = trace.scope_parent[scope]
    return found


def in_scope(trace: Trace, event: int, *, callers: bool = True) -> list[Variable]:
    """The variables of the running call, then (with ``callers``) of the calls around it, then of the module.

    A name is listed once: the innermost. What the setup bound and nothing rebound follows at the end.
    """
    index = bindings(trace)
    found: dict[str, Variable] = {}
    around = frames(trace, event)
    for i, frame in enumerate(around):
        if i and not callers and i < len(around) - 1:
            continue
        for name, rows in index.by_frame.get(frame, {}).items():
            if name in found:
                continue
            row = _last_visible(trace, rows, event)
            if row >= 0:
                kind, value = _value_at(trace, row, event)
                found[name] = Variable(name, kind, value, shape_of(value), frame, trace.bind_event[row])
    for name, variable in _of_setup(trace, event).items():
        found.setdefault(name, variable)
    return list(found.values())


def variable(trace: Trace, event: int, name: str) -> Variable | None:
    """One variable as the running code would see it, or None."""
    return next((v for v in in_scope(trace, event) if v.name == name), None)


def _of_setup(trace: Trace, event: int) -> dict[str, Variable]:
    """Plain module-level values, and optimizer buffers with this episode's changes up to the event."""
    found: dict[str, Variable] = {}
    for name, value in trace.program.namespace.items():
        if trace.index == 0:
            break
        if isinstance(value, str):
            kind = BindKind.TEXT
        elif isinstance(value, bool | int):
            kind = BindKind.INTEGER
        elif isinstance(value, float):
            kind = BindKind.NUMBER
        elif isinstance(value, list) and value and all(isinstance(v, int | float) for v in value):
            kind = BindKind.NUMBERS
        else:
            continue
        found[name] = Variable(name, kind, value, shape_of(value), -1, -1)
    for name in trace.buffers:
        value = list(buffer_at(trace, name, event))
        found[name] = Variable(name, BindKind.NUMBERS, value, (len(value),), -1, -1)
    return found


def buffer_at(trace: Trace, name: str, event: int) -> list[float]:
    """An optimizer's buffer (Adam's m or v), as long as the parameters, at a moment.

    Its list is told by the name's last part: ``m`` for ``m``, ``optimizer.m`` and ``self.m``.
    """
    values = list(trace.buffers[name])
    wanted = name.rpartition(".")[2]
    for rows in bindings(trace).changes.values():
        first = rows[0]
        own = trace.program.site(trace.bind_site[first]).name.rpartition(".")[2]
        if own != wanted or trace.bind_path[first] >= 0:
            continue
        for row in rows:
            index = trace.bind_index[row]
            if trace.bind_event[row] > event:
                break
            if 0 <= index < len(values) and trace.bind_kind[row] == BindKind.NUMBER:
                values[index] = trace.bound_numbers[trace.bind_start[row]]
    return values
