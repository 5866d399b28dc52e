"""``--pane attention``: every row of every head of every layer that is made at the moment."""

from __future__ import annotations

from typing import Any

from microgpt_tui.headless.panes.report import Here, Report, figure
from microgpt_tui.recognise.attention import AttentionRow, attention, entropy_of
from microgpt_tui.recognise.missing import of_attention
from microgpt_tui.recognise.tokens import key_tokens, tokens


def document(here: Here) -> dict[str, Any]:
    """``layers`` -> ``heads`` -> ``rows``."""
    found = attention(here.trace)
    short = tokens(here.trace).vocabulary.short
    sequences = []
    for number in sorted(found.births):
        ids = key_tokens(here.trace, number)
        sequences.append({"sequence": number, "positions": len(ids), "text": "".join(map(short, ids))})
    layers = []
    for layer, count in enumerate(found.heads):
        heads = []
        for head in range(count):
            own = [
                row for place, rows in sorted(found.rows.items()) if place[1:] == (layer, head) for row in rows
            ]  # fmt: skip
            made = [row for row in own if all(map(here.made, row.weights))]
            heads.append({"head": head, "rows": [_row(here, row) for row in made], "to_come": len(own) - len(made)})
        layers.append({"layer": layer, "heads": heads})
    return {"layers": layers, "sequences": sequences, "missing": of_attention(here.trace)}


def _row(here: Here, row: AttentionRow) -> dict[str, Any]:
    return {
        "sequence": row.sequence, "query": row.query, "first_key": row.keys.start, "weights": here.data(row.weights),
        "entropy": entropy_of(here.data(row.weights)),
    }  # fmt: skip


def lines(document: dict[str, Any]) -> list[str]:
    """A line per query position."""
    found = [f"text {s['sequence'] + 1}: {s['text']}" for s in document["sequences"]]
    several = len(document["sequences"]) > 1
    for layer in document["layers"]:
        for head in layer["heads"]:
            to_come = f", {head['to_come']} rows to come" if head["to_come"] else ""
            found += ["", f"layer {layer['layer']} head {head['head']}{to_come}"]
            for row in head["rows"]:
                place = f"{row['sequence'] + 1}:{row['query'] + 1}" if several else str(row["query"] + 1)
                found.append(f"{place:>5}  {'         ' * row['first_key']}{' '.join(map(_cell, row['weights']))}")
    return found


def _cell(weight: float) -> str:
    return f"{figure(weight):>8}"


REPORT = Report("attention", document, lines)
