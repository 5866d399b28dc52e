"""Writes of a node's grad and data, wherever they stand: told to the recorder with who gave what."""

from __future__ import annotations

import ast

from microgpt_tui.debuggee.rewrite.emit import Emitter
from microgpt_tui.debuggee.rewrite.sites import BEFORE, DELTA, FACTOR, NOTE, PROPAGATE, SOURCE, STEPPING
from microgpt_tui.debuggee.rewrite.syntax import is_attribute_of, load_of, names_bound_inside, plain, same, tuple_of
from microgpt_tui.protocol.codes import LEAVE_PROPAGATE, SiteKind


class GradientWriter(Emitter):
    """Adds a note after every statement that writes a gradient or a value."""

    def gradients_only(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """Rewrite writes of data and grad, at any depth, and nothing else."""
        out: list[ast.stmt] = []
        for statement in body:
            statement = Setattrs(self).visit(statement)
            hands = self.propagate(statement) if isinstance(statement, ast.For) else None
            if hands is not None:
                self.fix(hands, statement)
                out.extend(hands)
                continue
            for name in ("body", "orelse", "finalbody"):
                inner = getattr(statement, name, None)
                if isinstance(inner, list) and inner and isinstance(inner[0], ast.stmt):
                    setattr(statement, name, self.gradients_only(inner))
            for handler in getattr(statement, "handlers", []):
                handler.body = self.gradients_only(handler.body)
            new = [*self.data_before(statement), statement, *self.writes(statement), *self.forget(statement)]
            self.fix(new, statement)
            out.extend(new)
        return out

    def propagate(self, s: ast.For) -> list[ast.stmt] | None:
        """The loop ``for v in …: for child, local in zip(v.…, v.…): child.grad += local * v.grad``, or None.

        While the script runs freely one entry a node is enough: what it hands to each operand
        follows from the operands and local gradients that it keeps. While somebody steps, every
        contribution is noted by itself. This is what recording a backward pass costs: it is the
        hottest loop of the script.
        """
        grad = self.autograd.grad_name
        if not isinstance(s.target, ast.Name) or len(s.body) != 1 or s.orelse or not isinstance(s.body[0], ast.For):
            return None
        giver, inner = s.target.id, s.body[0]
        call = inner.iter
        if (
            len(inner.body) != 1
            or inner.orelse
            or not isinstance(inner.target, ast.Tuple)
            or not isinstance(call, ast.Call)
            or not isinstance(call.func, ast.Name)
            or call.func.id != "zip"
            or len(call.args) != 2
            or not all(is_attribute_of(a, giver) for a in call.args)
        ):
            return None
        names = [t.id for t in inner.target.elts if isinstance(t, ast.Name)]
        add = inner.body[0]
        if len(names) != 2 or not isinstance(add, ast.AugAssign) or not isinstance(add.op, ast.Add):
            return None
        child, local = names
        product = add.value
        upstream = ast.Attribute(ast.Name(giver, ast.Load()), grad, ast.Load())
        if (
            not is_attribute_of(add.target, child)
            or getattr(add.target, "attr", "") != grad
            or not isinstance(product, ast.BinOp)
            or not isinstance(product.op, ast.Mult)
            or {ast.dump(product.left), ast.dump(product.right)}
            != {ast.dump(ast.Name(local, ast.Load())), ast.dump(upstream)}
        ):
            return None
        (note,) = self.writes(add)
        attributes = tuple(a.attr for a in call.args if isinstance(a, ast.Attribute))
        place = self.site(SiteKind.PROPAGATE, s, names=attributes, statement=len(self.sites.records) - 1)
        inner.body = [add, ast.If(ast.Name(STEPPING, ast.Load()), [note], []), *self.forget(add)]
        s.body.insert(0, ast.Expr(self.call(SOURCE, ast.Name(giver, ast.Load()))))
        s.iter = self.after(s.iter, self.call(PROPAGATE, ast.Constant(place)))  # the order is sorted out before
        return [s, ast.Expr(self.call(PROPAGATE, ast.Constant(LEAVE_PROPAGATE)))]

    # -- writes of grad and data -------------------------------------------------------------

    def writes(self, statement: ast.stmt) -> list[ast.stmt]:
        """The notes to add after a statement that writes a node's grad or data."""
        if isinstance(statement, ast.AugAssign):
            targets: list[ast.expr] = [statement.target]
        elif isinstance(statement, ast.Assign):
            targets = list(statement.targets)
        else:
            return []
        notes: list[ast.stmt] = []
        for target in targets:
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            for part in parts:
                if isinstance(part, ast.Attribute) and plain(part.value):
                    if part.attr == self.autograd.grad_name:
                        notes.append(self.grad_write(statement, part))
                    elif part.attr == self.autograd.data_name:
                        notes.append(self.data_write(statement, part))
        return notes

    def data_before(self, statement: ast.stmt) -> list[ast.stmt]:
        """What to do before a node's data is written: the recorder may have to know what it was."""
        if not isinstance(statement, ast.AugAssign | ast.Assign):
            return []
        targets = [statement.target] if isinstance(statement, ast.AugAssign) else statement.targets
        return [
            ast.Expr(self.call(BEFORE, ast.Constant(self.site(SiteKind.BEFORE, statement)), load_of(t.value)))
            for t in targets
            if isinstance(t, ast.Attribute) and t.attr == self.autograd.data_name and plain(t.value)
            and (isinstance(t.value, ast.Name) or isinstance(statement, ast.AugAssign))
        ]  # fmt: skip

    def forget(self, statement: ast.stmt) -> list[ast.stmt]:
        """Outside functions, names of ours would stay among the script's globals: deleted right after use."""
        place = self.sites.records[self.function]
        if place is None or place.kind is not SiteKind.MODULE or not isinstance(statement, ast.AugAssign | ast.Assign):
            return []
        used = {n.target.id for n in ast.walk(statement) if isinstance(n, ast.NamedExpr)} & {DELTA, FACTOR}
        return [ast.Delete([ast.Name(name, ast.Del()) for name in sorted(used)])] if used else []

    def grad_write(self, statement: ast.AugAssign | ast.Assign, target: ast.Attribute) -> ast.stmt:
        owner = load_of(target.value)
        added: ast.expr | None = None
        if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
            added = statement.value
        elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.BinOp):
            whole = statement.value
            if isinstance(whole.op, ast.Add) and same(whole.left, target):
                added = whole.right
            elif isinstance(whole.op, ast.Add) and same(whole.right, target):
                added = whole.left
        if added is None:
            place = self.site(SiteKind.ASSIGN, statement)
            return self.note(place, owner, load_of(target))
        source, factor = self.contribution(added)
        delta: ast.expr
        if isinstance(added, ast.Constant) or (isinstance(added, ast.Name) and added.id != getattr(owner, "id", "")):
            delta = load_of(added)
        else:
            named = ast.copy_location(ast.NamedExpr(ast.Name(DELTA, ast.Store()), added), added)
            if isinstance(statement, ast.AugAssign):
                statement.value = named
            else:
                total = statement.value
                assert isinstance(total, ast.BinOp)
                if total.right is added:
                    total.right = named
                else:
                    total.left = named
            delta = ast.Name(DELTA, ast.Load())
        place = self.site(SiteKind.ACCUMULATE, statement)
        return self.note(place, owner, source, delta, factor)

    def contribution(self, added: ast.expr) -> tuple[ast.expr, ast.expr]:
        """Who gives (``v`` in ``lg * v.grad``) and the local gradient, as expressions; None where not to be told."""
        nothing = ast.Constant(None)
        reads = [
            n for n in ast.walk(added)
            if isinstance(n, ast.Attribute) and n.attr == self.autograd.grad_name and plain(n.value)
        ]  # fmt: skip
        if not reads:
            return nothing, nothing
        source = load_of(reads[0].value)
        if added is reads[0]:
            return source, ast.Constant(1)
        if isinstance(added, ast.BinOp) and isinstance(added.op, ast.Mult):
            for side, other in (("left", added.right), ("right", added.left)):
                if other is reads[0]:
                    local = getattr(added, side)
                    if isinstance(local, ast.Name | ast.Constant):
                        return source, load_of(local)
                    named = ast.copy_location(ast.NamedExpr(ast.Name(FACTOR, ast.Store()), local), local)
                    setattr(added, side, named)
                    return source, ast.Name(FACTOR, ast.Load())
        return source, nothing

    def data_write(self, statement: ast.AugAssign | ast.Assign, target: ast.Attribute) -> ast.stmt:
        used = self.used_numbers(statement.value)
        names = tuple(ast.unparse(e) for e in used)
        place = self.site(SiteKind.UPDATE, statement, names=names)
        owner, value = load_of(target.value), load_of(target)
        full = self.note(place, owner, value, *(load_of(e) for e in used))
        if not used:
            return full
        # What a number was computed from may be gone by now (a popped item): the update itself is told all the same.
        bare = self.note(place, load_of(target.value), load_of(target))
        return ast.Try([full], [ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, [bare])], [], [])

    def used_numbers(self, value: ast.expr) -> list[ast.expr]:
        """Names and indexed names that an update reads, and those that they were computed from in the same block."""
        found: dict[str, ast.expr] = {}
        todo = [value]
        while todo and len(found) < 12:
            expression = todo.pop(0)
            skip: set[int] = set()
            own = names_bound_inside(expression)
            for node in ast.walk(expression):
                if id(node) in skip:
                    continue
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                    skip.update(id(n) for n in ast.walk(node.func))
                if isinstance(node, ast.Attribute | ast.Subscript) and plain(node):
                    skip.update(id(n) for n in ast.walk(node))
                elif not isinstance(node, ast.Name) or node.id.startswith("@"):
                    continue
                assert isinstance(node, ast.expr)
                if any(isinstance(n, ast.Name) and n.id in own for n in ast.walk(node)):
                    continue
                text = ast.unparse(node)
                if text not in found and len(found) < 12:
                    found[text] = node
                    if text in self.assigned:
                        todo.append(self.assigned[text])
        return list(found.values())


