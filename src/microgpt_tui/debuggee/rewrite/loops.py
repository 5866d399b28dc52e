"""What cuts a run into episodes, told from the text alone: the loops, or functions, that train and that sample."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from microgpt_tui.debuggee.rewrite.analyse import AutogradClass, FunctionNode, LoopNode, Trees, methods_of

DRAWS = {"choices", "choice", "random", "uniform", "multinomial"}
"""Functions that choose a token."""
LOOPS = ast.For | ast.AsyncFor | ast.While
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef

Unit = LoopNode | FunctionNode
"""What an episode is an iteration, or a call, of."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What cuts a run into episodes; empty where the script has no such thing."""

    train: tuple[Unit, ...] = ()
    sample: tuple[Unit, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a piece of code may do."""

    backward: bool = False
    updates: bool = False
    draws: bool = False

    def __or__(self, other: Facts) -> Facts:
        return Facts(self.backward or other.backward, self.updates or other.updates, self.draws or other.draws)

    @property
    def trains(self) -> bool:
        return self.backward and self.updates


def drawing_names(trees: Trees) -> set[str]:
    """The names by which functions that draw are called: their own, and those that the script gives them."""
    found = set(DRAWS)
    for tree in trees.values():
        for node in ast.walk(tree):
            match node:
                case ast.Assign(targets=targets, value=ast.Attribute(attr=name) | ast.Name(id=name)) if name in found:
                    found.update(t.id if isinstance(t, ast.Name) else t.attr for t in targets
                                 if isinstance(t, ast.Name | ast.Attribute))  # fmt: skip
                case ast.ImportFrom(names=names):
                    found.update(a.asname for a in names if a.asname and a.name in found)
    return found


def _called(node: ast.AST) -> tuple[str, ...]:
    """A function that is called here, or handed on (``map(lesson, …)``)."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name)):
            return (name,)
        case ast.Name(id=name, ctx=ast.Load()):
            return (name,)
    return ()


@dataclass(slots=True)
class _Piece:
    """What a piece of code does itself, and whom it calls."""

    facts: Facts
    names: set[str]
    units: set[Unit]


class _Planner:
    """Looks at every loop and function of a script."""

    def __init__(self, trees: Trees, autograd: AutogradClass) -> None:
        self.autograd = autograd
        self.draws = drawing_names(trees)
        self.functions: dict[str, list[FunctionNode]] = {}
        inside = {n for cls in autograd.family for n in ast.walk(cls)}
        self.nodes = [n for tree in trees.values() for n in ast.walk(tree) if n not in inside]
        for node in self.nodes:
            if isinstance(node, FUNCTIONS):
                self.functions.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.ClassDef):
                for method in methods_of(node):
                    if method.name == "__init__":
                        self.functions.setdefault(node.name, []).append(method)
        self.updating = {
            m.name for cls in autograd.family for m in methods_of(cls)
            if m.name != "__init__" and any(self._writes_data(n, own=True) for n in ast.walk(m))
        }  # fmt: skip
        self.resets = {assign for loop in self.nodes if isinstance(loop, ast.For) for assign in self._resets(loop)}
        self.loops: list[Unit] = [n for n in self.nodes if isinstance(n, LOOPS)]
        self.calls: list[Unit] = [n for n in self.nodes if isinstance(n, FUNCTIONS)]
        self.order = {unit: i for i, unit in enumerate(self.nodes)}
        self.pieces: dict[ast.AST, _Piece] = {}
        looked = {u: self.look(u) for u in (*self.loops, *self.calls)}
        self.facts = {u: facts for u, (facts, _) in looked.items()}
        self.reached = {u: units for u, (_, units) in looked.items()}

    def look(self, root: ast.AST, stops: frozenset[Unit] = frozenset()) -> tuple[Facts, set[Unit]]:
        """What a piece of code and all that it may call does, and which units are among that; not into ``stops``."""
        done: set[ast.AST] = {unit for unit in stops if unit is not root}
        todo, facts, units = [root], Facts(), set[Unit]()
        while todo:
            here = todo.pop()
            if here in done:
                continue
            done.add(here)
            piece = self.piece(here, stops)
            facts, units = facts | piece.facts, units | piece.units
            for name in piece.names:
                todo.extend(self.functions.get(name, ()))
        return facts, units

    def piece(self, root: ast.AST, stops: frozenset[Unit]) -> _Piece:
        found = self.pieces.get(root)
        if found is not None and not stops:
            return found
        backward = updates = draws = False
        names: set[str] = set()
        units: set[Unit] = set()
        todo = [root]
        while todo:
            node = todo.pop()
            if node in stops and node is not root:
                continue
            if isinstance(node, LOOPS | FUNCTIONS):
                units.add(node)
                if isinstance(node, FUNCTIONS) and node is not root:
                    continue
            names.update(_called(node))
            match node:
                case ast.Call(func=ast.Name(id=name)) if name not in self.functions:
                    names.add("__call__")
            match node:
                case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), keywords=keywords):
                    backward = backward or name in self.autograd.passes
                    updates = updates or name in self.updating
                    keys = [k.value for k in keywords if k.arg == "key"]
                    draws = draws or name in self.draws or name == "argmax" or (
                        name == "max" and any(not self._is_data(key) for key in keys))  # fmt: skip
                case ast.Assign(targets=targets, value=ast.Constant(value=1)) if node not in self.resets:
                    backward = backward or any(
                        isinstance(t, ast.Attribute) and t.attr == self.autograd.grad_name for t in targets
                    )
            updates = updates or self._writes_data(node, own=False)
            todo.extend(ast.iter_child_nodes(node))
        piece = _Piece(Facts(backward, updates, draws), names, units)
        if not stops:
            self.pieces[root] = piece
        return piece

    def _resets(self, loop: ast.For) -> list[ast.Assign]:
        """Gradients that the loop of an optimizer sets back, to whatever number: these begin no pass."""
        own = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
        written = {(t.value.id, t.attr): n for n in ast.walk(loop) if isinstance(n, ast.Assign | ast.AugAssign)
                   for t in (n.targets if isinstance(n, ast.Assign) else [n.target])
                   if isinstance(t, ast.Attribute) and isinstance(t.value, ast.Name) and t.value.id in own}  # fmt: skip
        return [n for (name, attribute), n in written.items() if attribute == self.autograd.grad_name
                and (name, self.autograd.data_name) in written and isinstance(n, ast.Assign)]  # fmt: skip

    def _is_data(self, key: ast.expr) -> bool:
        """A node's number: the largest by it is a node (a softmax's shift), no token."""
        match key:
            case ast.Lambda(args=ast.arguments(args=[ast.arg(arg=own)]), body=ast.Attribute(ast.Name(id=used), attr)):
                return used == own and attr == self.autograd.data_name
            case ast.Call(func=ast.Name(id="attrgetter") | ast.Attribute(attr="attrgetter"), args=[ast.Constant(attr)]):
                return attr == self.autograd.data_name
        return False

    def _writes_data(self, node: ast.AST, *, own: bool) -> bool:
        """A write of a node's number; ``own``: by a method of the node itself."""
        match node:
            case ast.Assign(targets=targets):
                found = [part for t in targets for part in (t.elts if isinstance(t, ast.Tuple) else [t])]
            case ast.AugAssign(target=target):
                found = [target]
            case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value=name), _]):
                return bool(name == self.autograd.data_name)
            case _:
                return False
        return any(
            isinstance(t, ast.Attribute) and t.attr == self.autograd.data_name
            and own == (isinstance(t.value, ast.Name) and t.value.id == "self")
            for t in found
        )  # fmt: skip

    # -- training ----------------------------------------------------------------------------

    def training(self) -> tuple[Unit, ...]:
        """Loops, and functions that are called again and again, that train by themselves: not only by one inside."""
        loops = [u for u in self.loops if self.facts[u].trains]
        in_loops = {n for loop in loops for n in self.reached[loop]}
        functions = [u for u in self.calls if u not in in_loops and self.facts[u].trains and self._repeats(u)]
        candidates = [*loops, *functions]
        units = []
        for unit in candidates:
            others = frozenset(c for c in candidates if c is not unit and unit not in self.reached[c])
            if self.look(unit, others)[0].trains:
                units.append(unit)
        units = units or [u for u in candidates if not any(self._inside(o, u) for o in candidates)]
        outermost = [u for u in units if not any(self._inside(u, other) for other in units)]
        return tuple(sorted(outermost, key=self.order.__getitem__))

    def _inside(self, unit: Unit, other: Unit) -> bool:
        """Runs as a part of the other, which is no part of it."""
        return unit is not other and unit in self.reached[other] and other not in self.reached[unit]

    def _repeats(self, function: Unit) -> bool:
        """Called again and again as far as the text tells: in a comprehension, handed to a function, by itself."""
        assert isinstance(function, FUNCTIONS)
        name = function.name
        calls = [n for n in self.nodes if isinstance(n, ast.Call) and name in (*_called(n), *_called(n.func))]
        if len(calls) > 1 or name in self.piece(function, frozenset()).names:
            return True
        loose = (ast.comprehension, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp, ast.Lambda)
        for node in self.nodes:
            if isinstance(node, (*loose, ast.For, ast.While, ast.AsyncFor)) and any(
                c in set(ast.walk(node)) for c in calls
            ):
                return True
        own = {c.func for c in calls}
        return any(isinstance(n, ast.Name) and n.id == name and n not in own for n in self.nodes)

    # -- sampling ----------------------------------------------------------------------------

    def sampling(self, train: tuple[Unit, ...]) -> tuple[Unit, ...]:
        """The loop around the one that draws token by token; the function where it is called from no loop."""
        drawing = [
            u for u in self.loops
            if (f := self.facts[u]).draws and not f.backward and not f.updates
        ]  # fmt: skip
        tokens = [u for u in drawing if not any(self._inside(o, u) for o in drawing)]
        found: list[Unit] = []
        for token in tokens:
            around = [u for u in drawing if self._inside(token, u)]
            innermost = [u for u in around if not any(self._inside(o, u) for o in around)]
            function = next((f for f in self.calls if token in set(ast.walk(f))), None)
            if innermost:
                unit: Unit = innermost[-1]
            elif function is not None and self._repeats(function):
                unit = function
            elif function is None:
                unit = token
            else:
                continue
            inside = [t for t in train if unit in self.reached[t]]
            if unit not in found and all(self._comes_last(unit, t) for t in inside):
                found.append(unit)
        return tuple(sorted(found, key=self.order.__getitem__))

    def _comes_last(self, unit: Unit, train: Unit) -> bool:
        """Within an iteration of the training the sampling comes after all that trains."""
        last, where = -1, -1
        for i, statement in enumerate(train.body):
            facts, reached = self.look(statement)
            if unit in reached:
                where = i
                if facts.backward or facts.updates:
                    return False
            elif facts.backward or facts.updates:
                last = i
        return where > last >= 0


def find_plan(trees: Trees, autograd: AutogradClass) -> Plan:
    """What trains, and what samples."""
    planner = _Planner(trees, autograd)
    train = planner.training()
    return Plan(train, planner.sampling(train))
