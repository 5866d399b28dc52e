"""``--pane map``: the model's blocks in the order of the computation, with their numbers and gradients' norms."""

from __future__ import annotations

from typing import Any

from microgpt_tui.graph.model.numbers import Numbers
from microgpt_tui.graph.model.overview import Block, Overview, overview, source_of, why_none
from microgpt_tui.graph.numbers import plain
from microgpt_tui.graph.state import Reached, node_at
from microgpt_tui.headless.panes.report import Here, Report


def document(here: Here) -> dict[str, Any]:
    """``blocks`` in the order of the computation."""
    trace = source_of(here.trace, here.debugger.history.traces)
    if trace is None:
        return {"episode": None, "here": None, "blocks": [], "missing": [why_none(here.trace)]}
    found = overview(trace)
    numbers = found.numbers(here.event if trace is here.trace else len(trace) - 1)
    node = node_at(here.trace, here.event)
    place = found.block_of(here.trace, node) if node >= 0 else -1
    return {
        "episode": {"kind": trace.episode_kind, "number": trace.number},
        "here": place if place >= 0 else None,
        "blocks": [_block(found, block, numbers[block.place]) for block in found.blocks],
        "missing": [f"no block of the model uses {m.name}" for m in found.structure.missing],
    }


def _block(found: Overview, block: Block, now: Numbers) -> dict[str, Any]:
    known = now.low == now.low
    return {
        "block": block.place, "kind": block.kind, "title": block.title, "details": list(block.details),
        "parameters": [{"name": h.name, "shape": list(h.shape), "count": h.count} for h in block.parameters],
        "inputs": list(block.inputs), "heads": block.heads, "layers": len(found.family(block)),
        "begins": [words for words in (block.frame, block.section) if words],
        "result": {"numbers": now.size, "low": now.low, "high": now.high} if known else None,
        "gradient": now.grad if now.grad == now.grad else None,
        "state": now.state.value if now.state is not Reached.NONE else None,
        "rail": block.rail.row,
    }  # fmt: skip


def lines(document: dict[str, Any]) -> list[str]:
    """A row for each block, with rails between them."""
    blocks = document["blocks"]
    rail = max((len(b["rail"]) for b in blocks), default=0)
    found = []
    if document["episode"] and blocks:
        number = document["episode"]["number"]
        found.append(f"the model · {document['episode']['kind']} {number or ''}".rstrip())
    for b in blocks:
        found += [f"  {' ' * rail}  {words}" for words in b["begins"]]
        names = [f"{p['name']} {'×'.join('…' if n < 0 else str(n) for n in p['shape'])}" for p in b["parameters"]]
        heads = [f"×{b['heads']} heads"] if b["heads"] > 1 else []
        about = [b["title"], *heads, *names, *b["details"]]
        if b["gradient"] is not None:
            about.append(f"norm of grad {plain(b['gradient'])} ({b['state']})")
        mark = "▶" if b["block"] == document["here"] else " "
        found.append(f"{mark} {b['rail']:{rail}}  {' · '.join(about)}")
    return found


REPORT = Report("map", document, lines)
