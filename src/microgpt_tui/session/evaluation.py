"""Evaluating an expression in the script's paused frame."""

from __future__ import annotations

from typing import Any

from microgpt_tui.protocol.messages import Evaluate, Evaluated
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.displays import strip
from microgpt_tui.trace.names import name as name_of


def evaluated(debugger: Debugger, text: str) -> tuple[str, dict[str, Any]]:
    """An expression in the script's paused frame. Raises Unanswered with the fault it has."""
    value = debugger.ask(Evaluate(text), Evaluated).value
    said = _pretty(debugger, value)
    if not debugger.at_frontier:
        said += "\n(of the live script, which is further on than the cursor)"
    return said, {"value": value, "text": said}


def _pretty(debugger: Debugger, value: dict[str, Any], depth: int = 0) -> str:
    if "node" in value:
        trace = debugger.history.newest
        number = value["node"]
        label = name_of(trace, number) if trace is not None and number >= 0 else "not recorded"
        return f"{label}: data {value['data']!r}, grad {value['grad']!r}" + (f" (#{number})" if number >= 0 else "")
    if "list" in value:
        items = value["list"]
        numbers = [_number(v) for v in items]
        more = f", … {value['length']} in all" if value["length"] > len(items) else ""
        if items and all(n is not None for n in numbers):
            return strip([n for n in numbers if n is not None]) + more
        pad = "  " * (depth + 1)
        return f"[{value['length']}]" + "".join(f"\n{pad}{_pretty(debugger, v, depth + 1)}" for v in items) + more
    if "dict" in value:
        pad = "  " * (depth + 1)
        return f"{{{value['length']}}}" + "".join(
            f"\n{pad}{k}: {_pretty(debugger, v, depth + 1)}" for k, v in value["dict"]
        )
    return str(value["text"])


def _number(value: dict[str, Any]) -> float | None:
    found = value.get("data") if "node" in value else value.get("number")
    if isinstance(found, str):
        try:
            return float(found)
        except ValueError:
            return None
    return float(found) if isinstance(found, int | float) else None
