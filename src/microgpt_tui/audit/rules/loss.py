"""The loss is the mean of its parts."""

from __future__ import annotations

from collections.abc import Iterator

from microgpt_tui.audit.adjoint import adjoints
from microgpt_tui.audit.findings import WARNING, Finding, Tested
from microgpt_tui.audit.subject import NotEvaluated, Subject
from microgpt_tui.recognise.tokens import tokens


def mean(subject: Subject) -> Iterator[Finding]:
    """How much each prediction's own loss counts in what backward is called on."""
    for step in [s for s in subject.steps if s.complete and s.episode_kind == "step"]:
        parts = [d.loss for d in tokens(step).distributions if d.loss >= 0]
        seeds = list(step.seeds())
        if len(parts) < 2 or len(seeds) != 1:
            continue
        loss = step.target[seeds[0]]
        adjoint = adjoints(step, {loss: 1.0})
        weights = [adjoint.get(part, 0.0) for part in parts]
        whole = sum(weights)
        made = sum(w * step.data_at(p, len(step)) for w, p in zip(weights, parts, strict=True))
        if abs(made - step.data_at(loss, len(step))) > 1e-9 * max(1.0, abs(made)):
            raise NotEvaluated("the loss is made of more than the recognised predictions' own losses")
        if whole and abs(whole - 1) > 1e-6:
            kind = (
                "the sum of its parts, not their mean"
                if abs(whole - len(parts)) < 1e-6
                else "not the mean of its parts"
            )
            yield Finding(
                WARNING, "loss", step.site_of(loss).line, f"the loss is {kind}: {len(parts)} predictions count "
                f"{whole:.6g} together instead of 1",
                f"one counts {weights[0]:.6g}, 1/{len(parts)} = {1 / len(parts):.6g}",
                step=step.number, event=step.born_at(loss),
            )  # fmt: skip
            return
        subject.notes.tested.append(Tested("loss", "mean", f"{len(parts)} predictions count {whole:.6g} together"))
        return
    raise NotEvaluated("no step with one loss over several recognised predictions")
