"""Source rewritten and run in the test's own process, without a debugger."""

from __future__ import annotations

import ast
import builtins
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from microgpt_tui.debuggee.rewrite import sites as hooks
from microgpt_tui.debuggee.rewrite.analyse import AutogradClass, find_autograd_class
from microgpt_tui.debuggee.rewrite.instrument import instrument
from microgpt_tui.debuggee.rewrite.loops import Plan, find_plan
from microgpt_tui.debuggee.rewrite.sites import SiteRecord, Sites
from microgpt_tui.protocol.codes import SiteKind

NAME = "<rewritten>"
VALUE = """\
import math

class Value:
    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, k):
        return Value(self.data**k, (self,), (k * self.data ** (k - 1),))

    def __neg__(self):
        return self * -1

    def backward(self):
        order = []

        def build(v):
            for child in v._children:
                build(child)
            order.append(v)

        build(self)
        self.grad = 1
        for v in reversed(order):
            for child, local in zip(v._children, v._local_grads):
                child.grad += local * v.grad

a, b, c = Value(2.0), Value(3.0), Value(5.0)
"""
BODY = VALUE.count("\n") + 1
"""The line on which what follows ``VALUE`` begins."""


@dataclass(frozen=True)
class Rewritten:
    """A source, and what became of it."""

    source: str
    tree: ast.Module
    sites: list[SiteRecord | None]
    autograd: AutogradClass
    plan: Plan
    makers: dict[int, hooks.Making]

    def of(self, kind: SiteKind, *, after: int = 0) -> list[SiteRecord]:
        """The sites of a kind, from a line on."""
        return [s for s in self.sites if s is not None and s.kind is kind and s.line >= after]

    def text(self, site: SiteRecord) -> str:
        """What the source says at a site."""
        lines = [line.encode() for line in self.source.splitlines(keepends=True)][site.line - 1 : site.end_line]
        lines[-1] = lines[-1][: site.end_column]
        lines[0] = lines[0][site.column :]
        return b"".join(lines).decode()


def rewrite(source: str) -> Rewritten:
    """A source with its hooks."""
    tree = ast.parse(source)
    trees = {"__main__": tree}
    autograd = find_autograd_class(trees)
    assert autograd is not None
    plan = find_plan(trees, autograd)
    sites = Sites()
    instrument(tree, 0, sites, autograd, plan)
    return Rewritten(source, tree, sites.records, autograd, plan, sites.makers)


@contextmanager
def installed(log: list[Any]) -> Iterator[None]:
    """Hooks that write down what they are told, each as the free recorder's would, and are gone afterwards."""

    def told(name: str) -> Callable[..., None]:
        return lambda *values: log.append((name, *values))

    made: dict[str, Any] = {name: told(name) for name in (hooks.BIND, hooks.BEFORE, hooks.CLASS, hooks.EPISODE)}
    made |= {name: told(name) for name in (hooks.BACKWARD, hooks.PRINTED, hooks.PROPAGATE)}
    made |= dict.fromkeys((hooks.MARK, hooks.NODE, hooks.NOTE, hooks.SOURCE), log.append)
    made |= {hooks.STEPPING: True, hooks.DRAW: lambda place, function: function()}
    made |= {hooks.TYPE: type, hooks.LIST: list, hooks.COPIED: tuple}
    made[hooks.CHOOSE] = lambda place, function, *args, **keywords: function(*args, **keywords)
    vars(builtins).update(made)
    try:
        yield
    finally:
        for name in made:
            del vars(builtins)[name]


def execute(code: str | ast.Module) -> dict[str, Any]:
    """Run a script as ``__main__``; returns its globals."""
    module = types.ModuleType("__main__")
    own, sys.modules["__main__"] = sys.modules["__main__"], module
    try:
        exec(compile(code, NAME, "exec", dont_inherit=True), vars(module))
    finally:
        sys.modules["__main__"] = own
    return vars(module)
