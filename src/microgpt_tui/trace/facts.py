"""What a condition may speak about, as one column per fact beside the events of a trace.

A column is built when a condition first reads it and kept until the trace grows. Every value is
what was known at its event, never what came out later: so that a condition is true over the
record exactly where it was true live.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from microgpt_tui.protocol.codes import (
    ASSIGN,
    BACKWARD,
    EVENT_NAMES,
    PHASE_NAMES,
    WHOLE,
    BindKind,
    SiteKind,
)
from microgpt_tui.protocol.conditions import (
    NAN,
    Inputs,
    element_name,
    leaf_count,
    made_here,
    parameter_name,
    parse_iteration,
)
from microgpt_tui.trace.trace import Matrix, Program, Trace


def position_sites(program: Program) -> frozenset[int]:
    """The loops over token positions, told from the name of their variable."""
    return frozenset(
        s.number
        for s in program.sites
        if s is not None and s.kind == SiteKind.ITERATION and s.number not in (program.train_site, program.sample_site)
        and any("pos" in n or n == "t" for n in s.names)
    )  # fmt: skip


def loop_names(program: Program) -> frozenset[str]:
    """The script's loop variables: each can be named in a condition."""
    return frozenset(n for s in program.sites if s is not None and s.kind == SiteKind.ITERATION for n in s.names)