class Setattrs(ast.NodeTransformer):
    """``setattr(x, "grad", ...)`` as an expression, such as in a lambda."""

    def __init__(self, rewriter: GradientWriter) -> None:
        self.rewriter = rewriter

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        rewriter = self.rewriter
        wanted = {
            rewriter.autograd.grad_name: SiteKind.ASSIGN,
            rewriter.autograd.data_name: SiteKind.UPDATE,
        }
        if (
            not isinstance(node.func, ast.Name)
            or node.func.id != "setattr"
            or len(node.args) != 3
            or not isinstance(node.args[1], ast.Constant)
            or node.args[1].value not in wanted
            or not plain(node.args[0])
        ):
            return node
        name = str(node.args[1].value)
        owner, value = load_of(node.args[0]), node.args[2]
        read = ast.Attribute(owner, name, ast.Load())
        if name == rewriter.autograd.grad_name and isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add) \
                and same(value.left, read):  # fmt: skip
            source, factor = rewriter.contribution(value.right)
            value.right = ast.copy_location(ast.NamedExpr(ast.Name(DELTA, ast.Store()), value.right), value.right)
            place = rewriter.site(SiteKind.ACCUMULATE, node)
            values: list[ast.expr] = [
                ast.Constant(place),
                owner,
                source,
                ast.Name(DELTA, ast.Load()),
                factor,
            ]
        else:
            place = rewriter.site(wanted[name], node)
            values = [ast.Constant(place), owner, read]
        return rewriter.after(node, rewriter.call(NOTE, tuple_of(*values)))
