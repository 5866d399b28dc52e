"""Layers out of proportion: each kind is told with its line, and its right twin has no finding."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import BUNDLED, NAMES
from test_audit_operations import ENGINE, line_of, report_of

from microgpt_tui.audit.findings import WARNING, Report
from microgpt_tui.session.examination import Check
from microgpt_tui.session.process import Launch

ACTIVATIONS = """    def tanh(self):
        t = math.tanh(self.data)
        out = Value(t, (self,))
        def pull():
            self.grad += (1 - t * t) * out.grad
        out.pull = pull
        return out
    def sigmoid(self):
        s = 1 / (1 + math.exp(-self.data))
        out = Value(s, (self,))
        def pull():
            self.grad += s * (1 - s) * out.grad
        out.pull = pull
        return out
"""
PASS = ENGINE.index("    def backward")
NETWORK = (
    ENGINE[:PASS]
    + ACTIVATIONS
    + ENGINE[PASS:]
    + """
class Layer:
    def __init__(self, n_in, n_out):
        self.w = [[Value(random.gauss(0, SPREAD)) for _ in range(n_in)] for _ in range(n_out)]
        self.b = [Value(BIAS) for _ in range(n_out)]
    def __call__(self, x):
        rows = zip(self.w, self.b)
        return [sum([w * v for w, v in zip(row, x)], bias).ACTIVATION() for row, bias in rows]
class Network:
    def __init__(self):
        self.layers = [Layer(3, 3) for _ in range(DEPTH)]
        self.out = [Value(0.3), Value(-0.2), Value(0.1)]
    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return sum([w * v for w, v in zip(self.out, x)], Value(0.0))
net = Network()
params = [p for layer in net.layers for row in layer.w for p in row] + [p for layer in net.layers for p in layer.b]
params += net.out
lr = RATE
for step in range(4):
    loss = Value(0.0)
    for k in range(4):
        error = net([1.0 + k, 0.5 - k, 0.25 * k]) + -0.5
        loss = loss + error * error
    for p in params:
        p.grad = 0.0
    loss.backward()
    for p in params:
        p.data -= lr * p.grad
"""
)
USUAL = {"SPREAD": "0.8", "BIAS": "0.1", "ACTIVATION": "tanh", "DEPTH": "2", "RATE": "0.01"}


def network(**changed: str) -> str:
    text = NETWORK
    for name, value in {**USUAL, **changed}.items():
        text = text.replace(name, value)
    return text


BROKEN = [
    ("dead units", {"ACTIVATION": "relu", "BIAS": "-50.0"}, "sum([w * v for w, v in zip(row, x)]"),
    ("dead units", {"ACTIVATION": "tanh", "BIAS": "40.0"}, "sum([w * v for w, v in zip(row, x)]"),
    ("gradient size", {"ACTIVATION": "sigmoid", "DEPTH": "9", "SPREAD": "0.1"}, "net = Network()"),
    ("gradient size", {"ACTIVATION": "relu", "BIAS": "500.0", "SPREAD": "40.0", "RATE": "1e-30"}, "net = Network()"),
    ("step size", {"RATE": "1e-12"}, "lr = 1e-12"),
    ("step size", {"RATE": "30.0"}, "lr = 30.0"),
]


@pytest.mark.parametrize(("rule", "changed", "words"), BROKEN, ids=lambda x: x if isinstance(x, str) else "")
def test_a_network_out_of_proportion_is_told_with_its_line(
    tmp_path: Path, rule: str, changed: dict[str, str], words: str
) -> None:
    text = network(**changed)
    report = report_of(tmp_path, text)
    found = [f for f in report.findings if f.rule == rule]
    assert found, report.text
    assert found[0].grade == WARNING
    assert found[0].line == line_of(text, words), report.text


@pytest.mark.parametrize("changed", [{}, {"ACTIVATION": "relu"}, {"ACTIVATION": "sigmoid"}], ids=str)
def test_the_twin_has_no_finding(tmp_path: Path, changed: dict[str, str]) -> None:
    report = report_of(tmp_path, network(**changed))
    assert not report.findings, report.text


def bundled(script: Path = BUNDLED, **overrides: str) -> Report:
    launch = Launch(script, data=NAMES, overrides={"num_steps": "3", "num_samples": "1", **overrides})
    report, run = Check(launch, 2, per_matrix=2).run()
    run.close()
    return report


def test_attention_that_gives_all_to_one_key_is_told_layer_by_layer(tmp_path: Path) -> None:
    sharp = tmp_path / "sharp.py"
    sharp.write_text(BUNDLED.read_text("utf-8").replace("/ head_dim**0.5", "* 4000.0"), "utf-8")
    report = bundled(sharp, n_layer="2")
    found = [f for f in report.findings if f.rule == "saturated softmax"]
    assert found, report.text
    assert found[0].line == line_of(sharp.read_text("utf-8"), "sum(q_h[j] * k_h[t][j]")
    assert {t.name for t in report.tested if t.kind == "attention"} == {"layer 0", "layer 1"}


def test_usual_attention_is_not_told() -> None:
    report = bundled(n_layer="2")
    assert not report.findings, report.text


def test_a_rule_that_says_nothing_is_listed(tmp_path: Path) -> None:
    untested = {u.name: u.why for u in report_of(tmp_path, network()).untested if u.kind == "rule"}
    assert untested["saturated softmax"] == "no attention over more than one key was recognised"
    assert "softmax sums" in untested
    assert "score scale" in untested
    assert "mean loss" in untested
