"""What a condition may speak about: each fact is one function of (trace, event).

Every value is what was known at its event, never what came out later, so that a condition is true over the
record exactly where it was true live: the debuggee asks these same functions about its newest event. ``facts``
has the same as columns, one value per event, for searches; a test holds the columns to the functions.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from microgpt_tui.protocol.codes import (
    ACCUMULATE,
    ASSIGN,
    BACKWARD,
    CREATE,
    EVENT_NAMES,
    PHASE_NAMES,
    PRINT,
    SAMPLE,
    UPDATE,
    ZERO,
    SiteKind,
)
from microgpt_tui.protocol.conditions import NAN, Inputs, parse_iteration
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.names import names_given, own_name, parameter_names
from microgpt_tui.trace.positions import position, positions
from microgpt_tui.trace.trace import Program, Trace

WRITES = (ACCUMULATE, ASSIGN, ZERO)
"""Kinds of events that write a gradient."""


def fact(trace: Trace, event: int, name: str) -> Any:
    """One fact of an event: of ``protocol.conditions.FACTS``, or the script's loop variable of that name."""
    reader = _READERS.get(name)
    return reader(trace, event) if reader is not None else _at_scope(trace, event, loop_variable(name))


@derived
def loop_names(program: Program) -> frozenset[str]:
    """The script's loop variables: each can be named in a condition."""
    return frozenset(n for s in program.sites if s is not None and s.kind == SiteKind.ITERATION for n in s.names)


# -- the node and its numbers ----------------------------------------------------------------


def _data(trace: Trace, event: int) -> float:
    node = trace.node_of(event)
    return trace.data_at(node, event) if node >= 0 else NAN


def _grad(trace: Trace, event: int) -> float:
    kind = trace.kind[event]
    if kind in WRITES:
        return trace.after[trace.row[event]]
    return trace.grad_at(trace.node_of(event), event) if kind == UPDATE else 0.0 if kind == CREATE else NAN


def _delta(trace: Trace, event: int) -> float:
    kind, row = trace.kind[event], trace.row[event]
    if kind in WRITES:
        return trace.delta[row]
    return trace.new[row] - trace.old[row] if kind == UPDATE else NAN


def _factor(trace: Trace, event: int) -> float:
    return trace.factor[trace.row[event]] if trace.kind[event] in WRITES else NAN


def _op(trace: Trace, event: int) -> str:
    node = trace.node_of(event)
    return trace.op_name(node) if node >= 0 else ""


def _inputs(trace: Trace, event: int) -> Inputs:
    if trace.kind[event] != CREATE:
        return Inputs()
    return Inputs(trace.data_at(c, event) for c in trace.children(trace.node_of(event)))


def _name(trace: Trace, event: int) -> str:
    node = trace.node_of(event)
    return own_name(trace, node, event) or "" if node >= 0 else ""


# -- where -----------------------------------------------------------------------------------

Fold = tuple[Any, Callable[[Trace, int, Any], Any]]
"""A fact of scopes: what it is outside all, and what it is in a scope, from what it is around it."""


def _at_scope(trace: Trace, event: int, fold: Fold) -> Any:
    value, inside = fold
    for scope in trace.scope_path(trace.scope_of(event)):
        value = inside(trace, scope, value)
    return value


def loop_variable(name: str) -> Fold:
    """The innermost loop variable of that name; NaN outside such a loop."""

    def inside(trace: Trace, scope: int, outer: Any) -> Any:
        if (
            name not in trace.program.site(trace.scope_site[scope]).names
            or trace.scope_kind(scope) != SiteKind.ITERATION
        ):
            return outer
        return parse_iteration(trace.scope_values.get(scope, "")).get(name, outer)

    return NAN, inside


def _deeper(trace: Trace, scope: int, outer: str) -> str:
    if trace.scope_kind(scope) not in (SiteKind.CALL, SiteKind.ITERATION):
        return outer
    label = trace.scope_label(scope)
    return f"{outer} > {label}" if outer else label


SCOPE_TEXT: Fold = "", _deeper
"""The calls and loop iterations around: ``step=0 > gpt(pos_id=2) > li=0 > softmax``."""


def _line_inside(trace: Trace, scope: int, outer: tuple[int, bool]) -> tuple[int, bool]:
    site = trace.program.site(trace.scope_site[scope])
    if site.kind == SiteKind.STATEMENT:
        return site.line, True
    return outer if outer[1] and site.kind not in (SiteKind.CALL, SiteKind.MODULE) else (site.line, False)


SCOPE_LINE: Fold = (0, False), _line_inside
"""(Line, whether it is that of a statement): the statement within its call, else the innermost scope's own."""

_SITE_COLUMNS = {**dict.fromkeys(WRITES, "write_site"), UPDATE: "update_site", SAMPLE: "sample_site",
                 PRINT: "print_site"}  # fmt: skip


