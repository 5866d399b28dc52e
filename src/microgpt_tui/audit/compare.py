"""Two scripts beside each other, run on the same data with the same seed: where they part, and what comes of it."""

from __future__ import annotations

import ast
import difflib
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from microgpt_tui.recognise.attention import attention
from microgpt_tui.recognise.residual import stream
from microgpt_tui.recognise.tokens import probability_values, tokens
from microgpt_tui.trace.formula import formula, short
from microgpt_tui.trace.names import describe, parameter_names
from microgpt_tui.trace.positions import syntax
from microgpt_tui.trace.trace import Program, Site, Trace

_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Place:
    """One side of a divergence."""

    file: str
    line: int
    source: str
    """The line of the script."""
    said: str
    """What happened there, with its numbers; empty where this side has nothing more."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first thing that is not the same in both."""

    kind: str
    """``parameters``, ``operation``, ``operands``, ``number``, ``gradient``, ``update``."""
    text: str
    base: Place
    mine: Place


@dataclass(frozen=True, slots=True)
class FunctionChange:
    """A function that only one has, or that reads otherwise."""

    name: str
    change: str
    """``added``, ``removed``, ``renamed`` (the same under another name), ``changed``."""
    base_line: int
    mine_line: int
    """0 where there is none."""
    lines: tuple[str, ...] = ()
    """What was taken away (-) and added (+)."""


@dataclass(frozen=True, slots=True)
class StepPair:
    """One training step of both."""

    number: int
    loss: tuple[float | None, float | None]
    nodes: tuple[int, int]
    operations: dict[str, tuple[int, int]]
    """Operation -> how many results, where the two differ."""
    predictions: tuple[float, ...]
    """Σ|Δp| per position; empty where the vocabularies or lengths differ."""
    attention: dict[str, float]
    """``layer 0 head 1`` -> Σ|Δw|; only heads that both have over the same positions."""
    residual: tuple[tuple[str, float, float], ...]
    """(stage, its norm, its norm) at the last position: stages by their names."""


# -- where they part --------------------------------------------------------------------------


def first_divergence(base: Trace, mine: Trace) -> Divergence | None:
    """The first thing in a training step that differs: parameters, then operations, gradients, updates in order."""
    return (
        _parameters(base, mine)
        or _nodes(base, mine)
        or _rows(base, mine, "gradient", "target", "delta", "write_site")
        or _rows(base, mine, "update", "updated", "new", "update_site")
    )


def _parameters(base: Trace, mine: Trace) -> Divergence | None:
    def shapes(trace: Trace) -> dict[str, tuple[int, ...]]:
        return {m.name: m.shape for m in trace.program.matrices}

    ours, theirs = shapes(base), shapes(mine)
    if ours == theirs:
        if _first_difference(base.start_data, mine.start_data) < 0:
            return None
        for a, b in zip(base.program.matrices, mine.program.matrices, strict=False):
            if a.name == b.name and [base.data_at(n, 0) for n in a.nodes] != [mine.data_at(n, 0) for n in b.nodes]:
                text = f"{a.name} begins with other numbers"
                return _at_sites("parameters", text, base, a.nodes[0], mine, b.nodes[0])
        return None
    names = [n for n in {**ours, **theirs} if ours.get(n) != theirs.get(n)]
    text = "; ".join(f"{n}: {_shape(ours.get(n))} and {_shape(theirs.get(n))}" for n in names)
    first = names[0]
    return Divergence("parameters", text, _matrix_place(base, first), _matrix_place(mine, first))


def _shape(shape: tuple[int, ...] | None) -> str:
    return "not there" if shape is None else "×".join(map(str, shape))


def _matrix_place(trace: Trace, name: str) -> Place:
    for matrix in trace.program.matrices:
        if matrix.name == name:
            return _place(trace.program, trace.site_of(matrix.nodes[0]), f"{name}: {_shape(matrix.shape)}")
    return Place(trace.program.files[0][0], 0, "", "")


