"""Layers that let no gradient through, gradients and updates out of proportion."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from microgpt_tui.audit.findings import WARNING, Finding, Tested
from microgpt_tui.audit.source import assignment_of, names_in
from microgpt_tui.audit.subject import NotEvaluated, Subject
from microgpt_tui.recognise.activations import activations
from microgpt_tui.trace.trace import Trace

HUGE = 1e3
"""Mean square gradient of a matrix beyond which it explodes."""
TINY = 1e-12
MOST_MOVED = 0.5
"""Share of a matrix's size that one update may be."""


def dead(subject: Subject) -> Iterator[Finding]:
    """Layers whose activation functions let (almost) nothing through, at every position of every recorded step."""
    step = subject.step
    found = activations(step, len(step))
    if not found:
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


def gradients(subject: Subject) -> Iterator[Finding]:
    """The size of the gradients, matrix by matrix."""
    steps = [s for s in subject.steps if s.complete and list(s.seeds())]
    if not steps or not subject.program.matrices:
        raise NotEvaluated("no whole training step with parameters is recorded")
    step = steps[-1]
    end = step.update_event[0] if len(step.update_event) else len(step)
    for m in subject.program.matrices:
        squares = [step.grad_at(n, end) ** 2 for n in m.nodes]
        size = math.sqrt(sum(squares) / len(squares)) if squares else 0.0
        if not math.isfinite(size) or size > HUGE or 0 < size < TINY:
            word = "vanish" if size < TINY else "explode"
            yield Finding(WARNING, "gradient size", 1, f"the gradients of {m.name} {word}: {size:.3g} each on average",
                          step=step.number)  # fmt: skip
            return


def step_size(subject: Subject) -> Iterator[Finding]:
    """How far an update moves a matrix, compared with its size."""
    steps = [s for s in subject.steps if s.complete and len(s.updated)]
    if not steps or not subject.program.matrices:
        raise NotEvaluated("no update of a parameter is recorded")
    largest = (0.0, "", steps[0], 0)
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
    subject.notes.tested.append(
        Tested("update", "step size", f"at most {100 * share:.3g} % of a matrix ({name or 'none'})")
    )
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
