"""The audit of small scripts: what it finds, what it names as a kink, and what it does not claim."""

from __future__ import annotations

from pathlib import Path

import pytest

from microgpt_tui.audit.findings import ERROR, Report
from microgpt_tui.session.diagnosis import add_failure
from microgpt_tui.session.examination import Check
from microgpt_tui.session.process import Launch

ENGINE = """
import math, random
random.seed(3)
class Value:
    def __init__(self, data, kids=()):
        self.data = data
        self.grad = 0.0
        self.kids = KIDS(kids)
        self.pull = lambda: None
    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))
        def pull():
            self.grad += out.grad
            other.grad += out.grad
        out.pull = pull
        return out
    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))
        def pull():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad
        out.pull = pull
        return out
    def __sub__(self, other):
        out = Value(self.data - other.data, (self, other))
        def pull():
            self.grad += out.grad
            other.grad -= out.grad
        out.pull = pull
        return out
    def relu(self):
        out = Value(max(0.0, self.data), (self,))
        def pull():
            self.grad += (out.data > 0) * out.grad
        out.pull = pull
        return out
    def exp(self):
        out = Value(math.exp(self.data), (self,))
        def pull():
            self.grad += EXP * out.grad
        out.pull = pull
        return out
    def backward(self):
        order, seen = [], set()
        def visit(node):
            if node not in seen:
                seen.add(node)
                for kid in node.kids:
                    visit(kid)
                order.append(node)
        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            node.pull()
"""
TRAIN = """
w = [Value(random.uniform(-1, 1)) for _ in range(4)]
for step in range(4):
    a, b = (w[0] * 2.0 + w[1]).exp(), (w[2] * w[3] - w[0]).relu()
    loss = a * b + a * a + shape(w[1]) + shape(w[2] * w[1]) + w[3].exp()
    for p in w:
        p.grad = 0.0
    loss.backward()
    for p in w:
        p.data -= 0.01 * p.grad
"""
IDENTITY = "\ndef shape(x):\n    return x * x\n"


def report_of(folder: Path, text: str, *, kids: str = "tuple", exp: str = "out.data", step: int = 2) -> Report:
    """The report of a script."""
    script = folder / "script.py"
    script.write_text(text.replace("KIDS", kids).replace("EXP", exp), "utf-8")
    report, run = Check(Launch(script), step).run()
    add_failure(report, run)
    run.close()
    return report


def line_of(text: str, words: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), 1) if words in line)


@pytest.mark.parametrize("kids", ["tuple", "set", "list"])
def test_right_closures_are_not_accused(tmp_path: Path, kids: str) -> None:
    """A gradient subtracted in a closure too, whatever holds the operands."""
    report = report_of(tmp_path, ENGINE + IDENTITY + TRAIN, kids=kids)
    assert not report.findings, report.text
    tested = {t.name for t in report.tested}
    assert {"Value.__add__", "Value.__mul__", "Value.__sub__", "Value.exp", "shape", "w"} <= tested


@pytest.mark.parametrize(
    ("exp", "guess"),
    [
        ("self.data", "the operand's number stands where the derivative should"),
        ("-out.data", "the sign is wrong"),
        ("7 * out.data", "it is 7 times what it should be"),
        ("0.0", "nothing is passed on to it"),
        ("(out.data + 0.1 * self.data)", "a term of the chain rule is missing or wrong"),
    ],
)
def test_a_wrong_derivative_is_named_with_a_guess(tmp_path: Path, exp: str, guess: str) -> None:
    report = report_of(tmp_path, ENGINE + IDENTITY + TRAIN, exp=exp)
    first = report.findings[0]
    assert (first.grade, first.rule, first.line) == (ERROR, "operation", line_of(ENGINE, "EXP"))
    assert guess in first.text
    assert "Value.exp" not in {u.name for u in report.untested}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("self.grad += EXP * out.grad", "self.grad += EXP", "it drops the gradient that comes from above"),
        ("self.grad += EXP * out.grad", "self.grad = EXP * out.grad", "= where += is needed"),
    ],
)
def test_how_a_closure_passes_on_is_tested_too(tmp_path: Path, old: str, new: str, words: str) -> None:
    report = report_of(tmp_path, ENGINE.replace(old, new) + IDENTITY + TRAIN)
    assert words in report.findings[0].text, report.text
    assert report.findings[0].line == line_of(ENGINE, "EXP")


