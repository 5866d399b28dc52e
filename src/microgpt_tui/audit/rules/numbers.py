"""Numbers that are none an autograd engine computes with: complex ones."""

from __future__ import annotations

from collections.abc import Iterator

from microgpt_tui.audit.findings import WARNING, Finding, Tested
from microgpt_tui.audit.subject import NotEvaluated, Subject
from microgpt_tui.trace.names import name


def complex_numbers(subject: Subject) -> Iterator[Finding]:
    """The first complex number: a negative base to a fractional power makes one, without an exception."""
    steps = [s for s in subject.steps if len(s)]
    if not steps:
        raise NotEvaluated("nothing is recorded")
    for step in steps:
        odd = [
            n for n, text in sorted(step.odd_data.items()) if text.rstrip(")").endswith("j") and step.born_at(n) >= 0
        ]
        odd = [n for n in odd if step.born_at(n) >= 0]
        if odd:
            node, event = odd[0], step.born_at(odd[0])
            numbers = ", ".join(f"{step.data_at(c, event):.6g}" for c in step.children(node))
            yield Finding(
                WARNING, "complex number", step.site_of(node).line,
                f"{name(step, node)} is the complex number {step.odd_data[node]}, made by "
                f"{step.op_name(node)}({numbers}): a negative base has no real power with a fraction",
                step=step.number, event=event,
            )  # fmt: skip
            return
    subject.notes.tested.append(Tested("numbers", "real", f"{sum(len(s.op) for s in steps):,} nodes are real numbers"))
