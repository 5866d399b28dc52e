"""A script run as it is, but for three looks at it: the other side that ``verify`` compares a recorded run with.

None of the recorder's rewriting is used. One statement is put behind the autograd class (to know
it), one at the head of ``backward`` (its loss), one at the head of the training loop's iteration and
one behind that loop (the parameters). What was seen goes to a file as frames of ``protocol.frames``.
"""

from __future__ import annotations

import ast
import gc
import importlib
import os
import sys
from types import FrameType, ModuleType
from typing import Any, BinaryIO, NoReturn

from microgpt_tui.debuggee.record.walk import doubles, walk
from microgpt_tui.debuggee.rewrite.analyse import AutogradClass, find_autograd_class
from microgpt_tui.debuggee.rewrite.loops import LOOPS, Plan, find_plan
from microgpt_tui.debuggee.rewrite.syntax import prologue_length
from microgpt_tui.debuggee.run.load import ModulesBeside, parse_all
from microgpt_tui.protocol import frames
from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.messages import LossSeen, ParametersSeen

LOSS, ITERATION, CLASS = "@mg_seen_loss", "@mg_seen_iteration", "@mg_seen_class"


class Observer:
    """What the three looks report to."""

    def __init__(self, names: tuple[str, str], files: set[str], modules: set[str], out: BinaryIO, steps: int) -> None:
        self.data_name, self.grad_name = names
        self.files = files
        self.modules = modules
        self.out = out
        self.steps = steps
        self.iterations = 0
        self.depth = 0
        self.node_class: type | None = None
        self.tensors: list[tuple[str, tuple[int, ...], list[Any]]] | None = None
        self.globals: dict[str, Any] = {}

    def seen_class(self, cls: type) -> None:
        self.node_class = cls

    def seen_loss(self, loss: Any) -> None:
        if self.node_class is not None and isinstance(loss, self.node_class):
            value = getattr(loss, self.data_name)
            if type(value) in (int, float):
                self.write(LossSeen(float(value)))

    def seen_iteration(self, begins: bool) -> None:
        """An iteration of the training loop begins, or the loop is over."""
        if self.iterations:
            self.parameters(sys._getframe(1))
        elif begins:
            self.find(sys._getframe(1))
        if begins:
            if self.iterations == self.steps > 0:
                self.leave()
            self.iterations += 1
        elif self.iterations >= self.steps > 0:
            self.leave()

    def find(self, frame: FrameType | None) -> None:
        """The parameters, as the recorder finds them: what the script keeps by name when its training begins."""
        roots = [self.globals]
        while frame is not None:
            if frame.f_code.co_filename in self.files and frame.f_code.co_name != "<module>":
                roots.append(frame.f_locals)
            frame = frame.f_back
        self.tensors = walk(roots, self.node_class, self.modules).tensors if self.node_class is not None else []

    def parameters(self, frame: FrameType | None) -> None:
        if self.tensors is None:
            self.find(frame)
        blobs = {
            name: (0, doubles([getattr(n, self.data_name) for n in nodes]).tobytes())
            for name, _, nodes in self.tensors or ()
        }
        self.write(ParametersSeen(self.iterations), blobs)

    def write(self, message: Data, blobs: frames.Blobs | None = None) -> None:
        self.out.write(frames.pack(message, blobs))
        self.out.flush()

    def leave(self) -> NoReturn:
        """So many steps are over."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(0)


def add_looks(tree: ast.Module, autograd: AutogradClass, plan: Plan) -> None:
    """Put the looks into a parsed file, in place, at the lines of their neighbours."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, _looked_at(block, autograd, plan))
    own = set(ast.walk(tree))
    for unit in plan.train:
        if unit in own:
            at = 0 if isinstance(unit, LOOPS) else prologue_length(unit.body)
            _insert(unit.body, at, _call(ITERATION, ast.Constant(True)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in autograd.passes:
            arguments = [*node.args.posonlyargs, *node.args.args]
            if arguments:
                at = prologue_length(node.body)
                _insert(node.body, at, _call(LOSS, ast.Name(arguments[0].arg, ast.Load())))


def _looked_at(block: list[Any], autograd: AutogradClass, plan: Plan) -> list[Any]:
    out: list[Any] = []
    for statement in block:
        out.append(statement)
        if statement is autograd.node:
            _insert(out, len(out), _call(CLASS, ast.Name(autograd.node.name, ast.Load())))
        elif statement in plan.train and isinstance(statement, LOOPS):
            _insert(out, len(out), _call(ITERATION, ast.Constant(False)))
    return out


def _call(hook: str, argument: ast.expr) -> ast.stmt:
    return ast.Expr(ast.Call(ast.Name(hook, ast.Load()), [argument], []))


def _insert(block: list[Any], at: int, look: ast.stmt) -> None:
    ast.copy_location(look, block[min(at, len(block) - 1)])
    ast.fix_missing_locations(look)
    block.insert(at, look)


def main() -> NoReturn:
    """Arguments: a JSON text with script, args, set, steps (0: all) and out (a path)."""
    import builtins
    import json

    order = json.loads(sys.argv[1])
    path = order["script"]
    sources = parse_all(path, order["set"], order["module"])
    trees, paths = sources.trees, sources.paths
    autograd = find_autograd_class(trees)
    assert autograd is not None  # the recorded run was not refused
    plan = find_plan(trees, autograd)
    code = {}
    modules: dict[str, Any] = {}
    for name, tree in trees.items():
        add_looks(tree, autograd, plan)
        code[name] = compile(tree, paths[name], "exec", dont_inherit=True)
        if name != "__main__":
            modules[name] = (paths[name], code[name])
    with open(order["out"], "wb") as out:
        observer = Observer(
            (autograd.data_name, autograd.grad_name), set(paths.values()), {"__main__", *modules}, out, order["steps"]
        )
        hooks = vars(builtins)
        hooks[LOSS], hooks[ITERATION], hooks[CLASS] = observer.seen_loss, observer.seen_iteration, observer.seen_class
        module, spec, main = ModuleType("__main__"), sources.spec, paths["__main__"]
        module.__dict__.update(__file__=main, __builtins__=builtins, __cached__=None)
        if spec is not None:
            module.__dict__.update(__spec__=spec, __package__=spec.parent)
        sys.modules["__main__"] = module
        sys.argv = [path if spec is None else main, *order["args"]]
        sys.path[0] = os.path.dirname(main) if spec is None else os.getcwd()
        sys.meta_path.insert(0, ModulesBeside(modules))
        observer.globals = module.__dict__
        gc.collect()
        if sources.spec is not None and sources.spec.parent:
            importlib.import_module(sources.spec.parent)
        exec(code["__main__"], module.__dict__)
        observer.parameters(None)
    sys.exit()
