"""Writes of a node's grad and data, wherever they stand: told to the recorder with who gave what."""

from __future__ import annotations

import ast
from collections.abc import Callable

from microgpt_tui.debuggee.rewrite.emit import Emitter, call, fix, note, then
from microgpt_tui.debuggee.rewrite.sites import BEFORE, DELTA, FACTOR, NOTE, PROPAGATE, SOURCE, STEPPING
from microgpt_tui.debuggee.rewrite.syntax import (
    blocks_of,
    evaluated_in_place,
    header_of,
    load_of,
    names_bound_inside,
    parameters_of,
    plain,
    same,
    tuple_of,
)
from microgpt_tui.protocol.codes import LEAVE_PROPAGATE, SiteKind

KNOWN_FUNCTIONS = {
    "print",
    "abs",
    "float",
    "int",
    "max",
    "min",
    "round",
    "sum",
    "isinstance",
    "zip",
    "len",
    "str",
    "repr",
}
"""Functions that give no gradient on."""
MOST_NUMBERS = 12
"""Numbers noted with one update."""
Write = ast.Assign | ast.AugAssign


class Gradients:
    """Adds a note after every statement that writes a gradient or a value."""

    def __init__(self, emit: Emitter) -> None:
        self.emit = emit
        self.grad, self.data = emit.autograd.grad_name, emit.autograd.data_name
        self.assigned: dict[str, ast.expr] = {}
        """What plain names were computed from in this block: the numbers behind an update."""
        self.empty: set[str] = set()
        """Grads that are None here: what is assigned to them is the first contribution."""
        self.given: set[str] = set()
        """Parameters of the function around: an upstream gradient may be handed in by one."""

    def only(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """Rewrite writes of data and grad, at any depth, and nothing else."""
        out: list[ast.stmt] = []
        for statement in body:
            _Setattrs(self).visit(statement)
            new = self.propagate(statement)
            if new is None:
                given = self.given
                if isinstance(statement, ast.FunctionDef):
                    self.given = {a.arg for a in parameters_of(statement)}
                empty = self.empty
                for owner, name, inner in blocks_of(statement):
                    first = self.first_of(owner) if isinstance(owner, ast.If) and name == "body" else None
                    self.empty = {ast.unparse(first)} if first is not None else set()
                    setattr(owner, name, self.only(inner))
                self.given, self.empty = given, empty
                new = [*self.before(statement), statement, *self.after(statement), *self.forget(statement)]
            fix(new, statement)
            out.extend(new)
        return out

    def propagate(self, statement: ast.stmt) -> list[ast.stmt] | None:
        """The loop ``for v in …: for child, local in zip(v.…, v.…): child.grad += local * v.grad``, or None.

        While the script runs freely one entry a node is enough: what it propagates to each operand
        follows from the operands and local gradients that it keeps. While somebody steps, every
        contribution is noted by itself. This is what recording a backward pass costs: it is the
        hottest loop of the script.
        """
        match statement:
            case (
                ast.For(
                    target=ast.Name(id=node),
                    body=[
                        ast.For(
                            target=ast.Tuple(elts=[ast.Name(id=child), ast.Name(id=local)]),
                            iter=ast.Call(
                                func=ast.Name(id="zip"),
                                args=[
                                    ast.Attribute(value=ast.Name(id=first), attr=children),
                                    ast.Attribute(value=ast.Name(id=second), attr=local_grads),
                                ],
                            ),
                            body=[
                                ast.AugAssign(
                                    target=ast.Attribute(value=ast.Name(id=written), attr=grad),
                                    op=ast.Add(),
                                    value=ast.BinOp(op=ast.Mult()) as product,
                                ) as add
                            ],
                            orelse=[],
                        ) as inner
                    ],
                    orelse=[],
                ) as loop
            ) if (first, second, written, grad) == (node, node, child, self.grad):
                factors = {ast.unparse(product.left), ast.unparse(product.right)}
                if factors != {local, f"{node}.{grad}"}:
                    return None
            case _:
                return None
        (told,) = self.after(add)
        accumulate = len(self.emit.sites.records) - 1
        place = self.emit.site(SiteKind.PROPAGATE, loop, names=(children, local_grads), statement=accumulate)
        inner.body = [add, ast.If(ast.Name(STEPPING, ast.Load()), [told], []), *self.forget(add)]
        loop.body.insert(0, ast.Expr(call(SOURCE, ast.Name(node, ast.Load()))))
        loop.iter = then(loop.iter, call(PROPAGATE, ast.Constant(place)))  # the order is sorted out before
        return [loop, ast.Expr(call(PROPAGATE, ast.Constant(LEAVE_PROPAGATE)))]

    # -- one statement ---------------------------------------------------------------------

    def after(self, statement: ast.stmt) -> list[ast.stmt]:
        """The notes to add after a statement that writes a node's grad or data."""
        notes: list[ast.stmt] = []
        if not isinstance(statement, Write):
            return notes
        for target in _targets(statement):
            for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(part, ast.Attribute) and plain(part.value):
                    if part.attr == self.grad:
                        notes.append(self.grad_write(statement, part))
                    elif part.attr == self.data:
                        notes.append(self.data_write(statement, part))
        return notes

    def before(self, statement: ast.stmt) -> list[ast.stmt]:
        """What to tell before a statement: a node's data that it writes, a gradient that it hands to a function."""
        handed = self.handed(statement)
        if not isinstance(statement, Write):
            return handed
        return handed + [
            ast.Expr(call(BEFORE, ast.Constant(self.emit.site(SiteKind.BEFORE, statement)), load_of(t.value)))
            for t in _targets(statement)
            if isinstance(t, ast.Attribute) and t.attr == self.data and plain(t.value)
            and (isinstance(t.value, ast.Name) or isinstance(statement, ast.AugAssign))
        ]  # fmt: skip

    def handed(self, statement: ast.stmt) -> list[ast.stmt]:
        """``v.pull(v.grad)``: what the function adds to gradients comes from ``v``."""
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return []
        for node in evaluated_in_place(header_of(statement)):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") in KNOWN_FUNCTIONS:
                continue
            for argument in node.args:
                if isinstance(argument, ast.Attribute) and self.is_grad(argument):
                    root = next((n for n in ast.walk(argument) if isinstance(n, ast.Name)), None)
                    bound = {n for e in header_of(statement) for n in names_bound_inside(e)}
                    if root is not None and root.id not in bound:
                        return [note(self.emit.site(SiteKind.GIVER, statement), load_of(argument.value))]
        return []

    def forget(self, statement: ast.stmt) -> list[ast.stmt]:
        """Outside functions, names of ours would stay among the script's globals: deleted right after use."""
        if not self.emit.globally:
            return []
        named = (n.target.id for n in evaluated_in_place(header_of(statement)) if isinstance(n, ast.NamedExpr))
        out: list[ast.stmt] = []
        for name in sorted({DELTA, FACTOR}.intersection(named)):
            # Bound first: what names it may have been skipped (``x and setattr(…)``).
            out.append(ast.Assign([ast.Name(name, ast.Store())], ast.Constant(None)))
            out.append(ast.Delete([ast.Name(name, ast.Del())]))
        return out

    def grad_write(self, statement: Write, target: ast.Attribute) -> ast.stmt:
        owner = load_of(target.value)
        holder: ast.AST = statement
        sign: Callable[[ast.expr], ast.expr] = _as_it_is
        first = False
        match statement:
            case ast.AugAssign(op=ast.Add(), value=added):
                side = "value"
            case ast.Assign(value=ast.BinOp(left=left, op=ast.Add(), right=added) as holder) if _own(left, target):
                side = "right"
            case ast.Assign(value=ast.BinOp(left=added, op=ast.Add(), right=right) as holder) if _own(right, target):
                side = "left"
            case ast.Assign(value=ast.IfExp(test, body=added, orelse=ast.BinOp(left, ast.Add(), more))) if (
                isinstance(added, ast.Name) and _is_none(test, target) and same(left, target) and same(more, added)
            ):
                side, first = "body", True
            case ast.Assign(value=added) if ast.unparse(target) in self.empty and any(
                map(self.is_grad, ast.walk(added))
            ):
                side, first = "value", True
            case ast.AugAssign(op=ast.Sub(), value=added):
                side, sign = "value", _negated
            case ast.Assign(value=ast.BinOp(left=left, op=ast.Sub(), right=added) as holder) if same(left, target):
                side, sign = "right", _negated
            case _:
                return note(self.emit.site(SiteKind.ASSIGN, statement), owner, load_of(target))
        source, factor = self.contribution(added)
        if isinstance(added, ast.Constant) or (isinstance(added, ast.Name) and added.id != getattr(owner, "id", "")):
            delta = load_of(added)
        else:
            delta = _named(DELTA, holder, side)
        # A first contribution of -0.0 is assigned as it is, and 0 + -0.0 would be 0.0: the grad itself is told too.
        after = [load_of(target)] if first else []
        return note(self.emit.site(SiteKind.ACCUMULATE, statement), owner, source, sign(delta), sign(factor), *after)

    def first_of(self, choice: ast.If) -> ast.expr | None:
        """The grad in ``if x.grad is None:``."""
        test = choice.test
        if isinstance(test, ast.Compare) and self.is_grad(test.left) and _is_none(test, test.left):
            return test.left
        return None

    def contribution(self, added: ast.expr) -> tuple[ast.expr, ast.expr]:
        """Who gives (``v`` in ``lg * v.grad``) and the local gradient, as expressions; None where not to be told."""
        nothing = ast.Constant(None)
        upstream = next((n for n in ast.walk(added) if self.is_grad(n)), None)
        if not isinstance(upstream, ast.Attribute):
            return nothing, self.factor_of_given(added)
        source = load_of(upstream.value)
        if added is upstream:
            return source, ast.Constant(1)
        if isinstance(added, ast.BinOp) and isinstance(added.op, ast.Mult) and upstream in (added.left, added.right):
            side = "left" if added.right is upstream else "right"
            local: ast.expr = getattr(added, side)
            named = isinstance(local, ast.Name | ast.Constant)
            return source, load_of(local) if named else _named(FACTOR, added, side)
        return source, nothing

    def factor_of_given(self, added: ast.expr) -> ast.expr:
        """The local gradient in ``slope * g``, where ``g`` is a parameter: the upstream gradient."""
        if isinstance(added, ast.BinOp) and isinstance(added.op, ast.Mult):
            sides = [(side, getattr(added, side)) for side in ("left", "right")]
            given = [isinstance(e, ast.Name) and e.id in self.given for _, e in sides]
            if sum(given) == 1:
                side, local = sides[given.index(False)]
                return load_of(local) if isinstance(local, ast.Name | ast.Constant) else _named(FACTOR, added, side)
        return ast.Constant(None)

    def is_grad(self, node: ast.AST) -> bool:
        """True for an expression that reads a node's gradient."""
        return isinstance(node, ast.Attribute) and node.attr == self.grad and plain(node.value)

    def data_write(self, statement: Write, target: ast.Attribute) -> ast.stmt:
        used = self.used_numbers(statement.value)
        place = self.emit.site(SiteKind.UPDATE, statement, names=tuple(ast.unparse(e) for e in used))
        full = note(place, load_of(target.value), load_of(target), *(load_of(e) for e in used))
        if not used:
            return full
        # What a number was computed from may be gone by now (a popped item): the update itself is told all the same.
        bare = note(place, load_of(target.value), load_of(target))
        return ast.Try([full], [ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, [bare])], [], [])

    def used_numbers(self, value: ast.expr) -> list[ast.expr]:
        """Names and indexed names that an update reads, and those that they were computed from in the same block."""
        found: dict[str, ast.expr] = {}
        todo = [value]
        while todo:
            for text, read in _reads(todo.pop(0)):
                if len(found) == MOST_NUMBERS:
                    return list(found.values())
                if text not in found:
                    found[text] = read
                    if text in self.assigned:
                        todo.append(self.assigned[text])
        return list(found.values())

    # -- one expression --------------------------------------------------------------------

    def of_setattr(self, node: ast.Call) -> ast.expr | None:
        """``setattr(x, "grad", ...)`` as an expression, such as in a lambda; None for any other call."""
        match node:
            case ast.Call(func=ast.Name(id="setattr"), args=[target, ast.Constant(value=str(name)), value]) if name in (
                self.grad,
                self.data,
            ) and plain(target):
                owner = load_of(target)
            case _:
                return None
        read = ast.Attribute(owner, name, ast.Load())
        if name == self.grad and isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add) \
                and same(value.left, read):  # fmt: skip
            source, factor = self.contribution(value.right)
            delta = _named(DELTA, value, "right")
            place = self.emit.site(SiteKind.ACCUMULATE, node)
            values = [owner, source, delta, factor]
        else:
            place = self.emit.site(SiteKind.ASSIGN if name == self.grad else SiteKind.UPDATE, node)
            values = [owner, read]
        return then(node, call(NOTE, tuple_of(ast.Constant(place), *values)))


