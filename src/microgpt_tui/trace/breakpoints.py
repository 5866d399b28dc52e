"""Where a breakpoint stops: a frozen description, and the events of a trace that fit it.

``find`` answers both directions: the next stop is the first of these events after the cursor,
the previous one the last before it. The live debuggee stops at the same events (see
``debuggee/run/breakpoints.py``); a test compares the two for every kind.
"""

from __future__ import annotations

import difflib
import re
import shlex
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from microgpt_tui.protocol.breakpoints import Resolved
from microgpt_tui.protocol.codes import CREATE, PHASE_NAMES, PRINT, REFLECTED, UPDATE, SiteKind
from microgpt_tui.protocol.conditions import Failure, condition
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.facts import WRITES, fact, facts, loop_names, loss_events, made_not_finite, not_finite
from microgpt_tui.trace.operations import operations
from microgpt_tui.trace.positions import position_loops, positions
from microgpt_tui.trace.references import parameters_called, read_text
from microgpt_tui.trace.trace import Program, Trace
from microgpt_tui.trace.variables import bound_at, bound_name, known_from

KINDS = ("line", "op", "scope", "var", "param", "phase", "step", "sample", "pos", "loss", "print", "any", "nan")
FEW = 100
"""Where less than one event in so many is asked about, each is asked by itself: no column is laid out."""

Output = Callable[[int], str]
"""The line of the script's output that ends at a byte."""


class BreakpointError(ValueError):
    """A breakpoint that cannot be: what is wrong with it, and what would be right."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to stop: a kind and its target, as the person wrote it, and the condition."""

    kind: str
    target: str = ""
    condition: str = ""

    def __str__(self) -> str:
        place = {"any": "any event", "nan": "nan", "loss": "loss"}.get(self.kind) or (
            self.target if self.kind in ("line", "scope") else f"{self.kind}:{self.target}"
        )
        return f"{place} if {self.condition}" if self.condition else place


# -- reading ---------------------------------------------------------------------------------


def parse(text: str, program: Program, *, line: tuple[int, int] | None = None) -> Place:
    """``op:exp if data > 5``, ``117``, ``gpt``, ``li=0``, ``var:q``, ``loss < 2``, ``if isnan(data)``.

    ``line`` is (file, line) of the cursor, for an empty place. Raises BreakpointError or ConditionError.
    """
    text = text.strip()
    place, test = _split(text)
    if test:
        condition(test, loop_names(program))
    if not place:
        if not test and line is None:
            raise BreakpointError("where? Such as: break 117, break op:exp if data > 5, break gpt")
        if not test and line is not None:
            return Place("line", str(line[1]) if line[0] == 0 else f"{_file_name(program, line[0])}:{line[1]}")
        return Place("any", "", test)
    found = _place(place, program)
    if test and found.condition:
        test = f"({found.condition}) and ({test})"
    found = replace(found, condition=test or found.condition)
    resolve(found, program)
    return found


def _split(text: str) -> tuple[str, str]:
    if text.startswith("if "):
        return "", text[3:].strip()
    quoted = re.match(r"""^(\S*?\s*(?:"[^"]*"|'[^']*'))(?:\s+if\s+(.*))?$""", text)
    if quoted:
        return quoted[1].strip(), (quoted[2] or "").strip()
    place, _, test = text.partition(" if ")
    return place.strip(), test.strip()


def _place(text: str, program: Program) -> Place:
    kind, sign, rest = text.partition(":")
    if not sign and " " in text:
        kind, _, rest = text.partition(" ")
        sign = " "
    kind, rest = kind.strip(), rest.strip()
    if text.startswith("loss") and not text[4:5].isalnum():
        return Place("loss", "", text if text[4:].strip() else "")
    if kind in ("printed", "print", "output"):
        try:
            words = shlex.split(rest)
        except ValueError:
            words = [rest]
        return Place("print", " ".join(words))
    if text in ("nan", "phase", "op"):
        return Place(text, "*" if text == "op" else "")
    if sign and kind in KINDS:
        if kind in ("step", "sample", "pos") and not rest.isdigit():
            raise BreakpointError(f"{kind} {rest}: write a number, as {kind} 3")
        return Place(kind, rest)
    if text.isdigit():
        return Place("line", text)
    if sign == ":" and rest.isdigit():
        return Place("line", text)
    reference = read_text(text, program)
    if reference is not None and parameters_called(program, reference):
        return Place("param", text)
    return Place("scope", text)


