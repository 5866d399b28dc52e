"""JSON for other tools; the schema is in docs/export.md. Numbers are in full precision, missing ones are null."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from microgpt_tui.graph.folding import nodes_at
from microgpt_tui.graph.picture import Arrow, Box, Picture
from microgpt_tui.graph.state import grads_at
from microgpt_tui.trace.trace import Trace

SCHEMA = "microgpt-tui/graph/1"


def _number(value: float) -> float | str | None:
    """JSON has no NaN and no infinities: null for unknown, ``"inf"`` and ``"-inf"``."""
    if value != value:
        return None
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"


def _moment(trace: Trace, event: int) -> dict[str, Any]:
    return {"episode": trace.episode_kind, "number": trace.number, "event": event + 1}


def picture_json(trace: Trace, event: int, picture: Picture) -> str:
    """A drawn picture: its boxes, edges and clusters."""
    found = {
        "schema": SCHEMA,
        "moment": _moment(trace, event),
        "title": picture.title,
        "note": picture.note,
        "nodes": [_box(trace, box, event) for box in picture.boxes],
        "edges": [_arrow(arrow) for arrow in picture.arrows],
        "clusters": [{"id": k, "label": label, "parent": p} for k, (label, p) in picture.clusters.items()],
    }
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _box(trace: Trace, box: Box, event: int) -> dict[str, Any]:
    found: dict[str, Any] = {"id": box.key, "kind": box.kind, "title": box.title, "count": box.count}
    if box.node >= 0:
        found |= {"node": box.node, "op": box.op, "children": list(trace.children(box.node))}
    elif box.scope >= 0:
        found |= {"scope": box.scope, "iterations": box.iterations}
    found |= {"data": _number(box.data), "grad": _number(box.grad), "state": box.state.value}
    if box.cluster >= 0:
        found["cluster"] = box.cluster
    return found


def _arrow(arrow: Arrow) -> dict[str, Any]:
    return {
        "from": arrow.tail, "to": arrow.head, "count": arrow.count, "local": _number(arrow.local),
        "contribution": _number(arrow.contribution), "share": _number(arrow.share),
    }  # fmt: skip


def scalar_json(trace: Trace, event: int) -> Iterator[str]:
    """The whole unfolded graph as columns, a piece at a time."""
    count = nodes_at(trace, event)
    first = trace.first_node
    starts = trace.child_start
    end = starts[count] if count < len(starts) else len(trace.child)
    grads = grads_at(trace, event)
    older = sorted({c for c in trace.child[:end] if c < first})
    nodes = [*older, *range(first, first + count)]
    ops = [trace.op_name(n) for n in older] + [trace.ops[o] for o in trace.op[:count]]
    data = [trace.data_at(n, event) for n in older] + list(trace.data[:count])
    bounds = [*starts[:count], end]
    users = [first + i for i in range(count) for _ in range(bounds[i + 1] - bounds[i])]
    columns: dict[str, list[Any]] = {
        "node": nodes, "op": ops, "data": _numbers(data), "grad": _numbers([grads.get(n, 0.0) for n in nodes]),
        "from": list(trace.child[:end]), "to": users, "local": _numbers(list(trace.local[:end])),
    }  # fmt: skip
    yield f'{{"schema": "{SCHEMA}/columns", "moment": {json.dumps(_moment(trace, event))}'
    for column, values in columns.items():
        yield f',\n"{column}": '
        yield json.dumps(values, allow_nan=False)
    yield "}\n"


def _numbers(values: list[float]) -> list[float | str | None]:
    return [v if math.isfinite(v) else _number(v) for v in values]
