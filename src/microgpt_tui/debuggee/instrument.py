"""Source in, rewritten code and a table of its sites out: a pure function.

The rewriting keeps every value, every order and every position. What it adds are calls of a
few hooks whose names no source can contain (``@mg_mark``, as pytest does it: a ``__name``
inside a class body would be mangled). They live in ``builtins``, so that the script's own
namespaces stay as they are; the recorder swaps them to go from running to stepping.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass, field

from microgpt_tui.debuggee.analyse import (
    NO_OPERATION,
    AutogradClass,
    FunctionNode,
    LoopNode,
    Plan,
    is_class_call,
)
from microgpt_tui.trace.codes import FIRST_SITE, LEAVE, LEAVE_HANDS, LEAVE_OPERATION, SiteKind

MARK, NODE, NOTE, SOURCE, HANDS, BIND, CLASS, EPISODE, BACKWARD, CHOOSE, DRAW, PRINTED = (
    "@mg_mark", "@mg_node", "@mg_note", "@mg_source", "@mg_hands", "@mg_bind", "@mg_class", "@mg_episode", "@mg_backward", "@mg_choose",
    "@mg_draw", "@mg_printed",
)  # fmt: skip
STEPPING = "@mg_stepping"
DELTA, FACTOR = "@mg_delta", "@mg_factor"

_BINARY = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.Pow: "pow",
    ast.MatMult: "matmul", ast.FloorDiv: "floordiv", ast.Mod: "mod",
}  # fmt: skip
_BUILTIN_CALLS = {
    "sum": "add",
    "fsum": "add",
    "prod": "mul",
    "abs": "abs",
    "pow": "pow",
    "max": "max",
    "min": "min",
}


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """A site as the recorder knows it; ``Site`` in the trace is the same without the extras."""

    kind: SiteKind
    file: int
    line: int
    column: int
    end_line: int
    end_column: int
    name: str = ""
    statement: int = -1
    names: tuple[str, ...] = ()
    depth: int = 0
    """How many loops of its function are around it."""
    function: int = 0
    """The CALL or MODULE site it belongs to."""
    candidates: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """STATEMENT: operation -> expression sites that may make it."""


@dataclass(slots=True)
class Sites:
    """The growing table of sites; numbers below ``FIRST_SITE`` are marks without a place."""

    records: list[SiteRecord | None] = field(default_factory=lambda: [None] * FIRST_SITE)

    def add(self, record: SiteRecord) -> int:
        self.records.append(record)
        return len(self.records) - 1


def instrument(
    tree: ast.Module,
    file: int,
    sites: Sites,
    autograd: AutogradClass,
    plan: Plan,
) -> tuple[ast.Module, int, dict[LoopNode, int]]:
    """Rewrite a parsed file in place.

    Returns the tree, the number of its MODULE site, and the sites of its loops.
    """
    rewriter = _Rewriter(file, sites, autograd, plan)
    module_site = rewriter.module(tree)
    return tree, module_site, rewriter.loop_sites


def plain(expression: ast.expr) -> bool:
    """True when evaluating an expression once more cannot be noticed: names, attributes, constant or named indices."""
    if isinstance(expression, ast.Name | ast.Constant):
        return True
    if isinstance(expression, ast.Attribute):
        return plain(expression.value)
    if isinstance(expression, ast.Subscript):
        return plain(expression.value) and not isinstance(expression.slice, ast.Slice) and plain(expression.slice)
    if isinstance(expression, ast.BinOp):
        return plain(expression.left) and plain(expression.right)
    if isinstance(expression, ast.UnaryOp):
        return plain(expression.operand)
    if isinstance(expression, ast.JoinedStr):
        return all(
            isinstance(v, ast.Constant) or (isinstance(v, ast.FormattedValue) and plain(v.value))
            for v in expression.values
        )
    return False


def _load(expression: ast.expr) -> ast.expr:
    """A copy of an expression for reading."""
    clone = copy.deepcopy(expression)
    for node in ast.walk(clone):
        if hasattr(node, "ctx"):
            node.ctx = ast.Load()
    return clone


def _same(a: ast.expr, b: ast.expr) -> bool:
    return ast.dump(_load(a)) == ast.dump(_load(b))


def _is_generator(function: FunctionNode) -> bool:
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo.extend(ast.iter_child_nodes(node))
    return False


def _header(statement: ast.stmt) -> list[ast.expr]:
    """The expressions that a statement evaluates itself, without the statements inside it."""
    found: list[ast.expr] = []
    for _, value in ast.iter_fields(statement):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.expr):
                found.append(part)
            elif isinstance(part, ast.withitem):
                found.append(part.context_expr)
    return found


def _own(expressions: list[ast.expr]) -> list[ast.expr]:
    """Expressions evaluated in place, outermost first: lambdas are left out."""
    found: list[ast.expr] = []
    todo: list[ast.AST] = list(expressions)
    while todo:
        node = todo.pop(0)
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.expr):
            found.append(node)
        todo.extend(ast.iter_child_nodes(node))
    return found


class _Rewriter:
    def __init__(self, file: int, sites: Sites, autograd: AutogradClass, plan: Plan) -> None:
        self.file = file
        self.sites = sites
        self.autograd = autograd
        self.plan = plan
        self.loop_sites: dict[LoopNode, int] = {}
        self.function = 0
        self.depth = 0
        self.ambiguous: dict[int, int] = {}
        self.class_name = autograd.node.name
        self.assigned: dict[str, ast.expr] = {}

    # -- small pieces ----------------------------------------------------------------------

    def site(self, kind: SiteKind, node: ast.AST, name: str = "", **extra: object) -> int:
        end_line = getattr(node, "end_lineno", None) or node.lineno  # type: ignore[attr-defined]  # any node with a position
        end_column = getattr(node, "end_col_offset", 0)
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(node, ast.stmt):
            header = _header(node)  # a compound statement: its header only
            args = getattr(node, "args", None)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                end_line, end_column = node.lineno, node.col_offset + len(node.name) + 4
                if isinstance(args, ast.arguments) and args.args:
                    last = args.args[-1]
                    end_line, end_column = (
                        last.end_lineno or node.lineno,
                        (last.end_col_offset or 0) + 1,
                    )
            elif header:
                last_expression = max(header, key=lambda e: (e.end_lineno or 0, e.end_col_offset or 0))
                end_line = last_expression.end_lineno or node.lineno
                end_column = last_expression.end_col_offset or 0
        record = SiteRecord(
            kind, self.file, node.lineno, node.col_offset, end_line, end_column, name,  # type: ignore[attr-defined]  # as above
            function=self.function, depth=self.depth, **extra,  # type: ignore[arg-type]  # checked by the record
        )  # fmt: skip
        return self.sites.add(record)

    @staticmethod
    def call(hook: str, *args: ast.expr) -> ast.Call:
        return ast.Call(ast.Name(hook, ast.Load()), list(args), [])

    def mark(self, number: int) -> ast.stmt:
        return ast.Expr(self.call(MARK, ast.Constant(number)))

    def note(self, number: int, *values: ast.expr) -> ast.stmt:
        return ast.Expr(self.call(NOTE, tuple_of(ast.Constant(number), *values)))

    def after(self, expression: ast.expr, then: ast.expr) -> ast.expr:
        """The expression's value, with something done right after it."""
        pair = tuple_of(expression, then)
        return ast.copy_location(ast.Subscript(pair, ast.Constant(0), ast.Load()), expression)

    def before(self, first: ast.expr, expression: ast.expr) -> ast.expr:
        """The expression's value, with something done right before it."""
        pair = tuple_of(first, expression)
        return ast.copy_location(ast.Subscript(pair, ast.Constant(1), ast.Load()), expression)

    # -- module, functions, classes ----------------------------------------------------------

    def module(self, tree: ast.Module) -> int:
        number = self.sites.add(SiteRecord(SiteKind.MODULE, self.file, 1, 0, 1, 0, "module"))
        self.function = number
        prefix = self.prologue_length(tree.body)
        tree.body[prefix:] = [
            self.locate(self.mark(number), tree.body[prefix:]),
            *self.block(tree.body[prefix:]),
        ]
        ast.fix_missing_locations(tree)
        return number

    @staticmethod
    def locate(node: ast.stmt, near: list[ast.stmt]) -> ast.stmt:
        if near:
            ast.copy_location(node, near[0])
        return node

    @staticmethod
    def prologue_length(body: list[ast.stmt]) -> int:
        """The docstring and ``from __future__`` lines, before which nothing may stand."""
        n = 0
        while n < len(body):
            s = body[n]
            is_doc = n == 0 and isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)
            if not is_doc and not (isinstance(s, ast.ImportFrom) and s.module == "__future__"):
                break
            n += 1
        return n

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for statement in body:
            new = self.statement(statement)
            self.fix(new, statement)
            out.extend(new)
        return out

    @staticmethod
    def fix(nodes: list[ast.stmt], origin: ast.stmt) -> None:
        """Give every added node the position of the statement it stands for."""
        for root in nodes:
            todo: list[ast.AST] = [root]
            while todo:
                node = todo.pop()
                if isinstance(node, ast.expr | ast.stmt) and not hasattr(node, "lineno"):
                    ast.copy_location(node, origin)
                todo.extend(ast.iter_child_nodes(node))

    def define(self, node: FunctionNode) -> None:
        """A function: enter and leave marks, its arguments as variables, its statements."""
        if isinstance(node, ast.AsyncFunctionDef) or _is_generator(node):
            node.body = self.gradients_only(node.body)  # its statements interleave with its consumer's
            return
        outer = self.function, self.depth, self.assigned
        number = self.site(SiteKind.CALL, node, node.name)
        self.function, self.depth, self.assigned = number, 0, {}
        prefix = self.prologue_length(node.body)
        rest = node.body[prefix:]
        enter: list[ast.stmt] = [self.mark(number)]
        args = node.args
        for a in (*args.posonlyargs, *args.args, *args.kwonlyargs):
            if a.arg not in ("self", "cls"):
                place = self.site(SiteKind.BIND, a, a.arg)
                bind = ast.Expr(self.call(BIND, ast.Constant(place), ast.Name(a.arg, ast.Load())))
                enter.append(ast.copy_location(bind, node.body[0]))
        for s in enter:
            ast.copy_location(s, node.body[0])
        body = self.block(rest) or [ast.copy_location(ast.Pass(), node.body[0])]
        leave = ast.copy_location(self.mark(LEAVE), node.body[-1])
        guarded = ast.copy_location(ast.Try(body, [], [], [leave]), node.body[0])
        self.break_cycles(rest, guarded)
        node.body = [*node.body[:prefix], *enter, guarded]
        self.backward_pass(node, guarded, prefix + len(enter))
        self.fix(node.body, node)
        self.function, self.depth, self.assigned = outer

    def backward_pass(self, node: FunctionNode, guarded: ast.Try, at: int) -> None:
        """Tell when a function called ``backward`` begins (with what: the loss) and ends."""
        args = [*node.args.posonlyargs, *node.args.args]
        if node.name == "backward" and args:
            begin = ast.Expr(self.call(BACKWARD, ast.Name(args[0].arg, ast.Load())))
            node.body.insert(at, ast.copy_location(begin, node.body[0]))
            guarded.finalbody.insert(0, ast.copy_location(ast.Expr(self.call(BACKWARD)), guarded))

    def break_cycles(self, body: list[ast.stmt], guarded: ast.Try) -> None:
        """A self-recursive inner function holds itself, and the graph with it: let go of it at the end.

        Only where its name is used for calls alone: then nobody else can hold it.
        """
        for inner in body:
            if not isinstance(inner, ast.FunctionDef):
                continue
            uses = [n for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == inner.name]
            calls = {id(n.func) for s in body for n in ast.walk(s) if isinstance(n, ast.Call)}
            recursive = any(isinstance(n, ast.Name) and n.id == inner.name for n in ast.walk(inner))
            if recursive and all(id(n) in calls for n in uses) and not inner.decorator_list:
                forget = ast.Assign([ast.Name(inner.name, ast.Store())], ast.Constant(None))
                guarded.finalbody.append(ast.copy_location(forget, body[-1]))

    def class_definition(self, node: ast.ClassDef) -> None:
        if node is not self.autograd.node:
            for member in node.body:
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                    self.define(member)
                elif isinstance(member, ast.ClassDef):
                    self.class_definition(member)
            return
        names = {m.name for m in node.body if isinstance(m, ast.FunctionDef)}
        if "__init__" not in names and "__post_init__" not in names:
            hook = ast.parse("def __post_init__(self): pass").body[0]
            assert isinstance(hook, ast.FunctionDef)
            ast.copy_location(hook, node.body[-1])
            node.body.append(hook)
        for member in methods_in(node):
            self.method(member)
        self.fix(list(node.body), node)

    def method(self, node: ast.FunctionDef) -> None:
        """A method of the autograd class: no statement marks, only creations and gradient writes."""
        maker = "__init__" if any(m.name == "__init__" for m in methods_in(self.autograd.node)) else "__post_init__"
        if node.name == maker:
            me = node.args.args[0].arg
            report: ast.stmt = ast.Expr(self.call(NODE, ast.Name(me, ast.Load())))
            ast.copy_location(report, node.body[-1])
            node.body = [*_before_returns(node.body, report), report]
            self.fix(node.body, node)
            return
        creates = [n for n in ast.walk(node) if is_class_call(n, self.class_name)]
        is_operation = node.name in self.autograd.operations
        number = -1
        original = list(node.body)
        if creates and is_operation:
            _CreationMarks(self, node).visit_body()
        elif is_operation:
            number = self.site(SiteKind.OPERATION, node, operation_name(node.name))
        elif node.name not in NO_OPERATION or node.name in ("backward", "zero_grad"):
            number = self.site(SiteKind.CALL, node, node.name)
        outer, self.function = self.function, number if number >= 0 else self.function
        node.body = self.gradients_only(node.body)
        self.function = outer
        if number >= 0 and not _is_generator(node):
            prefix = self.prologue_length(original)
            leave = self.mark(LEAVE_OPERATION if is_operation else LEAVE)
            ast.copy_location(leave, original[-1])
            rest = node.body[prefix:]
            guarded = ast.copy_location(ast.Try(rest, [], [], [leave]), original[0])
            self.break_cycles(original[prefix:], guarded)
            enter = ast.copy_location(self.mark(number), original[0])
            node.body = [*node.body[:prefix], enter, guarded]
            self.backward_pass(node, guarded, prefix + 1)
        self.fix(node.body, node)

    def gradients_only(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """Rewrite writes of data and grad, at any depth, and nothing else."""
        out: list[ast.stmt] = []
        for statement in body:
            statement = _Setattrs(self).visit(statement)
            hands = self.hands(statement) if isinstance(statement, ast.For) else None
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
            new = [statement, *self.writes(statement)]
            self.fix(new, statement)
            out.extend(new)
        return out

    def hands(self, s: ast.For) -> list[ast.stmt] | None:
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
            or not all(_is_attribute_of(a, giver) for a in call.args)
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
            not _is_attribute_of(add.target, child)
            or getattr(add.target, "attr", "") != grad
            or not isinstance(product, ast.BinOp)
            or not isinstance(product.op, ast.Mult)
            or {ast.dump(product.left), ast.dump(product.right)}
            != {ast.dump(ast.Name(local, ast.Load())), ast.dump(upstream)}
        ):
            return None
        (note,) = self.writes(add)
        attributes = tuple(a.attr for a in call.args if isinstance(a, ast.Attribute))
        place = self.site(SiteKind.HANDS, s, names=attributes, statement=len(self.sites.records) - 1)
        inner.body = [add, ast.If(ast.Name(STEPPING, ast.Load()), [note], [])]
        s.body.insert(0, ast.Expr(self.call(SOURCE, ast.Name(giver, ast.Load()))))
        begin = ast.Expr(self.call(HANDS, ast.Constant(place)))
        return [begin, s, ast.Expr(self.call(HANDS, ast.Constant(LEAVE_HANDS)))]

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

    def grad_write(self, statement: ast.AugAssign | ast.Assign, target: ast.Attribute) -> ast.stmt:
        owner = _load(target.value)
        added: ast.expr | None = None
        if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
            added = statement.value
        elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.BinOp):
            whole = statement.value
            if isinstance(whole.op, ast.Add) and _same(whole.left, target):
                added = whole.right
            elif isinstance(whole.op, ast.Add) and _same(whole.right, target):
                added = whole.left
        if added is None:
            place = self.site(SiteKind.ASSIGN, statement)
            return self.note(place, owner, _load(target))
        source, factor = self.contribution(added)
        delta: ast.expr
        if isinstance(added, ast.Constant) or (isinstance(added, ast.Name) and added.id != getattr(owner, "id", "")):
            delta = _load(added)
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
        source = _load(reads[0].value)
        if added is reads[0]:
            return source, ast.Constant(1)
        if isinstance(added, ast.BinOp) and isinstance(added.op, ast.Mult):
            for side, other in (("left", added.right), ("right", added.left)):
                if other is reads[0]:
                    local = getattr(added, side)
                    if isinstance(local, ast.Name | ast.Constant):
                        return source, _load(local)
                    named = ast.copy_location(ast.NamedExpr(ast.Name(FACTOR, ast.Store()), local), local)
                    setattr(added, side, named)
                    return source, ast.Name(FACTOR, ast.Load())
        return source, nothing

    def data_write(self, statement: ast.AugAssign | ast.Assign, target: ast.Attribute) -> ast.stmt:
        used = self.used_numbers(statement.value)
        names = tuple(ast.unparse(e) for e in used)
        place = self.site(SiteKind.UPDATE, statement, names=names)
        return self.note(place, _load(target.value), _load(target), *(_load(e) for e in used))

    def used_numbers(self, value: ast.expr) -> list[ast.expr]:
        """Names and indexed names that an update reads, and those that they were computed from in the same block."""
        found: dict[str, ast.expr] = {}
        todo = [value]
        while todo and len(found) < 12:
            expression = todo.pop(0)
            skip: set[int] = set()
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
                text = ast.unparse(node)
                if text not in found and len(found) < 12:
                    found[text] = node
                    if text in self.assigned:
                        todo.append(self.assigned[text])
        return list(found.values())

    # -- statements ----------------------------------------------------------------------------

    def statement(self, s: ast.stmt) -> list[ast.stmt]:
        """A statement of the script, outside the autograd class."""
        if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef):
            self.define(s)
            return [s]
        if isinstance(s, ast.ClassDef):
            self.class_definition(s)
            if s is self.autograd.node:
                return [s, ast.Expr(self.call(CLASS, ast.Name(s.name, ast.Load())))]
            return [s]
        if isinstance(
            s,
            ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal | ast.Pass | ast.Break | ast.Continue,
        ):
            return [s]
        number = self.statement_site(s)
        head: list[ast.stmt] = [self.mark(number)] if number >= 0 else []
        if isinstance(s, ast.For | ast.While):
            return self.loop(s, head)
        notes = self.writes(s) if isinstance(s, ast.Assign | ast.AugAssign) else []
        self.expressions(s)
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(s, name, None)
            if isinstance(inner, list) and inner and isinstance(inner[0], ast.stmt):
                setattr(s, name, self.block(inner))
        for handler in getattr(s, "handlers", []):
            handler.body = self.block(handler.body)
        for case in getattr(s, "cases", []):
            case.body = self.block(case.body)
        self.remember(s)
        return [*head, s, *notes, *self.bindings(s)]

    def remember(self, s: ast.stmt) -> None:
        """What a plain name was computed from, for the numbers behind an update."""
        if isinstance(s, ast.Assign) and len(s.targets) == 1 and isinstance(s.targets[0], ast.Name | ast.Subscript):
            self.assigned[ast.unparse(s.targets[0])] = s.value

    def statement_site(self, s: ast.stmt) -> int:
        """A new STATEMENT site, or -1 for one that cannot make an event."""
        own = _own(_header(s))
        self.ambiguous = {}
        if not any(isinstance(n, ast.Call | ast.BinOp | ast.UnaryOp | ast.Attribute) for n in own):
            if not isinstance(s, ast.AugAssign):
                return -1
        number = len(self.sites.records)
        self.sites.records.append(None)  # the number is needed by its expressions
        found: dict[str, list[tuple[int, ast.expr | None]]] = {}
        for node in own:
            op = self.operation_of(node)
            if op:
                kind = ("call",) if isinstance(node, ast.Call) else ()
                place = self.site(SiteKind.EXPRESSION, node, op, statement=number, names=kind)
                found.setdefault(op, []).append((place, node))
        if isinstance(s, ast.AugAssign) and type(s.op) in _BINARY:
            op = _BINARY[type(s.op)]
            found.setdefault(op, []).append((self.site(SiteKind.EXPRESSION, s, op, statement=number), None))
        candidates = tuple((op, tuple(n for n, _ in places)) for op, places in found.items())
        place = self.site(SiteKind.STATEMENT, s, type(s).__name__, candidates=candidates)
        self.sites.records[number] = self.sites.records.pop(place)
        self.ambiguous = {
            id(node): n
            for places in found.values() if len(places) > 1 and not self.floats(s)
            for n, node in places if node is not None
        }  # fmt: skip
        return number

    def floats(self, s: ast.stmt) -> bool:
        """True for a statement that handles the numbers inside nodes, not nodes."""
        inside = {self.autograd.data_name, self.autograd.grad_name}
        return any(isinstance(n, ast.Attribute) and n.attr in inside for n in _own(_header(s)))

    def operation_of(self, node: ast.expr) -> str:
        if isinstance(node, ast.BinOp):
            return _BINARY.get(type(node.op), "")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return "" if isinstance(node.operand, ast.Constant) else "neg"
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                if node.func.id in _BUILTIN_CALLS:
                    return _BUILTIN_CALLS[node.func.id]
                return "leaf" if node.func.id == self.class_name else ""
            if isinstance(node.func, ast.Attribute):
                attr = node.func.attr
                return operation_name(attr) if attr in self.autograd.operations else ""
        return ""

    def loop(self, s: LoopNode, head: list[ast.stmt]) -> list[ast.stmt]:
        self.expressions(s)
        is_episode = s is self.plan.train or s is self.plan.sample
        names = self.loop_names(s)
        turn = self.site(SiteKind.TURN, s, ", ".join(names) or "while", names=tuple(names))
        self.loop_sites[s] = turn
        value: ast.expr = tuple_of(*(ast.Name(n, ast.Load()) for n in names))
        if is_episode:
            first: ast.stmt = ast.Expr(self.call(EPISODE, ast.Constant(turn), value))
        elif names:
            first = self.note(turn, value)
        else:
            first = self.mark(turn)
        self.depth += 1
        outer, self.assigned = self.assigned, dict(self.assigned)
        s.body = [ast.copy_location(first, s.body[0]), *self.block(s.body)]
        self.assigned = outer
        self.depth -= 1
        s.orelse = self.block(s.orelse)
        out: list[ast.stmt] = [*head, s]
        if is_episode:
            out.append(ast.Expr(self.call(EPISODE, ast.Constant(-turn), tuple_of())))
        return out

    @staticmethod
    def loop_names(s: LoopNode) -> list[str]:
        if isinstance(s, ast.While):
            return []
        return [n.id for n in ast.walk(s.target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]

    def bindings(self, s: ast.stmt) -> list[ast.stmt]:
        """The notes that tell which variables a statement has bound or changed."""
        out: list[ast.stmt] = []
        targets: list[ast.expr] = []
        if isinstance(s, ast.Assign):
            targets = list(s.targets)
        elif isinstance(s, ast.AugAssign | ast.AnnAssign) and getattr(s, "value", None) is not None:
            targets = [s.target]
        elif isinstance(s, ast.With):
            targets = []
        elif isinstance(s, ast.Expr):
            return self.mutation(s.value)
        inside = {self.autograd.data_name, self.autograd.grad_name}
        for target in targets:
            for part in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
                if isinstance(part, ast.Name) or (
                    isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.attr not in inside
                ):
                    place = self.site(SiteKind.BIND, part, ast.unparse(part))
                    out.append(ast.Expr(self.call(BIND, ast.Constant(place), _load(part))))
                elif isinstance(part, ast.Subscript) and plain(part):
                    root, path = _root_and_path(_load(part))
                    place = self.site(SiteKind.ELEMENT, part, ast.unparse(root))
                    out.append(self.note(place, root, tuple_of(*path), _load(part)))
        return out

    def mutation(self, e: ast.expr) -> list[ast.stmt]:
        """``X.append(v)`` and ``X.extend(...)`` as a statement."""
        if (
            not isinstance(e, ast.Call)
            or not isinstance(e.func, ast.Attribute)
            or e.func.attr not in ("append", "extend")
            or not plain(e.func.value)
            or not isinstance(e.func.value, ast.Name | ast.Attribute | ast.Subscript)
        ):
            return []
        owner = _load(e.func.value)
        root, path = _root_and_path(owner)
        place = self.site(SiteKind.APPEND, e, ast.unparse(root))
        one = ast.Constant(e.func.attr == "append")
        return [ast.Expr(self.call(BIND, ast.Constant(place), owner, tuple_of(*path), one, root))]

    # -- expressions ---------------------------------------------------------------------------

    def expressions(self, s: ast.stmt) -> None:
        """Rewrite the calls and the ambiguous operations inside a statement's own expressions."""
        visitor = _Expressions(self)
        for name, value in ast.iter_fields(s):
            if isinstance(value, ast.expr):
                setattr(s, name, visitor.visit(value))
            elif isinstance(value, list):
                setattr(s, name, [visitor.visit(v) if isinstance(v, ast.expr) else v for v in value])
        if isinstance(s, ast.With):
            for item in s.items:
                item.context_expr = visitor.visit(item.context_expr)


def tuple_of(*values: ast.expr) -> ast.Tuple:
    """A tuple display of these expressions."""
    return ast.Tuple(list(values), ast.Load())


def _is_attribute_of(expression: ast.expr, name: str) -> bool:
    return (
        isinstance(expression, ast.Attribute) and isinstance(expression.value, ast.Name) and expression.value.id == name
    )


def _root_and_path(owner: ast.expr) -> tuple[ast.expr, list[ast.expr]]:
    path: list[ast.expr] = []
    while isinstance(owner, ast.Subscript):
        path.insert(0, owner.slice)
        owner = owner.value
    return owner, path


def methods_in(node: ast.ClassDef) -> list[ast.FunctionDef]:
    """The functions written directly in a class body."""
    return [m for m in node.body if isinstance(m, ast.FunctionDef)]


def operation_name(method: str) -> str:
    """``__radd__`` -> ``radd``, ``exp`` -> ``exp``."""
    return method.strip("_") if method.startswith("__") else method


def _before_returns(body: list[ast.stmt], report: ast.stmt) -> list[ast.stmt]:
    out: list[ast.stmt] = []
    for s in body:
        if isinstance(s, ast.Return):
            out.append(report)
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(s, name, None)
            if isinstance(inner, list) and inner and not isinstance(s, ast.FunctionDef | ast.ClassDef):
                setattr(s, name, _before_returns(inner, report))
        out.append(s)
    return out


class _CreationMarks(ast.NodeTransformer):
    """Marks before each call of the autograd class inside one of its own methods."""

    def __init__(self, rewriter: _Rewriter, method: ast.FunctionDef) -> None:
        self.rewriter = rewriter
        self.method = method
        self.op = operation_name(method.name)
        args = [a.arg for a in (*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs)][1:]
        rebound = {n.id for n in ast.walk(method) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.plain_operands = tuple(a for a in args if a not in rebound)

    def visit_body(self) -> None:
        self.method.body = [self.visit(s) for s in self.method.body]

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        rewriter = self.rewriter
        if not is_class_call(node, rewriter.class_name):
            return node
        simple = len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.Name | ast.Constant)
        if simple:
            place = rewriter.site(SiteKind.CONSTANT, node, self.op)
            return rewriter.before(rewriter.call(MARK, ast.Constant(place)), node)
        place = rewriter.site(SiteKind.CREATE, node, self.op, names=self.plain_operands)
        if self.plain_operands:
            values = (ast.Name(a, ast.Load()) for a in self.plain_operands)
            first = rewriter.call(NOTE, tuple_of(ast.Constant(place), *values))
        else:
            first = rewriter.call(MARK, ast.Constant(place))
        return rewriter.before(first, node)


class _Setattrs(ast.NodeTransformer):
    """``setattr(x, "grad", ...)`` as an expression, such as in a lambda."""

    def __init__(self, rewriter: _Rewriter) -> None:
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
        owner, value = _load(node.args[0]), node.args[2]
        read = ast.Attribute(owner, name, ast.Load())
        if name == rewriter.autograd.grad_name and isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add) \
                and _same(value.left, read):  # fmt: skip
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