def _file_name(program: Program, file: int) -> str:
    return program.files[file][0].rpartition("/")[2]


def resolve(place: Place, program: Program) -> Resolved:
    """A place in the terms of a program. Raises BreakpointError for what the script does not have."""
    extra = loop_names(program)
    if place.condition:
        condition(place.condition, extra)
    made = _RESOLVERS[place.kind](place.target, program)
    return replace(made, kind=place.kind, condition=place.condition, extra=extra)


def _named(program: Program, kinds: Iterable[SiteKind]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for s in program.sites:
        if s is not None and s.kind in kinds:
            for name in s.names if s.kind == SiteKind.ITERATION and s.names else (s.name,):
                found.setdefault(name, set()).add(s.number)
    return found


def _unknown(what: str, name: str, known: Iterable[str]) -> BreakpointError:
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, 1)
    hint = f" Did you mean {close[0]}?" if close else f" There are: {', '.join(names[:30])}." if names else ""
    return BreakpointError(f"no {what} {name!r} in this script.{hint}")


def _resolve_line(target: str, program: Program) -> Resolved:
    name, _, number = target.rpartition(":")
    file, line = 0, int(number)
    if name:
        files = [i for i, (path, _) in enumerate(program.files) if path == name or path.endswith("/" + name)]
        if not files:
            raise _unknown("file", name, [_file_name(program, i) for i in range(len(program.files))])
        file = files[0]
    here = [s for s in program.sites if s is not None and s.file == file and s.line <= line <= s.end_line]
    statements = [s for s in here if s.kind == SiteKind.STATEMENT]
    if statements:
        best = max(s.line for s in statements)
        return Resolved("line", frozenset(s.number for s in statements if s.line == best))
    calls = [s for s in here if s.kind == SiteKind.CALL and s.line == line]
    writes = [s for s in here if s.kind in (SiteKind.ACCUMULATE, SiteKind.ASSIGN, SiteKind.UPDATE)]
    creates = {REFLECTED.get(s.name, s.name) for s in here if s.kind == SiteKind.CREATE}
    composites = {s.name for s in program.sites if s is not None and s.kind == SiteKind.OPERATION and s.file == file
                  and s.line == line}  # fmt: skip
    if calls or writes or creates or composites:
        return Resolved(
            "line", frozenset(s.number for s in calls), frozenset(s.number for s in writes), frozenset(creates),
            frozenset(composites),
        )  # fmt: skip
    lines = sorted({s.line for s in program.sites if s is not None and s.file == file and s.kind in (
        SiteKind.STATEMENT, SiteKind.ACCUMULATE, SiteKind.ASSIGN, SiteKind.UPDATE, SiteKind.CREATE)})  # fmt: skip
    near = min(lines, key=lambda n: (n < line, abs(n - line)), default=0)
    raise BreakpointError(f"nothing happens on line {line}" + (f"; the nearest line where something does is {near}"
                          if near else ""))  # fmt: skip


def _resolve_op(target: str, program: Program) -> Resolved:
    if target in ("*", "any"):
        return Resolved("op", ops=frozenset({"*"}))
    plain = operations(program)
    composite = {s.name for s in program.sites if s is not None and s.kind == SiteKind.OPERATION}
    synonyms = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "div": "truediv", "**": "pow"}
    name = synonyms.get(target, target)
    if name in plain:
        return Resolved("op", ops=frozenset({name}))
    wanted = composite & {name, "r" + name}
    if not wanted:
        raise _unknown("operation", target, plain | composite)
    return Resolved("op", composites=frozenset(wanted))


