"""Situations that people have reported: the line of what is wrong, and nothing else that is surely a fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_audit_operations import ENGINE, IDENTITY, TRAIN, line_of, report_of

from microgpt_tui.audit.findings import ERROR, WARNING

PASS = ENGINE.index("    def backward")
RECURSIVE = (
    ENGINE[:PASS]
    + """    def backward(self, root=True):
        if root:
            self.grad = 1.0
        self.pull()
        for kid in self.kids:
            kid.backward(False)
"""
)
POWER = """    def __pow__(self, k):
        out = Value(self.data ** k, (self,))
        def pull():
            self.grad += k * self.data ** (k - 1) * out.grad
        out.pull = pull
        return out
    def log(self):
        out = Value(math.log(self.data), (self,))
        def pull():
            self.grad += out.grad / self.data
        out.pull = pull
        return out
"""
WITH_POWER = ENGINE[:PASS] + POWER + ENGINE[PASS:]
OUTSIDE = """
w = [Value(random.uniform(-1, 1)) for _ in range(2)]
loss = (w[0] * 3.0 + w[1]) * (w[0] * 3.0 + w[1])
for step in range(4):
    for p in w:
        p.grad = 0.0
    loss.backward()
    for p in w:
        p.data -= 0.5 * p.grad
"""
REWIRED = """    def __iadd__(self, other):
        self.data += other.data
        self.kids = (self, other)
        def pull():
            other.grad += self.grad
        self.pull = pull
        return self
"""


def test_a_pass_without_an_order_is_found_though_this_graph_does_not_show_it(tmp_path: Path) -> None:
    """Operands in a set: a + a has one, and a chain of such is walked in the right order by chance."""
    text = RECURSIVE + "a, b = Value(1.0), Value(2.0)\nc = a + b\nc.backward()\n"
    report = report_of(tmp_path, text, kids="set")
    assert [(f.grade, f.rule, f.line) for f in report.findings] == [
        (WARNING, "order", line_of(text, "kid.backward(False)"))
    ], report.text
    assert "nothing in this step showed it" in report.findings[0].text


def test_a_right_pass_is_tried_on_a_graph_with_nodes_of_several_depths(tmp_path: Path) -> None:
    report = report_of(tmp_path, ENGINE + "a, b = Value(1.0), Value(2.0)\nc = a + b\nc.backward()\n")
    assert not report.findings, report.text
    assert [t.wrong for t in report.tested if (t.kind, t.name) == ("pass", "order")] == [0]


@pytest.mark.parametrize(("slope", "has"), [("(out.data > 0)", "0"), ("(self.data >= 0)", "1")])
def test_the_kink_at_zero_is_named_and_nobody_accused(tmp_path: Path, slope: str, has: str) -> None:
    text = (ENGINE + IDENTITY + TRAIN).replace("(out.data > 0)", slope)
    report = report_of(tmp_path, text)
    assert not report.findings, report.text
    how = next(t.how for t in report.tested if t.name == "Value.relu")
    assert "at 0, where this step has not been, the slope is 0 on the left and 1 on the right, and the script has " \
           f"{has}" in how  # fmt: skip


def test_a_complex_number_is_named(tmp_path: Path) -> None:
    text = WITH_POWER + "a = Value(-2.0)\nc = a ** 0.5\nd = a * 2.0\nd.backward()\n"
    report = report_of(tmp_path, text)
    found = {f.rule: f for f in report.findings}
    assert set(found) == {"root cause", "complex number"}, report.text
    assert found["complex number"].line == line_of(text, "a ** 0.5")
    assert "made by pow(-2" in found["complex number"].text
    assert "is negative, and there is no real result for that" in found["root cause"].text
    right = report_of(tmp_path, text.replace("Value(-2.0)", "Value(2.0)"))
    assert not right.findings, right.text


def test_the_logarithm_of_a_negative_number_says_so(tmp_path: Path) -> None:
    text = WITH_POWER + "a = Value(-1.5)\nb = a * 1.0\nc = b.log()\nc.backward()\n"
    report = report_of(tmp_path, text)
    assert line_of(text, "math.log") == report.findings[0].line, report.text
    assert "is negative, and there is no real result for that" in report.findings[1].text


def test_a_node_rewired_in_place_is_the_only_thing_that_is_told(tmp_path: Path) -> None:
    text = (
        ENGINE[:PASS] + REWIRED + ENGINE[PASS:] + IDENTITY
        + TRAIN.replace("    loss = a * b", "    loss = Value(0.0)\n    loss += a * b\n    loss += a * b")
    )  # fmt: skip
    report = report_of(tmp_path, text)
    assert [(f.grade, f.line) for f in report.findings if f.grade == ERROR] == [
        (ERROR, line_of(text, "self.data += other.data"))
    ], report.text


def test_a_graph_made_before_the_loop_is_told_without_what_follows_from_it(tmp_path: Path) -> None:
    report = report_of(tmp_path, ENGINE + OUTSIDE)
    assert [(f.rule, f.line) for f in report.findings] == [
        ("earlier step", line_of(ENGINE + OUTSIDE, "loss = (w[0]"))
    ], report.text