class _Expressions(_Setattrs):
    """Calls that print or draw, operations that need a mark of their own; not inside lambdas."""

    def __init__(self, rewriter: _Rewriter) -> None:
        super().__init__(rewriter)
        self.ambiguous = rewriter.ambiguous

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        saved, self.ambiguous = self.ambiguous, {}
        self.generic_visit(node)
        self.ambiguous = saved
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return self.marked(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return self.marked(node)

    def marked(self, node: ast.expr) -> ast.expr:
        place = self.ambiguous.get(id(node))
        if place is None:
            return node
        return self.rewriter.after(node, self.rewriter.call(MARK, ast.Constant(place)))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        place = self.ambiguous.get(id(node))
        found = super().visit_Call(node)
        if found is not node:
            return found
        rewriter = self.rewriter
        f = node.func
        if isinstance(f, ast.Name) and f.id == "print":
            number = rewriter.site(SiteKind.PRINT, node)
            return rewriter.after(node, rewriter.call(PRINTED, ast.Constant(number)))
        if isinstance(f, ast.Attribute) and f.attr == "write" and isinstance(f.value, ast.Attribute) \
                and f.value.attr in ("stdout", "stderr"):  # fmt: skip
            number = rewriter.site(SiteKind.PRINT, node)
            return rewriter.after(node, rewriter.call(PRINTED, ast.Constant(number)))
        name = f.attr if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else ""
        if name == "choices" or (name == "random" and isinstance(f, ast.Attribute) and not node.args):
            number = rewriter.site(SiteKind.SAMPLE, node, name)
            hook = ast.Name(CHOOSE if name == "choices" else DRAW, ast.Load())
            ast.copy_location(hook, node)
            return ast.copy_location(ast.Call(hook, [ast.Constant(number), f, *node.args], node.keywords), node)
        if place is not None:
            return rewriter.after(node, rewriter.call(MARK, ast.Constant(place)))
        return node