def _resolve_scope(target: str, program: Program) -> Resolved:
    name, bracket, inside = target.partition("(")
    if bracket:
        values = tuple(v.strip() for v in inside.rstrip(")").split(",") if v.strip())
    elif "=" in target:
        name, _, value = (p.strip() for p in target.partition("="))
        values = (f"{name}={value}",)
    else:
        values = ()
    kinds = (SiteKind.ITERATION,) if "=" in target and not bracket else (SiteKind.CALL, SiteKind.ITERATION)
    named = _named(program, kinds)
    if name not in named:
        everything = _named(program, (SiteKind.CALL, SiteKind.ITERATION))
        raise _unknown("function or loop variable", name, everything)
    return Resolved("scope", frozenset(named[name]), values=values)


@derived
def variables_of(program: Program) -> dict[str, set[int]]:
    """Every variable of the script -> the sites that bind or change it."""
    return _named(program, (SiteKind.BIND, SiteKind.ELEMENT, SiteKind.APPEND, SiteKind.ITERATION))


def resolve_variable(target: str, program: Program) -> Resolved:
    """The bindings of a variable. Raises BreakpointError for one that the script does not have."""
    named = variables_of(program)
    if target not in named:
        raise _unknown("variable", target, named)
    return Resolved("var", frozenset(named[target]), values=(target,))


def _resolve_param(target: str, program: Program) -> Resolved:
    if not program.matrices:
        raise BreakpointError("the parameters are not known before the setup has ended: run to the first step first")
    reference = read_text(target, program)
    nodes = parameters_called(program, reference) if reference is not None else frozenset()
    if not nodes:
        raise _unknown("parameter", target, [m.name for m in program.matrices])
    return Resolved("param", nodes=nodes)


def _resolve_phase(target: str, program: Program) -> Resolved:
    if not target:
        return Resolved("phase")
    if target not in PHASE_NAMES:
        raise _unknown("phase", target, PHASE_NAMES)
    return Resolved("phase", phase=PHASE_NAMES.index(target))


def _resolve_pos(target: str, program: Program) -> Resolved:
    sites = position_loops(program)
    if not sites:
        raise BreakpointError(f"no loop over positions is known in this script; break on its own loop, as i={target}")
    return Resolved("pos", sites, number=int(target))


_RESOLVERS: dict[str, Callable[[str, Program], Resolved]] = {
    "line": _resolve_line, "op": _resolve_op, "scope": _resolve_scope, "var": resolve_variable, "param": _resolve_param,
    "phase": _resolve_phase, "pos": _resolve_pos,
    "step": lambda target, program: Resolved("step", number=int(target)),
    "sample": lambda target, program: Resolved("sample", number=int(target)),
    "loss": lambda target, program: Resolved("loss"),
    "print": lambda target, program: Resolved("print", values=(target,)),
    "any": lambda target, program: Resolved("any"),
    "nan": lambda target, program: Resolved("nan"),
}  # fmt: skip


# -- finding ---------------------------------------------------------------------------------


def find(place: Resolved, trace: Trace, output: Output | None = None) -> tuple[list[int], Failure | None]:
    """Every event of a trace at which the script would stop, ascending; and a condition's fault, if it has one."""
    test = place.predicate
    events = where(place, trace, output)
    if test is None or not events:
        return events, None
    if len(events) < len(trace) // FEW:
        return test.select(events, {n: [fact(trace, e, n) for e in events] for n in test.names})
    known = facts(trace)
    if len(events) == len(trace):
        return test.select(events, {n: known[n] for n in test.names})
    return test.select(events, {n: list(map(known[n].__getitem__, events)) for n in test.names})


