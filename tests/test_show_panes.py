"""``show --pane``: each pane's numbers as JSON, as docs/show.md says, and as text."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

import pytest
from support import NAMES, SAMPLES
from test_cli import call

from microgpt_tui.headless import arguments
from microgpt_tui.headless.panes import PANES

SCRIPT = str(SAMPLES / "scripts" / "closures_tuple.py")
Documents = dict[tuple[str, str], dict[str, Any]]


@cache
def documents() -> Documents:
    """What was asked for, so that every document is made once."""
    return {}


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Any:
    """A pane's document at a moment."""

    def ask(pane: str, at: str = "2:end") -> dict[str, Any]:
        if (pane, at) not in documents():
            status, out, err = call(
                capsys, "show", SCRIPT, "--data", str(NAMES), "--at", at, "--pane", pane, "--json"
            )  # fmt: skip
            assert (status, err) == (0, "")
            documents()[pane, at] = json.loads(out)
        return documents()[pane, at]

    return ask


def test_the_command_line_names_the_panes_that_there_are() -> None:
    assert tuple(PANES) == arguments.PANES


@pytest.mark.parametrize("pane", PANES)
def test_every_document_says_what_it_is_of_and_what_is_missing(pane: str, shown: Any) -> None:
    found = shown(pane)
    assert found["pane"] == pane
    assert found["script"] == SCRIPT
    assert found["moment"].startswith("2:")
    assert all(isinstance(sentence, str) for sentence in found["missing"])


def test_attention_has_the_rows_of_every_head(shown: Any) -> None:
    found = shown("attention")
    assert [len(layer["heads"]) for layer in found["layers"]] == [2]
    for head in found["layers"][0]["heads"]:
        assert head["to_come"] == 0
        assert [row["query"] for row in head["rows"]] == list(range(found["sequences"][0]["positions"]))
        for row in head["rows"]:
            assert row["first_key"] + len(row["weights"]) == row["query"] + 1
            assert sum(row["weights"]) == pytest.approx(1)


def test_only_what_is_made_at_the_moment_is_shown(shown: Any) -> None:
    whole, early = shown("attention"), shown("attention", "2:4000")
    rows, all_rows = (d["layers"][0]["heads"][0] for d in (early, whole))
    assert rows["rows"] == all_rows["rows"][: len(rows["rows"])]
    assert len(rows["rows"]) + rows["to_come"] == len(all_rows["rows"])
    assert rows["to_come"]
    assert len(shown("graph", "2:4000")["nodes"]) < len(shown("graph")["nodes"])


def test_tokens_have_target_probability_loss_and_distribution(shown: Any) -> None:
    found = shown("tokens")
    texts = found["vocabulary"]["texts"]
    assert len(texts) == found["vocabulary"]["size"]
    assert found["positions"]
    for p in found["positions"]:
        assert len(p["distribution"]) == found["vocabulary"]["size"]
        assert sum(p["distribution"]) == pytest.approx(1)
        assert p["probability"] == p["distribution"][p["target"]]
        assert p["loss"] == pytest.approx(-math.log(p["probability"]))
        assert p["text"] == texts[p["token"]]
        assert p["target_text"] == texts[p["target"]]


def test_a_draw_has_its_random_number_and_what_it_chose(shown: Any) -> None:
    positions = shown("tokens", "sample 1:end")["positions"]
    for p in positions:
        assert 0 <= p["draw"]["random"] < 1
        assert p["target"] is None
        assert p["loss"] is None
    assert [p["token"] for p in positions[1:]] == [p["draw"]["token"] for p in positions[:-1]]


def test_weights_are_nested_as_their_shapes_say(shown: Any) -> None:
    found = shown("weights")
    assert found["matrices"]
    for matrix in found["matrices"]:
        rows, columns = matrix["shape"]
        assert set(matrix["moments"]) == set(found["moments"])
        for numbers in (matrix["data"], matrix["grad"], *matrix["moments"].values()):
            assert len(numbers) == rows
            assert {len(row) for row in numbers} == {columns}


def test_the_graph_has_operands_that_are_in_it(shown: Any) -> None:
    found = shown("graph", "2:backward")
    nodes = {n["node"]: n for n in found["nodes"]}
    loss = nodes[found["loss"]]
    assert loss["grad"] == 1
    for n in nodes.values():
        assert set(n["operands"]) <= nodes.keys()
        assert len(n["locals"]) == len(n["operands"])
        if n["operation"] == "mul":
            assert n["data"] == math.prod(nodes[c]["data"] for c in n["operands"])


def test_training_and_variables(shown: Any) -> None:
    training = shown("training")
    assert [s["number"] for s in training["steps"]] == [1, 2]
    assert {n["name"] for n in training["norms"]} == {m["name"] for m in shown("weights")["matrices"]}
    variables = {v["name"]: v for v in shown("variables")["variables"]}
    assert variables["loss"]["kind"] == "node"
    assert variables["loss"]["value"] == pytest.approx(training["steps"][1]["loss"])


@pytest.mark.parametrize("pane", PANES)
def test_as_text(pane: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = call(capsys, "show", SCRIPT, "--data", str(NAMES), "--at", "1:end", "--pane", pane)
    assert (status, err) == (0, "")
    head, empty, *lines = out.splitlines()
    assert head.startswith(f"closures_tuple.py · {pane} · 1:")
    assert not empty
    assert lines


def test_where_there_is_none_the_document_says_so_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    script = str(SAMPLES / "scripts" / "mlp_only.py")
    status, out, _ = call(capsys, "show", script, "--at", "1:end", "--pane", "attention", "--json")
    found = json.loads(out)
    assert (status, found["layers"]) == (0, [])
    assert "in none are the scores dot products of two computed vectors" in " ".join(found["missing"])


def test_no_such_pane(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = call(capsys, "show", SCRIPT, "--at", "1:end", "--pane", "walls")
    assert (status, out) == (2, "")
    assert "attention" in err
