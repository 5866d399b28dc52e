"""``--pane variables``: what the code at the moment can see."""

from __future__ import annotations

from typing import Any

from microgpt_tui.headless.panes.report import Here, Report, figure
from microgpt_tui.trace.variables import Variable, in_scope

LONGEST = 8
"""Numbers of a list that the text shows."""


def document(here: Here) -> dict[str, Any]:
    """``variables``, of the innermost call first."""
    found = [_variable(here, v) for v in in_scope(here.trace, here.event)]
    missing = [] if found else ["no variables: the script has assigned none up to here"]
    return {"variables": found, "missing": missing}


def _variable(here: Here, v: Variable) -> dict[str, Any]:
    nodes = v.value if v.has_nodes else None
    return {
        "name": v.name, "kind": v.kind.name.lower(), "shape": list(v.shape),
        "scope": here.trace.scope_label(v.scope) if v.scope >= 0 else "module",
        "value": _data(here, nodes) if v.has_nodes else v.value, "nodes": nodes,
    }  # fmt: skip


def _data(here: Here, nodes: Any) -> Any:
    """Numbers of nested nodes."""
    if isinstance(nodes, list):
        return [_data(here, part) for part in nodes]
    return here.trace.data_at(nodes, here.event) if nodes is not None and nodes >= 0 else None


def lines(document: dict[str, Any]) -> list[str]:
    """A line per variable, under the call that it belongs to."""
    found: list[str] = []
    scope = None
    for v in document["variables"]:
        if v["scope"] != scope:
            scope = v["scope"]
            found.append(f"{scope}:")
        shape = f" [{'×'.join(map(str, v['shape']))}]" if v["shape"] else ""
        found.append(f"  {v['name']}{shape} = {_text(v['value'])}")
    return found


def _text(value: Any) -> str:
    if isinstance(value, list):
        shown = ", ".join(_text(part) for part in value[:LONGEST])
        return f"[{shown}{', …' if len(value) > LONGEST else ''}]"
    return figure(value) if isinstance(value, float) else repr(value) if value is not None else "…"


REPORT = Report("variables", document, lines)