def where(place: Resolved, trace: Trace, output: Output | None) -> list[int]:
    """The events that a place names, before its condition: those at which ``holds``, all at once."""
    t, kind = trace, place.kind
    if kind == "any":
        return list(range(len(t)))
    if kind == "nan":
        return not_finite(t)
    if kind in ("step", "sample"):
        return [0] if len(t) and holds(place, t, 0, output) else []
    if kind == "phase":
        return [first for first, _, phase in t.phase_spans if place.phase in (-1, phase)]
    if kind == "loss":
        return loss_events(t)
    if kind == "param":
        return sorted(_of_nodes(t.write_event, t.target, place) + _of_nodes(t.update_event, t.updated, place))
    if kind == "print":
        return [e for e in t.print_event if holds(place, t, e, output)]
    if kind == "var":
        rows = [r for r, site in enumerate(t.bind_site) if site in place.sites and bound_name(t, r) == place.values[0]]
        return sorted({e for e in (bound_at(t, r) for r in rows) if 0 <= e < len(t)})
    found: set[int] = set()
    for s in (s for s, site in enumerate(t.scope_site) if site in place.sites and _wanted(place, t, s)):
        found.update(range(t.scope_first[s], t.scope_end(s) + 1) if place.every else (t.scope_first[s],))
    if place.writes:
        found.update(e for e, s in zip(t.write_event, t.write_site, strict=True) if s in place.writes)
        found.update(e for e, s in zip(t.update_event, t.update_site, strict=True) if s in place.writes)
    if place.ops:
        wanted = {i for i, name in enumerate(t.ops) if name in place.ops or "*" in place.ops}
        found.update(e for e, o in zip(t.born, t.op, strict=True) if o in wanted and e >= 0)
    if place.composites:
        ends = enumerate(t.scope_last)
        found.update(last for s, last in ends if last >= 0 and _composite(place, t, s))
    return sorted(e for e in found if e < len(t))


def _of_nodes(events: Iterable[int], nodes: Iterable[int], place: Resolved) -> list[int]:
    return [e for e, n in zip(events, nodes, strict=True) if n in place.nodes]


def holds(place: Resolved, trace: Trace, event: int, output: Output | None = None) -> bool:
    """True for an event that a place names, before its condition."""
    t, kind, what, row = trace, place.kind, trace.kind[event], trace.row[event]
    if kind == "any":
        return True
    if kind == "nan":
        return made_not_finite(t, event)
    if kind in ("step", "sample"):
        return event == 0 and (t.episode_kind, t.number) == (kind, place.number)
    if kind == "phase":
        return place.phase in (-1, t.phase_of(event)) and t.begins_phase(event)
    if kind == "loss":
        return event in loss_events(t)
    if kind == "param":
        return (what in WRITES or what == UPDATE) and t.node_of(event) in place.nodes
    if kind == "print":
        wanted = place.values[0]
        return what == PRINT and (not wanted or (output is not None and wanted in output(t.print_end[row])))
    if kind == "var":
        rows = range(len(t.bind_site))
        near = rows[bisect_left(rows, event, key=lambda r: known_from(t, r)) :
                    bisect_right(rows, event + 1, key=lambda r: known_from(t, r))]  # fmt: skip
        return any(t.bind_site[r] in place.sites and bound_at(t, r) == event and bound_name(t, r) == place.values[0]
                   for r in near)  # fmt: skip
    if what == CREATE and ("*" in place.ops or (place.ops and t.op_name(t.node_of(event)) in place.ops)):
        return True
    if place.writes and (what in WRITES or what == UPDATE):
        wrote = (t.update_site if what == UPDATE else t.write_site)[row]
        if wrote in place.writes:
            return True
    return (bool(place.sites) or bool(place.composites)) and any(
        (t.scope_site[s] in place.sites and (place.every or t.scope_first[s] == event) and _wanted(place, t, s))
        or (t.scope_last[s] == event and _composite(place, t, s))
        for s in t.scope_path(t.scope_of(event))
    )


def _composite(place: Resolved, trace: Trace, scope: int) -> bool:
    site = trace.program.site(trace.scope_site[scope])
    return site.kind == SiteKind.OPERATION and site.name in place.composites


def _wanted(place: Resolved, trace: Trace, scope: int) -> bool:
    """True for a scope whose label has every wanted part; for a position, for its iteration."""
    if place.kind == "pos":
        return positions(trace).position.get(scope) == place.number
    label = trace.scope_values.get(scope, "")
    return not place.values or all(v in label.split(", ") for v in place.values)
