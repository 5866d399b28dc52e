"""``--pane residual``: the residual stream of every position whose distribution is made at the moment."""

from __future__ import annotations

from typing import Any

from microgpt_tui.headless.panes.report import Here, Report, figure
from microgpt_tui.recognise.missing import of_residual
from microgpt_tui.recognise.predictions import Distribution
from microgpt_tui.recognise.residual import readings
from microgpt_tui.recognise.tokens import tokens

TOP = 5
"""Tokens of the logit lens that the text has."""


def document(here: Here) -> dict[str, Any]:
    """``positions`` -> ``stages``."""
    made = [d for d in tokens(here.trace).distributions if here.made(d.last)]
    positions = [own for d in made if (own := _position(here, d)) is not None]
    return {"positions": positions, "missing": of_residual(here.trace, here.event)}


def _position(here: Here, d: Distribution) -> dict[str, Any] | None:
    stages = readings(here.trace, d)
    if not stages:
        return None
    short = tokens(here.trace).vocabulary.short
    goal = d.target if d.target >= 0 else d.draw.token if d.draw is not None else -1
    return {
        "sequence": d.sequence, "position": d.position,
        "token": d.token if d.token >= 0 else None, "text": short(d.token) if d.token >= 0 else None,
        "goal": goal if goal >= 0 else None, "goal_text": short(goal) if goal >= 0 else None,
        "stages": [
            {
                "label": r.stage.label, "nodes": list(r.stage.nodes), "norm": r.stage.norm,
                "added": _known(r.stage.added), "cosine": _known(r.stage.cosine), "lens": list(r.shares),
                "top": [short(t) for t in sorted(range(len(r.shares)), key=lambda t: -r.shares[t])[:TOP]],
            }
            for r in stages
        ],
    }  # fmt: skip


def _known(value: float) -> float | None:
    return value if value == value else None


def lines(document: dict[str, Any]) -> list[str]:
    """A line for each block of each position."""
    found = []
    for own in document["positions"]:
        goal = f" · then “{own['goal_text']}”" if own["goal"] is not None else ""
        found += ["", f"position {own['position'] + 1} “{own['text']}”{goal}"]
        label = max(len(s["label"]) for s in own["stages"])
        for s in own["stages"]:
            shares = sorted(s["lens"], reverse=True)
            top = "  ".join(f"{t} {p:.3f}" for t, p in zip(s["top"], shares, strict=False))
            if own["goal"] is not None:
                top += f"  (“{own['goal_text']}” {s['lens'][own['goal']]:.3f})"
            found.append(
                f"  {s['label']:<{label}}  norm {figure(s['norm']):>8}  added {figure(s['added']):>8}"
                f"  cos {figure(s['cosine']):>7}  lens {top}"
            )
    return found


REPORT = Report("residual", document, lines)
