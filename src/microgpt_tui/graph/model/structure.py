"""The whole model as units: walked from the loss back to the parameters, vector by vector, at one position.

It takes time in proportion to the depth of the model and the length of its vectors, not to the graph.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from microgpt_tui.graph.model.matching import Matcher
from microgpt_tui.graph.model.repeats import Repeat, folded_repeats
from microgpt_tui.graph.model.units import Unit, Vector, pattern
from microgpt_tui.recognise.attention import attention
from microgpt_tui.recognise.dots import sum_end
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.trace import Matrix, Trace

MOST_UNITS = 4000


@dataclass(slots=True)
class Structure:
    """The model of an episode."""

    units: list[Unit]
    """In the order of the computation."""
    repeats: list[Repeat] = field(default_factory=list)
    """Layers: runs of units that are drawn once."""
    missing: list[Matrix] = field(default_factory=list)
    """Matrices that nothing of the episode has used."""
    loss: int = -1
    """Place of the unit that made the loss."""
    heads: int = 0
    positions: int = 0


@derived
def structure(trace: Trace, target: int) -> Structure:
    """The model behind a node (the loss)."""
    units = _walk(trace, target)
    found = Structure(units, loss=len(units) - 1)
    heads = attention(trace).heads
    found.heads = heads[0] if heads else 0
    rows = attention(trace).rows
    found.positions = max((len(r) for r in rows.values()), default=0)
    _mark_heads(units)
    _mark_residuals(units)
    found.repeats = folded_repeats(units)
    drawn = {pattern(m.name) for unit in units for m in unit.matrices}
    nodes = {n for unit in units for m in unit.matrices for n in m.nodes[:1]}
    parameters = [m for m in trace.program.matrices if not len(trace.children(m.nodes[0]))]
    found.missing = [m for m in parameters if pattern(m.name) not in drawn and m.nodes[0] not in nodes]
    return found


def _walk(trace: Trace, target: int) -> list[Unit]:
    matcher = Matcher(trace)
    found: dict[object, Unit] = {}
    made_by: dict[Vector, Unit] = {}

    def follow(start: Vector) -> None:
        stack = [start]
        while stack and len(found) < MOST_UNITS:
            vector = stack.pop()
            if vector in made_by:
                continue
            unit = matcher.unit(vector)
            first = vector[0] if unit.kind in ("input", "parameters") else -1
            key = (
                unit.kind, unit.title, tuple(m.name for m in unit.matrices), tuple(o[0] for o in unit.operands),
                first if not unit.matrices else unit.mark,
            )  # fmt: skip
            known = found.setdefault(key, unit)
            if len(vector) > len(known.vector):
                known.vector = vector
            known.copies = max(known.copies, unit.copies)
            made_by[vector] = known
            stack += [o for o in unit.operands if o not in made_by]

    follow((target,))
    made = {n: u for v, u in made_by.items() for n in v}
    for matrix, product in _uncovered(trace, [m for u in found.values() for m in u.matrices]):
        end = sum_end(matcher.graph, product)
        if (end,) in made_by or any(matrix in u.matrices for u in found.values()):
            continue
        follow((end,))
        user = _user_in(matcher, end, made)
        if user is not None and user is not made_by[(end,)]:
            user.operands.append((end,))
    units = _in_order(found, made_by)
    place = {id(u): i for i, u in enumerate(units)}
    for unit in units:
        sources = dict.fromkeys(place[id(made_by[o])] for o in unit.operands if o in made_by)
        unit.inputs = [s for s in sources if units[s] is not unit]
    return _merged(units)


def _merged(units: list[Unit]) -> list[Unit]:
    """The same computation on the same inputs once: other positions, other sequences of a batch."""
    known: dict[object, int] = {}
    kept: list[Unit] = []
    place: list[int] = []
    for unit in units:
        inputs = tuple(dict.fromkeys(place[i] for i in unit.inputs))
        mark = -1 if unit.kind == "input" else unit.mark
        key = unit.kind, unit.title, tuple(m.name for m in unit.matrices), mark, inputs
        if key not in known:
            known[key] = len(kept)
            kept.append(unit)
        place.append(known[key])
        unit.inputs = list(inputs)
    return kept


def _in_order(found: dict[object, Unit], made_by: dict[Vector, Unit]) -> list[Unit]:
    """Units after those that they need; as the script made them; parameters right before their first use."""
    units = list(found.values())
    state: dict[int, int] = {}
    order: list[Unit] = []
    sources = ("parameters", "input")
    for start in sorted(units, key=lambda u: (u.kind in sources, u.vector[-1])):
        stack = [(start, False)]
        while stack:
            unit, done = stack.pop()
            if done:
                order.append(unit)
                state[id(unit)] = 2
            elif id(unit) not in state:
                state[id(unit)] = 1
                stack.append((unit, True))
                needs = [made_by[o] for o in unit.operands if o in made_by]
                kept = []
                for need, operand in zip(needs, [o for o in unit.operands if o in made_by], strict=True):
                    if state.get(id(need)) == 1 and need is not unit:
                        unit.operands.remove(operand)  # what feeds itself is drawn once, without the way back
                    else:
                        kept.append(need)
                stack += [(n, False) for n in sorted(kept, key=lambda u: -u.vector[-1]) if id(n) not in state]
    return order


def _uncovered(trace: Trace, covered: list[Matrix]) -> list[tuple[Matrix, int]]:
    """Matrices that the episode uses and no unit holds, with the first node that uses one of their parameters."""
    known = {pattern(m.name) for m in covered}
    nodes = {n for m in covered for n in m.nodes[:1]}
    left = [m for m in trace.program.matrices if pattern(m.name) not in known and m.nodes[0] not in nodes]
    if not left:
        return []
    used = set(trace.child)
    found = []
    for matrix in left:
        node = next((n for n in matrix.nodes if n in used), -1)
        if node >= 0:
            row = bisect_right(trace.child_start, trace.child.index(node)) - 1
            found.append((matrix, trace.first_node + row))
    return found


def _user_in(matcher: Matcher, node: int, made: dict[int, Unit]) -> Unit | None:
    """The nearest unit above a node."""
    level, seen = [node], {node}
    for _ in range(400):
        level = [u for n in level for u in matcher.graph.users(n) if u not in seen][:64]
        seen.update(level)
        for user in level:
            if user in made:
                return made[user]
        if not level:
            return None
    return None


def _mark_heads(units: list[Unit]) -> None:
    """What leads only to a blend over several heads is there as often as the blend."""
    for unit in reversed(units):
        if unit.kind == "blend" and unit.copies > 1 and unit.inputs:
            place = unit.inputs[0]
            while True:
                units[place].copies = unit.copies
                if units[place].kind == "scores" or not units[place].inputs or units[place].matrices:
                    break
                place = units[place].inputs[0]


def _mark_residuals(units: list[Unit]) -> None:
    """Additions one of whose operands was also what the other was computed from."""
    above: list[set[int]] = []
    for unit in units:
        above.append(set(unit.inputs).union(*(above[i] for i in unit.inputs)))
    for unit in units:
        if unit.kind == "add" and len(unit.inputs) == 2 and len(unit.vector) > 1:
            a, b = unit.inputs
            if a in above[b]:
                unit.skips = a
            elif b in above[a]:
                unit.skips = b
