"""``show --at MOMENT``: one moment as text or JSON: where the script is, the value, its formula, its ledger.

The JSON document::

    {"script": path, "moment": "3:1200", "episode": {"kind": "step", "number": 3, "events": in all, "loss": ..},
     "event": {"number": from 1, "kind": "create" | "accumulate" | .., "phase": "forward" | ..},
     "where": {"path": [scopes from the outermost], "file": .., "line": from 1, "column": .., "end_line": ..,
               "end_column": .. (columns from 0, in characters), "text": the line, "expression": the marked part},
     "node": {"number": .., "name": .., "op": .., "data": .., "grad": so far, "final_grad": at the episode's end,
              "line": where it was made, "formula": {"symbols": .., "numbers": ..},
              "operands": [{"node": .., "name": .., "data": .., "local_gradient": .., "recorded": ..}],
              "users": [{"node": .., "name": ..}],
              "ledger": [{"event": from 1, "kind": .., "from": node or null, "name": .., "local": .., "upstream": ..,
                          "delta": .., "sum": .., "done": ..}]} or null for a sample or a print,
     "update": {"old": .., "new": .., "numbers": {name: value}} for an update,
     "sample": {"draw": .., "choice": place among the weights, "weight": its weight} for a sample,
     "printed": the bytes printed up to here, for a print}

A number that is not finite is the text "nan", "inf" or "-inf". With ``--pane`` it is that pane's: see ``panes/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from microgpt_tui.headless.launch import recorded
from microgpt_tui.headless.panes import PANES
from microgpt_tui.headless.panes.report import Here
from microgpt_tui.headless.terminal import print_json
from microgpt_tui.protocol.codes import (
    ACCUMULATE,
    ASSIGN,
    CREATE,
    EVENT_NAMES,
    PHASE_NAMES,
    PRINT,
    SAMPLE,
    UPDATE,
    ZERO,
)
from microgpt_tui.protocol.moments import MomentName
from microgpt_tui.session.commands.command import plain
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.formula import formula
from microgpt_tui.trace.ledger import ledger
from microgpt_tui.trace.marks import name_at
from microgpt_tui.trace.names import describe, name
from microgpt_tui.trace.trace import Site, Trace

LONGEST = 24
"""Users and contributions listed in the text report; JSON lists all."""


def show(launch: Launch, at: str, pane: str | None = None, *, as_json: bool) -> int:
    """Run up to a moment and print it, or what a pane shows there. Raises InputError where the run has no such one."""
    with recorded(launch, at) as (debugger, trace, event):
        if pane is not None:
            _show_pane(launch, Here(debugger, trace, event), pane, as_json=as_json)
            return 0
        document = {"script": str(launch.script), **moment(trace, event)}
        if trace.kind[event] == PRINT:
            document["printed"] = debugger.process.output(0, trace.print_end[trace.row[event]]).decode(errors="replace")
        if as_json:
            print_json(plain(document))
        else:
            print(as_text(document))
        return 0


def _show_pane(launch: Launch, here: Here, pane: str, *, as_json: bool) -> None:
    report = PANES[pane]
    head = {"script": str(launch.script), "pane": pane, "moment": str(name_at(here.trace, here.event))}
    document = plain({**head, **report.document(here)})
    if as_json:
        print_json(document, None)
        return
    missing = [f"not known: {sentence}" for sentence in document["missing"]]
    print("\n".join([f"{launch.script.name} · {pane} · {document['moment']}", "", *missing, *report.lines(document)]))


# -- the moment as data ----------------------------------------------------------------------


def site_at(trace: Trace, event: int) -> Site:
    """The place in the source that made an event."""
    kind, row = trace.kind[event], trace.row[event]
    if kind == CREATE:
        return trace.site_of(trace.node_of(event))
    column = {
        ACCUMULATE: trace.write_site, ASSIGN: trace.write_site, ZERO: trace.write_site, UPDATE: trace.update_site,
        SAMPLE: trace.sample_site, PRINT: trace.print_site,
    }[kind]  # fmt: skip
    return trace.program.site(column[row])


def moment(trace: Trace, event: int) -> dict[str, Any]:
    """Everything about a moment, as in the module's docstring."""
    kind = trace.kind[event]
    node = trace.node_of(event)
    document: dict[str, Any] = {
        "moment": str(name_at(trace, event)),
        "episode": {
            "kind": trace.episode_kind, "number": trace.number, "events": len(trace), "loss": trace.loss(),
            "total_steps": trace.program.total_steps,
        },
        "event": {"number": event + 1, "kind": EVENT_NAMES[kind], "phase": PHASE_NAMES[trace.phase_of(event)]},
        "where": _where(trace, event),
        "node": _node(trace, node, event) if node >= 0 else None,
    }  # fmt: skip
    row = trace.row[event]
    if kind == UPDATE:
        names = trace.program.site(trace.update_site[row]).names
        start = trace.used_start[row]
        numbers = dict(zip(names, trace.used[start : start + len(names)], strict=False))
        document["update"] = {"old": trace.old[row], "new": trace.new[row], "numbers": numbers}
    elif kind == SAMPLE:
        choice, start = trace.choice[row], trace.weight_start[row]
        weight = trace.weight[start + choice] if 0 <= choice < trace.sample_count[row] else None
        document["sample"] = {"draw": trace.draw[row], "choice": choice, "weight": weight}
    return document


