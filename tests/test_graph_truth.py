"""Arithmetic in pictures: each drawn operation is recomputed from the numbers that are drawn, in every format."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from microgpt_tui.cli import main

ROOT = Path(__file__).parent.parent
SMALL = str(ROOT / "docs/pictures/small.py")
Drawn = dict[str, dict[str, float]]
"""Name of a box -> its data and grad, as they are drawn."""
Edges = list[tuple[str, str]]
COMPUTED: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b, "mul": lambda a, b: a * b, "relu": lambda a: max(0.0, a),
}  # fmt: skip


def value(text: str) -> float:
    return float(html.unescape(text).replace("−", "-").replace("+", ""))


def read_svg(text: str) -> tuple[Drawn, dict[str, str], Edges]:
    boxes, ops = {}, {}
    for name, op, inside in re.findall(r'<g id="(n\d+)"[^>]*data-op="(\w*)"[^>]*>(.*?)(?=<g id=|$)', text, re.S):
        words = re.findall(r'aria-label="([^"]*)"', inside) or re.findall(r"<text[^>]*>([^<]*)</text>", inside)
        ops[name] = op
        boxes[name] = {"data": value(words[2]), "grad": value(words[4])}
    edges = [(f"n{a}", f"n{b}") for a, b in re.findall(r'data-from="(\d+)" data-to="(\d+)"', text)]
    return boxes, ops, edges


def read_dot(text: str) -> tuple[Drawn, dict[str, str], Edges]:
    boxes = {
        name: {"data": value(data), "grad": value(grad)}
        for name, data, grad in re.findall(r'^  (n\d+) \[label="[^"]*?\ndata (\S+)\ngrad ✓ ([^\s"]+)', text, re.M)
    }
    return boxes, {}, re.findall(r"^  (n\d+) -> (n\d+)", text, re.M)


def read_json(text: str) -> tuple[Drawn, dict[str, str], Edges]:
    found = json.loads(text)
    boxes = {f"n{b['id']}": {"data": b["data"], "grad": b["grad"]} for b in found["nodes"]}
    ops = {f"n{b['id']}": b["op"] for b in found["nodes"]}
    return boxes, ops, [(f"n{e['from']}", f"n{e['to']}") for e in found["edges"]]


READERS = {"svg": read_svg, "html": read_svg, "dot": read_dot, "json": read_json}


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("kind", ["graph", "cone", "parameters", "loss"])
def test_every_operation_drawn_is_true_in_the_numbers_drawn(kind: str, form: str, tmp_path: Path) -> None:
    node = ["--node", "a"] if kind == "loss" else []
    path = tmp_path / f"picture.{form}"
    assert main(["export", SMALL, "--what", kind, *node, "-o", str(path)]) == 0
    boxes, ops, edges = READERS[form](path.read_text().split("<script type")[0])
    if not ops:  # DOT names no operation: that of the JSON
        assert main(["export", SMALL, "--what", kind, *node, "-o", str(tmp_path / "same.json")]) == 0
        ops = read_json((tmp_path / "same.json").read_text())[1]
    checked = 0
    for name, box in boxes.items():
        operands = [boxes[a]["data"] for a, b in edges if b == name]
        if ops[name] in COMPUTED and len(operands) == (1 if ops[name] == "relu" else 2):
            assert math.isclose(COMPUTED[ops[name]](*operands), box["data"], rel_tol=1e-3)
            checked += 1
    assert checked >= 1


def test_every_gradient_drawn_is_the_chain_rule_in_the_numbers_drawn(tmp_path: Path) -> None:
    path = tmp_path / "graph.svg"
    assert main(["export", SMALL, "-o", str(path)]) == 0
    boxes, ops, edges = read_svg(path.read_text())
    got = dict.fromkeys(boxes, 0.0)
    for name, box in boxes.items():
        operands = [a for a, b in edges if b == name]
        for i, operand in enumerate(operands):
            slope = 1.0
            if ops[name] == "mul":
                slope = boxes[operands[1 - i]]["data"]
            elif ops[name] == "relu":
                slope = float(boxes[operand]["data"] > 0)
            got[operand] += slope * box["grad"]
    for name, box in boxes.items():
        if any(a == name for a, _ in edges):
            assert math.isclose(got[name], box["grad"], rel_tol=1e-3)


@pytest.mark.parametrize("at", ["1:backward", "1:end"])
def test_parameters_are_drawn_as_the_forward_pass_used_them_at_any_moment(at: str, tmp_path: Path) -> None:
    path = tmp_path / "head.svg"
    words = ["export", "--set", "n_embd=8", "--set", "n_head=2", "--at", at, "--what", "cone", "--node", "q[0]"]
    assert main([*words, "--depth", "2", "-o", str(path)]) == 0
    boxes, ops, edges = read_svg(path.read_text())
    checked = 0
    for name, box in boxes.items():
        operands = [boxes[a]["data"] for a, b in edges if b == name]
        if ops[name] in COMPUTED and len(operands) == 2:
            assert math.isclose(COMPUTED[ops[name]](*operands), box["data"], rel_tol=5e-3, abs_tol=2e-4)
            checked += 1
    assert checked >= 2
