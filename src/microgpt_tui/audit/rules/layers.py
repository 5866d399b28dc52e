"""Layers that let no gradient through, gradients and updates out of proportion."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from microgpt_tui.audit.adjoint import factors
from microgpt_tui.audit.findings import WARNING, Finding, Tested
from microgpt_tui.audit.rules.parameters import defined
from microgpt_tui.audit.source import assignment_of, names_in
from microgpt_tui.audit.subject import NotEvaluated, Subject
from microgpt_tui.recognise.activations import activations
from microgpt_tui.recognise.attention import AttentionRow, attention
from microgpt_tui.trace.trace import Trace

HUGE = 1e3
"""Mean square gradient of a matrix beyond which it explodes."""
TINY = 1e-12
FADED = 1e-6
"""Share of the largest matrix's mean square gradient below which one vanishes."""
ONE_KEY, MOST_FULL, FEWEST_ROWS = 0.99, 0.9, 4
"""A row that gives more than this to one key, the share of such rows that is too much, and how few rows say nothing."""
STILL = 1e-7
"""Share of its size that the most moved matrix should be moved by."""
MOST_MOVED = 0.5
"""Share of a matrix's size that one update may be."""


def dead(subject: Subject) -> Iterator[Finding]:
    """Layers whose activation functions let (almost) nothing through, at every position of every recorded step."""
    step = subject.step
    found = activations(step, len(step))
    constant = list(_constant(step))
    for op, line in constant:
        yield Finding(
            WARNING, "dead units", line, f"every {op} of this step gives the same number whatever it is given, and "
            "passes no gradient on", step=step.number,
        )  # fmt: skip
    if not found and not constant:
        raise NotEvaluated("no activation function with a flat side was recognised")
    for a in found:
        subject.notes.tested.append(
            Tested("activation", a.name, f"{a.units} units, {100 * a.flat:.0f} % of results flat")
        )
        if a.units > 1 and a.dead == a.units:
            word = "zero" if a.rectifies else "saturated"
            yield Finding(WARNING,
                "dead units", a.line, f"all {a.units} units of {a.name} are {word} at every position: "
                          "no gradient passes", step=step.number)  # fmt: skip


def _constant(step: Trace) -> Iterator[tuple[str, int]]:
    """Operations with one operand that pass nothing on, and the line of the first: one number for all operands."""
    made: dict[str, list[int]] = {}
    for node in range(step.first_node, step.end_node):
        if len(step.children(node)) == 1:
            made.setdefault(step.op_name(node), []).append(node)
    for op, nodes in made.items():
        results = {step.data_at(n, len(step)) for n in nodes}
        given = {step.data_at(int(step.children(n)[0]), len(step)) for n in nodes}
        same = len(nodes) >= FEWEST_ROWS and len(results) == 1 and len(given) > 1
        if same and not any(any(factors(step, n)[1]) for n in nodes):
            yield op, step.site_of(nodes[0]).line


def gradients(subject: Subject) -> Iterator[Finding]:
    """The size of the gradients, matrix by matrix: too large, too small, or far smaller than those of another layer."""
    steps = [s for s in subject.steps if s.complete and list(s.seeds())]
    if not steps or not subject.program.matrices:
        raise NotEvaluated("no whole training step with parameters is recorded")
    step = steps[-1]
    end = step.update_event[0] if len(step.update_event) else len(step)
    sizes: dict[str, float] = {}
    for m in subject.program.matrices:
        given = [g for g in (step.grad_at(n, end) for n in m.nodes) if g]
        if given:
            sizes[m.name] = math.sqrt(sum(g * g for g in given) / len(given))
    if not sizes:
        raise NotEvaluated("no parameter has a gradient")
    lines = {m.name: defined(subject, m) for m in subject.program.matrices}
    largest = max(sizes, key=lambda n: sizes[n] if math.isfinite(sizes[n]) else math.inf)
    explode = [n for n, size in sizes.items() if not size <= HUGE]
    vanish = [n for n, size in sizes.items() if size < TINY or size < FADED * sizes[largest]]
    for word, names in (("explode", explode), ("vanish", vanish if not explode else [])):
        if names:
            shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
            yield Finding(
                WARNING, "gradient size", lines[names[0]], f"the gradients of {shown} {word}: {sizes[names[0]]:.3g} "
                f"each on average, those of {largest} {sizes[largest]:.3g}",
                "layer by layer: " + "  ".join(f"{n} {size:.2g}" for n, size in list(sizes.items())[:24]),
                step=step.number,
            )  # fmt: skip
    subject.notes.tested.append(Tested(
        "gradients", "size", f"{len(sizes)} matrices, {min(sizes.values()):.3g} to {sizes[largest]:.3g} on average",
    ))  # fmt: skip


