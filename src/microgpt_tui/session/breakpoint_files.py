"""Breakpoints in a file: data only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from microgpt_tui.protocol.conditions import ConditionError
from microgpt_tui.session.breakpoints import NAN_NUMBER, BreakpointList
from microgpt_tui.trace.breakpoints import KINDS, BreakpointError, Place
from microgpt_tui.trace.trace import Program

VERSION = 1


def document(breakpoints: BreakpointList) -> dict[str, Any]:
    """All of them, as JSON takes it."""
    rows = [
        {
            "kind": b.place.kind, "target": b.place.target, "condition": b.place.condition,
            "expression": b.expression, "enabled": b.enabled, "temporary": b.temporary, "ignore": b.ignore,
            "log": b.log, "commands": b.commands,
        }
        for b in breakpoints if b.number != NAN_NUMBER
    ]  # fmt: skip
    return {"microgpt-tui breakpoints": VERSION, "nan": breakpoints.get(NAN_NUMBER).enabled,
            "allowed": breakpoints.allowed, "breakpoints": rows}  # fmt: skip


def save(breakpoints: BreakpointList, path: Path) -> None:
    """Write them to a file. Raises OSError."""
    path.write_text(json.dumps(document(breakpoints), indent=2) + "\n", encoding="utf-8")


def load(breakpoints: BreakpointList, path: Path, program: Program) -> list[str]:
    """Add those of a file; what could not be set, in words. Raises OSError, or BreakpointError for another file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["microgpt-tui breakpoints"] != VERSION or not isinstance(found["breakpoints"], list):
            raise KeyError
    except (ValueError, KeyError, TypeError):
        raise BreakpointError(f"{path} is not a file of breakpoints (`save FILE` writes one)") from None
    return take(breakpoints, found, program)


def take(breakpoints: BreakpointList, found: dict[str, Any], program: Program) -> list[str]:
    """Add those of a document; what could not be set, in words."""
    refused = []
    for row in found["breakpoints"]:
        try:
            _add(breakpoints, row, program)
        except (BreakpointError, ConditionError, KeyError, TypeError, ValueError) as error:
            refused.append(f"{row}: {error}".splitlines()[0])
    for text in found.get("allowed", []):
        if isinstance(text, str) and text not in breakpoints.allowed:
            try:
                breakpoints.allow(text, program)
            except ConditionError as error:
                refused.append(f"allow {text}: {error.message}")
    breakpoints.get(NAN_NUMBER).enabled = bool(found.get("nan", True))
    return refused


def _add(breakpoints: BreakpointList, row: dict[str, Any], program: Program) -> None:
    options: dict[str, Any] = {
        "enabled": bool(row["enabled"]), "temporary": bool(row["temporary"]), "ignore": int(row["ignore"]),
    }  # fmt: skip
    commands = [str(c) for c in row.get("commands", [])]
    if row["expression"]:
        breakpoints.watch(str(row["expression"]), program, **options).commands = commands
        return
    kind = str(row["kind"])
    if kind not in KINDS:
        raise BreakpointError(f"unknown kind {kind!r}")
    log = None if row["log"] is None else str(row["log"])
    made = breakpoints.add(Place(kind, str(row["target"]), str(row["condition"])), program, log=log, **options)
    made.commands = commands
