"""Small changes of a script's derivatives, of its pass and of its optimizer, drawn from a seed."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass

SWAPPED: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.Add(),
    ast.Div: ast.Mult(),
    ast.Pow: ast.Mult(),
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A source with one change."""

    what: str
    text: str
    latent: bool
    """``=`` where ``+=`` stood: wrong even where this run's graph uses every operand once."""


def mutants(source: str, count: int, seed: int) -> Iterator[Mutant]:
    """``count`` mutated sources, all different."""
    chance = random.Random(seed)
    seen = {ast.unparse(ast.parse(source))}
    while count:
        tree = ast.parse(source)
        settings = _settings(tree)
        places = [p for p in _places(tree) if id(p[3]) not in settings]
        parent, name, index, node = chance.choice(places)
        changed = chance.choice(_changes(node))
        before = f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
        _put(parent, name, index, changed)
        ast.fix_missing_locations(tree)
        text = ast.unparse(tree)
        if text not in seen:
            seen.add(text)
            count -= 1
            sets = isinstance(node, ast.AugAssign) and isinstance(changed, ast.Assign)
            yield Mutant(f"{before} -> {ast.unparse(changed)}", text, sets)


def _put(parent: ast.AST, name: str, index: int, value: ast.AST) -> None:
    if index < 0:
        setattr(parent, name, value)
    else:
        getattr(parent, name)[index] = value


def _places(tree: ast.Module) -> Iterator[tuple[ast.AST, str, int, ast.AST]]:
    """Parent, field, index and node of whatever may be changed."""
    for part in _parts(tree):
        for parent in ast.walk(part):
            for name, value in ast.iter_fields(parent):
                for index, node in enumerate(value) if isinstance(value, list) else [(-1, value)]:
                    if isinstance(node, ast.expr | ast.AugAssign | ast.Assign) and _changes(node):
                        yield parent, name, index, node


def _parts(tree: ast.Module) -> Iterator[ast.AST]:
    """The derivatives of operations, the pass, and the loop of the optimizer."""
    for cls in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
        for method in (n for n in cls.body if isinstance(n, ast.FunctionDef)):
            if method.name == "backward":
                yield method
                continue
            yield from (n for n in method.body if isinstance(n, ast.FunctionDef))
            for call in (n for n in ast.walk(method) if isinstance(n, ast.Call)):
                if isinstance(call.func, ast.Name) and call.func.id == cls.name and len(call.args) == 3:
                    yield call.args[2]
                    names = {n.id for n in ast.walk(call.args[2]) if isinstance(n, ast.Name)}
                    yield from (s for s in method.body if isinstance(s, ast.Assign) and _name_of(s) in names)
    for loop in (n for n in ast.walk(tree) if isinstance(n, ast.For)):
        writes = [n for n in ast.walk(loop) if isinstance(n, ast.AugAssign | ast.Assign) and _is_data(n)]
        inner = [n for n in ast.walk(loop) if isinstance(n, ast.For) and n is not loop]
        if writes and not inner:
            yield loop


def _name_of(node: ast.Assign) -> str:
    first = node.targets[0]
    return first.id if isinstance(first, ast.Name) and first.id not in ("other", "o") else ""


def _settings(tree: ast.Module) -> set[int]:
    """The rate and the epsilon in an update: another one is another setting, and no mistake."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.AugAssign) and _is_data(node):
            numbers = [n for n in ast.walk(node.value) if isinstance(n, ast.Constant) and type(n.value) is float]
            left: ast.expr = node.value
            while isinstance(left, ast.BinOp):
                left = left.left
            found |= {id(n) for n in numbers if n.value < 1e-6 or n is left}
    return found


def _is_data(node: ast.AugAssign | ast.Assign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(t, ast.Attribute) and t.attr == "data" for t in targets)


def _changes(node: ast.AST) -> list[ast.AST]:
    """What a node may become; what changes nothing among it."""
    found: list[ast.AST] = []
    if isinstance(node, ast.AugAssign):
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        found += [ast.AugAssign(node.target, other, node.value), ast.Assign([node.target], node.value)]
        read = ast.Attribute(node.target.value, node.target.attr, ast.Load()) \
            if isinstance(node.target, ast.Attribute) else None  # fmt: skip
        if read is not None:
            found.append(ast.Assign([node.target], ast.BinOp(read, node.op, node.value)))
    elif isinstance(node, ast.Assign):
        if isinstance(node.targets[0], ast.Attribute) and node.targets[0].attr == "grad":
            found.append(ast.Assign(node.targets, ast.BinOp(node.value, ast.Add(), ast.Constant(0.5))))
    elif isinstance(node, ast.BinOp):
        for kind, other in SWAPPED.items():
            if isinstance(node.op, kind):
                found.append(ast.BinOp(node.left, other, node.right))
        found += [node.left, node.right, ast.UnaryOp(ast.USub(), node)]
        if isinstance(node.op, ast.Add | ast.Mult):
            found.append(ast.BinOp(node.right, node.op, node.left))
        found += [ast.BinOp(node, ast.Mult(), ast.Constant(1.0)), ast.BinOp(node, ast.Add(), ast.Constant(0.0))]
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        found += [ast.Constant(x) for x in (node.value + 1, node.value * 2, -node.value, node.value * 1.001) if
                  x != node.value]  # fmt: skip
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        names = {"data": "grad", "grad": "data"}
        if node.attr in names:
            found.append(ast.Attribute(node.value, names[node.attr], ast.Load()))
            found.append(ast.Call(ast.Name("float", ast.Load()), [node], []))
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "other", "out"):
            found += [ast.Attribute(ast.Name(n, ast.Load()), node.attr, ast.Load()) for n in ("self", "other", "out")
                      if n != node.value.id]  # fmt: skip
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("reversed", "float"):
        found.append(node.args[0])
    elif isinstance(node, ast.Compare):
        found += [ast.Compare(node.left, [op], node.comparators) for op in (ast.GtE(), ast.Lt())]
    return found
