"""Calls and operations inside expressions: prints, draws, and operations that need a mark of their own."""

from __future__ import annotations

import ast

from microgpt_tui.debuggee.rewrite.analyse import computed_names, is_class_call, own_statements
from microgpt_tui.debuggee.rewrite.emit import Emitter, call, first, then
from microgpt_tui.debuggee.rewrite.gradients import Gradients
from microgpt_tui.debuggee.rewrite.sites import CHOOSE, DRAW, MARK, NOTE, PRINTED, Making
from microgpt_tui.debuggee.rewrite.syntax import operation_name, parameters_of, tuple_of
from microgpt_tui.protocol.codes import SiteKind


class CreationMarks(ast.NodeTransformer):
    """Marks before each call of the autograd class inside an operation."""

    def __init__(self, emit: Emitter, method: ast.FunctionDef | ast.Lambda, name: str) -> None:
        self.emit = emit
        self.op = operation_name(name)
        data = emit.autograd.data_name
        rebound = {n.id for n in ast.walk(method) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        given = [a.arg for a in parameters_of(method)]
        self.operands = tuple(a for a in given[1:] if a not in rebound)
        """Arguments that are still what they were when a node is made: plain numbers may be among them."""
        self.computed = computed_names(method, data)
        if getattr(method, "name", "") in emit.autograd.wrappers:
            self.computed.update(given)
        self.reads = names_read(method, data, given)
        self.dispatch = "" if name.startswith("__") else dispatching(method, self.operands)
        self.creates = False
        """A node was found to be made of others here, not only of a plain number."""
        self.wraps = not name.startswith("__") and not self.reads

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        emit = self.emit
        if not is_class_call(node, emit.autograd.node.name):
            return node
        wrapped = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if isinstance(wrapped, ast.Constant) or (isinstance(wrapped, ast.Name) and wrapped.id not in self.computed):
            hook = call(MARK, ast.Constant(emit.site(SiteKind.CONSTANT, node, self.op)))
        else:
            self.creates = True
            site = emit.site(SiteKind.CREATE, node, self.op, names=self.operands)
            emit.sites.makers[site] = Making(self.reads, self.dispatch, self.wraps)
            values = [ast.Name(a, ast.Load()) for a in self.operands]
            hook = call(NOTE, tuple_of(ast.Constant(site), *values)) if values else call(MARK, ast.Constant(site))
        return first(hook, node)


def names_read(function: ast.FunctionDef | ast.Lambda, data_name: str, given: list[str]) -> tuple[str, ...]:
    """The variables whose data an operation reads (for those of a loop what it goes through), parameters first."""
    body = list(own_statements(function))
    through: dict[str, ast.expr] = {}
    for node in body:
        if isinstance(node, ast.For | ast.comprehension):
            through.update((n.id, node.iter) for n in ast.walk(node.target) if isinstance(n, ast.Name))
    found: dict[str, None] = {}
    todo: list[ast.AST] = [n.value for n in body if isinstance(n, ast.Attribute) and n.attr == data_name]
    seen: set[ast.AST] = set()
    while todo:
        for node in ast.walk(todo.pop(0)):
            if isinstance(node, ast.Name) and node not in seen:
                seen.add(node)
                if node.id in through:
                    todo.append(through[node.id])
                else:
                    found[node.id] = None
    return (*(a for a in given if a in found), *(a for a in found if a not in given))


def dispatching(function: ast.FunctionDef | ast.Lambda, operands: tuple[str, ...]) -> str:
    """The parameter that says which operation is meant (``unary("exp")``, ``unary(math.exp)``), or an empty text."""
    for node in own_statements(function):
        parts: list[ast.expr | None] = []
        match node:
            case ast.Compare(left=left, comparators=others):
                if any(isinstance(n, ast.Constant) and isinstance(n.value, str) for n in (left, *others)):
                    parts = [left, *others]
            case ast.Subscript(slice=index):
                parts = [index]
            case ast.Match(subject=subject):
                parts = [subject]
            case ast.Call(func=ast.Name(id="getattr"), args=[_, name, *_]):
                parts = [name]
            case ast.Call(func=function_called):
                parts = [function_called]
        for part in parts:
            if isinstance(part, ast.Name) and part.id in operands:
                return part.id
    return ""


class Expressions(ast.NodeTransformer):
    """Calls that print, draw or set, operations that need a mark of their own; not inside lambdas.

    ``ambiguous``: ``id`` of a node of the syntax -> the site that a mark after it names.
    """

    def __init__(self, emit: Emitter, gradients: Gradients, ambiguous: dict[int, int]) -> None:
        self.emit = emit
        self.gradients = gradients
        self.ambiguous = ambiguous

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        outside, self.ambiguous, resumed, self.emit.resumed = self.ambiguous, {}, self.emit.resumed, 0
        self.generic_visit(node)
        self.ambiguous, self.emit.resumed = outside, resumed
        name = self.emit.autograd.functions.get(node)
        if name is not None:
            node.body = CreationMarks(self.emit, node, name).visit(node.body)
        return node

    def visit_Yield(self, node: ast.Yield) -> ast.AST:
        return self.suspended(node)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> ast.AST:
        return self.suspended(node)

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        return then(node, call(MARK, ast.Constant(self.emit.resumed))) if self.emit.resumed else node

    def suspended(self, node: ast.Yield | ast.YieldFrom) -> ast.AST:
        """A generator is left here, and goes on here."""
        self.generic_visit(node)
        if not self.emit.resumed:
            return node
        value = node.value or ast.copy_location(ast.Constant(None), node)
        node.value = then(value, call(MARK, ast.Constant(self.emit.suspended)))
        return then(node, call(MARK, ast.Constant(self.emit.resumed)))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return self.marked(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return self.marked(node)

    def marked(self, node: ast.expr) -> ast.expr:
        place = self.ambiguous.get(id(node))
        return node if place is None else then(node, call(MARK, ast.Constant(place)))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        written = self.gradients.of_setattr(node)
        if written is not None:
            return written
        match node.func:
            case ast.Name(id="print") | ast.Attribute(value=ast.Attribute(attr="stdout" | "stderr"), attr="write"):
                return then(node, call(PRINTED, ast.Constant(self.emit.site(SiteKind.PRINT, node))))
            case ast.Name(id="choices") | ast.Attribute(attr="choices"):
                return self.drawn(CHOOSE, "choices", node)
            case ast.Attribute(attr="random") if not node.args:
                return self.drawn(DRAW, "random", node)
        return self.marked(node)

    def drawn(self, hook: str, name: str, node: ast.Call) -> ast.expr:
        """The hook draws in place of the function, which it is given."""
        place = ast.Constant(self.emit.site(SiteKind.SAMPLE, node, name))
        function = ast.copy_location(ast.Name(hook, ast.Load()), node)
        return ast.copy_location(ast.Call(function, [place, node.func, *node.args], node.keywords), node)