def test_a_function_beside_the_class_is_an_operation(tmp_path: Path) -> None:
    own = (
        "\ndef shape(x):\n    out = Value(x.data ** 3, (x,))\n    def pull():\n"
        "        x.grad += FACTOR * x.data ** 2 * out.grad\n    out.pull = pull\n    return out\n"
    )
    right = report_of(tmp_path, ENGINE + own.replace("FACTOR", "3") + TRAIN)
    assert not right.findings, right.text
    wrong = report_of(tmp_path, ENGINE + own.replace("FACTOR", "21") + TRAIN)
    assert "it is 7 times what it should be" in wrong.findings[0].text


def test_a_cut_graph_is_found_where_every_operation_is_right(tmp_path: Path) -> None:
    text = ENGINE + "\ndef shape(x):\n    scale = Value(x.data)\n    return x * scale\n" + TRAIN
    report = report_of(tmp_path, text)
    assert report.findings[0].line == line_of(text, "Value(x.data)"), report.text
    assert report.errors


def test_a_kink_is_named_and_nobody_accused(tmp_path: Path) -> None:
    text = ENGINE + "\ndef shape(x):\n    return (x - x).relu() + x * x\n" + TRAIN
    report = report_of(tmp_path, text)
    assert not report.errors, report.text
    assert any(t.name == "Value.relu" and "at a kink" in t.how for t in report.tested)


def test_a_number_changed_in_place_is_found(tmp_path: Path) -> None:
    own = "    def __iadd__(self, other):\n        self.data += other.data\n        return self\n"
    text = ENGINE + own + "\ndef shape(x):\n    y = x * x\n    y += x\n    return y\n" + TRAIN
    report = report_of(tmp_path, text)
    assert line_of(text, "self.data += other.data") in [f.line for f in report.findings[:3]], report.text
    assert "no gradient reaches what was added" in report.text


def test_a_pass_that_runs_twice_blames_no_operation(tmp_path: Path) -> None:
    text = ENGINE + IDENTITY + TRAIN.replace("loss.backward()", "loss.backward()\n    loss.backward()")
    report = report_of(tmp_path, text)
    assert report.findings[0].rule == "twice", report.text
    assert not [f for f in report.findings if f.rule == "operation"]


def test_a_recursive_pass_without_an_order_blames_no_operation(tmp_path: Path) -> None:
    at = ENGINE.index("    def backward")
    recursive = (
        "    def backward(self, root=True):\n        if root:\n            self.grad = 1.0\n        self.pull()\n"
        "        for kid in self.kids:\n            kid.backward(False)\n"
    )
    text = ENGINE[:at] + recursive + "a = Value(1.0)\nb = a + a\nc = b + b\nc.backward()\n"
    report = report_of(tmp_path, text, step=1)
    assert {f.rule for f in report.findings} == {"order"}, report.text
    assert report.findings[0].line == line_of(text, "kid.backward(False)")


def test_the_headline_claims_only_what_was_tested(tmp_path: Path) -> None:
    report = report_of(tmp_path, ENGINE + IDENTITY + TRAIN)
    assert report.headline == (
        f"training step 2: nothing wrong in the {len(report.tested)} things tested; "
        f"{len(report.untested)} could not be tested"
    )
    names = {u.name: u.why for u in report.untested}
    assert names["causality"] == "no token positions with predictions were recognised"


def test_the_script_is_left_as_it_is(tmp_path: Path) -> None:
    """A trial writes no file and prints nothing: the run beside it is the only one that does."""
    text = (
        ENGINE
        + IDENTITY
        + TRAIN.replace("    for p in w:\n        p.grad", "    print(step)\n    for p in w:\n        p.grad")
    )
    text = text.replace("loss.backward()", f"loss.backward()\n    open({str(tmp_path / 'log')!r}, 'a').write('x')")
    script = tmp_path / "script.py"
    script.write_text(text.replace("KIDS", "tuple").replace("EXP", "out.data"), "utf-8")
    report, run = Check(Launch(script), 2).run()
    try:
        assert not report.errors, report.text
        assert (tmp_path / "log").read_text() == "xx"
        assert run.process.output(0) == b"0\n1\n"
    finally:
        run.close()
