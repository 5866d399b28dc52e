"""A gradient check of a recorded episode: local gradients against finite differences, sums against another pass.

Two independent questions. *Local gradients*: is d result / d operand, as the script computed it,
what nudging the operand says? *Accumulated gradients*: does walking the recorded edges backwards
once more give the gradients that the script ended up with? The first finds a wrong derivative,
the second an ``=`` for a ``+=``, gradients that were never reset, and nodes of an older graph.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, BACKWARD, CONSTANT_OP, LEAF_OP, OUTSIDE_OP
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.formula import known_locals
from microgpt_tui.trace.names import name, parameter_names
from microgpt_tui.trace.trace import Trace

SAMPLES = 48
"""Nodes of each operation that are checked."""
TOLERANCE = 1e-4
"""Relative: finite differences are no better."""
EPSILON = 2.3e-16
EXACT = 1e-9
"""Relative: two passes over the same numbers differ by rounding only."""

Evaluate = Callable[[str, Sequence[Sequence[float]], Sequence[float]], list[float | None]]
"""The script's own operation at some points: (name, operands of each point, plain operands)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not agree."""

    kind: str
    """``local``, ``accumulated``, ``zeroing``, ``outside``."""
    node: int
    event: int
    """Where to look: the operation, or the write."""
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked, and what does not agree."""

    findings: tuple[Finding, ...]
    operations: tuple[tuple[str, int, int], ...]
    """(operation, nodes checked, nodes that disagree)."""
    gradients: int
    """How many nodes' accumulated gradients were compared."""
    backward: bool
    """False when no backward pass is recorded yet: then only local gradients were checked."""

    @property
    def text(self) -> str:
        """The report in lines."""
        lines = [f.text for f in self.findings]
        for op, checked, wrong in self.operations:
            state = f"{wrong} of {checked} disagree" if wrong else f"{checked} agree"
            lines.append(f"  local gradients of {op:<10} {state}")
        if self.backward:
            wrong = sum(f.kind in ("accumulated", "zeroing", "outside") for f in self.findings)
            lines.append(f"  accumulated gradients  {self.gradients:,} compared" + ("" if wrong else ", all agree"))
        else:
            lines.append("  accumulated gradients  no backward pass is recorded yet: go past it and check again")
        if not self.findings:
            lines.insert(0, "every gradient that was checked is right")
        return "\n".join(lines)


def check(trace: Trace, event: int, evaluate: Evaluate | None = None, *, layer: str = "") -> Report:
    """Check the episode up to an event. ``evaluate`` asks the live script; without it, known operations only.

    ``layer`` keeps to operations made in scopes whose label has this text.
    """
    findings: list[Finding] = []
    operations = []
    inside = _inside(trace, layer)
    for op, nodes in sorted(_samples(trace, event, inside).items()):
        wrong = [f for f in (_local(trace, node, op, evaluate) for node in nodes) if f is not None]
        operations.append((op, len(nodes), len(wrong)))
        if wrong:
            findings.append(wrong[0])
    sums, compared, backward = _accumulated(trace, event)
    findings.extend(sums)
    return Report(tuple(findings), tuple(operations), compared, backward)


def _inside(trace: Trace, layer: str) -> Callable[[int], bool]:
    if not layer:
        return lambda node: True
    known: dict[int, bool] = {}

    def test(node: int) -> bool:
        scope = trace.scope_of(trace.born_at(node))
        if scope not in known:
            known[scope] = any(layer in trace.scope_label(s) for s in trace.scope_path(scope))
        return known[scope]

    return test


# -- local gradients -------------------------------------------------------------------------


