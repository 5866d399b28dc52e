"""Which loops, and functions, cut a run into training steps and samples; which class is the autograd class."""

from __future__ import annotations

import ast

import pytest
from rewrite_fixtures import VALUE, rewrite

from microgpt_tui.debuggee.rewrite.analyse import find_autograd_class

STEP = """
    loss = a * b
    loss.backward()
    a.data -= 0.1 * a.grad
"""
FUNCTION = "def lesson(step):" + STEP


def units(source: str) -> tuple[list[str], list[str]]:
    """The first lines of what trains, and of what samples."""
    made = rewrite(VALUE + "import random\n" + source)
    lines = made.source.splitlines()
    return [lines[u.lineno - 1] for u in made.plan.train], [lines[u.lineno - 1] for u in made.plan.sample]


@pytest.mark.parametrize(
    ("source", "trains"),
    [
        ("for step in range(3):" + STEP, ["for step in range(3):"]),
        ("while True:" + STEP, ["while True:"]),
        (FUNCTION + "for step in range(3): lesson(step)\n", ["for step in range(3): lesson(step)"]),
        (FUNCTION + "list(map(lesson, range(3)))\n", ["def lesson(step):"]),
        (FUNCTION + "print([lesson(i) for i in range(3)])\n", ["def lesson(step):"]),
        (FUNCTION + "print(any(lesson(i) for i in range(3)))\n", ["def lesson(step):"]),
        (FUNCTION + "    if step < 3: lesson(step + 1)\nlesson(0)\n", ["def lesson(step):"]),
        (FUNCTION + "lesson(0)\n", []),
        ("for step in range(3):" + STEP + "for again in range(2):" + STEP,
         ["for step in range(3):", "for again in range(2):"]),
        ("for epoch in range(2):\n  for step in range(3):" + STEP, ["  for step in range(3):"]),
        ("def main():\n  for step in range(3):" + STEP + "main()\n", ["  for step in range(3):"]),
        ("def train():\n  for step in range(3):" + STEP + "    yield\nlist(train())\n", ["  for step in range(3):"]),
        ("async def train():\n  for step in range(3):" + STEP + "train()\n", ["  for step in range(3):"]),
        ("for step in range(3):\n  for part in (1, 2): (a * part).backward()\n  a.data -= a.grad\n",
         ["for step in range(3):"]),
        ("for step in range(3):\n  for inner in (1, 2):" + STEP + "  (a * c).backward()\n  c.data -= c.grad\n",
         ["for step in range(3):"]),
    ],
)  # fmt: skip
def test_what_trains(source: str, trains: list[str]) -> None:
    assert units(source)[0] == trains


PICKED = "pick(range(2), weights=[a.data, b.data])[0]"
DRAW = "random.choices(range(2), weights=[a.data, b.data])[0]"


@pytest.mark.parametrize(
    ("source", "samples"),
    [
        (f"for n in range(2):\n  for pos in range(3):\n    t = {DRAW}\n", ["for n in range(2):"]),
        (f"pick = random.choices\nfor n in range(2):\n  for pos in range(3):\n    t = {PICKED}\n",
         ["for n in range(2):"]),
        (f"def word():\n  for pos in range(3):\n    t = {DRAW}\nprint([word() for n in range(2)])\n", ["def word():"]),
        (f"def word():\n  for pos in range(3):\n    yield {DRAW}\nfor n in range(2): print(*word())\n",
         ["for n in range(2): print(*word())"]),
        (f"for step in range(3):{STEP}    for n in range(2):\n      for pos in range(3):\n        t = {DRAW}\n",
         ["    for n in range(2):"]),
        (f"for step in range(3):\n    for n in range(2):\n      for pos in range(3):\n        t = {DRAW}\n{STEP}", []),
    ],
)  # fmt: skip
def test_what_samples(source: str, samples: list[str]) -> None:
    assert units(source)[1] == samples


INIT = "    def __init__(self, data, kids=()):\n        self.data, self.grad, self.kids = data, 0.0, kids\n"
PASS = "    def backward(self):\n        self.grad = 1\n        for k in self.kids: k.grad += self.grad\n"
ADD = "    def __add__(self, o):\n        return Num(self.data + o.data, (self, o))\n"


@pytest.mark.parametrize(
    ("source", "operations"),
    [
        ("class Num:\n" + INIT + PASS + ADD, {"__add__"}),
        ("class Sums:\n" + ADD + "class Num(Sums):\n" + INIT + PASS, {"__add__"}),
        ("class Base:\n" + INIT + PASS + "class Num(Base):\n" + ADD, {"__add__"}),
        ("class Num:\n" + INIT + PASS + "def add(a, b):\n    return Num(a.data + b.data, (a, b))\nNum.__add__ = add\n",
         {"__add__"}),
        ("class Num:\n" + INIT + PASS + "def add(a, b):\n    return Num(a.data + b.data, (a, b))\n"
         "def exp(a):\n    out = Num(a.data * 2, (a,))\n    return out\n", set()),
        ("class Num:\n" + INIT + PASS.replace("+=", "=") + ADD.replace("__add__", "__mul__"), {"__mul__"}),
    ],
)  # fmt: skip
def test_a_class_is_found_wherever_its_arithmetic_stands(source: str, operations: set[str]) -> None:
    found = find_autograd_class({"__main__": ast.parse(source)})
    assert found is not None
    assert (found.node.name, found.data_name, found.grad_name) == ("Num", "data", "grad")
    assert found.operations == operations


def test_a_vector_is_no_scalar_with_a_gradient() -> None:
    source = "class Vector:\n    def __init__(self, xs):\n        self.xs, self.n = xs, 0\n"
    source += "    def __add__(self, o): return self\n"
    assert find_autograd_class({"__main__": ast.parse(source)}) is None
