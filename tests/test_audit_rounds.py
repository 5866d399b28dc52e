"""The audit of steps with more than one loss: a training inside the forward pass, an evaluation before it."""

from __future__ import annotations

from pathlib import Path

from test_audit_operations import ENGINE, line_of, report_of

from microgpt_tui.audit.findings import ERROR, WARNING

KEPT = """
import random
random.seed(3)
class Value:
    def __init__(self, data, kids=(), local=()):
        self.data, self.grad, self.kids, self.local = data, 0.0, kids, local
    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))
    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))
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
            for kid, slope in zip(node.kids, node.local):
                kid.grad += slope * node.grad
"""
NESTED = """
slow = [Value(random.uniform(-1, 1)) for _ in range(4)]
fast = [Value(random.uniform(-1, 1)) for _ in range(2)]
def guess(x):
    return x[0] * fast[0] + x[1] * fast[1]
def remember(x, y):
    error = guess(x) + -y
    (error * error).backward()
    for p in fast:
        p.data -= 0.05 * p.grad
        p.grad = 0.0
    for a in x:
        a.grad = 0.0
    return guess(x)
for step in range(4):
    loss = Value(0.0)
    for k in range(3):
        x = [slow[k] + slow[3], slow[k] + slow[1]]
        out = remember(x, k * 0.5)
        loss = loss + (out + -1.0) * out
    for p in slow + fast:
        p.grad = 0.0
    loss.backward()
    for p in slow:
        p.data -= 0.05 * p.grad
    for p in fast:
        p.grad = 0.0
"""
EVALUATED = """
w = [Value(random.uniform(-1, 1)) for _ in range(4)]
def loss_of(k):
    return (w[0] * k + w[1]).exp() * w[2] + w[3] * w[0]
for step in range(4):
    held_out = sum(loss_of(k / 50).data for k in range(50)) / 50
    scale = w[1].data
    loss = loss_of(step * 0.1) + loss_of(0.5) * SCALE
    for p in w:
        p.grad = 0.0
    loss.backward()
    for p in w:
        p.data -= 0.01 * p.grad
"""


def test_a_training_inside_the_forward_pass_is_right(tmp_path: Path) -> None:
    """Its passes share nodes with the outer one, whose gradients it sets back; it updates once for every input."""
    report = report_of(tmp_path, KEPT + NESTED, step=3)
    assert not report.findings, report.text
    tested = {t.name: t for t in report.tested}
    assert "4 of 4 parameters moved" in tested["slow"].how
    assert "2 of 2 parameters moved" in tested["fast"].how
    assert any(u.name.startswith("passes 1 to 3") for u in report.untested)


def test_an_inner_pass_that_leaves_its_gradients_is_found(tmp_path: Path) -> None:
    text = (KEPT + NESTED).replace("    for a in x:\n        a.grad = 0.0\n", "")
    report = report_of(tmp_path, text, step=3)
    assert (report.findings[0].grade, report.findings[0].rule) == (ERROR, "twice"), report.text


def test_what_the_outer_pass_leaves_for_the_inner_one_is_a_warning(tmp_path: Path) -> None:
    text = (KEPT + NESTED).replace("    for p in fast:\n        p.grad = 0.0\n", "").replace("slow + fast", "slow")
    report = report_of(tmp_path, text, step=3)
    assert [(f.grade, f.rule) for f in report.findings] == [(WARNING, "zeroing")], report.text


def test_a_cut_in_the_outer_graph_is_found_though_parameters_change_on_the_way(tmp_path: Path) -> None:
    text = (KEPT + NESTED).replace("(out + -1.0) * out\n", "(out + -1.0) * Value(out.data)\n")
    report = report_of(tmp_path, text, step=3)
    first = report.findings[0]
    assert (first.grade, first.line) == (ERROR, line_of(text, "Value(out.data)")), report.text


def test_closures_that_read_what_has_been_updated_since_are_found(tmp_path: Path) -> None:
    """They take a parameter's number when the pass runs: by then it is another one than the forward pass has used."""
    report = report_of(tmp_path, ENGINE + NESTED, step=3)
    first = report.findings[0]
    assert (first.grade, first.line) == (ERROR, line_of(ENGINE + NESTED, "p.data -= 0.05 * p.grad")), report.text


def test_an_evaluation_in_the_step_is_run_once(tmp_path: Path) -> None:
    report = report_of(tmp_path, ENGINE + EVALUATED.replace("SCALE", "2.0"), step=3)
    assert not report.errors, report.text
    assert "4 of 4 parameters moved, and all of it at once" in next(t.how for t in report.tested if t.name == "w")


def test_a_number_taken_before_the_evaluation_ends_is_not_lost(tmp_path: Path) -> None:
    """The loss hangs on a parameter's number that is read before its graph begins: from there on it would be missed."""
    moved = EVALUATED.replace("    scale = w[1].data\n", "").replace("held_out", "scale = w[1].data\n    held_out")
    for text in (moved, EVALUATED):
        report = report_of(tmp_path, ENGINE + text.replace("SCALE", "scale"), step=3)
        assert report.errors, report.text
