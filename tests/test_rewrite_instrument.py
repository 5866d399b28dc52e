"""The rewriter is a pure function: source in; the same program with hooks, and a table of its places, out."""

from __future__ import annotations

import ast
import io
import traceback
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from rewrite_fixtures import BODY, NAME, VALUE, execute, installed, rewrite
from snippets import ALONE, PRELUDE, SNIPPETS
from support import BUNDLED, SAMPLES

from microgpt_tui.debuggee.rewrite.sites import DELTA, FACTOR, MARK
from microgpt_tui.protocol.codes import SiteKind

HERE = {name for name in SNIPPETS if name not in ALONE} - {"input", "threads", "subprocess", "pickling", "output"}
"""What can run inside the tests' process; the rest runs in its own (test_debuggee_language)."""
SCRIPTS = [BUNDLED, *sorted(path for path in SAMPLES.glob("*/*.py") if "class " in path.read_text("utf-8"))]
RAISES = """
def deep(v):
    return [w * (
        1 / (v.data - 2)) for w in (v,)]

try:
    deep(a +
         0)
finally:
    b = a
"""


def outcome(code: str | ast.Module) -> tuple[str, str, set[str]]:
    """What a script prints, how it ends, and the names that it leaves."""
    printed, ended = io.StringIO(), ""
    names: set[str] = set()
    with redirect_stdout(printed):
        try:
            names = set(execute(code))
        except BaseException as error:
            where = [(f.name, f.lineno) for f in traceback.extract_tb(error.__traceback__) if f.filename == NAME]
            ended = f"{error!r} at {where}"
    return printed.getvalue(), ended, names


def positions(tree: ast.AST) -> Counter[tuple[Any, ...]]:
    return Counter(
        (type(n), n.lineno, n.col_offset, n.end_lineno, n.end_col_offset)
        for n in ast.walk(tree) if isinstance(n, ast.expr | ast.stmt)
    )  # fmt: skip


def sources() -> dict[str, str]:
    found = {name: PRELUDE + text for name, text in SNIPPETS.items()}
    return found | {path.name: path.read_text(encoding="utf-8") for path in SCRIPTS}


# -- it is the same program ------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(HERE))
def test_the_rewritten_program_does_what_the_source_does(name: str) -> None:
    source = PRELUDE + SNIPPETS[name]
    bare = outcome(source)
    with installed([]):
        assert outcome(rewrite(source).tree) == bare


def test_an_exception_has_the_lines_of_the_source() -> None:
    bare = outcome(VALUE + RAISES)
    assert "ZeroDivisionError" in bare[1]
    with installed([]):
        assert outcome(rewrite(VALUE + RAISES).tree) == bare


@pytest.mark.parametrize("name", sources())
def test_nothing_of_the_source_is_lost_and_nothing_is_placed_outside_it(name: str) -> None:
    source = sources()[name]
    tree = rewrite(source).tree
    assert not positions(ast.parse(source)) - positions(tree)
    last = source.count("\n") + 1
    assert all(1 <= lineno <= end <= last for _, lineno, _, end, _ in positions(tree))


@pytest.mark.parametrize("name", sources())
def test_names_that_are_added_are_such_as_no_source_can_contain(name: str) -> None:
    source = sources()[name]

    def used(tree: ast.AST) -> set[str]:
        return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}

    added = used(rewrite(source).tree) - used(ast.parse(source))
    assert added - {"Exception"}  # around numbers that may be gone
    assert not any(name.isidentifier() for name in added - {"Exception"})


def test_the_same_source_gives_the_same_result() -> None:
    first, second = (rewrite(BUNDLED.read_text(encoding="utf-8")) for _ in range(2))
    assert ast.dump(first.tree, include_attributes=True) == ast.dump(second.tree, include_attributes=True)
    assert first.sites == second.sites


# -- the places ------------------------------------------------------------------------------