def _nodes(base: Trace, mine: Trace) -> Divergence | None:
    count = min(len(base.data), len(mine.data))
    other = _first_difference(base.data, mine.data)
    limit = other if 0 <= other < count else count
    ours, theirs = parameter_names(base.program), parameter_names(mine.program)
    for i in range(limit + (limit < count)):
        a, b = base.first_node + i, mine.first_node + i
        if base.op_name(a) != mine.op_name(b):
            return _at("operation", f"{base.op_name(a)} here, {mine.op_name(b)} there", base, a, mine, b)
        if list(_operands(base, a, ours)) != list(_operands(mine, b, theirs)):
            return _at("operands", f"{base.op_name(a)} of other operands", base, a, mine, b)
    if limit < count:
        a, b = base.first_node + limit, mine.first_node + limit
        return _at("number", f"{base.op_name(a)} gives another number", base, a, mine, b)
    if len(base.data) != len(mine.data):
        longer = base if len(base.data) > count else mine
        node = longer.first_node + count
        more, none = _made(longer, node), Place(longer.program.files[0][0], 0, "", "")
        pair = (more, none) if longer is base else (none, more)
        return Divergence("operation", "one goes on with more operations, where the other has made its last", *pair)
    return None


def _operands(trace: Trace, node: int, names: dict[int, str]) -> Iterator[int | str]:
    for child in trace.children(node):
        yield child - trace.first_node if child >= trace.first_node else names.get(child, "?")


def _rows(base: Trace, mine: Trace, kind: str, owner: str, number: str, site: str) -> Divergence | None:
    """The first write of a grad, or of a parameter's data, that differs."""
    columns = [(getattr(t, owner), getattr(t, number), getattr(t, site)) for t in (base, mine)]
    names = [parameter_names(t.program) for t in (base, mine)]

    def key(side: int, row: int) -> object:
        owners, numbers, _ = columns[side]
        if row >= len(owners):
            return None
        node, first = owners[row], (base, mine)[side].first_node
        value = numbers[row].hex() if numbers[row] == numbers[row] else "nan"
        return node - first if node >= first else names[side].get(node, "?"), value

    def place(side: int, row: int) -> Place:
        trace, (owners, numbers, sites) = (base, mine)[side], columns[side]
        if row >= len(owners):
            return Place(trace.program.files[0][0], 0, "", "")
        said = f"{describe(trace, owners[row])}: {short(numbers[row])}"
        return _place(trace.program, trace.program.site(sites[row]), said)

    for row in range(max(len(columns[0][0]), len(columns[1][0]))):
        if key(0, row) != key(1, row):
            return Divergence(kind, f"another {kind}", place(0, row), place(1, row))
    return None


def _first_difference(a: array[float], b: array[float]) -> int:
    """Index of the first number that is not the same to the last bit, or that only one has; -1 for none."""
    one, two = (memoryview(x).cast("B").cast("Q") for x in (a, b))
    for start in range(0, min(len(a), len(b)), _CHUNK):
        if one[start : start + _CHUNK] != two[start : start + _CHUNK]:
            pairs = zip(one[start : start + _CHUNK], two[start : start + _CHUNK], strict=False)
            return next((start + i for i, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))
    return -1 if len(a) == len(b) else min(len(a), len(b))


def _at(kind: str, text: str, base: Trace, a: int, mine: Trace, b: int) -> Divergence:
    return Divergence(kind, text, _made(base, a), _made(mine, b))


def _at_sites(kind: str, text: str, base: Trace, a: int, mine: Trace, b: int) -> Divergence:
    places = (
        _place(t.program, t.site_of(n), f"{describe(t, n)} = {t.data_at(n, 0)!r}") for t, n in ((base, a), (mine, b))
    )
    return Divergence(kind, text, *places)


def _made(trace: Trace, node: int) -> Place:
    made = formula(trace, node, max(0, trace.born_at(node)))
    said = f"{made.symbols}    {made.numbers}" if made.operands else f"{describe(trace, node)} = {made.numbers}"
    return _place(trace.program, trace.site_of(node), said)


def _place(program: Program, site: Site, said: str) -> Place:
    file = program.files[site.file][0]
    return Place(file, site.line, program.line_text(site.file, site.line).strip(), said)


# -- functions --------------------------------------------------------------------------------


def function_changes(base: Program, mine: Program) -> list[FunctionChange]:
    """Functions and methods, matched by name and then by structure, as far as they differ."""
    ours, theirs = dict(_functions(base)), dict(_functions(mine))
    found = []
    for name in {**ours, **theirs}:
        a, b = ours.get(name), theirs.get(name)
        if a is not None and b is not None:
            if ast.dump(a) != ast.dump(b):
                found.append(FunctionChange(name, "changed", a.lineno, b.lineno, tuple(_changed_lines(a, b))))
        elif a is not None:
            twin = next((n for n, f in theirs.items() if n not in ours and _body(f) == _body(a)), None)
            if twin is not None:
                found.append(FunctionChange(f"{name} → {twin}", "renamed", a.lineno, theirs[twin].lineno))
            else:
                found.append(FunctionChange(name, "removed", a.lineno, 0, tuple(_changed_lines(a, None))))
        elif b is not None and not any(_body(f) == _body(b) for n, f in ours.items() if n not in theirs):
            found.append(FunctionChange(name, "added", 0, b.lineno, tuple(_changed_lines(None, b))))
    return found


