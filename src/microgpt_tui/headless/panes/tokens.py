"""``--pane tokens``: which token went in at each position, the distribution that came out, its target or draw."""

from __future__ import annotations

from typing import Any

from microgpt_tui.headless.panes.report import Here, Report, figure
from microgpt_tui.recognise.missing import of_tokens
from microgpt_tui.recognise.predictions import Distribution, Draw, Position
from microgpt_tui.recognise.tokens import probability_values, tokens
from microgpt_tui.recognise.training import texts
from microgpt_tui.recognise.vocabulary import Vocabulary


def document(here: Here) -> dict[str, Any]:
    """``positions``, by sequence and position."""
    found = tokens(here.trace)
    words = found.vocabulary
    positions = [_prediction(here, words, d) for d in found.distributions if here.made(min(d.logits))]
    seen = {(p["sequence"], p["position"]) for p in positions}
    positions += [
        _read(words, p) for p in found.positions
        if (p.sequence, p.position) not in seen and here.made(p.node)
    ]  # fmt: skip
    positions.sort(key=lambda p: (p["sequence"], p["position"]))
    return {
        "vocabulary": {
            "size": found.size, "source": words.source or None,
            "texts": [words.text(i) for i in range(found.size)],
        },
        "sequences": list(texts(here.trace).texts),
        "positions": positions,
        "missing": of_tokens(here.trace),
    }  # fmt: skip


def _read(words: Vocabulary, position: Position) -> dict[str, Any]:
    """A token that went in and that nothing is predicted after."""
    return {
        "sequence": position.sequence, "position": position.position, "token": position.token,
        "text": words.text(position.token), "target": None, "target_text": None, "probability": None, "loss": None,
        "distribution": None, "draw": None,
    }  # fmt: skip


def _prediction(here: Here, words: Vocabulary, d: Distribution) -> dict[str, Any]:
    whole = all(map(here.made, d.probabilities or d.scaled))
    shares = probability_values(here.trace, d) if whole else None
    draw = d.draw if d.draw is not None and d.draw.event <= here.event else None
    outcome = d.target if d.target >= 0 else draw.token if draw is not None else -1
    return {
        "sequence": d.sequence, "position": d.position,
        "token": d.token if d.token >= 0 else None, "text": words.text(d.token),
        "target": d.target if d.target >= 0 else None, "target_text": words.text(d.target),
        "probability": shares[outcome] if shares is not None and 0 <= outcome < len(shares) else None,
        "loss": d.loss_at(here.trace, here.event) if here.made(d.loss) else None,
        "distribution": shares,
        "draw": _draw(words, draw) if draw is not None else None,
    }  # fmt: skip


def _draw(words: Vocabulary, draw: Draw) -> dict[str, Any]:
    known = draw.token >= 0
    return {
        "random": draw.draw if draw.draw == draw.draw else None, "token": draw.token if known else None,
        "text": words.text(draw.token),
    }  # fmt: skip


def lines(document: dict[str, Any]) -> list[str]:
    """A line per position."""
    words = document["vocabulary"]
    found = []
    if words["size"]:
        found.append(f"vocabulary of {words['size']}" + (f", from {words['source']}" if words["source"] else ""))
    found += [f"text {i}: {text}" for i, text in enumerate(document["sequences"], 1)]
    if document["positions"]:
        found += ["", f"{'place':>7}  {'token':<7}{'target':<9}{'p':>8}{'loss':>9}  draw"]
    for p in document["positions"]:
        draw = p["draw"]
        drawn = f"{figure(draw['random'])} -> {_word(draw['token'], draw['text'])}" if draw else ""
        target = _word(p["target"], p["target_text"]) if p["target"] is not None else ""
        found.append(
            f"{p['sequence'] + 1:>3}:{p['position'] + 1:<3}  {_word(p['token'], p['text']):<7}{target:<9}"
            f"{figure(p['probability']):>8}{figure(p['loss']):>9}  {drawn}".rstrip()
        )
    return found


def _word(token: int | None, text: str | None) -> str:
    return "?" if token is None else f"#{token}" if text is None else text if text.strip() == text else repr(text)


REPORT = Report("tokens", document, lines)