def _line(trace: Trace, event: int) -> int:
    column = _SITE_COLUMNS.get(trace.kind[event])
    if column is not None:
        sites: array[int] = getattr(trace, column)
        site = trace.program.sites[sites[trace.row[event]]]
        if site is not None:
            return site.line
    line: int = _at_scope(trace, event, SCOPE_LINE)[0]
    return line


# -- phases, loss ----------------------------------------------------------------------------


def loss_events(trace: Trace) -> list[int]:
    """Where backward passes begin: the first write of a gradient, when it has no contributor."""
    return [first for first, _, phase in trace.phase_spans if phase == BACKWARD and trace.kind[first] == ASSIGN]


def _loss(trace: Trace, event: int) -> float:
    begun = loss_events(trace)
    at = bisect_right(begun, event) - 1
    return trace.data_at(trace.node_of(begun[at]), begun[at]) if at >= 0 else NAN


def _episode(kind: str) -> Callable[[Trace, int], int]:
    return lambda trace, event: trace.number if trace.episode_kind == kind else 0


_READERS: dict[str, Callable[[Trace, int], Any]] = {
    "node": Trace.node_of, "data": _data, "grad": _grad, "delta": _delta, "factor": _factor, "op": _op,
    "inputs": _inputs, "name": _name, "line": _line, "pos": position, "loss": _loss,
    "kind": lambda trace, event: EVENT_NAMES[trace.kind[event]],
    "scope": lambda trace, event: _at_scope(trace, event, SCOPE_TEXT),
    "phase": lambda trace, event: PHASE_NAMES[trace.phase_of(event)],
    "step": _episode("step"), "sample": _episode("sample"),
}  # fmt: skip


# -- NaN and infinity ------------------------------------------------------------------------


def made_here(value: float, inputs: tuple[float, ...]) -> bool:
    """True when a result that is not finite is this operation's doing, not its operands'.

    A leaf that is an infinity is meant (a mask of ``-inf``); a leaf that is NaN is not.
    """
    if math.isnan(value):
        return not any(map(math.isnan, inputs))
    return bool(inputs) and all(map(math.isfinite, inputs))


def made_not_finite(trace: Trace, event: int) -> bool:
    """True for an event that makes a NaN or an infinity out of finite numbers."""
    kind, row = trace.kind[event], trace.row[event]
    if kind == CREATE:
        value = trace.data[row]
        return value - value != 0 and made_here(value, _inputs(trace, event))
    if kind == UPDATE:
        return not math.isfinite(trace.new[row]) and math.isfinite(trace.old[row])
    if kind not in WRITES or math.isfinite(trace.after[row]):
        return False
    source = trace.source[row]
    return math.isfinite(trace.grad_at(trace.target[row], event - 1)) and (
        source < 0 or math.isfinite(trace.grad_at(source, event))
    )


@derived
def not_finite(trace: Trace) -> list[int]:
    """Every such event, in order."""
    odd = [e for e, x in zip(trace.born, trace.data, strict=True) if x - x != 0 and e >= 0]
    odd += [e for e, x in zip(trace.write_event, trace.after, strict=True) if x - x != 0]
    odd += [e for e, x in zip(trace.update_event, trace.new, strict=True) if x - x != 0]
    return sorted(e for e in odd if made_not_finite(trace, e))


# -- columns ---------------------------------------------------------------------------------


class Facts:
    """``facts(trace)[name]``: a fact of every event, for searches."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def __getitem__(self, name: str) -> list[Any]:
        return _column(self.trace, name)

    def at(self, event: int, names: Iterable[str]) -> dict[str, Any]:
        """Some facts of one event."""
        return {n: fact(self.trace, event, n) for n in names}


def facts(trace: Trace) -> Facts:
    """The facts of a trace's events."""
    return Facts(trace)


@derived
def _column(trace: Trace, name: str) -> list[Any]:
    build = _COLUMNS.get(name)
    if build is not None:
        return build(trace)
    if name in ("step", "sample"):
        return [fact(trace, 0, name)] * len(trace)
    return _spread(trace, loop_variable(name))


def _filled(trace: Trace, none: Any, *parts: tuple[Sequence[int], Iterable[Any]]) -> list[Any]:
    """A column from (events, their values)."""
    out = [none] * len(trace)
    for events, values in parts:
        for event, value in zip(events, values, strict=True):
            if event >= 0:
                out[event] = value
    return out


def _nodes(trace: Trace) -> list[int]:
    made = range(trace.first_node, trace.end_node)
    return _filled(
        trace, -1, (trace.born, made), (trace.write_event, trace.target), (trace.update_event, trace.updated)
    )


