"""``--pane training``: the losses so far, gradients and changes per matrix, the residual stream, the texts."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from microgpt_tui.headless.panes.report import Here, Report, figure
from microgpt_tui.recognise.activations import activations
from microgpt_tui.recognise.missing import of_training
from microgpt_tui.recognise.residual import stream
from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.recognise.training import norm, running_mean, texts
from microgpt_tui.session.history import Summary


def document(here: Here) -> dict[str, Any]:
    """``steps`` up to the moment's episode, and what is recorded of the texts."""
    history, trace = here.debugger.history, here.trace
    steps = [s for s in history.steps if s.index <= trace.index]
    means = running_mean([s.loss if s.loss is not None else math.nan for s in steps])
    written: dict[str, list[dict[str, Any]]] = {"step": [], "sample": []}
    for index in history.recorded:
        own = history.traces[index]
        if own.episode_kind in written:
            written[own.episode_kind].append({"number": own.number, "texts": list(texts(own).texts)})
    return {
        "total_steps": history.program.total_steps,
        "steps": [_step(s, mean) for s, mean in zip(steps, means, strict=True)],
        "norms": _norms(here, steps),
        "stream": _stream(here),
        "activations": [asdict(a) for a in activations(trace, here.event)],
        "documents": written["step"],
        "samples": written["sample"],
        "missing": of_training(trace),
    }


def _step(s: Summary, mean: float) -> dict[str, Any]:
    return {
        "number": s.number, "loss": s.loss, "mean": mean if mean == mean else None, "losses": list(s.losses),
        "seconds": s.seconds,
    }  # fmt: skip


def _norms(here: Here, steps: list[Summary]) -> list[dict[str, Any]]:
    """Per matrix: weight, gradient and change of the newest finished step."""
    if not steps:
        return []
    own, before = steps[-1], steps[-2].data if len(steps) > 1 else here.trace.start_data
    change = None
    if own.data is not None and before is not None and len(before) == len(own.data):
        change = own.data[:]
        for i, old in enumerate(before):
            change[i] -= old
    columns = {"weight": own.data, "gradient": own.grad, "change": change}
    return [
        {"name": m.name, **{k: v if (v := norm(here.trace, m, c)) == v else None for k, c in columns.items()}}
        for m in here.trace.program.matrices
    ]


def _stream(here: Here) -> dict[str, Any] | None:
    """The residual stream at the newest position whose distribution is made."""
    made = [d for d in tokens(here.trace).distributions if here.made(d.last)]
    below = stream(here.trace, made[-1]) if made else None
    if below is None:
        return None
    stages = [
        {"label": s.label, "norm": s.norm, "added": _known(s.added), "cosine": _known(s.cosine)} for s in below.stages
    ]
    return {"sequence": made[-1].sequence, "position": made[-1].position, "stages": stages}


def _known(value: float) -> float | None:
    return value if value == value else None


def lines(document: dict[str, Any]) -> list[str]:
    """A line per step; the newest first where there are many."""
    total = document["total_steps"]
    found = [f"{len(document['steps'])}{f' of {total}' if total else ''} training steps finished"]
    for s in document["steps"][-12:]:
        found.append(f"  step {s['number']:<6} loss {figure(s['loss']):>9}  mean {figure(s['mean']):>9}")
    if document["stream"]:
        found += ["", f"residual stream at position {document['stream']['position'] + 1}"]
        for s in document["stream"]["stages"]:
            found.append(
                f"  {s['label']:<20} norm {figure(s['norm']):>9}  added {figure(s['added']):>9}"
                f"  cos {figure(s['cosine'])}"
            )
    for a in document["activations"]:
        found.append(f"  {a['name']}  flat {a['flat']:.0%}  dead {a['dead']}/{a['units']}")
    if document["norms"]:
        found += ["", f"{'norms':<24} {'weight':>9} {'gradient':>9} {'change':>9}"]
        for n in document["norms"]:
            numbers = " ".join(f"{figure(n[k]):>9}" for k in ("weight", "gradient", "change"))
            found.append(f"  {n['name']:<22} {numbers}")
    for title in ("documents", "samples"):
        for own in document[title]:
            found.append(f"{title[:-1]} {own['number']}: {' '.join(own['texts'])}")
    return found


REPORT = Report("training", document, lines)