class Facts:
    """Columns of facts, one value per event of a trace. ``facts[name]`` builds what is not there yet."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.version = trace.version
        self.columns: dict[str, list[Any]] = {}

    def __getitem__(self, name: str) -> list[Any]:
        column = self.columns.get(name)
        if column is None:
            build: Callable[[], list[Any]] | None = getattr(self, "_" + name, None)
            column = self.columns[name] = build() if build is not None else self._loop(name)
        return column

    def at(self, event: int, names: Iterable[str]) -> dict[str, Any]:
        """Some facts of one event."""
        return {n: self[n][event] for n in names}

    # -- the node and its numbers ------------------------------------------------------------

    def _node(self) -> list[int]:
        t = self.trace
        out = [-1] * len(t)
        first = t.first_node
        for i, event in enumerate(t.born):
            if event >= 0:
                out[event] = first + i
        for event, node in zip(t.write_event, t.target, strict=True):
            out[event] = node
        for event, node in zip(t.update_event, t.updated, strict=True):
            out[event] = node
        return out

    def _data(self) -> list[float]:
        t = self.trace
        out = [NAN] * len(t)
        first, data = t.first_node, t.data
        for event, value in zip(t.born, data, strict=True):
            if event >= 0:
                out[event] = value
        changed: dict[int, float] = {}
        base = self.base
        updates = iter(zip(t.update_event, t.updated, t.new, strict=True))
        upcoming = next(updates, None)
        for event, node in zip(t.write_event, t.target, strict=True):
            while upcoming is not None and upcoming[0] < event:
                changed[upcoming[1]] = upcoming[2]
                upcoming = next(updates, None)
            if node in changed:
                out[event] = changed[node]
            else:
                out[event] = data[node - first] if node >= first else base(node)
        for event, new in zip(t.update_event, t.new, strict=True):
            out[event] = new
        return out

    @property
    def base(self) -> Callable[[int], float]:
        """A node of the setup's number when the episode began."""
        t = self.trace
        found = self.__dict__.get("_base")
        if found is None:
            found = self.__dict__["_base"] = dict(zip(t.program.kept, t.start_data, strict=False)) if t.index else {}
        older = t.setup.data if t.setup is not None else t.data
        return lambda node: found[node] if node in found else older[node] if node < len(older) else NAN

    def _grad(self) -> list[float]:
        t = self.trace
        out = [NAN] * len(t)
        for event in t.born:
            if event >= 0:
                out[event] = 0.0
        for event, value in zip(t.write_event, t.after, strict=True):
            out[event] = value
        for event, node in zip(t.update_event, t.updated, strict=True):
            out[event] = t.grad_at(node, event)
        return out

    def _delta(self) -> list[float]:
        t = self.trace
        out = [NAN] * len(t)
        for event, value in zip(t.write_event, t.delta, strict=True):
            out[event] = value
        for event, old, new in zip(t.update_event, t.old, t.new, strict=True):
            out[event] = new - old
        return out

    def _factor(self) -> list[float]:
        t = self.trace
        out = [NAN] * len(t)
        for event, value in zip(t.write_event, t.factor, strict=True):
            out[event] = value
        return out

    def _op(self) -> list[str]:
        t = self.trace
        out = [""] * len(t)
        names = t.ops
        for event, number in zip(t.born, t.op, strict=True):
            if event >= 0:
                out[event] = names[number]
        for event, node in [*zip(t.write_event, t.target, strict=True), *zip(t.update_event, t.updated, strict=True)]:
            out[event] = t.op_name(node)
        return out

    def _inputs(self) -> list[Inputs]:
        t = self.trace
        none = Inputs()
        out = [none] * len(t)
        first, data, child, starts = t.first_node, t.data, t.child, t.child_start
        base, updated = self.base, set(t.updated)
        older = {c: base(c) for c in set(child) if c < first}
        numbers = [data[c - first] if c >= first else older[c] for c in child]
        first_update = t.update_event[0] if t.updated else len(t)
        ends = [*starts[1:], len(child)]
        for event, start, end in zip(t.born, starts, ends, strict=True):
            if event < 0 or end == start:
                continue
            if event < first_update:
                out[event] = Inputs(numbers[start:end])
            else:
                out[event] = Inputs([
                    t.data_at(c, event) if c in updated else data[c - first] if c >= first else older[c]
                    for c in child[start:end]
                ])  # fmt: skip
        return out

    def _kind(self) -> list[str]:
        return [EVENT_NAMES[k] for k in self.trace.kind]

    # -- where -------------------------------------------------------------------------------

    def _spread(self, of_scope: Callable[[int], Any]) -> list[Any]:
        """A value per scope, spread over the events inside it."""
        t = self.trace
        known: dict[int, Any] = {}
        out: list[Any] = []
        ends = [*t.span_start[1:], len(t)]
        for scope, start, end in zip(t.span_scope, t.span_start, ends, strict=True):
            if scope not in known:
                known[scope] = of_scope(scope)
            out.extend([known[scope]] * (end - start))
        return out

    def _line(self) -> list[int]:
        t = self.trace
        program = t.program

        def of_scope(scope: int) -> int:
            innermost = program.site(t.scope_site[scope]).line
            while scope >= 0:
                site = program.site(t.scope_site[scope])
                if site.kind == SiteKind.STATEMENT:
                    return site.line
                if site.kind in (SiteKind.CALL, SiteKind.MODULE):
                    break
                scope = t.scope_parent[scope]
            return innermost

        out = self._spread(of_scope)
        for events, sites in (
            (t.write_event, t.write_site), (t.update_event, t.update_site),
            (t.sample_event, t.sample_site), (t.print_event, t.print_site),
        ):  # fmt: skip
            lines = {s: program.site(s).line for s in set(sites) if program.sites[s] is not None}
            for event, site in zip(events, sites, strict=True):
                out[event] = lines.get(site, out[event])
        return out

    def _scope(self) -> list[str]:
        t = self.trace
        texts: dict[int, str] = {-1: ""}

        def of_scope(scope: int) -> str:
            chain = []
            while scope not in texts:
                chain.append(scope)
                scope = t.scope_parent[scope]
            text = texts[scope]
            for scope in reversed(chain):
                if t.scope_kind(scope) in (SiteKind.CALL, SiteKind.ITERATION):
                    label = t.scope_label(scope)
                    text = f"{text} > {label}" if text else label
                texts[scope] = text
            return text

        return self._spread(of_scope)

    def _pos(self) -> list[float]:
        sites = position_sites(self.trace.program)
        return self._iterations(lambda site, names: next(iter(names.values()), NAN) if site in sites else None)

    def _loop(self, name: str) -> list[Any]:
        return self._iterations(lambda site, names: names.get(name))

    def _iterations(self, pick: Callable[[int, dict[str, int | str]], Any]) -> list[Any]:
        t = self.trace
        known: dict[int, Any] = {-1: NAN}

        def of_scope(scope: int) -> Any:
            chain = []
            while scope not in known:
                chain.append(scope)
                scope = t.scope_parent[scope]
            value = known[scope]
            for scope in reversed(chain):
                if t.scope_kind(scope) == SiteKind.ITERATION:
                    found = pick(t.scope_site[scope], parse_iteration(t.scope_values.get(scope, "")))
                    value = value if found is None else found
                known[scope] = value
            return value

        return self._spread(of_scope)

    def _step(self) -> list[int]:
        t = self.trace
        return [t.number if t.episode_kind == "step" else 0] * len(t)

    def _sample(self) -> list[int]:
        t = self.trace
        return [t.number if t.episode_kind == "sample" else 0] * len(t)

    def _phase(self) -> list[str]:
        out: list[str] = []
        for first, last, phase in self.trace.phase_spans:
            out.extend([PHASE_NAMES[phase]] * (last - first + 1))
        return out

    def loss_events(self) -> list[int]:
        """Where backward passes begin: the first write of a gradient, when it has no contributor."""
        t = self.trace
        return [first for first, _, phase in t.phase_spans if phase == BACKWARD and t.kind[first] == ASSIGN]

    def _loss(self) -> list[float]:
        t = self.trace
        out: list[float] = []
        value = NAN
        for event in self.loss_events():
            out.extend([value] * (event - len(out)))
            value = t.data_at(t.node_of(event), event)
        out.extend([value] * (len(t) - len(out)))
        return out

    # -- names -------------------------------------------------------------------------------

    def _name(self) -> list[str]:
        t = self.trace
        known = names_known(t)
        parameters = parameter_names(t.program)
        out = []
        for event, node in enumerate(self["node"]):
            found = known.get(node)
            if found is not None and found[0] <= event:
                out.append(found[1])
            else:
                out.append(parameters.get(node, "") if t.index else "")
        return out