def _where(trace: Trace, event: int) -> dict[str, Any]:
    site = site_at(trace, event)
    text = trace.program.line_text(site.file, site.line)
    path = [trace.scope_label(s) for s in trace.scope_path(trace.scope_of(event))]
    end = site.end_column if site.end_line == site.line else len(text)
    raw = text.encode()  # positions of Python's own: columns in bytes of UTF-8
    start_column, end_column = len(raw[: site.column].decode()), len(raw[:end].decode(errors="replace"))
    return {
        "path": path, "file": trace.program.files[site.file][0], "line": site.line, "column": start_column,
        "end_line": site.end_line, "end_column": end_column, "text": text,
        "expression": text[start_column:end_column],
    }  # fmt: skip


def _node(trace: Trace, node: int, event: int) -> dict[str, Any]:
    made = formula(trace, node, event)
    born = trace.born_at(node)
    users = [u for u in trace.users(node) if trace.born_at(u) <= event]
    contributions = ledger(trace, node, event)
    return {
        "number": node,
        "name": describe(trace, node) if born >= 0 else name(trace, node),
        "op": trace.op_name(node),
        "data": trace.data_at(node, event),
        "grad": trace.grad_at(node, event),
        "final_grad": contributions[-1].total if contributions else trace.start_grad_of(node),
        "line": trace.site_of(node).line,
        "formula": {"symbols": made.symbols, "numbers": made.numbers} if made.operands else None,
        "operands": [
            {"node": o.node, "name": o.name, "data": o.data, "local_gradient": o.local, "recorded": o.recorded}
            for o in made.operands
        ],
        "users": [{"node": u, "name": name(trace, u)} for u in users],
        "ledger": [
            {
                "event": c.event + 1, "kind": EVENT_NAMES[c.kind], "from": c.source if c.source >= 0 else None,
                "name": name(trace, c.source) if c.source >= 0 else None, "local": c.factor, "upstream": c.upstream,
                "delta": c.delta, "sum": c.total, "done": c.done,
            }
            for c in contributions
        ],
    }  # fmt: skip


# -- as text -----------------------------------------------------------------------------------


def as_text(document: dict[str, Any]) -> str:
    """The same moment for reading."""
    episode, event, where = document["episode"], document["event"], document["where"]
    of = f"/{episode['total_steps']}" if episode["kind"] == "step" and episode["total_steps"] else ""
    loss = f" · loss {episode['loss']:.6g}" if episode["loss"] is not None else ""
    file = Path(where["file"]).name
    lines = [
        f"{file} · {MomentName(episode['kind'], episode['number']).title}{of} · {event['phase']} · "
        f"event {event['number']:,} of {episode['events']:,} ({event['kind']}){loss}",
        "",
        f"where   {' › '.join(where['path'])}",
        f"{file}:{where['line']}",
        f"    {where['text'].expandtabs(1)}",
        f"    {' ' * where['column']}{'━' * max(1, where['end_column'] - where['column'])}",
    ]
    if document["node"] is not None:
        lines += ["", *_node_text(document["node"])]
    if "update" in document:
        update = document["update"]
        lines += ["", f"update  {update['old']!r} -> {update['new']!r}"]
        lines += [f"        {text} = {number!r}" for text, number in update["numbers"].items()]
    if "sample" in document:
        sample = document["sample"]
        lines += [
            "",
            f"sample  drew {sample['draw']!r}: chose number {sample['choice']}, of weight {sample['weight']!r}",
        ]
    if "printed" in document:
        printed = document["printed"].rstrip("\r\n").rsplit("\n", 1)[-1]
        lines += ["", f"printed {printed}"]
    return "\n".join(lines)


def _node_text(node: dict[str, Any]) -> list[str]:
    lines = [
        f"value   {node['name']}   (node {node['number']:,}, {node['op']}, made at line {node['line']})",
        f"data    {node['data']!r}",
        f"grad    {node['grad']!r} so far, {node['final_grad']!r} at the end",
    ]
    if node["formula"]:
        lines += ["", f"formula {node['formula']['symbols']}", f"        {node['formula']['numbers']}"]
    for operand in node["operands"]:
        rule = "" if operand["recorded"] else "   (by calculus: the script has not told its own yet)"
        lines.append(f"        ∂/∂{operand['name']} = {operand['local_gradient']!r}{rule}")
    if node["users"]:
        names = [user["name"] for user in node["users"][:LONGEST]]
        more = len(node["users"]) - LONGEST
        lines += ["", f"users   {', '.join(names)}{f' and {more:,} more' if more > 0 else ''}"]
    lines += ["", *_ledger_text(node["ledger"])]
    return lines


def _ledger_text(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["ledger  no contribution to its grad in this episode"]
    lines = [f"ledger  {'from':<28} {'local':>13} × {'upstream':>13} = {'delta':>13} {'sum':>24}"]
    for row in rows[:LONGEST]:
        when = "" if row["done"] else f"   still to come (event {row['event']:,})"
        who = row["name"] or {"zero": "reset", "assign": "set"}.get(row["kind"], "")
        numbers = f"{_number(row['local']):>13}   {_number(row['upstream']):>13}   {_number(row['delta']):>13}"
        lines.append(f"        {who:<28.28} {numbers} {row['sum']!r:>24}{when}")
    if len(rows) > LONGEST:
        lines.append(f"        and {len(rows) - LONGEST:,} more")
    return lines


def _number(value: float) -> str:
    return "" if value != value else f"{value:+.6g}"
