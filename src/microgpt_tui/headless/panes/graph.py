"""``--pane graph``: every node of the episode that is made at the moment, and the older ones that it is made from."""

from __future__ import annotations

from typing import Any

from microgpt_tui.headless.panes.report import Here, Report, figure
from microgpt_tui.recognise.missing import of_graph
from microgpt_tui.trace.names import name

NEIGHBOURS = 16
"""Users and operands that the text names."""


def document(here: Here) -> dict[str, Any]:
    """``nodes``, oldest first."""
    trace = here.trace
    own = [trace.first_node + row for row, born in enumerate(trace.born) if born <= here.event]
    older = {int(c) for node in own for c in trace.children(node) if c < trace.first_node}
    at = trace.node_of(here.event)
    loss = trace.loss_node(here.event)
    return {
        "node": at if at >= 0 else None,
        "loss": loss if loss >= 0 else None,
        "nodes": [_node(here, node) for node in (*sorted(older), *own)],
        "missing": of_graph(trace),
    }


def _node(here: Here, node: int) -> dict[str, Any]:
    trace = here.trace
    parameter = trace.is_parameter(node)
    return {
        "node": node, "name": name(trace, node), "operation": trace.op_name(node),
        "data": trace.data_at(node, here.event), "grad": trace.grad_at(node, here.event),
        "operands": [] if parameter else list(trace.children(node)),
        "locals": [] if parameter else [g if g == g else None for g in trace.locals(node)],
        "line": trace.site_of(node).line, "parameter": parameter,
    }  # fmt: skip


def lines(document: dict[str, Any]) -> list[str]:
    """The node of the moment with what it is made from and what is made of it."""
    nodes = {n["node"]: n for n in document["nodes"]}
    edges = sum(len(n["operands"]) for n in nodes.values())
    kinds: dict[str, int] = {}
    for n in nodes.values():
        kinds[n["operation"]] = kinds.get(n["operation"], 0) + 1
    counts = ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items(), key=lambda k: -k[1]))
    found = [f"{len(nodes):,} nodes, {edges:,} edges: {counts}"]
    at = nodes.get(document["node"])
    if at is None:
        return found
    users = [n for n in nodes.values() if at["node"] in n["operands"]]
    found += ["", _line(at), *(f"  from {_line(nodes[c])}" for c in at["operands"][:NEIGHBOURS] if c in nodes)]
    found += [f"  into {_line(n)}" for n in users[:NEIGHBOURS]]
    for title, count in (("operands", len(at["operands"])), ("users", len(users))):
        if count > NEIGHBOURS:
            found.append(f"  and {count - NEIGHBOURS:,} more {title}")
    return found


def _line(n: dict[str, Any]) -> str:
    return f"{n['name']}  ({n['operation']}, line {n['line']})  data {figure(n['data'])}  grad {figure(n['grad'])}"


REPORT = Report("graph", document, lines)
