"""The model's map: the figure's blocks one below the other, with their numbers at a moment and where the cursor is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from microgpt_tui.graph.draw.rails import NODE, Rail, rails
from microgpt_tui.graph.model.numbers import Numbers, nodes_of, numbers_of
from microgpt_tui.graph.model.parts import Frame, Part, Plan, family, plan_of
from microgpt_tui.graph.model.structure import Structure, structure
from microgpt_tui.graph.model.units import Held, Unit, held
from microgpt_tui.graph.state import Reached, is_over, rows_of_pass
from microgpt_tui.protocol.codes import ZERO
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.names import matrix_place
from microgpt_tui.trace.trace import Trace

FAR = 400
"""Nodes that are looked at for the block that an operation belongs to."""
NO_LOSS = "no loss is computed yet: the map shows what a loss is made from"
NO_OPERANDS = "the operands of this script's values are not recorded: there is nothing to draw a map of"
NO_PARAMETERS = "nothing that the loss was computed from is a parameter"


@dataclass(frozen=True, slots=True)
class Block:
    """One box of the map."""

    place: int
    """Of its unit, the first where it stands for those of several layers."""
    kind: str
    title: str
    details: tuple[str, ...]
    """``÷ 2``, ``over 8``."""
    parameters: tuple[Held, ...]
    inputs: tuple[int, ...]
    """Places of the blocks that lead to it."""
    rail: Rail
    heads: int
    """So many of it side by side."""
    frame: str = ""
    """Where a layer begins: its title."""
    section: str = ""
    """Where attention or an MLP begins: its name."""
    layers: int = 1


@dataclass(slots=True)
class Overview:
    """The map of an episode."""

    trace: Trace
    structure: Structure
    blocks: list[Block]
    _paths: dict[tuple[int, ...], list[int]]
    """Where the source makes results (sites from the outermost scope in) -> the places of their blocks."""
    _changes: dict[int, list[int]] = field(default_factory=dict)
    """Of a finished episode: place -> the events that may change a block's numbers."""
    _known: dict[tuple[int, int], Numbers] = field(default_factory=dict)
    """(place, how many of these have happened) -> the numbers."""

    def family(self, block: Block) -> list[Unit]:
        """The same unit of every layer."""
        return family(self.structure, block.place)

    def numbers(self, event: int) -> dict[int, Numbers]:
        """Each block's numbers at a moment."""
        return {block.place: self._numbers(block, event) for block in self.blocks}

    def _numbers(self, block: Block, event: int) -> Numbers:
        trace, units = self.trace, self.family(block)
        if not trace.complete:
            found = numbers_of(trace, units, event)
            done = found.state is not Reached.FINAL or is_over(trace, event) or self._is_final(units, event)
            return found if done else replace(found, state=Reached.ACCUMULATING)
        if block.place not in self._changes:
            self._changes[block.place] = self._events(units)
        key = block.place, bisect_right(self._changes[block.place], event)
        if key not in self._known:
            self._known[key] = numbers_of(trace, units, event)
        return self._known[key]

    def _events(self, units: list[Unit]) -> list[int]:
        """The events from which on a block's numbers may be others."""
        trace = self.trace
        found = {trace.write_event[row] for node in nodes_of(units) for row in trace.writes_of(node)}
        found.update(trace.born_at(node) for node in units[0].vector)
        found.update(first for first, _, _ in trace.phase_spans)
        found.update(last for _, last, _ in trace.phase_spans)
        if trace.update_event:
            found.update(trace.update_event)
        return sorted(found)

    def _is_final(self, units: list[Unit], event: int) -> bool:
        """True when, in a pass that is still being recorded, every use of a block's nodes has added its part."""
        trace, (start, end) = self.trace, rows_of_pass(self.trace, event)
        for node in nodes_of(units):
            rows = (r for r in trace.writes_of(node) if start <= r < end)
            if sum(trace.kind[trace.write_event[r]] != ZERO for r in rows) < len(trace.users(node)):
                return False
        return True

    def block_of(self, trace: Trace, node: int) -> int:
        """The place of the block that a node of this or another episode belongs to; -1 for none."""
        held_by = matrix_place(trace, node)
        if held_by is not None:
            return next(iter(self._holding(held_by[0].name, [b.place for b in self.blocks])), -1)
        level, seen = [node], {node}
        while level and len(seen) < FAR:
            for one in level:
                places = self._near(_path(trace, one))
                if len(places) > 1:  # one line that makes several: told by the parameters
                    places = self._by_parameter(trace, one, places)
                if len(places) == 1:
                    return places[0]
            level = [u for n in level for u in dict.fromkeys(trace.users(n)) if u not in seen]
            seen.update(level)
        return -1

    def _near(self, path: tuple[int, ...]) -> list[int]:
        """The blocks whose results are made nearest to a place in the source."""
        best, places = 0, list[int]()
        for other, made in self._paths.items():
            common = _common(path, other)
            if common > best:
                best, places = common, list(made)
            elif common == best:
                places += made
        return places if best else []

    def _by_parameter(self, trace: Trace, node: int, places: list[int]) -> list[int]:
        """Those of some blocks that hold the parameter that a node is computed from most directly."""
        level, seen = [node], {node}
        while level and len(seen) < FAR:
            for one in level:
                matrix = matrix_place(trace, one)
                if matrix is not None and (found := self._holding(matrix[0].name, places)):
                    return found
            level = [c for n in level for c in map(int, trace.children(n)) if c not in seen]
            seen.update(level)
        return places

    def _holding(self, name: str, places: list[int]) -> list[int]:
        """Those of some blocks that hold a matrix."""
        return [
            b.place
            for b in self.blocks
            if b.place in places and any(m.name == name for h in b.parameters for m in h.matrices)
        ]

    def made_by(self, block: Block, event: int) -> int:
        """A number of a block's newest result that exists by an event; -1 where none does."""
        trace = self.trace
        if block.kind in ("parameters", "input"):
            return self.structure.units[block.place].vector[0]
        paths = {_path(trace, unit.vector[0]) for unit in self.family(block)}
        sites = {path[-1] for path in paths if path}
        for node in range(trace.first_node + bisect_right(trace.born, event) - 1, trace.first_node - 1, -1):
            scope = trace.scope_of(trace.born_at(node))
            there = scope >= 0 and trace.scope_site[scope] in sites and _path(trace, node) in paths
            if there and self.block_of(trace, node) == block.place:
                return node
        return -1


