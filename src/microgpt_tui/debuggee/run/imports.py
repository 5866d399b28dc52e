"""Where the modules of a script are: what its imports would find, told without importing anything."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder

_STANDARD = os.path.join(os.path.dirname(os.__file__), "")
_INSTALLED = ("site-packages", "dist-packages")


def find(name: str, search: list[str]) -> ModuleSpec | None:
    """A module by its dotted name; None for one that is not there, or is no Python text."""
    path: list[str] | None = search
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for i in range(len(parts)):
        if path is None:
            return None
        try:
            spec = PathFinder.find_spec(".".join(parts[: i + 1]), path)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        path = list(spec.submodule_search_locations) if spec.submodule_search_locations is not None else None
    return spec


def is_text(spec: ModuleSpec) -> bool:
    """A Python file that is no part of Python itself."""
    origin = spec.origin or ""
    return origin.endswith(".py") and (is_installed(spec) or not origin.startswith(_STANDARD))


def is_installed(spec: ModuleSpec) -> bool:
    """It was installed by a package manager."""
    return any(f"{os.sep}{name}{os.sep}" in (spec.origin or "") for name in _INSTALLED)


def imported(tree: ast.Module, package: str) -> Iterator[str]:
    """Dotted names of the modules that a file may import; ``package`` is what its relative imports start from."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (a.name for a in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                parts = package.split(".") if package else []
                if level > len(parts):
                    parts, level = [], 0 if level == 0 else level
                base = ".".join((*parts[: len(parts) - level + 1], *([module] if module else []))) if level else module
                if base:
                    yield base
                    yield from (f"{base}.{a.name}" for a in names)
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield name


def search_path(first: str, trees: Iterator[tuple[ast.Module, str]]) -> list[str]:
    """Where imports look: the script's folder (or the current one), what the script adds, and Python's own places."""
    added: list[str] = []
    for tree, path in trees:
        known = _Known(tree, path)
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="path"), attr=how), args=args) if how in (
                    "insert", "append", "extend",
                ):  # fmt: skip
                    added += known.paths(args[-1] if args else None)
                case ast.AugAssign(target=ast.Attribute(attr="path"), value=value):
                    added += known.paths(value)
    return [first, *map(os.path.abspath, added), *sys.path[1:]]


class _Known:
    """The texts that a file's expressions stand for, where that can be told: paths, mostly."""

    def __init__(self, tree: ast.Module, path: str) -> None:
        self.path = os.path.abspath(path)
        self.names = {
            t.id: n.value for n in ast.walk(tree) if isinstance(n, ast.Assign) for t in n.targets
            if isinstance(t, ast.Name)
        }  # fmt: skip

    def paths(self, value: ast.expr | None) -> list[str]:
        parts = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
        return [text for part in parts if part is not None and (text := self.text(part, 0)) is not None]

    def text(self, node: ast.expr, depth: int) -> str | None:
        if depth > 20:
            return None
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Name(id="__file__"):
                return self.path
            case ast.Name(id=name) if name in self.names:
                return self.text(self.names[name], depth + 1)
            case ast.Attribute(value=inner, attr="parent"):
                return self._up(inner, 1, depth)
            case ast.Subscript(value=ast.Attribute(value=inner, attr="parents"), slice=ast.Constant(value=int(up))):
                return self._up(inner, up + 1, depth)
            case ast.BinOp(left=left, op=ast.Div() | ast.Add() as op, right=right):
                a, b = self.text(left, depth + 1), self.text(right, depth + 1)
                return None if a is None or b is None else os.path.join(a, b) if isinstance(op, ast.Div) else a + b
            case ast.Call(func=func, args=args):
                return self._called(func, args, depth)
        return None

    def _up(self, inner: ast.expr, levels: int, depth: int) -> str | None:
        text = self.text(inner, depth + 1)
        for _ in range(levels if text is not None else 0):
            text = os.path.dirname(text or "")
        return text

    def _called(self, func: ast.expr, args: list[ast.expr], depth: int) -> str | None:
        name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        parts = [self.text(a, depth + 1) for a in args]
        known = [p for p in parts if p is not None]
        if len(known) < len(parts):
            return None
        if name in ("resolve", "absolute", "as_posix") and isinstance(func, ast.Attribute):
            text = self.text(func.value, depth + 1)
            return None if text is None else os.path.abspath(text)
        if name in ("getcwd", "cwd"):
            return os.getcwd()
        if not known:
            return None
        if name in ("join", "Path", "PurePath"):
            return os.path.join(*known)
        if name in ("str", "fspath"):
            return known[0]
        if name in ("dirname", "abspath", "realpath", "normpath", "expanduser"):
            made: str = getattr(os.path, name)(known[0])
            return made
        return None