def _samples(trace: Trace, event: int, inside: Callable[[int], bool]) -> dict[str, list[int]]:
    """Up to SAMPLES nodes of every operation, spread over the episode."""
    by_op: dict[str, list[int]] = {}
    skip = {CONSTANT_OP, LEAF_OP, OUTSIDE_OP}
    for i, (born, op) in enumerate(zip(trace.born, trace.op, strict=True)):
        node = trace.first_node + i
        if 0 <= born <= event and trace.ops[op] not in skip and inside(node):
            by_op.setdefault(trace.ops[op], []).append(node)
    return {
        op: nodes if len(nodes) <= SAMPLES else [nodes[i * len(nodes) // SAMPLES] for i in range(SAMPLES)]
        for op, nodes in by_op.items() if trace.children(nodes[0])
    }  # fmt: skip


def _recorded(trace: Trace, node: int) -> dict[int, float]:
    """Operand -> the derivative that the script used for it, summed over its places; empty if not known."""
    children = trace.children(node)
    factors = trace.locals(node)
    if not any(math.isnan(x) for x in factors):
        found: dict[int, float] = {}
        for child, factor in zip(children, factors, strict=True):
            found[child] = found.get(child, 0.0) + factor
        return found
    rows = _given(trace).get(node)
    if rows is None:
        return {}
    found = {}
    for row in rows:
        factor = trace.factor[row]
        if math.isnan(factor):
            upstream = trace.grad_at(node, trace.write_event[row])
            factor = trace.delta[row] / upstream if upstream else math.nan
        found[trace.target[row]] = found.get(trace.target[row], 0.0) + factor
    return {child: x for child, x in found.items() if not math.isnan(x)}


@derived
def _given(trace: Trace) -> dict[int, list[int]]:
    """Node -> rows of what it propagated."""
    rows: dict[int, list[int]] = {}
    for row, source in enumerate(trace.source):
        if source >= 0:
            rows.setdefault(source, []).append(row)
    return rows


def _local(trace: Trace, node: int, op: str, evaluate: Evaluate | None) -> Finding | None:
    """A finding for a node whose recorded derivatives are not what nudging its operands says."""
    recorded = _recorded(trace, node)
    if not recorded:
        return None
    born = trace.born_at(node)
    children = list(trace.children(node))
    point = [trace.data_at(c, born) for c in children]
    plain = trace.operands.get(node, ())
    if len(set(children)) < len(children) and not trace.program.ordered_children:
        return None
    expected = _differences(trace, node, op, point, plain, evaluate)
    if expected is None:
        return None
    wanted: dict[int, float] = {}
    for child, value in zip(children, expected, strict=True):
        wanted[child] = wanted.get(child, 0.0) + value
    for child, is_ in recorded.items():
        should = wanted.get(child)
        if should is None or math.isnan(should):
            continue
        if abs(is_ - should) > TOLERANCE * max(1.0, abs(is_), abs(should)):
            site = trace.site_of(node)
            return Finding("local", node, born, site.line, (
                f"local gradient of {op}: recorded {is_:.6g}, finite differences say {should:.6g}, at "
                f"{op}({', '.join(f'{x:.6g}' for x in point)}): {name(trace, node)}; {_where(trace, op)}"
            ))  # fmt: skip
    return None


def _where(trace: Trace, op: str) -> str:
    lines = sorted({s.line for s in trace.program.sites if s is not None and s.name.removeprefix("r") == op
                    and s.kind.name == "CREATE"})  # fmt: skip
    return f"see line {lines[0]}" if lines else "see its method"


def _differences(trace: Trace, node: int, op: str, point: list[float], plain: Sequence[float],
                 evaluate: Evaluate | None) -> list[float] | None:  # fmt: skip
    """Derivatives by central differences of the script's own operation; calculus where there is no script to ask."""
    if evaluate is None:
        known = known_locals(op, point, tuple(plain))
        return list(known) if known is not None and len(known) == len(point) else None
    points: list[list[float]] = [point]
    steps = [1e-6 * max(1e-2, abs(x)) for x in point]
    for i, h in enumerate(steps):
        for factor in (1, -1, 0.5, -0.5):
            moved = list(point)
            moved[i] += factor * h
            points.append(moved)
    values = evaluate(op, points, plain)
    here = values[0]
    if here is None or abs(here - trace.data_at(node, trace.born_at(node))) > 1e-9 * max(1.0, abs(here)):
        return None  # not a function of these operands alone
    found = []
    for i, h in enumerate(steps):
        right, left, near_right, near_left = values[1 + 4 * i : 5 + 4 * i]
        if right is None or left is None or near_right is None or near_left is None:
            found.append(math.nan)
            continue
        wide, narrow = (right - left) / (2 * h), (near_right - near_left) / h
        kink = abs((right - here) - (here - left)) > 1e-3 * abs(right - left) and abs(right - left) > 1e-12
        rounding = abs(here) * EPSILON / h  # of a masked -1e9 nothing can be told
        kink = kink or rounding > TOLERANCE / 4
        found.append(math.nan if kink or abs(wide - narrow) > 1e-3 * max(1.0, abs(wide)) else wide)
    return found


# -- accumulated gradients -------------------------------------------------------------------


def reverse_pass(trace: Trace, seed_row: int, end: int) -> dict[int, float]:
    """d loss / d node for every node below a loss, by one pass of our own over the recorded edges."""
    first = trace.first_node
    loss = trace.target[seed_row]
    adjoint: dict[int, float] = {loss: trace.after[seed_row]}
    for node in range(loss, first - 1, -1):
        upstream = adjoint.get(node)
        if upstream is None or trace.op_name(node) == OUTSIDE_OP:
            continue
        factors: Sequence[float] = trace.locals(node)
        children: Sequence[int] = trace.children(node)
        if any(math.isnan(x) for x in factors):
            known = _recorded(trace, node)
            children, factors = array("q", known), array("d", known.values())
        for child, factor in zip(children, factors, strict=True):
            adjoint[child] = adjoint.get(child, 0.0) + factor * upstream
    return adjoint


def _accumulated(trace: Trace, event: int) -> tuple[list[Finding], int, bool]:
    """Findings about gradients after the first backward pass of the episode; how many were compared."""
    spans = [(first, last) for first, last, phase in trace.phase_spans if phase == BACKWARD]
    seeds = [r for r in range(len(trace.target)) if trace.kind[trace.write_event[r]] == ASSIGN and trace.source[r] < 0]
    if not spans or not seeds:
        return [], 0, False
    unfinished = spans[0][1] == len(trace) - 1 and not trace.complete and not _returned(trace, spans[0][0])
    if unfinished or spans[0][0] > event:
        return [], 0, False
    end = spans[0][1]
    if trace.write_event[seeds[0]] < spans[0][0]:
        return [], 0, False
    outside = _outside(trace)
    if outside:
        return outside, 0, True
    adjoint = reverse_pass(trace, seeds[0], end)
    wrong: list[tuple[int, float, float]] = []
    stale: list[int] = []
    for node, should in adjoint.items():
        is_ = trace.grad_at(node, end)
        if abs(is_ - should) <= EXACT * max(1.0, abs(is_), abs(should)):
            continue
        before = trace.start_grad_of(node)
        if before and abs(is_ - before - should) <= EXACT * max(1.0, abs(is_), abs(should), abs(before)):
            stale.append(node)
        else:
            wrong.append((node, is_, should))
    findings = []
    if stale:
        names = parameter_names(trace.program)
        node = stale[0]
        findings.append(Finding(
            "zeroing", node, end, 0,
            f"{len(stale):,} gradients still hold what earlier steps left in them: "
            f"{names.get(node, name(trace, node))} began this step at {trace.start_grad_of(node):.6g} and not at 0; "
            f"nothing sets .{trace.program.grad_name} back to zero between the steps",
        ))  # fmt: skip
    if wrong:
        findings.append(_wrong_sum(trace, wrong, end))
    return findings, len(adjoint), True


def _returned(trace: Trace, event: int) -> bool:
    """True when the call of ``backward`` around an event is over."""
    for scope in trace.scope_path(trace.scope_of(event)):
        if trace.scope_label(scope).startswith("backward"):
            return trace.scope_last[scope] >= 0
    return False


def _wrong_sum(trace: Trace, wrong: list[tuple[int, float, float]], end: int) -> Finding:
    """Why sums are wrong: only the last contribution kept, or otherwise."""
    users = dict.fromkeys((n for n, _, _ in wrong), 0)
    node, is_, should = max(wrong, key=lambda w: w[0])
    rows = [r for r in trace.writes_of(node) if trace.write_event[r] <= end]
    event = trace.write_event[rows[-1]] if rows else end
    line = trace.program.site(trace.write_site[rows[-1]]).line if rows else 0
    overwritten = [r for r in rows if trace.kind[trace.write_event[r]] != ACCUMULATE]
    text = (
        f"{len(users):,} accumulated gradients are wrong, first of all that of {name(trace, node)} (#{node}): recorded "
        f"{is_:.6g}, another pass over the same edges gives {should:.6g}"
    )
    if len(overwritten) > 1:
        text += (
            f"; it is used {len(trace.users(node))} times, and line {line} sets its gradient each time instead of "
            "adding to it (= where += is needed): only the last contribution is left"
        )
    return Finding("accumulated", node, event, line, text)


def _outside(trace: Trace) -> list[Finding]:
    """Nodes of an earlier episode, no parameters, that this graph hangs on."""
    found = [trace.first_node + i for i, op in enumerate(trace.op) if trace.ops[op] == OUTSIDE_OP]
    if not found or trace.episode_kind != "step":
        return []
    user = next((u for n in found for u in trace.users(n)), -1)
    handed = next(_propagated_to(trace, set(found)), -1)
    event = trace.born_at(user) if user >= 0 else trace.write_event[handed] if handed >= 0 else 0
    line = trace.site_of(user).line if user >= 0 else 0
    made = f"line {line} builds on one of them ({name(trace, user)})" if user >= 0 else "a backward pass reaches them"
    return [Finding(
        "outside", found[0], event, line,
        f"the graph of this step hangs on {len(found):,} nodes of earlier steps: {made}. Their graphs are walked "
        f"again and their gradients are sent down once more; use .{trace.program.data_name} for a number that is only "
        "carried along",
    )]  # fmt: skip


def _propagated_to(trace: Trace, nodes: set[int]) -> Iterator[int]:
    return (row for row, target in enumerate(trace.target) if target in nodes)