PLACES: list[tuple[str, SiteKind, list[tuple[str, str]]]] = [
    ("x = a * b\nprint\n", SiteKind.STATEMENT, [("Assign", "x = a * b")]),
    ("if a.data:\n    x = a + b\n", SiteKind.STATEMENT, [("If", "if a.data"), ("Assign", "x = a + b")]),
    ("x = -(a + b) ** 2\n", SiteKind.EXPRESSION, [("neg", "-(a + b) ** 2"), ("pow", "(a + b) ** 2"), ("add", "a + b")]),
    ("x = sum([a, b])\n", SiteKind.EXPRESSION, [("add", "sum([a, b])")]),
    ("a += b\n", SiteKind.EXPRESSION, [("add", "a += b")]),
    ("for i, (j, k) in []:\n    pass\n", SiteKind.ITERATION, [("i, j, k", "for i, (j, k) in []")]),
    ("while a.data < 1:\n    a = a * b\n", SiteKind.ITERATION, [("while", "while a.data < 1")]),
    ("def f(x, *, k=1):\n    return x\n", SiteKind.CALL, [("f", "def f(x,")]),
    ("def f(x, *, k=1):\n    return x\n", SiteKind.BIND, [("x", "x"), ("k", "k")]),
    ("x = y, (z, w) = 1, (2, 3)\n", SiteKind.BIND, [("x", "x"), ("y", "y")]),
    ("a.name = x = 1\n", SiteKind.BIND, [("a.name", "a.name"), ("x", "x")]),
    ("x = [[1]]\nx[0][0] = a\n", SiteKind.ELEMENT, [("x", "x[0][0]")]),
    ("x = [[]]\nx[0].append(a)\nx.extend([b])\n", SiteKind.APPEND, [("x", "x[0].append(a)"), ("x", "x.extend([b])")]),
    ("a.grad += b.grad * 2\n", SiteKind.ACCUMULATE, [("", "a.grad += b.grad * 2")]),
    ("a.grad = 1\n", SiteKind.ASSIGN, [("", "a.grad = 1")]),
    ("a.data -= 0.1 * a.grad\n", SiteKind.UPDATE, [("", "a.data -= 0.1 * a.grad")]),
    ("a.data -= 0.1 * a.grad\n", SiteKind.BEFORE, [("", "a.data -= 0.1 * a.grad")]),
    ("import random\nx = random.choices([1, 2])[0]\n", SiteKind.SAMPLE, [("choices", "random.choices([1, 2])")]),
    ("import random\nx = random.random()\n", SiteKind.SAMPLE, [("random", "random.random()")]),
    ("print(a.data)\n", SiteKind.PRINT, [("", "print(a.data)")]),
    ("import sys\nsys.stdout.write('x')\n", SiteKind.PRINT, [("", "sys.stdout.write('x')")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "expected"), PLACES, ids=[f"{k.name}: {t!r}" for t, k, _ in PLACES])
def test_each_place_has_its_kind_its_name_and_its_text(
    text: str, kind: SiteKind, expected: list[tuple[str, str]]
) -> None:
    made = rewrite(VALUE + text)
    assert [(s.name, made.text(s)) for s in made.of(kind, after=BODY)] == expected


def test_the_methods_of_the_class_tell_what_they_make() -> None:
    made = rewrite(VALUE)
    assert [(s.name, made.text(s)) for s in made.of(SiteKind.CONSTANT)] == [
        ("add", "Value(other)"),
        ("mul", "Value(other)"),
    ]
    assert [(s.name, s.names) for s in made.of(SiteKind.CREATE)] == [("add", ()), ("mul", ()), ("pow", ("k",))]
    assert [s.name for s in made.of(SiteKind.OPERATION)] == ["neg"]
    assert [s.name for s in made.of(SiteKind.CALL)] == ["backward"]


def test_the_usual_loop_of_a_backward_pass_is_one_place() -> None:
    made = rewrite(VALUE)
    (loop,) = made.of(SiteKind.PROPAGATE)
    assert loop.names == ("_children", "_local_grads")
    (accumulate,) = made.of(SiteKind.ACCUMULATE)
    assert made.sites[loop.statement] == accumulate


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ("local * v.grad", "local * v.grad * 1"), ("local * v.grad", "local + v.grad"),
        ("child.grad +=", "child.grad ="), ("zip(v._children, v._local_grads)", "zip(v._children, self._local_grads)"),
        ("reversed(order)", "order, order"),
    ],
)  # fmt: skip
def test_a_loop_that_does_anything_else_is_not(usual: str, other: str) -> None:
    assert VALUE.count(usual) == 1
    kept = usual == "reversed(order)"  # what it goes over is its own affair
    assert bool(rewrite(VALUE.replace(usual, other)).of(SiteKind.PROPAGATE)) is kept


