"""The loops over token positions, told from the source: the one rule of ``pos``, ``nextpos`` and ``break pos:3``.

Such a loop is the innermost one around a term of the loss (a ``log``) or a draw, through the calls that lead
there; of several around it one whose variable is called like a position (``pos_id``, ``t``). Where the sampling
loop draws nothing (it takes the most likely token), it is the first loop inside.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.protocol.conditions import NAN, parse_iteration
from microgpt_tui.trace.derived import derived, growing
from microgpt_tui.trace.trace import Program, Trace

Loops = tuple[int, ...]
"""ITERATION sites of the loops around a place within its function, outermost first."""
LONGEST = 12
"""Calls that are followed outwards from a term of the loss."""
MOST = 200
"""Ways outwards that are followed."""


@derived
def syntax(program: Program) -> list[ast.Module]:
    """The parsed files of a program; an empty module for one that is no Python."""
    trees = []
    for _, text in program.files:
        try:
            trees.append(ast.parse(text))
        except (SyntaxError, ValueError):
            trees.append(ast.Module([], []))
    return trees


@dataclass(slots=True)
class _Places:
    """Where the program computes terms of the loss, draws, and calls its functions: (function, loops around)."""

    terms: list[tuple[str, Loops]] = field(default_factory=list)
    calls: dict[str, list[tuple[str, Loops]]] = field(default_factory=dict)
    in_sampling: list[int] = field(default_factory=list)
    """Loops inside the sampling loop, in order."""


class _Reader(ast.NodeVisitor):
    """Reads one file."""

    def __init__(self, program: Program, file: int, places: _Places) -> None:
        self.places = places
        self.episodes = {**dict.fromkeys(program.train_sites, "train"), **dict.fromkeys(program.sample_sites, "sample")}
        own = [s for s in program.sites if s is not None and s.file == file]
        self.loop_of = {s.line: s.number for s in own if s.kind == SiteKind.ITERATION}
        self.draws = {s.line for s in own if s.kind == SiteKind.SAMPLE}
        self.own = {path.rpartition("/")[2].removesuffix(".py") for path, _ in program.files}
        self.modules: set[str] = set()
        """What was imported from elsewhere."""
        self.function = ""
        self.loops: Loops = ()
        self.sampling = False

    def visit_Import(self, node: ast.Import) -> None:
        self.modules |= {(a.asname or a.name).partition(".")[0] for a in node.names if a.name not in self.own}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if (node.module or "").rpartition(".")[2] not in self.own:
            self.modules |= {a.asname or a.name for a in node.names}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer = self.function, self.loops, self.sampling
        self.function, self.loops, self.sampling = node.name, (), False
        self.generic_visit(node)
        self.function, self.loops, self.sampling = outer

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self.loop(node)

    def visit_While(self, node: ast.While) -> None:
        self.loop(node)
        self.visit(node.test)

    def loop(self, node: ast.For | ast.While) -> None:
        outer = self.loops, self.sampling
        site = self.loop_of.get(node.lineno, -1)
        if site in self.episodes:
            self.sampling = self.episodes[site] == "sample"
        elif site >= 0:
            self.loops = (*self.loops, site)
            if self.sampling:
                self.places.in_sampling.append(site)
        for inner in node.body:
            self.visit(inner)
        self.loops, self.sampling = outer
        for inner in node.orelse:
            self.visit(inner)

    def visit_Call(self, node: ast.Call) -> None:
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        here = self.function, self.loops
        of_module = (owner.id if isinstance(owner, ast.Name) else "" if owner else called) in self.modules
        if (called == "log" and not of_module) or node.lineno in self.draws:
            self.places.terms.append(here)
        self.places.calls.setdefault(called, []).append(here)
        self.generic_visit(node)


@derived
def position_loops(program: Program) -> frozenset[int]:
    """The ITERATION sites of the loops over token positions."""
    places = _Places()
    for file, tree in enumerate(syntax(program)):
        _Reader(program, file, places).visit(tree)
    found: set[int] = set()
    for function, loops in places.terms:
        for around in islice(_outwards(places, function, (function,)), MOST):
            chain = (*around, *loops)
            named = [site for site in chain if _named(program, site, "t")]
            found.update(named[-1:] or chain[-1:])
    if program.sample_sites and not any(s is not None and s.kind == SiteKind.SAMPLE for s in program.sites):
        found.update(places.in_sampling[:1])
    loops_ = [s.number for s in program.sites if s is not None and s.kind == SiteKind.ITERATION]
    inner = [site for site in loops_ if site not in program.episode_sites]
    found.update(site for site in inner if _named(program, site))
    return frozenset(found or (site for site in inner if _named(program, site, "t")))


def _named(program: Program, site: int, *more: str) -> bool:
    return any("pos" in name or name in more for name in program.site(site).names)


def _outwards(places: _Places, function: str, path: tuple[str, ...]) -> Iterator[Loops]:
    """The loops around every way into a function."""
    callers = places.calls.get(function, ()) if function and len(path) < LONGEST else ()
    ways = {(caller, loops) for caller, loops in callers if caller not in path}
    if not ways:
        yield ()
    for caller, loops in ways:
        for around in _outwards(places, caller, (*path, caller)):
            yield (*around, *loops)


@derived
def _counters(program: Program) -> dict[int, str]:
    """Loop over positions -> the variable that counts it: of ``range``, or the first of ``enumerate``."""
    lines = {(s.file, s.line): s.number for s in map(program.site, position_loops(program))}
    found = {}
    for file, tree in enumerate(syntax(program)):
        for node in ast.walk(tree):
            site = lines.get((file, node.lineno), -1) if isinstance(node, ast.For) else -1
            if site < 0 or not isinstance(node, ast.For) or not isinstance(node.iter, ast.Call):
                continue
            called = getattr(node.iter.func, "id", "")
            target = (
                node.target.elts[0] if isinstance(node.target, ast.Tuple) and called == "enumerate" else node.target
            )
            if called in ("range", "enumerate") and isinstance(target, ast.Name):
                found[site] = target.id
    return found


class Positions:
    """Scope -> the position that it belongs to. Grows with the trace."""

    def __init__(self) -> None:
        self.around: list[int] = []
        """Per scope the outermost iteration of a loop over positions around it, or -1."""
        self.position: dict[int, int] = {}
        """Such an iteration -> its position, from 0: its counting variable, or how many came before it."""
        self._counts: dict[tuple[int, int], int] = {}

    def update(self, trace: Trace) -> None:
        """Take in the scopes that were opened since."""
        loops, counters = position_loops(trace.program), _counters(trace.program)
        for scope in range(len(self.around), len(trace.scope_site)):
            parent, site = trace.scope_parent[scope], trace.scope_site[scope]
            around = self.around[parent] if parent >= 0 else -1
            if around < 0 and site in loops:
                around = scope
                count = self._counts.get((parent, site), 0)
                self._counts[parent, site] = count + 1
                told = parse_iteration(trace.scope_values.get(scope, "")).get(counters.get(site, ""))
                self.position[scope] = told if isinstance(told, int) else count
            self.around.append(around)


@growing
def positions(trace: Trace) -> Positions:
    """The positions of an episode."""
    return Positions()


def position_scope(trace: Trace, event: int) -> int:
    """The iteration of the loop over positions around an event, or -1."""
    scope = trace.scope_of(event)
    return positions(trace).around[scope] if scope >= 0 else -1


def position(trace: Trace, event: int) -> float:
    """The token position of an event, from 0; NaN outside the loop over positions."""
    return positions(trace).position.get(position_scope(trace, event), NAN)


def position_site(trace: Trace) -> int:
    """The loop over positions that this episode has run through (the first of several), or -1."""
    first = next(iter(positions(trace).position), -1)
    return trace.scope_site[first] if first >= 0 else -1
