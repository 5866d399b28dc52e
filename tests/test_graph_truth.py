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
from microgpt_tui.graph.numbers import plain, signed

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
        for name, data, grad in re.findall(r'^ +(n\d+) \[label="[^"]*?\ndata (\S+)\ngrad ✓ ([^\s"]+)', text, re.M)
    }
    return boxes, {}, re.findall(r"^  (n\d+) -> (n\d+)", text, re.M)


def read_json(text: str) -> tuple[Drawn, dict[str, str], Edges]:
    found = json.loads(text)
    boxes = {f"n{b['id']}": {"data": b["data"], "grad": b["grad"]} for b in found["nodes"]}
    ops = {f"n{b['id']}": b["op"] for b in found["nodes"]}
    return boxes, ops, [(f"n{e['from']}", f"n{e['to']}") for e in found["edges"]]


READERS = {"svg": read_svg, "html": read_svg, "dot": read_dot, "json": read_json}


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("kind", ["graph", "cone", "parameters", "loss", "slice", "paths", "statement"])
def test_every_operation_drawn_is_true_in_the_numbers_drawn(kind: str, form: str, tmp_path: Path) -> None:
    node = {"loss": ["--node", "a"], "slice": ["--node", "a", "--to", "loss"], "paths": ["--node", "a"],
            "statement": ["--node", "c"]}.get(kind, [])  # fmt: skip
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
    assert main([*words, "--depth", "2", "--size", "free", "-o", str(path)]) == 0
    boxes, ops, edges = read_svg(path.read_text())
    checked = 0
    for name, box in boxes.items():
        operands = [boxes[a]["data"] for a, b in edges if b == name]
        if ops[name] in COMPUTED and len(operands) == 2:
            assert math.isclose(COMPUTED[ops[name]](*operands), box["data"], rel_tol=5e-3, abs_tol=2e-4)
            checked += 1
    assert checked >= 2


# -- folded pictures, tables and the figure --------------------------------------------------------

SMALL_GPT = ["--set", "n_embd=8", "--set", "n_head=2"]


def texts_of(path: Path) -> list[list[str]]:
    """What is written in each box of a picture, whatever the format."""
    text = path.read_text()
    if path.suffix == ".json":
        return [
            [b["title"], *(signed(b["data"]) if "node" in b else b["result"]).split(" · "), plainly(b["grad"])]
            for b in json.loads(text)["nodes"]
        ]
    if path.suffix == ".dot":
        return [html.unescape(t).split("\n") for t in re.findall(r'^ +n\d+ \[label="([^"]*)"', text, re.M)]
    text = text.split("<script type")[0]
    found = []
    for inside in re.findall(r'<g id="n\d+"[^>]*>(.*?)(?=<g id=|<g data-from|$)', text, re.S):
        words = re.findall(r'aria-label="([^"]*)"', inside) or re.findall(r"<text[^>]*>([^<]*)</text>", inside)
        found.append([html.unescape(w) for w in words])
    return found


def plainly(number: float | None) -> str:
    return "·" if number is None else plain(number)


def numbers_in(box: list[str]) -> list[float]:
    """(how many,) norm, smallest, largest of a folded result; of a single number that."""
    line = " ".join(box[1:])
    several = re.search(r"(\d+) numbers, norm (\S+) ?·? ?([+−]?[\d.e−]+) … ([+−]?[\d.e−]+)", line)
    if several is not None:
        return [value(x) for x in several.groups()]
    single = re.search(r"(?<![\d.])[+−][\d.]+(?:e[+−]?\d+)?", line)
    return [value(single[0])] if single is not None else []


@pytest.mark.parametrize("form", ["svg", "html", "dot", "json"])
def test_a_folded_softmax_divides_the_numbers_drawn(form: str, tmp_path: Path) -> None:
    """Statements as boxes: the weights' norm and range are those of the exponentials over the total that is drawn."""
    path = tmp_path / f"head.{form}"
    assert main(["export", *SMALL_GPT, "--what", "head", "--node", "attn_weights[1]", "-o", str(path)]) == 0
    boxes = {box[0]: numbers_in(box) for box in texts_of(path)}
    exps = next(n for title, n in boxes.items() if title.startswith("exps"))
    (total,) = next(n for title, n in boxes.items() if title.startswith("total"))
    weights = next(n for title, n in boxes.items() if title.startswith("return [e / total"))
    assert exps[0] == weights[0]
    for before, after in zip(exps[1:], weights[1:], strict=True):
        assert math.isclose(before / total, after, rel_tol=2e-3)
    assert exps[0] * exps[2] <= total <= exps[0] * exps[3]


@pytest.mark.parametrize("kind", ["block", "layer", "position", "step"])
def test_folded_pictures_say_the_same_in_every_format(kind: str, tmp_path: Path) -> None:
    """Of each box its title and what it hands on."""
    words = ["export", *SMALL_GPT, "--what", kind, "--node", "attn_weights[1]", "--size", "free"]
    said = {}
    for form in ("json", "dot", "svg", "html"):
        assert main([*words, "-o", str(tmp_path / f"x.{form}")]) == 0
        boxes = texts_of(tmp_path / f"x.{form}")
        said[form] = sorted((box[0], tuple(numbers_in(box))) for box in boxes if numbers_in(box))
    assert said["json"]
    assert said["svg"] == said["html"] == said["dot"]
    assert [one for one in said["json"] if one not in said["svg"]] == []


def test_tables_and_the_loss_are_true_in_the_numbers_written(tmp_path: Path) -> None:
    """Weights of a query add up to 1; probabilities to no more; the figure has the step's loss."""
    for what in ("attention", "tokens", "model"):
        assert main(["export", *SMALL_GPT, "--what", what, "-o", str(tmp_path / f"{what}.json")]) == 0
    attention = json.loads((tmp_path / "attention.json").read_text())["rows"]
    assert attention
    for head in attention:
        for row in head["weights"]:
            assert math.isclose(sum(w for w in row if w is not None), 1, rel_tol=1e-9)
    tokens = json.loads((tmp_path / "tokens.json").read_text())["rows"]
    assert 0.5 < sum(t["probability"] for t in tokens) < 1, "the most probable ones, and the target"
    assert sum(t["target"] for t in tokens) == 1
    model = json.loads((tmp_path / "model.json").read_text())
    (loss,) = [n for n in model["nodes"] if n["kind"] == "loss"]
    assert loss["grad"] == 1
    subtitle = float(re.findall(r"loss (\d+\.\d+)", json.dumps(model) + f" loss {loss['data']:.4f}")[-1])
    assert math.isclose(loss["data"], subtitle, abs_tol=1e-4)