def test_a_loop_written_the_other_way_round_is_the_usual_one() -> None:
    assert rewrite(VALUE.replace("local * v.grad", "v.grad * local")).of(SiteKind.PROPAGATE)


def test_sites_know_their_function_and_how_many_loops_are_around() -> None:
    made = rewrite(VALUE + "def f(x):\n    for i in x:\n        while i:\n            y = a * b\n")
    (statement,) = [s for s in made.of(SiteKind.STATEMENT, after=BODY) if s.name == "Assign"]
    assert statement.depth == 2
    function = made.sites[statement.function]
    assert function is not None
    assert function.name == "f"


# -- which expression made a node ------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "marks"),
    [("x = a * b + c", 0), ("x = a * b + c * c", 2), ("x = (a * b) * c", 2), ("x = a + b if a.data else -c", 0),
     ("x = a.data * 2 * b.data", 0), ("f = lambda: a * b * c\nf()", 0)],
)  # fmt: skip
def test_an_operation_is_marked_where_its_statement_has_several_of_its_kind(text: str, marks: int) -> None:
    made = rewrite(VALUE + text)
    log: list[Any] = []
    with installed(log):
        execute(made.tree)
    expressions = {
        i for i, s in enumerate(made.sites) if s is not None and s.kind is SiteKind.EXPRESSION and s.line >= BODY
    }
    assert sum(entry in expressions for entry in log if isinstance(entry, int)) == marks


def test_a_statement_lists_which_expressions_may_make_what() -> None:
    made = rewrite(VALUE + "x = a * b + c * 2\n")
    (statement,) = made.of(SiteKind.STATEMENT, after=BODY)
    told = {op: [made.text(s) for n in places if (s := made.sites[n])] for op, places in statement.candidates}
    assert told == {"add": ["a * b + c * 2"], "mul": ["a * b", "c * 2"]}


# -- gradients -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "source", "delta", "factor"),
    [
        ("a.grad += 2 * b.grad", "b", 20, 2), ("a.grad += b.grad * 2", "b", 20, 2), ("a.grad += b.grad", "b", 10, 1),
        ("a.grad = a.grad + b.grad * c.data", "b", 50.0, 5.0), ("a.grad = (1 + 2) * b.grad + a.grad", "b", 30, 3),
        ("setattr(a, 'grad', a.grad + 4 * b.grad)", "b", 40, 4), ("a.grad += 7", None, 7, None),
        ("a.grad += b.grad / 2", "b", 5.0, None), ("k = 3\na.grad += k", None, 3, None),
        ("(lambda: setattr(a, 'grad', a.grad + b.grad))()", "b", 10, 1),
        ("f = lambda: setattr(a, 'grad', a.grad + b.grad)\nf()", "b", 10, 1),
        ("b.data and setattr(a, 'grad', a.grad + b.grad)", "b", 10, 1),
    ],
)  # fmt: skip
def test_a_contribution_tells_who_gives_how_much_and_by_which_local_gradient(
    text: str, source: str | None, delta: float, factor: float | None
) -> None:
    made = rewrite(VALUE + "b.grad = 10\n" + text)
    log: list[Any] = []
    with installed(log):
        names = execute(made.tree)
    site = made.sites.index(made.of(SiteKind.ACCUMULATE, after=BODY)[-1])
    (entry,) = [e for e in log if isinstance(e, tuple) and e[0] == site]
    assert entry[1:] == (names["a"], names[source] if source else None, delta, factor)
    assert not {DELTA, FACTOR} & names.keys()


@pytest.mark.parametrize("closure", ["lambda: setattr(self, 'grad', self.grad + out.grad * 2)", "lambda: None"])
def test_a_closure_of_an_operation_may_set_gradients(closure: str) -> None:
    operation = (
        f"\n    def twice(self):\n        out = self * 2\n        out._backward = {closure}\n        return out\n"
    )
    source = VALUE.replace("\n    def backward", operation + "\n    def backward") + "out = a.twice()\nout._backward()"
    with installed([]):
        assert not {DELTA, FACTOR} & execute(rewrite(source.replace("self * 2", "Value(self.data * 2)")).tree).keys()