def names_known(trace: Trace) -> dict[int, tuple[int, str]]:
    """Node of this episode -> (the event from which on it has a name, the name): its first variable."""
    cached = trace.__dict__.get("_names_known")
    if cached is None or cached[0] != trace.version:
        cached = trace.__dict__["_names_known"] = trace.version, _names_known(trace)
    names: dict[int, tuple[int, str]] = cached[1]
    return names


def _names_known(trace: Trace) -> dict[int, tuple[int, str]]:
    t = trace
    found: dict[int, tuple[int, str]] = {}
    for row in range(len(t.bind_event)):
        kind = t.bind_kind[row]
        if kind not in (BindKind.NODE, BindKind.NODES) or t.bind_index[row] != WHOLE:
            continue
        name = t.texts[t.bind_path[row]] if t.bind_path[row] >= 0 else t.program.site(t.bind_site[row]).name
        since = max(t.bind_event[row], t.scope_first[t.bind_scope[row]])
        start = t.bind_start[row]
        shape = t.shapes[t.bind_shape[row]] if kind == BindKind.NODES else None
        count = 1 if shape is None else leaf_count(shape)
        for place in range(count):
            node = t.bound_nodes[start + place]
            if node >= t.first_node and (node not in found or since < found[node][0]):
                found[node] = since, name if shape is None else element_name(name, shape, place)
    return found


def bound_at(trace: Trace, row: int) -> int:
    """The event at which a variable has its value: the last one before the binding, or the first of its function."""
    return max(trace.bind_event[row] - 1, trace.scope_first[trace.bind_scope[row]])


_PARAMETER_NAMES: dict[int, tuple[list[Matrix], dict[int, str]]] = {}


def parameter_names(program: Program) -> dict[int, str]:
    """Parameter -> ``layer0.attn_wq[3][5]``."""
    cached = _PARAMETER_NAMES.get(id(program))
    if cached is None or cached[0] is not program.matrices:
        names: dict[int, str] = {}
        for m in program.matrices:
            for place, node in enumerate(m.nodes):
                names.setdefault(node, parameter_name(m.name, m.shape, place))
        _PARAMETER_NAMES.clear()
        cached = _PARAMETER_NAMES[id(program)] = program.matrices, names
    return cached[1]


def facts(trace: Trace) -> Facts:
    """The columns of a trace as it is now."""
    found = trace.__dict__.get("_facts")
    if not isinstance(found, Facts) or found.version != trace.version:
        found = trace.__dict__["_facts"] = Facts(trace)
    return found


def not_finite(trace: Trace) -> list[int]:
    """Events that made a NaN or an infinity out of finite numbers.

    A leaf that is an infinity is meant (a mask of ``-inf``); a leaf that is NaN is not.
    """
    t = trace
    found: list[int] = []
    inputs: list[Inputs] | None = None
    for event, value in zip(t.born, t.data, strict=True):
        if event >= 0 and value - value != 0:
            if inputs is None:
                inputs = facts(t)["inputs"]
            if made_here(value, inputs[event]):
                found.append(event)
    for row, value in enumerate(t.after):
        if value - value != 0:
            rows = t.writes_of(t.target[row])
            place = rows.index(row)
            before_value = t.after[rows[place - 1]] if place else t.start_grad_of(t.target[row])
            source = t.source[row]
            event = t.write_event[row]
            upstream = t.grad_at(source, event) if source >= 0 else 0.0
            if math.isfinite(before_value) and math.isfinite(upstream):
                found.append(event)
    for event, old, new in zip(t.update_event, t.old, t.new, strict=True):
        if new - new != 0 and old - old == 0:
            found.append(event)
    found.sort()
    return found
