"""``json``: the picture's numbers for other tools; the schema is in docs/export.md."""

from __future__ import annotations

import json
import math
from typing import Any

from microgpt_tui.graph.drawing import Format, Sketch
from microgpt_tui.graph.picture import Arrow, Box
from microgpt_tui.trace.trace import Trace

SCHEMA = "microgpt-tui/graph/1"
TABLE_SCHEMA = "microgpt-tui/table/1"


def number(value: float) -> float | str | None:
    """JSON has no NaN and no infinities: null for unknown, ``"inf"`` and ``"-inf"``."""
    if math.isfinite(value):
        return value
    return None if value != value else "inf" if value > 0 else "-inf"


def moment(trace: Trace, event: int) -> dict[str, Any]:
    """A moment; events count from 1."""
    return {"episode": trace.episode_kind, "number": trace.number, "event": event + 1}


def write(sketch: Sketch) -> bytes:
    """Boxes, edges and clusters; of a table its rows."""
    picture, trace, event = sketch.picture, sketch.trace, sketch.event
    found: dict[str, Any]
    if picture.rows:
        found = {
            "schema": TABLE_SCHEMA, "title": picture.title, "moment": picture.subtitle, "rows": picture.rows,
        }  # fmt: skip
    else:
        found = {
            "schema": SCHEMA,
            "moment": moment(trace, event),
            "title": picture.title,
            "note": picture.note,
            "nodes": [_box(trace, box) for box in picture.boxes],
            "edges": [_arrow(arrow) for arrow in picture.arrows],
            "clusters": [{"id": k, "label": label, "parent": p} for k, (label, p) in picture.clusters.items()],
        }
    return (json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _box(trace: Trace, box: Box) -> dict[str, Any]:
    found: dict[str, Any] = {"id": box.key, "kind": box.kind, "title": box.title, "count": box.count}
    if box.node >= 0:
        found |= {"node": box.node, "op": box.op, "children": list(trace.children(box.node))}
    elif box.scope >= 0:
        found |= {"scope": box.scope, "iterations": box.iterations}
    found |= {"data": number(box.data), "grad": number(box.grad), "state": box.state.value}
    found |= {key: text for key, text in (("result", box.result), ("parameters", box.uses)) if text}
    if box.cluster >= 0:
        found["cluster"] = box.cluster
    return found


def _arrow(arrow: Arrow) -> dict[str, Any]:
    return {
        "from": arrow.tail, "to": arrow.head, "count": arrow.count, "local": number(arrow.local),
        "contribution": number(arrow.contribution), "share": number(arrow.share),
    }  # fmt: skip


FORMATS = (Format("json", "the numbers, in full precision", write_sketch=write),)