def test_a_gradient_that_is_not_set_after_all_leaves_no_name() -> None:
    with installed([]):
        names = execute(rewrite(VALUE + "a.grad and setattr(a, 'grad', a.grad + b.grad)\n").tree)
    assert not {DELTA, FACTOR} & names.keys()


def test_an_update_tells_the_numbers_behind_it() -> None:
    made = rewrite(VALUE + "m, lr = [1.0], 0.5\nstep = lr * m[0]\na.data -= step\n")
    (update,) = made.of(SiteKind.UPDATE)
    assert update.names == ("step", "lr", "m[0]")
    log: list[Any] = []
    with installed(log):
        names = execute(made.tree)
    (entry,) = [e for e in log if isinstance(e, tuple) and e[0] == made.sites.index(update)]
    assert entry[1:] == (names["a"], 1.5, 0.5, 0.5, 1.0)


def test_a_number_that_is_gone_does_not_hide_the_update() -> None:
    made = rewrite(VALUE + "m = [1.0]\nstep = m[0] + len(m)\nm.pop()\na.data -= step\n")
    log: list[Any] = []
    with installed(log):
        names = execute(made.tree)
    (entry,) = [e for e in log if isinstance(e, tuple) and e[0] == made.sites.index(made.of(SiteKind.UPDATE)[0])]
    assert entry[1:] == (names["a"], 0.0)


def test_writes_are_told_wherever_they_stand() -> None:
    made = rewrite(VALUE + (
        "def g(v):\n    match v.data:\n        case 2.0:\n            v.grad += 1\n    try:\n        yield v\n"
        "    finally:\n        v.grad = 0\n"
    ))  # fmt: skip
    assert len(made.of(SiteKind.ACCUMULATE, after=BODY)) == len(made.of(SiteKind.ASSIGN, after=BODY)) == 1


# -- functions and loops ---------------------------------------------------------------------


def test_a_call_is_left_however_it_ends() -> None:
    made = rewrite(
        VALUE + "def f(x):\n    if x:\n        return 1\n    raise ValueError\nf(1)\n"
        "try:\n    f(0)\nexcept ValueError:\n    pass\n"
    )
    log: list[Any] = []
    with installed(log):
        execute(made.tree)
    site = made.sites.index(made.of(SiteKind.CALL, after=BODY)[0])
    marks = [e for e in log if e in (site, 0) and type(e) is int]
    assert marks == [site, 0, site, 0]


def test_a_recursive_inner_function_lets_go_of_the_graph() -> None:
    text = "def f(x):\n    def g(n):\n        return g(n - 1) if n else x\n    return g(2)\n"
    (leave,) = [n.finalbody for n in ast.walk(rewrite(VALUE + text).tree) if isinstance(n, ast.Try)
                and any(isinstance(s, ast.Assign) and ast.unparse(s) == "g = None" for s in n.finalbody)]  # fmt: skip
    assert len(leave) == 2
    kept = text.replace("return g(2)", "return g")
    assert "g = None" not in ast.unparse(rewrite(VALUE + kept).tree)


def test_the_loops_that_make_the_episodes_are_told_from_the_others() -> None:
    text = Path(BUNDLED).read_text(encoding="utf-8")
    made = rewrite(text)
    lines = text.splitlines()
    (train,), (sample,) = made.plan.train, made.plan.sample
    assert lines[train.lineno - 1] == "for step in range(num_steps):"
    assert lines[sample.lineno - 1] == "for sample_idx in range(num_samples):"
    episodes = [n for n in ast.walk(made.tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "@mg_episode"]
    assert len(episodes) == 4  # each loop: an iteration begins, the loop is over


def test_the_docstring_and_future_imports_stay_first() -> None:
    made = rewrite('"""Doc."""\nfrom __future__ import annotations\n' + VALUE + 'def f():\n    """Inner."""\n')
    assert ast.get_docstring(made.tree) == "Doc."
    compile(made.tree, NAME, "exec")
    assert ast.unparse(made.tree.body[2]).startswith(MARK)
    (function,) = [n for n in made.tree.body if isinstance(n, ast.FunctionDef)]
    assert ast.get_docstring(function) == "Inner."