def _functions(program: Program) -> Iterator[tuple[str, ast.FunctionDef]]:
    def walk(node: ast.AST, path: str) -> Iterator[tuple[str, ast.FunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                yield path + child.name, child
            inner = path + child.name + "." if isinstance(child, ast.FunctionDef | ast.ClassDef) else path
            yield from walk(child, inner)

    for tree in syntax(program):
        yield from walk(tree, "")


def _body(function: ast.FunctionDef) -> str:
    return ast.dump(function.args) + "".join(map(ast.dump, function.body))


def _changed_lines(a: ast.FunctionDef | None, b: ast.FunctionDef | None) -> Iterator[str]:
    before, after = (ast.unparse(f).splitlines() if f is not None else [] for f in (a, b))
    for line in difflib.ndiff(before, after):
        if line[0] in "+-":
            yield line


def changed_lines(base: Program, mine: Program) -> list[tuple[int, str, int, str]]:
    """Lines of the two scripts that differ: (line, its text, line, its text); 0 and nothing where one has none."""
    texts = [[line.strip() for line in p.files[0][1].splitlines()] for p in (base, mine)]
    found = []
    for how, a, to_a, b, to_b in difflib.SequenceMatcher(None, texts[0], texts[1], autojunk=False).get_opcodes():
        if how != "equal":
            for x, y in zip_longest(range(a, to_a), range(b, to_b)):
                ours = (0, "") if x is None else (x + 1, texts[0][x])
                theirs = (0, "") if y is None else (y + 1, texts[1][y])
                if ours[1] or theirs[1]:
                    found.append((*ours, *theirs))
    return found


# -- what comes of it ---------------------------------------------------------------------------


def pair(base: Trace, mine: Trace) -> StepPair:
    """One training step of both beside each other."""
    counts = [Counter(t.ops[x] for x in t.op) for t in (base, mine)]
    operations = {
        op: (counts[0][op], counts[1][op]) for op in {**counts[0], **counts[1]} if counts[0][op] != counts[1][op]
    }
    return StepPair(
        base.number, (base.loss(), mine.loss()), (len(base.op), len(mine.op)), operations,
        tuple(_moved(base, mine)), _attention(base, mine), tuple(_residual(base, mine)),
    )  # fmt: skip


def _moved(base: Trace, mine: Trace) -> Iterator[float]:
    ours, theirs = tokens(base).distributions, tokens(mine).distributions
    for a, b in zip_longest(ours, theirs):
        p = probability_values(base, a) if a is not None else []
        q = probability_values(mine, b) if b is not None else []
        if len(p) != len(q):
            return
        yield sum(abs(x - y) for x, y in zip(p, q, strict=True))


def _attention(base: Trace, mine: Trace) -> dict[str, float]:
    ours, theirs = attention(base).rows, attention(mine).rows
    found: dict[str, float] = {}
    for key in sorted(ours.keys() & theirs.keys()):
        rows = [[[t.data_at(w, max(0, t.born_at(w))) for w in row.weights] for row in side[key]]
                for t, side in ((base, ours), (mine, theirs))]  # fmt: skip
        if list(map(len, rows[0])) == list(map(len, rows[1])):
            moved = sum(abs(x - y) for a, b in zip(*rows, strict=True) for x, y in zip(a, b, strict=True))
            name = f"layer {key[1]} head {key[2]}"
            found[name] = found.get(name, 0.0) + moved
    return found


def _residual(base: Trace, mine: Trace) -> Iterator[tuple[str, float, float]]:
    stages: list[dict[str, float]] = []
    for trace in (base, mine):
        told = tokens(trace).distributions
        made = stream(trace, told[-1]) if told else None
        stages.append({s.label: s.norm for s in made.stages} if made is not None else {})
    for label in {**stages[0], **stages[1]}:
        yield label, stages[0].get(label, float("nan")), stages[1].get(label, float("nan"))
