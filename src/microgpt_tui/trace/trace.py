"""The recorded columns of one episode, and the program that they refer to.

Everything on screen, in a headless report or in a picture is a pure function of
(trace, event). The columns are plain ``array`` objects.
"""

from __future__ import annotations

import json
import math
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from microgpt_tui.protocol.codes import (
    ACCUMULATE,
    ASSIGN,
    COLUMNS,
    CREATE,
    SETUP,
    UPDATE,
    ZERO,
    BindKind,
    SiteKind,
)
from microgpt_tui.protocol.frames import Blobs
from microgpt_tui.protocol.gradients import Gradients
from microgpt_tui.protocol.messages import ScriptRead, SetupEnded, Site
from microgpt_tui.protocol.narrow import NARROW, widened
from microgpt_tui.protocol.rows import EventRows
from microgpt_tui.trace.derived import derived, growing
from microgpt_tui.trace.index import Phases, Rows, Seeds, Users


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Parameters that the script keeps together: a named vector, matrix or deeper list.

    ``shape`` is the nesting: ``[27, 16]`` is 27 rows of 16; a ragged list has -1 there.
    ``nodes`` are the numbers of the nodes, row-major.
    """

    name: str
    shape: tuple[int, ...]
    nodes: array[int]
    flat: tuple[str, int] | None = None
    """The script's own list that it was cut out of, and where in it it begins: its elements have that list's names."""


@dataclass(slots=True)
class Program:
    """What is the same for the whole run: the files, the sites, the autograd class, the parameters."""

    files: list[tuple[str, str]] = field(default_factory=list)
    """(path, text) of each instrumented file; the script is the first."""
    sites: list[Site | None] = field(default_factory=list)
    class_name: str = "Value"
    data_name: str = "data"
    grad_name: str = "grad"
    train_sites: tuple[int, ...] = ()
    """The loops whose iteration, or the functions whose call, is a training step."""
    sample_sites: tuple[int, ...] = ()
    """The same for a generated sample."""
    total_steps: int | None = None
    """How many training steps the script intends, where its loop says so."""
    kept: array[int] = field(default_factory=lambda: array("q"))
    """Nodes of the setup that live on (parameters first found at its end), ascending."""
    matrices: list[Matrix] = field(default_factory=list)
    whole: list[Matrix] = field(default_factory=list)
    """The same as the script keeps them, before flat lists were cut."""
    namespace: dict[str, Any] = field(default_factory=dict)
    """Plain module-level values at the end of the setup: numbers, texts, short lists of texts."""
    spelling: Any = None
    """The vocabulary of computed texts that an episode has proved: it holds for the others too."""
    ordered_children: bool = True
    """False when the script keeps children in a set: their order is not reproducible."""
    version: int = 0
    derived: dict[Any, Any] = field(default_factory=dict)
    grown: dict[Any, tuple[int, Any]] = field(default_factory=dict)
    """What follows from the program: see ``trace.derived``."""

    @property
    def episode_sites(self) -> frozenset[int]:
        """What cuts the run into episodes."""
        return frozenset((*self.train_sites, *self.sample_sites))

    def keep(self, setup: SetupEnded) -> None:
        """The setup is over: take in the parameters and the plain values that it has left."""
        self.kept = array("q", setup.kept)
        self.whole = [Matrix(name, shape, array("q", nodes)) for name, shape, nodes in setup.matrices]
        self.matrices = self.whole
        self.namespace = setup.namespace
        self.total_steps = setup.total_steps
        self.version += 1
        self.derived.clear()

    def cut(self, matrices: list[Matrix]) -> None:
        """Take in what flat lists of parameters are made of."""
        self.matrices = matrices
        self.version += 1
        self.derived.clear()
        self.grown.clear()

    def site(self, number: int) -> Site:
        """The site with this number; raises IndexError or ValueError for a number that is none."""
        found = self.sites[number]
        if found is None:
            raise ValueError(f"no site {number}")
        return found

    def line_text(self, file: int, line: int) -> str:
        """One line of a file, without its end."""
        lines = self.files[file][1].splitlines()
        return lines[line - 1] if 0 < line <= len(lines) else ""


class Trace:
    """One episode: the setup, a training step, a generated sample, or code between them.

    Columns are attributes named as in ``COLUMNS``; see there. Node numbers below
    ``first_node`` belong to the setup (episode 0) and are looked up through ``setup``.

    An *event* counts from 0; being at event ``e`` means that events 0..e have happened.
    """

    kind: array[int]
    span_start: array[int]
    span_scope: array[int]
    scope_parent: array[int]
    scope_site: array[int]
    scope_first: array[int]
    scope_last: array[int]
    outside: array[int]
    op: array[int]
    data: array[float]
    child_start: array[int]
    site: array[int]
    child: array[int]
    local: array[float]
    local_int: array[int]
    noted_row: array[int]
    noted_target: array[int]
    noted_source: array[int]
    noted_value: array[float]
    noted_factor: array[float]
    noted_site: array[int]
    noted_flags: array[int]
    pass_row: array[int]
    pass_start: array[int]
    pass_site: array[int]
    order: array[int]
    exact_row: array[int]
    exact_after: array[float]
    exact_int: array[int]
    updated: array[int]
    old: array[float]
    new: array[float]
    update_site: array[int]
    update_event: array[int]
    used_start: array[int]
    used: array[float]
    sample_event: array[int]
    sample_site: array[int]
    sample_count: array[int]
    draw: array[float]
    choice: array[int]
    weight_start: array[int]
    weight: array[float]
    print_event: array[int]
    print_site: array[int]
    print_end: array[int]
    bind_event: array[int]
    bind_scope: array[int]
    bind_site: array[int]
    bind_kind: array[int]
    bind_start: array[int]
    bind_shape: array[int]
    bind_path: array[int]
    bind_index: array[int]
    bind_list: array[int]
    bound_nodes: array[int]
    bound_numbers: array[float]
    int_data: array[int]

    def __init__(self, program: Program, index: int, kind: str, number: int, setup: Trace | None) -> None:
        self.program = program
        self.index = index
        """Position among the run's episodes; the setup is 0."""
        self.episode_kind = kind
        """``setup``, ``step``, ``sample`` or ``other``."""
        self.number = number
        """Training step or sample, counted from 1; 0 for setup and other."""
        self.setup = setup
        self.first_node = 0
        self.complete = False
        self.texts: list[str] = []
        """Texts that bindings refer to."""
        self.shapes: list[Any] = []
        """Nestings that bindings refer to: a number is a vector's length, a list its parts."""
        self.scope_values: dict[int, str] = {}
        """A loop iteration's variable, as ``pos_id=2``; a call's short arguments."""
        self.operands: dict[int, tuple[float, ...]] = {}
        """Node -> plain numbers that its operation used (an exponent)."""
        self.populations: list[Any] = []
        """Per sample: what was chosen from (numbers or texts), or None for 0..n-1."""
        self.ops: list[str] = []
        """Operation names that the ``op`` column refers to."""
        self.odd_data: dict[int, str] = {}
        """Node -> repr of data that is no real number."""
        self.outside_grads: dict[int, float] = {}
        """Grads that nodes of earlier episodes had when they were first met."""
        self.start_data: array[float] = array("d")
        """Data of ``program.kept`` when the episode began, same order."""
        self.start_grad: array[float] = array("d")
        self.start_grad_int: array[float] = array("d")
        """1.0 for each of ``start_grad`` that is a Python int."""
        self.buffers: dict[str, array[float]] = {}
        """Lists of floats as long as the parameters (Adam's m and v) when the episode began."""
        self.moments: dict[str, array[float]] = {}
        """Candidates for an optimizer's numbers, one per ``program.kept``, when the episode began; NaN for none."""
        self.moments_now: dict[str, array[float]] = {}
        """The same when ``moments_updates`` of the updates had happened."""
        self.moments_updates = 0
        self.version = 0
        """Goes up with every change; views cache by it."""
        self.derived: dict[Any, Any] = {}
        self.grown: dict[Any, tuple[int, Any]] = {}
        """What follows from the columns: see ``trace.derived``."""
        for name, code in COLUMNS.items():
            setattr(self, name, array(code))
        self._index_afresh()

    def _index_afresh(self) -> None:
        self.grown.clear()
        self._users, self._writes, self._updates = Users(), Rows(), Rows()
        self._seeds, self._phases = Seeds(), Phases()

    # -- growing ---------------------------------------------------------------------------

    def extend(self, header: dict[str, Any], blobs: Blobs, *, complete: bool) -> None:
        """Take what the recorder sent: per column a start to cut at and the bytes from there on."""
        for sent_as, (start, sent) in blobs.items():
            name = sent_as.removesuffix(NARROW)
            column = getattr(self, name)
            raw = widened(sent_as, column, start, sent)
            if len(column) > start:
                cut = column[start:].tobytes()
                del column[start:]
                if not name.startswith("local") and raw[: len(cut)] != cut:
                    self._index_afresh()
            column.frombytes(raw)
        for name in ("texts", "shapes", "populations", "ops"):
            if name in header:
                getattr(self, name).extend(header[name])
        for scope, last in header.get("closed", ()):
            self.scope_last[scope] = last
        for key, value in header.get("scope_values", ()):
            self.scope_values[key] = value
        for key, values in header.get("operands", ()):
            self.operands[key] = tuple(values)
        for key, value in header.get("start_grads", ()):
            self.outside_grads[key] = value
        for key, text in header.get("odd_data", ()):
            self.odd_data[key] = text
        for node, place in header.get("sites", ()):
            self.site[node - self.first_node] = place
        self.complete = complete
        self.changed()

    def look_ahead(self) -> None:
        """Lay out now what the first looks would ask for: while more of the episode is on its way."""
        _ = self.write_index, self.phase_spans
        self._users.update(self)

    def changed(self) -> None:
        """The columns have grown: what was derived from them is no longer so."""
        self.version += 1
        self.derived.clear()
        for name in _LAZY:
            self.__dict__.pop(name, None)

    def take_moments(self, columns: dict[str, array[float]]) -> None:
        """The optimizer's numbers after the newest recorded event."""
        self.moments_now, self.moments_updates = columns, len(self.updated)
        self.changed()

    def finish(self) -> None:
        """Nothing more will come: the process is gone."""
        self.complete = True
        self.version += 1
        self.derived.clear()

    # -- sizes -----------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many events are recorded."""
        return len(self.kind)

    @property
    def end_node(self) -> int:
        """One past the number of the last node."""
        return self.first_node + len(self.data)

    @property
    def nbytes(self) -> int:
        """Memory of the columns in bytes."""
        laid_out = [column for _, found in self.grown.values() for column in vars(found).values()]
        return sum(
            len(c) * c.itemsize for c in (*(getattr(self, n) for n in COLUMNS), *laid_out) if isinstance(c, array)
        )

    # -- nodes -----------------------------------------------------------------------------

    def owner(self, node: int) -> Trace:
        """The episode that made this node: this one, or the setup."""
        return self if node >= self.first_node or self.setup is None else self.setup

    def op_name(self, node: int) -> str:
        """The operation that made a node: ``add``, ``mul``, ``exp``, ``const``, ``leaf``, ..."""
        t = self.owner(node)
        return t.ops[t.op[node - t.first_node]]

    def children(self, node: int) -> array[int]:
        """The operands of a node, in the script's order; empty for a leaf."""
        t = self.owner(node)
        i = node - t.first_node
        return t.child[t.child_start[i] : t.child_start[i + 1] if i + 1 < len(t.child_start) else None]

    def locals(self, node: int) -> array[float]:
        """Local gradients d node / d child, beside ``children``; NaN where not (yet) recorded."""
        t = self.owner(node)
        i = node - t.first_node
        return t.local[t.child_start[i] : t.child_start[i + 1] if i + 1 < len(t.child_start) else None]

    def born_at(self, node: int) -> int:
        """The event that made the node, or -1 if it is older than the episode."""
        return self.born[node - self.first_node] if node >= self.first_node else -1

    def site_of(self, node: int) -> Site:
        """Where the source makes this node: the sub-expression where known, else the statement."""
        t = self.owner(node)
        return self.program.site(t.site[node - t.first_node])

    def is_parameter(self, node: int) -> bool:
        """True for a node of the setup that lives on."""
        return node < self.first_node

    # -- events ----------------------------------------------------------------------------

    def node_of(self, event: int) -> int:
        """The node an event is about: made, accumulated into, updated; -1 for sample and print."""
        kind, row = self.kind[event], self.row[event]
        if kind == CREATE:
            return self.first_node + row
        if kind in (ACCUMULATE, ASSIGN, ZERO):
            return self.target[row]
        if kind == UPDATE:
            return self.updated[row]
        return -1

    def scope_of(self, event: int) -> int:
        """The innermost scope around an event, or -1."""
        i = bisect_right(self.span_start, event) - 1
        return self.span_scope[i] if i >= 0 else -1

    def scope_path(self, scope: int) -> list[int]:
        """Scopes from the outermost to this one."""
        path = []
        while scope >= 0:
            path.append(scope)
            scope = self.scope_parent[scope]
        return path[::-1]

    def scope_end(self, scope: int) -> int:
        """The last event inside a scope; for an open one the last event so far."""
        last = self.scope_last[scope]
        return last if last >= 0 else len(self) - 1

    def scope_kind(self, scope: int) -> SiteKind:
        """CALL, ITERATION, STATEMENT, OPERATION or MODULE."""
        return self.program.site(self.scope_site[scope]).kind

    def scope_label(self, scope: int) -> str:
        """How a scope is shown: ``gpt(pos_id=2)``, ``li=0``, ``line 107``."""
        site = self.program.site(self.scope_site[scope])
        value = self.scope_values.get(scope, "")
        if site.kind == SiteKind.ITERATION:
            return value or f"{site.name} iteration"
        if site.kind == SiteKind.STATEMENT:
            return f"line {site.line}"
        return f"{site.name}({value})" if value else site.name

    @property
    def phase_spans(self) -> list[tuple[int, int, int]]:
        """(first event, last event, phase) in order, covering every event."""
        if self._phases.done != len(self):
            self._phases.update(self)
        return self._phases.spans

    def phase_of(self, event: int) -> int:
        """The phase an event belongs to."""
        spans = self.phase_spans
        if not spans:
            return SETUP
        i = bisect_right(spans, event, key=lambda s: s[0]) - 1
        return spans[max(0, i)][2]

    def begins_phase(self, event: int) -> bool:
        """True for the first event of its phase."""
        spans = self.phase_spans
        i = bisect_right(spans, event, key=lambda s: s[0]) - 1
        return i >= 0 and spans[i][0] == event

    # -- what follows from the kinds of the events ---------------------------------------------

    @property
    def row(self) -> array[int]:
        """Per event: the node (from the episode's first), write, update, sample or print that it is about."""
        return rows(self).row

    @property
    def born(self) -> array[int]:
        """Per node the event that made it; -1 for one that is older than the episode."""
        return rows(self).born

    # -- writes of gradients: laid out by the first look ---------------------------------------

    @property
    def target(self) -> array[int]:
        """Per write the node whose grad was written."""
        return writes(self).target

    @property
    def source(self) -> array[int]:
        """Per write the node that propagated, or -1."""
        return writes(self).source

    @property
    def delta(self) -> array[float]:
        """Per write what was added; NaN for an assignment."""
        return writes(self).delta

    @property
    def factor(self) -> array[float]:
        """Per write the local gradient; NaN where it is not known."""
        return writes(self).factor

    @property
    def after(self) -> array[float]:
        """Per write the grad after it."""
        return writes(self).after

    @property
    def write_site(self) -> array[int]:
        """Per write its site."""
        return writes(self).write_site

    @property
    def write_event(self) -> array[int]:
        """Per write its event."""
        return writes(self).write_event

    @property
    def int_after(self) -> array[int]:
        """Rows after which the grad was a Python int."""
        return writes(self).int_after

    # -- users of nodes, writes to nodes -----------------------------------------------------

    def users(self, node: int) -> list[int]:
        """Nodes of this episode that have this one as an operand, in creation order (x*x twice)."""
        if self._users.nodes != len(self.born):
            self._users.update(self)
        return self._users.of(self, node)

    @property
    def write_index(self) -> dict[int, array[int]]:
        """Node -> rows of the writes of its grad, in order."""
        if self._writes.done != len(self.target):
            self._writes.update(self.target)
        return self._writes.rows

    @property
    def update_index(self) -> dict[int, array[int]]:
        """Node -> rows of the updates of its data, in order."""
        if self._updates.done != len(self.updated):
            self._updates.update(self.updated)
        return self._updates.rows

    @property
    def kept_position(self) -> dict[int, int]:
        """Parameter -> its place in ``start_data``."""
        return _kept_places(self.program)

    # -- state at a moment -------------------------------------------------------------------

    def data_at(self, node: int, event: int) -> float:
        """A node's data when events 0..event have happened; NaN if it does not exist yet."""
        rows = self.update_index.get(node)
        if rows:
            k = bisect_right(rows, event, key=self.update_event.__getitem__)
            if k:
                return self.new[rows[k - 1]]
            return self.old[rows[0]]
        if node >= self.first_node:
            i = node - self.first_node
            return self.data[i] if self.born[i] <= event else math.nan
        place = self.kept_position.get(node)
        if place is not None and place < len(self.start_data):
            return self.start_data[place]
        return self.setup.data[node] if self.setup is not None else math.nan

    def start_grad_of(self, node: int) -> float:
        """A node's grad before the first write in this episode."""
        if node < self.first_node:
            place = self.kept_position.get(node)
            if place is not None and place < len(self.start_grad):
                return self.start_grad[place]
        return float(self.outside_grads.get(node, 0.0))

    def grad_at(self, node: int, event: int) -> float:
        """A node's grad when events 0..event have happened, to the last bit."""
        rows = self.write_index.get(node)
        if rows:
            k = bisect_right(rows, event, key=self.write_event.__getitem__)
            if k:
                return self.after[rows[k - 1]]
        return self.start_grad_of(node)

    def writes_of(self, node: int) -> array[int]:
        """Rows of all writes of a node's grad in this episode, in order (past any moment too)."""
        return self.write_index.get(node, array("i"))

    def is_int_data(self, node: int) -> bool:
        """True when the node's data is a Python int (a clipped relu's 0)."""
        t = self.owner(node)
        return node in t._int_data_set

    @cached_property
    def _int_data_set(self) -> frozenset[int]:
        return frozenset(self.int_data)

    @cached_property
    def _int_after_set(self) -> frozenset[int]:
        return frozenset(self.int_after)

    def data_text(self, node: int, event: int) -> str:
        """A node's data in full, as the script's own repr would show it."""
        odd = self.owner(node).odd_data.get(node)
        if odd is not None:
            return odd
        value = self.data_at(node, event)
        if self.is_int_data(node) and node not in self.update_index:
            return repr(int(value))
        return repr(value)

    # -- losses ------------------------------------------------------------------------------

    def seeds(self) -> Iterator[int]:
        """Write rows that started a backward pass (``self.grad = 1`` with no contributor)."""
        yield from self._seed_rows

    def loss_node(self, event: int | None = None) -> int:
        """The node the last backward pass up to the event started from, or -1."""
        found = -1
        for row in self._seed_rows:
            if event is not None and self.write_event[row] > event:
                break
            found = self.target[row]
        return found

    @property
    def _seed_rows(self) -> list[int]:
        if self._seeds.done != len(self):
            self._seeds.update(self)
        return self._seeds.rows

    def loss(self) -> float | None:
        """The episode's loss: the data of what ``backward`` was called on, added up over calls."""
        rows = self._seed_rows
        if not rows:
            return None
        nodes = dict.fromkeys(self.target[r] for r in rows)
        values = [self.data_at(node, len(self)) for node in nodes]
        return values[0] if len(values) == 1 else sum(values)

    def describe(self) -> str:
        """A line for logs and assertions."""
        name = f"{self.episode_kind} {self.number}".strip()
        return f"{name}: {len(self)} events, {len(self.born)} nodes, {len(self.target)} grad writes"


