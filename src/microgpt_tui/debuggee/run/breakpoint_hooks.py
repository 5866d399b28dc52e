"""Hooks made for the breakpoints that are armed: a few lines of source each, compiled when they are armed.

Each appends to the log as the free hook does, then asks what can be asked of the live object at
once; only where that leaves a doubt is ``event`` called, which encodes the log and looks closely.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.rewrite import sites as names
from microgpt_tui.protocol.breakpoints import Resolved
from microgpt_tui.protocol.codes import (
    BACKWARD,
    BASE_PHASE,
    CONSTANT_OP,
    FORWARD,
    LEAVE_OPERATION,
    OPTIMIZER,
    REFLECTED,
    SiteKind,
)
from microgpt_tui.protocol.conditions import CONSTANTS, FUNCTIONS


class HookMaker:
    """Makes the hooks; ``event`` is called where one may be hit, ``first`` is set when the next event must be seen."""

    def __init__(self, recorder: Recording, places: list[Resolved], event: Callable[[], bool], first: list[int],
                 phase: int) -> None:  # fmt: skip
        self.recorder = recorder
        self.places = places
        self.event = event
        self.first = first
        self.phase = phase
        self.late: Callable[[str], bool] = lambda kind: False

    @property
    def waits(self) -> bool:
        """True when some breakpoint stops at the first event of something."""
        kinds = ("line", "scope", "pos", "var", "phase", "step", "sample")
        return any(a.kind in kinds and not a.every for a in self.places)

    def generate(self) -> dict[str, Callable[..., None]]:
        """The hooks for the armed breakpoints, compiled from a few lines each."""
        recorder = self.recorder
        base = BASE_PHASE.get(recorder.episode_kind, FORWARD)
        reach: dict[str, Any] = {
            **FUNCTIONS, **CONSTANTS, "append": recorder.log.append, "event": self.event,
            "first": self.first, "NAN": float("nan"), "type": type, "int": int,
            "tuple": tuple, "Exception": Exception, "identity_of": identity_of, "__builtins__": {},
            "step": recorder.episode_number if recorder.episode_kind == "step" else 0,
            "sample": recorder.episode_number if recorder.episode_kind == "sample" else 0,
            "BASE": base, "BACKWARD": BACKWARD, "OPTIMIZER": OPTIMIZER, "LOG": recorder.log, "hooks": vars(builtins),
            "zip": zip, "len": len, "STEPPING": names.STEPPING,
        }  # fmt: skip
        self.codes(reach)
        node, added, updated, assigned, iterations, marks = [], [], [], [], [], []
        self.late = self.late_hook(reach)
        for i, a in enumerate(self.places):
            if a.kind in ("any", "op") or (a.kind in ("line", "scope", "pos") and a.every):
                cheap = self.cheap(a, "data", "grad", "kind", "delta", "factor", "op")
                if a.kind == "op" or (a.kind == "line" and a.ops):
                    if "*" not in a.ops:
                        reach[f"OTHER{i}"] = frozenset(c for c, op in reach["OPS"].items() if op not in a.ops)
                        cheap = f"({cheap}) and code not in OTHER{i}"
                    if a.ops:
                        node.append(cheap)
                if a.kind != "op":
                    node.append(cheap)
                    added.append(self.cheap(a, "data", "grad", "kind", "delta", "factor"))
                    updated.append(self.cheap(a, "data", "grad", "kind", "delta"))
                    assigned.append(self.cheap(a, "data", "grad", "delta", "factor"))
            elif a.kind == "line" and a.ops:
                reach[f"OTHER{i}"] = frozenset(c for c, op in reach["OPS"].items() if op not in a.ops)
                node.append(f"code not in OTHER{i}")
            if a.writes:
                reach[f"WRITES{i}"] = a.writes
                for lines in (added, updated, assigned):
                    lines.append(f"code in WRITES{i}")
            if a.kind == "param":
                reach[f"IDS{i}"] = frozenset(k for k, number in recorder.kept_ids.items() if number in a.nodes)
                mine = f"identity_of(entry[1]) in IDS{i} and "
                added.append(mine + self.cheap(a, "data", "grad", "kind", "delta", "factor"))
                updated.append(mine + self.cheap(a, "data", "grad", "kind", "delta"))
                assigned.append(mine + self.cheap(a, "data", "grad", "delta", "factor"))
            elif a.kind in ("phase", "loss"):
                reach[f"PHASE{i}"] = [self.phase]
                enter, hit = f"PHASE{i}[0] != {{0}} and (PHASE{i}.__setitem__(0, {{0}}) or {{1}})", a.kind == "phase"
                node.append(enter.format("BASE", hit))
                updated.append(enter.format("OPTIMIZER", hit))
                if hit:
                    added.append(enter.format("BACKWARD", True))
                    assigned.append(f"entry[2] == 0 and PHASE{i}[0] == BASE and "
                                    f"(PHASE{i}.__setitem__(0, OPTIMIZER) or True)")  # fmt: skip
                cheap = "True" if hit else self.cheap(a, "loss", "data", "grad")
                assigned.append("entry[2] != 0 and " + enter.format("BACKWARD", f"({cheap})"))
            if a.kind in ("line", "scope", "pos") and a.sites and not a.every:
                reach[f"SITES{i}"] = a.sites
                marks.append(f"code in SITES{i}")
                iterations.append(f"code in SITES{i}")
            if a.kind == "var":
                reach[f"VARS{i}"] = a.sites
                iterations.append(f"code in VARS{i} and (event() or True)")
            if a.composites:
                reach["LEAVE"] = LEAVE_OPERATION
                marks.append("code == LEAVE and (event() and False)")
        return self.compile(reach, node, added, updated, assigned, iterations, marks)

    def late_hook(self, reach: dict[str, Any]) -> Callable[[str], bool]:
        """Whether something printed or drawn (``kind``) may be a hit: it is about no node."""
        tests = ["first[0]"] if self.waits else ["False"]
        for a in self.places:
            if a.kind == "print":
                tests.append("kind == 'print'")
            elif a.kind == "any" or (a.kind in ("line", "scope", "pos") and a.every):
                tests.append(self.cheap(a, "data", "grad", "kind", "delta", "factor", "op"))
        lines = ["def late(kind):", "    data = grad = delta = factor = NAN", "    op = ''", "    try:",
                 "        return bool(" + " or ".join(f"({t})" for t in tests) + ")", "    except Exception:",
                 "        return True"]  # fmt: skip
        scope = {**reach, "bool": bool}
        exec(compile("\n".join(lines), "<breakpoints>", "exec"), scope)  # of checked conditions and lines of our own
        made: Callable[[str], bool] = scope["late"]
        return made

    def cheap(self, a: Resolved, *known: str) -> str:
        """What of the condition the hook can decide by itself; ``True`` where that is nothing."""
        implied = a.predicate.implied((*known, "step", "sample")) if a.predicate is not None else ""
        return f"({implied})" if implied else "True"

    def codes(self, reach: dict[str, Any]) -> None:
        """Sites by what their notes and marks mean."""
        kinds: dict[SiteKind, set[int]] = {}
        ops: dict[int, str] = {}
        for number, record in enumerate(self.recorder.records):
            told_before = record is not None and record.kind is SiteKind.UPDATE and record.name  # no event of its own
            if record is not None and not told_before:
                kinds.setdefault(record.kind, set()).add(number)
                if record.kind is SiteKind.CREATE:
                    ops[number] = REFLECTED.get(record.name, record.name)
                elif record.kind is SiteKind.CONSTANT:
                    ops[number] = CONSTANT_OP
        reach["ACC"] = frozenset(kinds.get(SiteKind.ACCUMULATE, ()))
        reach["UPD"] = frozenset(kinds.get(SiteKind.UPDATE, ()))
        reach["ASG"] = frozenset(kinds.get(SiteKind.ASSIGN, ()))
        reach["OPS"] = ops

    def compile(self, reach: dict[str, Any], node: list[str], added: list[str], updated: list[str],
                assigned: list[str], loops: list[str], marks: list[str]) -> dict[str, Callable[..., None]]:  # fmt: skip
        """Functions from the tests; a hook without a test stays the bare ``append``."""
        data, grad = self.recorder.data_name, self.recorder.grad_name
        waits = self.waits
        made: dict[str, Callable[..., None]] = {}

        def facts(tests: list[str], table: dict[str, str]) -> list[str]:
            text = " ".join(tests)
            return [f"{n} = {v}" for n, v in table.items() if _mentions(text, n)]

        def block(tests: list[str], table: dict[str, str]) -> list[str]:
            if not tests:
                return ["pass"]
            if "op" in table and _mentions(" ".join(tests), "op"):
                tests = ["op is None", *tests]
            return [*facts(tests, table), "hit = " + " or ".join(f"({t})" for t in tests)]

        if node or waits:
            text = " ".join(node)
            body = []
            if _mentions(text, "code") or _mentions(text, "op"):
                body = ["before = LOG[-2] if len(LOG) > 1 else 0",
                        "kind_of = type(before)",
                        "code = before if kind_of is int else before[0] if kind_of is tuple else 0"]  # fmt: skip
            body += block(node, {
                "data": f"entry.{data}", "grad": f"entry.{grad}", "kind": "'create'", "delta": "NAN", "factor": "NAN",
                "op": "OPS.get(code)",
            })  # fmt: skip
            made[names.NODE] = _function("entry", body, reach, waits)
        if added or updated or assigned or loops or waits:
            common = {"data": f"entry[1].{data}", "grad": f"entry[1].{grad}"}
            body = ["code = entry[0]", "if code in ACC:"]
            body += ["    " + s for s in block(added, {
                **common, "kind": "'accumulate'", "delta": "entry[3]",
                "factor": "NAN if entry[4] is None else entry[4]"})]  # fmt: skip
            body += ["    wrote = True", "elif code in UPD:"]
            update = {**common, "kind": "'update'", "delta": f"entry[1].{data} - OLD[identity_of(entry[1])]"}
            body += ["    " + s for s in block(updated, update)]
            if _mentions(" ".join(updated), "delta"):
                body.append(f"    OLD[identity_of(entry[1])] = entry[1].{data}")
                reach["OLD"] = {identity_of(p): self.recorder.data_of(p) for p in self.recorder.kept_nodes}
            body += ["    wrote = True", "elif code in ASG:"]
            none = {**common, "loss": f"entry[1].{data}", "delta": "NAN", "factor": "NAN"}
            body += ["    " + s for s in block(assigned, none)]
            body += ["    wrote = True", "else:", "    wrote = False"]
            if loops:
                body += [f"    if {' or '.join(f'({t})' for t in loops)}:", "        first[0] = 1"]
            made[names.NOTE] = _function("entry", body, reach, waits, "first[0] and wrote")
        if added or waits:
            made[names.SOURCE] = self.source(reach, added, waits)
        if marks:
            body = [f"if {' or '.join(f'({t})' for t in marks)}:", "    first[0] = 1"]
            made[names.MARK] = _function("code", body, reach, False)
        return made

    def source(self, reach: dict[str, Any], added: list[str], waits: bool) -> Callable[..., None]:
        """The hook of a backward pass that is logged by whole nodes.

        A node whose contributions may be hit is noted contribution by contribution, and ``NOTE`` looks at each.
        """
        data, grad = self.recorder.data_name, self.recorder.grad_name
        text = " ".join(added)
        facts = {"factor": "_f", "delta": "_f * _g", "grad": f"_c.{grad} + _f * _g", "data": f"_c.{data}",
                 "kind": "'accumulate'"}  # fmt: skip
        lines = ["def hook(node):", "    hit = first[0] == 1" if waits else "    hit = False"]
        loops = [r for r in self.recorder.records if r is not None and r.kind is SiteKind.PROPAGATE]
        tests = [t for t in added if "code in" not in t]
        if len(tests) < len(added) or len(loops) != 1:  # every contribution is wanted, or it is not known whose
            lines = ["def hook(node):", "    hit = True"]
        elif tests:
            children, factors = loops[0].names
            test = " or ".join(f"({t})" for t in tests).replace("entry[1]", "_c")
            lines += ["    try:", f"        _g = node.{grad}", f"        _n = node.{children}"]
            if _mentions(text, "grad"):
                lines += ["        if len(_n) == 2 and _n[0] is _n[1]:", "            hit = True"]
            lines += [f"        for _c, _f in zip(_n, node.{factors}):"]
            lines += [f"            {n} = {v}" for n, v in facts.items() if _mentions(text, n)]
            lines += [f"            if {test}:", "                hit = True", "                break"]
            lines += ["    except Exception:", "        hit = True"]
        lines += ["    if hit:", "        hooks[STEPPING] = True", "    else:", "        hooks[STEPPING] = False",
                  "        append(node)"]  # fmt: skip
        scope: dict[str, Any] = {n: _Peek(v) if n.startswith("PHASE") else v for n, v in reach.items()}
        exec(compile("\n".join(lines), "<breakpoints>", "exec"), scope)  # of checked conditions and lines of our own
        made: Callable[..., None] = scope["hook"]
        return made


class _Peek(list[int]):
    """The phase, to be looked at and not set: the note that follows sets it."""

    def __init__(self, real: list[int]) -> None:
        super().__init__()
        self.real = real

    def __getitem__(self, index: Any) -> Any:
        return self.real[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        pass


def _mentions(text: str, name: str) -> bool:
    """True when a name is in a piece of source as a word of its own."""
    at = text.find(name)
    while at >= 0:
        left = text[at - 1] if at else " "
        right = text[at + len(name)] if at + len(name) < len(text) else " "
        if not (left.isalnum() or left in "_.") and not (right.isalnum() or right == "_"):
            return True
        at = text.find(name, at + 1)
    return False


def _function(argument: str, body: list[str], reach: dict[str, Any], waits: bool,
              waiting: str = "first[0]") -> Callable[..., None]:  # fmt: skip
    lines = [f"def hook({argument}):", f"    append({argument})", "    hit = False", "    try:"]
    lines += ["        " + s for s in body]
    lines += ["    except Exception:", "        hit = True"]
    if waits:
        lines += [f"    if hit or ({waiting}):", "        first[0] = 0", "        event()"]
    else:
        lines += ["    if hit:", "        event()"]
    scope = dict(reach)
    exec(compile("\n".join(lines), "<breakpoints>", "exec"), scope)  # of checked conditions and lines of our own
    made: Callable[..., None] = scope["hook"]
    return made