class _Setattrs(ast.NodeTransformer):
    """Writes by ``setattr`` inside a statement."""

    def __init__(self, gradients: Gradients) -> None:
        self.gradients = gradients

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        return self.gradients.of_setattr(node) or node


def _as_it_is(expression: ast.expr) -> ast.expr:
    return expression


def _negated(expression: ast.expr) -> ast.expr:
    """What ``-=`` adds."""
    unknown = isinstance(expression, ast.Constant) and expression.value is None
    return expression if unknown else ast.UnaryOp(ast.USub(), expression)


def _is_none(test: ast.expr, target: ast.expr) -> bool:
    """``x.grad is None``, for that grad."""
    match test:
        case ast.Compare(left=left, ops=[ast.Is()], comparators=[ast.Constant(value=None)]):
            return same(left, target)
    return False


def _own(expression: ast.expr, target: ast.expr) -> bool:
    """The grad itself; also ``(x.grad or 0)``, ``(0 if x.grad is None else x.grad)`` and its reverse."""
    match expression:
        case ast.BoolOp(op=ast.Or(), values=[own, ast.Constant(value=0)]):
            return same(own, target)
        case ast.IfExp(test, body=ast.Constant(value=0), orelse=own):
            return same(own, target) and _is_none(test, target)
        case ast.IfExp(test=ast.Compare(left=left, ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]), body=own,
                       orelse=ast.Constant(value=0)):  # fmt: skip
            return same(left, target) and same(own, target)
    return same(expression, target)


def _targets(statement: Write) -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else [statement.target]


def _named(name: str, holder: ast.AST, side: str) -> ast.expr:
    """Give a part of an expression a name of ours; returns how to read it."""
    part: ast.expr = getattr(holder, side)
    setattr(holder, side, ast.copy_location(ast.NamedExpr(ast.Name(name, ast.Store()), part), part))
    return ast.Name(name, ast.Load())


def _reads(expression: ast.expr) -> list[tuple[str, ast.expr]]:
    """The names and indexed names that an expression reads, as text and syntax; not its own variables, no functions."""
    found: list[tuple[str, ast.expr]] = []
    own = names_bound_inside(expression)
    skip: set[ast.AST] = set()
    for node in ast.walk(expression):
        if node in skip:
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            skip.update(ast.walk(node.func))
        if isinstance(node, ast.Attribute | ast.Subscript) and plain(node):
            skip.update(ast.walk(node))
        elif not isinstance(node, ast.Name) or node.id.startswith("@"):
            continue
        assert isinstance(node, ast.expr)
        if not any(isinstance(n, ast.Name) and n.id in own for n in ast.walk(node)):
            found.append((ast.unparse(node), node))
    return found