def _path(trace: Trace, node: int) -> tuple[int, ...]:
    """The sites around a node's birth, from the outermost in."""
    born = trace.born_at(node)
    if born < 0:
        return ()
    return tuple(trace.scope_site[s] for s in trace.scope_path(trace.scope_of(born)))


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def source_of(trace: Trace, traces: Mapping[int, Trace]) -> Trace | None:
    """The episode whose map is shown: the moment's own; without a loss in it, of those with one the newest before it,
    else the newest."""
    others = sorted((i for i in traces if i != trace.index), key=lambda i: (i > trace.index, -i))
    return next((t for t in chain((trace,), map(traces.__getitem__, others)) if not why_none(t)), None)


def why_none(trace: Trace) -> str:
    """Why an episode has no map; empty where it has one."""
    target = trace.loss_node()
    if target < 0:
        return NO_LOSS
    if not len(trace.children(target)):
        return NO_OPERANDS
    return "" if any(u.matrices for u in structure(trace, target).units) else NO_PARAMETERS


@derived
def overview(trace: Trace) -> Overview:
    """The map of an episode for which ``why_none`` has nothing to say."""
    found = structure(trace, trace.loss_node())
    plan = plan_of(found)
    paths: dict[tuple[int, ...], list[int]] = {}
    blocks = _blocks(found, plan)
    for block in blocks:
        for unit in family(found, block.place):
            if unit.kind not in ("parameters", "input"):
                places = paths.setdefault(_path(trace, unit.vector[0]), [])
                places += [block.place] * (block.place not in places)
    return Overview(trace, found, blocks, paths)


def _blocks(found: Structure, plan: Plan) -> list[Block]:
    rows: list[tuple[Part, str, str, int]] = []
    behind = False
    for block in plan.blocks:
        frame, layers = (block.title, block.times) if isinstance(block, Frame) else ("", 1)
        for section in block.sections if isinstance(block, Frame) else [block]:
            label = section.label or ("after the layers" if behind else "")
            for part in section.parts:
                rows.append((part, frame, label, layers))
                frame = label = ""
        behind = behind or isinstance(block, Frame)
    order = {part.place: i for i, (part, *_) in enumerate(rows)}
    inputs: list[list[int]] = [[] for _ in rows]
    for tail, head in plan.edges:
        if tail in order and head in order and order[tail] < order[head]:
            inputs[order[head]].append(order[tail])
    drawn = rails(inputs, [part.title if part.is_join and len(part.title) == 1 else NODE for part, *_ in rows])
    return [
        _block(found, row, [rows[i][0].place for i in sources], rail)
        for row, sources, rail in zip(rows, inputs, drawn, strict=True)
    ]


def _block(found: Structure, row: tuple[Part, str, str, int], inputs: Sequence[int], rail: Rail) -> Block:
    part, frame, label, layers = row
    parameters = tuple(held([m for u in family(found, part.place) for m in u.matrices]))
    return Block(
        part.place, part.unit.kind, part.title, tuple(part.lines), parameters, tuple(inputs), rail,
        part.unit.copies, frame, label, layers,
    )  # fmt: skip
