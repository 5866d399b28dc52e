"""Attention: no position sees a later one, rows are normalised over the keys, scores have the usual size."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from microgpt_tui.audit.adjoint import adjoints
from microgpt_tui.audit.findings import ERROR, WARNING, Finding, Tested
from microgpt_tui.audit.source import enclosing_loop
from microgpt_tui.audit.subject import NotEvaluated, Subject
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.recognise.dots import dot
from microgpt_tui.recognise.operations import Role, graph_of
from microgpt_tui.recognise.softmax import SoftmaxRow, softmaxes
from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.trace.trace import Trace

SEEN = 1e-6
"""Share of what a prediction hangs on that may come from later tokens."""
MASKED = -1e3
USUAL = 0.02
"""How far, relative, the scale of scores may be from 1/√head."""


def causality(subject: Subject) -> Iterator[Finding]:
    """The share of later tokens in each prediction: derivatives of its logits, by the graph."""
    step = subject.step
    found = tokens(step)
    if not found.positions or not found.distributions:
        raise NotEvaluated("no token positions with predictions were recognised")
    checked = 0
    for d in found.distributions:
        later = [p for p in found.positions if p.sequence == d.sequence and p.position > d.position >= 0]
        own = [p for p in found.positions if p.sequence == d.sequence and p.position <= d.position]
        if not own:
            continue
        checked += 1
        if not later or min(p.node for p in later) > max(d.logits):
            continue
        seeds = {node: 1.0 + 0.37 * (i % 5) for i, node in enumerate(d.logits)}
        adjoint = adjoints(step, seeds)
        future = sum(abs(adjoint.get(p.node, 0.0)) for p in later)
        whole = future + sum(abs(adjoint.get(p.node, 0.0)) for p in own)
        if math.isnan(whole):
            raise NotEvaluated("a derivative on the way is not known")
        if whole and future > SEEN * whole:
            yield Finding(
                ERROR, "causality", _leak(subject, step),
                    f"the prediction at position {d.position} depends on later tokens: "
                f"{100 * future / whole:.3g} % of what it hangs on", f"d logits / d token {later[0].position} = "
                f"{adjoint.get(later[0].node, 0.0):.4g}", step=step.number, event=step.born_at(d.logits[0]),
            )  # fmt: skip
            return
    if not checked:
        raise NotEvaluated("no prediction could be matched with its position")
    subject.notes.tested.append(Tested("causality", "predictions", f"{checked} predictions against later tokens"))


def _leak(subject: Subject, step: Trace) -> int:
    """The line where later positions come in: the mask, the softmax over the wrong axis, or the scores."""
    positions = {p.node: 1 << p.position for p in tokens(step).positions}
    masks = _dependence(step, positions)
    for row in softmaxes(step):
        sets = [masks.get(node, 0) for node in row.logits]
        common = next((s for s in sets if s), 0)
        for s in sets:  # a masked score may be a constant
            common &= s or common
        if len(row.logits) < 2 or not row.weights or not common:
            continue
        if _one_value(step, row, masks) and len(set(sets)) > 1:
            return _statement_around(step, step.born_at(row.first))
        query = common.bit_length() - 1
        for place, (node, weight, s) in enumerate(zip(row.logits, row.weights, sets, strict=True)):
            if (s.bit_length() - 1 if s else place) > query and step.data_at(weight, len(step)) > SEEN:
                masked = next((n for n in _scores(step) if step.data_at(n, len(step)) < MASKED), -1)
                if masked < 0:
                    children = step.children(node)
                    return step.site_of(int(children[0]) if not s and len(children) else node).line
                leaf = next((c for c in step.children(masked) if step.data_at(c, len(step)) < MASKED), masked)
                line = step.site_of(leaf).line
                loop = enclosing_loop(subject.trees[0], line)
                return loop.lineno if loop is not None and loop.lineno == line - 1 else line
    return 1


def _scores(step: Trace) -> list[int]:
    return [node for row in softmaxes(step) for node in row.logits]


def _dependence(step: Trace, positions: dict[int, int]) -> dict[int, int]:
    """Node -> bits of the positions that it depends on."""
    found: dict[int, int] = {}
    for node in range(step.first_node, step.end_node):
        bits = positions.get(node, 0)
        for child in step.children(node):
            bits |= found.get(child, 0)
        if bits:
            found[node] = bits
    return found


def _one_value(step: Trace, row: SoftmaxRow, masks: dict[int, int]) -> bool:
    """True when all weights of a row multiply the same value: it runs over the queries."""
    graph = graph_of(step)
    values = set()
    for weight in row.weights:
        for user in graph.users(weight):
            if graph.role(user) is Role.MULTIPLY:
                values.add(next((int(c) for c in graph.children(user) if c != weight), -1))
                break
    return len(values) == 1 and len(row.weights) > 1


def _statement_around(step: Trace, event: int) -> int:
    """The line of the statement that calls the function around an event."""
    path = step.scope_path(step.scope_of(event))
    call = max((i for i, s in enumerate(path) if step.scope_kind(s) is SiteKind.CALL), default=len(path))
    for scope in reversed(path[:call]):
        if step.scope_kind(scope) is SiteKind.STATEMENT:
            return step.program.site(step.scope_site[scope]).line
    return 1


def scale(subject: Subject) -> Iterator[Finding]:
    """Scores are divided by the square root of the head's width."""
    step = subject.step
    graph = graph_of(step)
    seen = 0
    for row in softmaxes(step):
        for node in row.logits[:2]:
            found = dot(graph, node)
            if found is None or len(found.products) < 2 or step.data_at(node, len(step)) < MASKED:
                continue
            plain, scaled = graph.data(found.sum), graph.data(_scaled(step, found.sum, node))
            if not plain or any(c < step.first_node for c in (*found.left, *found.right)):
                continue
            seen += 1
            usual, is_ = len(found.products) ** -0.5, scaled / plain
            if abs(is_ / usual - 1) > USUAL:
                yield Finding(
                    WARNING, "score scale", _constant_line(subject, is_) or step.site_of(node).line,
                    f"scores are {is_:.4g} times q·k; 1/√{len(found.products)} = {usual:.4g} keeps "
                    f"them as large as one "
                    "product", step=step.number, event=step.born_at(node),
                )  # fmt: skip
                return
    if not seen:
        raise NotEvaluated("no attention scores were recognised")


