"""``--pane weights``: every matrix at the moment: data, gradient, the optimizer's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from microgpt_tui.headless.panes.report import Here, Report, figure
from microgpt_tui.recognise.missing import of_weights
from microgpt_tui.recognise.weights import meaning, parameters, places, statistics


def document(here: Here) -> dict[str, Any]:
    """``matrices``, nested as their shapes say."""
    trace, own = here.trace, parameters(here.trace)
    data, grad = list(own.data.at(here.event)), list(own.grad.at(here.event))
    moments = {name: list(buffer.at(here.event)) for name, buffer in own.buffers.items()}
    matrices = []
    for number, matrix in enumerate(trace.program.matrices):
        where = places(trace, matrix)
        about = meaning(trace, number)
        matrices.append({
            "name": matrix.name, "shape": list(matrix.shape), "role": about.role or None,
            "rows": about.row or None, "columns": about.column or None,
            "data": _nested([data[i] for i in where], matrix.shape),
            "grad": _nested([grad[i] for i in where], matrix.shape),
            "moments": {name: _nested([v[i] for i in where], matrix.shape) for name, v in moments.items()},
        })  # fmt: skip
    return {"matrices": matrices, "moments": list(moments), "missing": of_weights(trace)}


def _nested(flat: list[float], shape: Sequence[int]) -> Any:
    """Numbers in the nesting of a shape; flat where its rows differ in length."""
    if not shape:
        return flat[0] if flat else None
    if any(n < 0 for n in shape):
        return flat
    found: list[Any] = flat
    for length in reversed(shape[1:]):
        found = [found[i : i + length] for i in range(0, len(found), length)] if length else []
    return found


def _flat(value: Any) -> list[float]:
    return [x for part in value for x in _flat(part)] if isinstance(value, list) else [value]


def lines(document: dict[str, Any]) -> list[str]:
    """A line per matrix, and one per column of numbers."""
    found = []
    for matrix in document["matrices"]:
        shape = "×".join(map(str, matrix["shape"])) or "a single value"
        role = f" · {matrix['role']}" if matrix["role"] else ""
        found += ["", f"{matrix['name']}  {shape}{role}"]
        for name, values in (("data", matrix["data"]), ("grad", matrix["grad"]), *matrix["moments"].items()):
            own = statistics([float(v) for v in _flat(values)])
            found.append(
                f"  {name:<12} min {figure(own.low):>9}  max {figure(own.high):>9}  mean {figure(own.mean):>9}"
                f"  norm {figure(own.norm):>9}"
            )
    return found[1:]


REPORT = Report("weights", document, lines)
