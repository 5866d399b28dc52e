"""Source in, rewritten code and a table of its sites out: a pure function.

The rewriting keeps every value, every order and every position. What it adds are calls of a
few hooks whose names no source can contain (``@mg_mark``, as pytest does it: a ``__name``
inside a class body would be mangled). They live in ``builtins``, so that the script's own
namespaces stay as they are; the recorder swaps them to go from running to stepping.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TypeVar

from microgpt_tui.debuggee.rewrite.analyse import (
    NO_OPERATION,
    AutogradClass,
    FunctionNode,
    LoopNode,
    is_class_call,
    methods_of,
)
from microgpt_tui.debuggee.rewrite.bindings import bindings, bound
from microgpt_tui.debuggee.rewrite.emit import Emitter, call, fix, mark, note
from microgpt_tui.debuggee.rewrite.expressions import CreationMarks, Expressions
from microgpt_tui.debuggee.rewrite.gradients import Gradients
from microgpt_tui.debuggee.rewrite.loops import LOOPS, Plan, Unit
from microgpt_tui.debuggee.rewrite.sites import BACKWARD, CLASS, EPISODE, NODE, SiteRecord, Sites
from microgpt_tui.debuggee.rewrite.syntax import (
    BINARY,
    BUILTIN_CALLS,
    before_returns,
    blocks_of,
    evaluated_in_place,
    header_of,
    is_generator,
    operation_name,
    parameters_of,
    prologue_length,
    tuple_of,
)
from microgpt_tui.protocol.codes import LEAVE, LEAVE_OPERATION, SiteKind

Function = TypeVar("Function", ast.FunctionDef, FunctionNode)
SILENT = ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal | ast.Pass | ast.Break | ast.Continue
"""Statements that never make an event."""
BUSY = ast.Call | ast.BinOp | ast.UnaryOp | ast.Attribute
"""Expressions that may make one."""


def instrument(
    tree: ast.Module, file: int, sites: Sites, autograd: AutogradClass, plan: Plan
) -> tuple[ast.Module, int, dict[Unit, int]]:
    """Rewrite a parsed file in place.

    Returns the tree, the number of its MODULE site, and the sites of its loops and functions.
    """
    rewriter = Rewriter(Emitter(file, sites, autograd), plan)
    module_site = rewriter.module(tree)
    return tree, module_site, rewriter.unit_sites


class Rewriter:
    """Statements, functions, classes and loops."""

    def __init__(self, emit: Emitter, plan: Plan) -> None:
        self.emit = emit
        self.autograd = emit.autograd
        self.gradients = Gradients(emit)
        self.unit_sites: dict[Unit, int] = {}
        self.episodes = {*plan.train, *plan.sample}

    def module(self, tree: ast.Module) -> int:
        number = self.emit.sites.add(SiteRecord(SiteKind.MODULE, self.emit.file, 1, 0, 1, 0, "module"))
        self.emit.function = number
        prefix = prologue_length(tree.body)
        rest = tree.body[prefix:]
        first = [ast.copy_location(mark(number), near) for near in rest[:1]] or [mark(number)]
        tree.body[prefix:] = [*first, *self.block(rest)]
        ast.fix_missing_locations(tree)
        return number

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for statement in body:
            new = self.statement(statement)
            fix(new, statement)
            out.extend(new)
        return out

    # -- functions -------------------------------------------------------------------------

    def function(self, node: Function, rewrite: Callable[[Function], None]) -> None:
        """Rewrite a function; afterwards everything is again as it is around it."""
        emit, gradients = self.emit, self.gradients
        outer = emit.function, emit.depth, emit.globally, gradients.assigned, gradients.given
        emit.globally = False
        rewrite(node)
        emit.function, emit.depth, emit.globally, gradients.assigned, gradients.given = outer

    def define(self, node: FunctionNode) -> None:
        """A function: enter and leave marks, its arguments as variables, its statements."""
        emit, original = self.emit, node.body
        number = emit.site(SiteKind.CALL, node, node.name)
        self.unit_sites[node] = number
        emit.function, emit.depth, self.gradients.assigned = number, 0, {}
        self.gradients.given = {a.arg for a in parameters_of(node)}
        enter = [mark(number)]
        if node in self.episodes:
            enter.append(ast.Expr(call(EPISODE, ast.Constant(number), tuple_of())))
        enter += [bound(emit, a, a.arg) for a in parameters_of(node) if a.arg not in ("self", "cls")]
        outer, emit.resumed = (emit.resumed, emit.suspended), 0
        leave = LEAVE
        if isinstance(node, ast.AsyncFunctionDef) or is_generator(node):
            leave = emit.site(SiteKind.SUSPEND, node, node.name)
            emit.resumed = emit.site(SiteKind.RESUME, node, node.name)
            emit.suspended = leave
        body = self.block(original[prologue_length(original) :])
        emit.resumed, emit.suspended = outer
        self.frame(node, original, enter, body, leave)

    def frame(
        self, node: FunctionNode, original: list[ast.stmt], enter: list[ast.stmt], body: list[ast.stmt], leave: int
    ) -> None:
        """A function's new body: enter, do, and whatever happens leave. A backward pass tells that it is one."""
        prefix = prologue_length(original)
        begin, end = original[0], original[-1]
        guarded = ast.Try(body or [ast.copy_location(ast.Pass(), begin)], [], [], [ast.copy_location(mark(leave), end)])
        guarded.finalbody += break_cycles(original[prefix:])
        args = [*node.args.posonlyargs, *node.args.args]
        if node.name in self.autograd.passes and args:
            enter = [*enter, ast.Expr(call(BACKWARD, ast.Name(args[0].arg, ast.Load())))]
            guarded.finalbody.insert(0, ast.copy_location(ast.Expr(call(BACKWARD)), begin))
        node.body = [*original[:prefix], *(ast.copy_location(s, begin) for s in (*enter, guarded))]
        fix(node.body, node)

    def class_definition(self, node: ast.ClassDef) -> None:
        if node not in self.autograd.family:
            for member in node.body:
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                    self.function(member, self.define)
                elif isinstance(member, ast.ClassDef):
                    self.class_definition(member)
            return
        family = self.autograd.family
        makers = [m for cls in family for m in methods_of(cls) if m.name in ("__init__", "__post_init__")]
        if not makers and node is self.autograd.node:
            hook = ast.parse("def __post_init__(self): pass").body[0]
            node.body.append(ast.copy_location(hook, node.body[-1]))
        for member in methods_of(node):
            is_maker = member is makers[0] if makers else member.name == "__post_init__"
            self.function(member, self.maker if is_maker else self.method)
        fix(node.body, node)

    def maker(self, node: ast.FunctionDef) -> None:
        """The method that makes a node: it tells which, at each of its ends."""
        report = ast.copy_location(ast.Expr(call(NODE, ast.Name(node.args.args[0].arg, ast.Load()))), node.body[-1])
        node.body = [*before_returns(node.body, report), report]
        fix(node.body, node)

    def method(self, node: ast.FunctionDef) -> None:
        """Another method of the autograd class: no statement marks, only creations and gradient writes."""
        self.operation(node, node.name, is_operation=node.name in self.autograd.operations)

    def operation(self, node: ast.FunctionDef, name: str, *, is_operation: bool = True) -> None:
        """A method, or a function outside that makes nodes as one does."""
        emit, original = self.emit, list(node.body)
        self.gradients.given = {a.arg for a in parameters_of(node)[1:]}
        number = -1
        marks = CreationMarks(emit, node, name)
        if is_operation and any(is_class_call(n, self.autograd.node.name) for n in ast.walk(node)):
            node.body = [marks.visit(s) for s in node.body]
        if is_operation and not marks.creates:
            number = emit.site(SiteKind.OPERATION, node, operation_name(name))
        elif not is_operation and (name not in NO_OPERATION or name in (*self.autograd.passes, "zero_grad")):
            number = emit.site(SiteKind.CALL, node, name)
        if number >= 0:
            emit.function = number
        node.body = self.gradients.only(node.body)
        if number >= 0 and not is_generator(node):
            body = node.body[prologue_length(original) :]
            self.frame(node, original, [mark(number)], body, LEAVE_OPERATION if is_operation else LEAVE)
        fix(node.body, node)

    # -- statements ------------------------------------------------------------------------

    def statement(self, s: ast.stmt) -> list[ast.stmt]:
        """A statement of the script, outside the autograd class."""
        if isinstance(s, ast.FunctionDef) and s in self.autograd.functions:
            name = self.autograd.functions[s]
            self.function(s, lambda node: self.operation(node, name))
            return [s]
        if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef):
            self.function(s, self.define)
            return [s]
        if isinstance(s, ast.ClassDef):
            self.class_definition(s)
            told = [ast.Expr(call(CLASS, ast.Name(s.name, ast.Load())))] if s is self.autograd.node else []
            return [s, *told]
        if isinstance(s, SILENT):
            return [s]
        number, ambiguous = self.statement_site(s)
        head = [mark(number)] if number >= 0 else []
        if isinstance(s, LOOPS):
            return [*head, *self.loop(s, ambiguous)]
        gradients = self.gradients
        written = [*gradients.before(s), s, *gradients.after(s)]
        self.expressions(s, ambiguous)
        written += gradients.forget(s)
        outer, gradients.assigned = (
            gradients.assigned,
            dict(gradients.assigned),
        )  # of one branch, another may not have it
        for owner, name, inner in blocks_of(s):
            setattr(owner, name, self.block(inner))
        gradients.assigned = outer
        if isinstance(s, ast.Assign) and len(s.targets) == 1 and isinstance(s.targets[0], ast.Name | ast.Subscript):
            gradients.assigned[ast.unparse(s.targets[0])] = s.value
        return [*head, *written, *bindings(self.emit, s)]

    def statement_site(self, s: ast.stmt) -> tuple[int, dict[int, int]]:
        """A new STATEMENT site, or -1 for one that cannot make an event.

        And its expressions that need a mark, because another one makes the same operation: ``id`` -> site.
        """
        emit = self.emit
        own = evaluated_in_place(header_of(s))
        if not isinstance(s, ast.AugAssign) and not any(isinstance(n, BUSY) for n in own):
            return -1, {}
        records = emit.sites.records
        number = len(records)
        records.append(None)  # the number is needed by its expressions
        found: dict[str, list[tuple[int, ast.expr | None]]] = {}
        for node in own:
            op = self.operation_of(node)
            if op:
                kind = ("call",) if isinstance(node, ast.Call) else ()
                place = emit.site(SiteKind.EXPRESSION, node, op, statement=number, names=kind)
                found.setdefault(op, []).append((place, node))
        if isinstance(s, ast.AugAssign) and type(s.op) in BINARY:
            op = BINARY[type(s.op)]
            found.setdefault(op, []).append((emit.site(SiteKind.EXPRESSION, s, op, statement=number), None))
        candidates = tuple((op, tuple(n for n, _ in places)) for op, places in found.items())
        emit.site(SiteKind.STATEMENT, s, type(s).__name__, candidates=candidates)
        records[number] = records.pop()
        inside = {self.autograd.data_name, self.autograd.grad_name}
        if any(isinstance(n, ast.Attribute) and n.attr in inside for n in own):
            return number, {}  # it handles the numbers inside nodes, not nodes
        several = [places for places in found.values() if len(places) > 1]
        return number, {id(node): n for places in several for n, node in places if node is not None}

    def operation_of(self, node: ast.expr) -> str:
        """The operation that an expression may make, by name, or an empty text."""
        match node:
            case ast.BinOp(op=op):
                return BINARY.get(type(op), "")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return "" if isinstance(operand, ast.Constant) else "neg"
            case ast.Call(func=ast.Name(id=name)):
                made = self.autograd.function_names.get(name, "leaf" if name == self.autograd.node.name else "")
                return BUILTIN_CALLS.get(name, made)
            case ast.Call(func=ast.Attribute(attr=name)) if name in self.autograd.operations:
                return operation_name(name)
        return ""

    def loop(self, s: LoopNode, ambiguous: dict[int, int]) -> list[ast.stmt]:
        """A loop: each iteration tells its variables; where it cuts the run into episodes, it begins one."""
        emit, gradients = self.emit, self.gradients
        self.expressions(s, ambiguous)
        target = ast.Constant(None) if isinstance(s, ast.While) else s.target
        names = tuple(n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        iteration = emit.site(SiteKind.ITERATION, s, ", ".join(names) or "while", names=names)
        self.unit_sites[s] = iteration
        values = tuple_of(*(ast.Name(n, ast.Load()) for n in names))
        is_episode = s in self.episodes
        if is_episode:
            first: ast.stmt = ast.Expr(call(EPISODE, ast.Constant(iteration), values))
        else:
            first = note(iteration, values) if names else mark(iteration)
        emit.depth += 1
        outer, gradients.assigned = gradients.assigned, dict(gradients.assigned)
        s.body = [ast.copy_location(first, s.body[0]), *self.block(s.body)]
        gradients.assigned = outer
        emit.depth -= 1
        s.orelse = self.block(s.orelse)
        over = [ast.Expr(call(EPISODE, ast.Constant(-iteration), tuple_of()))] if is_episode else []
        return [s, *over]

    def expressions(self, s: ast.stmt, ambiguous: dict[int, int]) -> None:
        """Rewrite the calls and the ambiguous operations inside a statement's own expressions."""
        visitor = Expressions(self.emit, self.gradients, ambiguous)
        for name, value in ast.iter_fields(s):
            if isinstance(value, ast.expr):
                setattr(s, name, visitor.visit(value))
            elif isinstance(value, list):
                setattr(s, name, [visitor.visit(v) if isinstance(v, ast.expr) else v for v in value])
        if isinstance(s, ast.With):
            for item in s.items:
                item.context_expr = visitor.visit(item.context_expr)


def break_cycles(body: list[ast.stmt]) -> list[ast.stmt]:
    """A self-recursive inner function holds itself, and the graph with it: what lets go of it, to be done at the end.

    Only where its name is used for calls alone: then nobody else can hold it.
    """
    forgotten: list[ast.stmt] = []
    for inner in body:
        if not isinstance(inner, ast.FunctionDef) or inner.decorator_list:
            continue
        uses = [n for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == inner.name]
        calls = {n.func for s in body for n in ast.walk(s) if isinstance(n, ast.Call)}
        recursive = any(isinstance(n, ast.Name) and n.id == inner.name for n in ast.walk(inner))
        if recursive and calls.issuperset(uses):
            forget = ast.Assign([ast.Name(inner.name, ast.Store())], ast.Constant(None))
            forgotten.append(ast.copy_location(forget, body[-1]))
    return forgotten