class TraceRows(EventRows):
    """Which rows the events of an episode are about."""

    def update(self, trace: Trace) -> None:
        """Take in what is new."""
        self.lay_out(vars(trace))


@growing
def rows(trace: Trace) -> TraceRows:
    """Rows and makers, by event and by node."""
    return TraceRows()


class Writes(Gradients):
    """The writes of an episode's gradients, laid out."""

    def update(self, trace: Trace) -> None:
        """Take in what is new."""
        self.lay_out(vars(trace))


@growing
def writes(trace: Trace) -> Writes:
    """The writes of gradients: what is recorded of backward passes is the order in which nodes propagate."""
    start = {
        node: int(grad) if is_int else grad
        for node, grad, is_int in zip(trace.program.kept, trace.start_grad, trace.start_grad_int, strict=False)
    }
    return Writes(trace.first_node, start, trace.outside_grads)


@derived
def _kept_places(program: Program) -> dict[int, int]:
    return {node: i for i, node in enumerate(program.kept)}


_LAZY = ("_int_data_set", "_int_after_set")
"""Cached answers that an extension invalidates."""


def program_from(read: ScriptRead) -> Program:
    """The program as the debuggee describes it at its start."""
    return Program(
        files=list(read.files),
        sites=list(read.sites),
        class_name=read.class_name,
        data_name=read.data_name,
        grad_name=read.grad_name,
        train_sites=read.train_sites,
        sample_sites=read.sample_sites,
        ordered_children=read.ordered_children,
    )


def shape_key(shape: Any) -> str:
    """A nesting as text, to compare and to show."""
    return json.dumps(shape, separators=(",", ":"))


__all__ = ["COLUMNS", "BindKind", "Matrix", "Program", "Site", "Trace", "program_from", "shape_key"]