def _scaled(step: Trace, total: int, logit: int) -> int:
    """The product of the plain dot with its scale, before a mask is added."""
    graph = graph_of(step)
    node = total
    while True:
        user = next((u for u in graph.users(node) if u <= logit and graph.role(u) in (Role.MULTIPLY, Role.DIVIDE)
                     and len([c for c in graph.children(u) if not graph.is_constant(c)]) == 1), -1)  # fmt: skip
        if user < 0:
            return node
        node = user


def _constant_line(subject: Subject, value: float) -> int:
    """Where a module-level name gets this number (or one over it), by more than a literal; 0 where none does."""
    for name, known in subject.program.namespace.items():
        if isinstance(known, float) and known and (abs(known - value) < 1e-12 or abs(1 / known - value) < 1e-12):
            for node in ast.walk(subject.trees[0]):
                if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                    return node.lineno
    return 0


def sums(subject: Subject) -> Iterator[Finding]:
    """What exponentials are divided by is their own sum, and little else."""
    step = subject.step
    graph = graph_of(step)
    totals: dict[int, list[int]] = {}
    for node in range(step.first_node, step.end_node):
        if graph.role(node) is not Role.EXP:
            continue
        for user in graph.users(node):
            role, others = graph.role(user), [int(c) for c in graph.children(user) if c != node]
            if role is Role.DIVIDE and others and int(graph.children(user)[0]) == node:
                totals.setdefault(others[0], []).append(node)
            elif role is Role.MULTIPLY and others and graph.role(others[0]) in (Role.POWER, Role.RECIPROCAL):
                totals.setdefault(int(graph.children(others[0])[0]), []).append(node)
    rows = {t: e for t, e in totals.items() if len(e) > 1}
    if not rows:
        raise NotEvaluated("no softmax was recognised")
    for total, exps in rows.items():
        whole = sum(graph.data(e) for e in exps)
        value = graph.data(total)
        if value and math.isfinite(whole) and abs(whole / value - 1) > 1e-4:
            yield Finding(
                WARNING, "softmax", step.site_of(total).line,
                    f"the weights of a softmax sum to {whole / value:.6g}: its "
                f"{len(exps)} exponentials sum to {whole:.6g} and are divided by {value:.6g}", step=step.number,
                event=step.born_at(total),
            )  # fmt: skip
            return
    subject.notes.tested.append(Tested("softmax", "rows", f"{len(rows)} rows sum to 1"))