def _data_column(trace: Trace) -> list[float]:
    first_update = trace.update_event[0] if trace.update_event else len(trace)
    known: dict[int, float] = dict(enumerate(trace.data, trace.first_node))
    written = []
    for event, node in zip(trace.write_event, trace.target, strict=True):
        value = known.get(node) if event < first_update else trace.data_at(node, event)
        if value is None:
            value = known[node] = trace.data_at(node, event)
        written.append(value)
    return _filled(trace, NAN, (trace.born, trace.data), (trace.write_event, written), (trace.update_event, trace.new))


def _grad_column(trace: Trace) -> list[float]:
    updated = [trace.grad_at(n, e) for e, n in zip(trace.update_event, trace.updated, strict=True)]
    zeros = [0.0] * len(trace.born)
    return _filled(trace, NAN, (trace.born, zeros), (trace.write_event, trace.after), (trace.update_event, updated))


def _delta_column(trace: Trace) -> list[float]:
    changed = [new - old for new, old in zip(trace.new, trace.old, strict=True)]
    return _filled(trace, NAN, (trace.write_event, trace.delta), (trace.update_event, changed))


def _op_column(trace: Trace) -> list[str]:
    first, ops, own = trace.first_node, trace.ops, trace.op
    return [
        "" if node < 0 else ops[own[node - first]] if node >= first else trace.op_name(node)
        for node in _column(trace, "node")
    ]


def _inputs_column(trace: Trace) -> list[Inputs]:
    child, first = trace.child, trace.first_node
    first_update = trace.update_event[0] if trace.update_event else len(trace)
    older = {c: trace.data_at(c, -1) for c in set(child) if c < first}
    data = trace.data
    numbers = [data[c - first] if c >= first else older[c] for c in child]
    ends = [*trace.child_start[1:], len(child)]
    made = [Inputs(numbers[start:end]) for start, end in zip(trace.child_start, ends, strict=True)]
    for row in range(bisect_right(trace.born, first_update), len(made)):
        made[row] = _inputs(trace, trace.born[row])
    return _filled(trace, Inputs(), (trace.born, made))


def _spread(trace: Trace, fold: Fold) -> list[Any]:
    """A fact of scopes for every event inside them."""
    outside, inside = fold
    known: dict[int, Any] = {-1: outside}

    def of_scope(scope: int) -> Any:
        inner = []
        while scope not in known:
            inner.append(scope)
            scope = trace.scope_parent[scope]
        value = known[scope]
        for scope in reversed(inner):
            value = known[scope] = inside(trace, scope, value)
        return value

    out: list[Any] = []
    for scope, start, end in zip(trace.span_scope, trace.span_start, [*trace.span_start[1:], len(trace)], strict=True):
        out.extend([of_scope(scope)] * (end - start))
    return out


def _line_column(trace: Trace) -> list[int]:
    out = [line for line, _ in _spread(trace, SCOPE_LINE)]
    for events, sites in (
        (trace.write_event, trace.write_site), (trace.update_event, trace.update_site),
        (trace.sample_event, trace.sample_site), (trace.print_event, trace.print_site),
    ):  # fmt: skip
        lines = {n: s.line for n in set(sites) if (s := trace.program.sites[n]) is not None}
        for event, site in zip(events, sites, strict=True):
            out[event] = lines.get(site, out[event])
    return out


def _position_column(trace: Trace) -> list[float]:
    found = positions(trace)
    return _spread(trace, (NAN, lambda _, scope, outer: found.position.get(found.around[scope], NAN)))


def _loss_column(trace: Trace) -> list[float]:
    out: list[float] = []
    begun = loss_events(trace)
    for start, end in zip([0, *begun], [*begun, len(trace)], strict=True):
        out.extend([_loss(trace, start)] * (end - start))
    return out


def _name_column(trace: Trace) -> list[str]:
    given, parameters = names_given(trace), parameter_names(trace.program) if trace.index else {}
    out = []
    for event, node in enumerate(_column(trace, "node")):
        found = given.get(node)
        if found is not None:
            out.append(found[1] if found[0] <= event else "")
        else:
            out.append(parameters.get(node, ""))
    return out


def _phase_column(trace: Trace) -> list[str]:
    out: list[str] = []
    for first, last, phase in trace.phase_spans:
        out.extend([PHASE_NAMES[phase]] * (last - first + 1))
    return out


_COLUMNS: dict[str, Callable[[Trace], list[Any]]] = {
    "node": _nodes, "data": _data_column, "grad": _grad_column, "delta": _delta_column, "op": _op_column,
    "factor": lambda trace: _filled(trace, NAN, (trace.write_event, trace.factor)),
    "inputs": _inputs_column, "name": _name_column, "line": _line_column, "pos": _position_column,
    "kind": lambda trace: [EVENT_NAMES[k] for k in trace.kind], "scope": lambda trace: _spread(trace, SCOPE_TEXT),
    "phase": _phase_column, "loss": _loss_column,
}  # fmt: skip