def saturated(subject: Subject) -> Iterator[Finding]:
    """Attention, layer by layer: rows that give nearly everything to one key let no gradient through to the scores."""
    step = subject.step
    layers: dict[int, list[AttentionRow]] = {}
    for row in (row for rows in attention(step).rows.values() for row in rows):
        if len(row.softmax.weights) > 1:
            layers.setdefault(row.layer, []).append(row)
    if not layers:
        raise NotEvaluated("no attention over more than one key was recognised")
    for layer, rows in sorted(layers.items()):
        top = [max(step.data_at(w, len(step)) for w in row.softmax.weights) for row in rows]
        full = sum(x > ONE_KEY for x in top)
        subject.notes.tested.append(
            Tested("attention", f"layer {layer}", f"{len(rows)} rows over several keys, {full} give all to one")
        )
        if len(rows) >= FEWEST_ROWS and full > MOST_FULL * len(rows):
            gap = sorted(_gap(step, row) for row in rows)[len(rows) // 2]
            yield Finding(
                WARNING, "saturated softmax", step.site_of(rows[0].softmax.logits[0]).line,
                f"{full} of {len(rows)} rows of attention in layer {layer} give more than {100 * ONE_KEY:.0f} % to one "
                "key: hardly any gradient passes to queries and keys",
                f"the largest score is {gap:.4g} above the next in the median row", step=step.number,
                event=step.born_at(rows[0].softmax.weights[0]),
            )  # fmt: skip


def _gap(step: Trace, row: AttentionRow) -> float:
    first, second, *_ = sorted((step.data_at(n, len(step)) for n in row.softmax.logits), reverse=True)
    return first - second


def step_size(subject: Subject) -> Iterator[Finding]:
    """How far an update moves a matrix, compared with its size."""
    steps = [s for s in subject.steps if s.complete and len(s.updated)]
    if not steps or not subject.program.matrices:
        raise NotEvaluated("no update of a parameter is recorded")
    largest = (-1.0, "", steps[0], 0)
    for step in steps:
        rows: dict[int, int] = {}
        for r, node in enumerate(step.updated):
            rows.setdefault(node, r)
        for m in subject.program.matrices:
            own = [rows[n] for n in m.nodes if n in rows]
            size = math.sqrt(sum(step.old[r] ** 2 for r in own))
            moved = math.sqrt(sum((step.new[r] - step.old[r]) ** 2 for r in own))
            if size > 1e-6 * len(own) and len(own) > 3 and moved / size > largest[0]:
                largest = (moved / size, m.name, step, own[0])
    share, name, step, row = largest
    share = max(share, 0.0)
    subject.notes.tested.append(
        Tested("update", "step size", f"at most {100 * share:.3g} % of a matrix ({name or 'none'})")
    )
    given = any(step.grad_at(n, step.update_event[row]) for n in step.update_index)
    if name and share < STILL and given:
        yield Finding(
            WARNING, "step size", _rate_line(subject, step, row), f"an update moves no matrix by more than {share:.2g} "
            "of its size: the learning rate is too small", f"{step.old[row]!r} becomes {step.new[row]!r}",
            step=step.number, event=step.update_event[row],
        )  # fmt: skip
    if share > MOST_MOVED:
        yield Finding(
            WARNING, "step size", _rate_line(subject, step, row),
                f"an update moves {name} by {100 * share:.0f} % of its size: "
            "the learning rate is too large", f"{step.old[row]:.4g} becomes {step.new[row]:.4g}", step=step.number,
            event=step.update_event[row],
        )  # fmt: skip


def _rate_line(subject: Subject, step: Trace, row: int) -> int:
    """The setting behind an update: the literal that its names lead back to, a rate before anything else."""
    site = step.program.site(step.update_site[row])
    tree = subject.trees[site.file]
    todo, seen = [n for n in site.names if n.isidentifier()], set[str]()
    literals = []
    while todo:
        name = todo.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                if isinstance(node.value, ast.Constant):
                    literals.append((name, node.lineno))
                else:
                    todo += names_in(node.value)
    rates = [
        line for name, line in literals if "lr" in name.lower() or "rate" in name.lower() or name in ("eta", "alpha")
    ]
    return rates[0] if rates else assignment_of(tree, "lr") or site.line
