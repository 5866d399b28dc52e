"""What a title prints, ``--node`` takes; and a wrong name is answered with right ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from microgpt_tui.graph.addresses import address, node_at_address
from microgpt_tui.graph.fitting import picture_for
from microgpt_tui.graph.request import Request
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.names import nodes_called, place_text
from microgpt_tui.trace.references import NotHere
from microgpt_tui.trace.trace import Trace

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def step() -> Iterator[Trace]:
    launch = Launch(
        ROOT / "src/microgpt_tui/programs/microgpt.py", data=ROOT / "sample_data/names.txt", private_folder=True,
        overrides={"n_embd": "8", "n_head": "2"},
    )  # fmt: skip
    debugger = Debugger(launch)
    try:
        debugger.wait()
        debugger.next_episode()
        debugger.wait()
        yield next(t for t in debugger.history.traces.values() if t.episode_kind == "step")
    finally:
        debugger.close()


def test_every_address_leads_back_to_its_node(step: Trace) -> None:
    for node in [*range(0, step.first_node, 97), *range(step.first_node, step.end_node, 101)]:
        assert node_at_address(step, address(step, node), len(step) - 1) == node
    some = {address(step, n) for n in nodes_called(step)["attn_weights[1]"]}
    assert "attn_weights[1] @ pos_id=3, li=0, h=0" in some


@pytest.mark.parametrize(
    "text", ["attn_weights[1] @ pos 3, head 0", "attn_weights[1] @ layer 0, h=0, pos_id=3",
             "attn_weights[1] · pos_id=3 · li=0 · h=0"],
)  # fmt: skip
def test_places_are_read_as_people_write_them(step: Trace, text: str) -> None:
    node = node_at_address(step, text, len(step) - 1)
    assert place_text(step, step.born_at(node)) == "pos_id=3 · li=0 · h=0"


def test_a_title_is_an_address(step: Trace) -> None:
    node = nodes_called(step)["attn_weights[1]"][4]
    assert node_at_address(step, picture_for(step, len(step) - 1, Request("cone", node)).title, len(step) - 1) == node


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("attn_weight[1]", r"Did you mean .*attn_weights\[1\]"),
        ("attn_weights[1] @ pos 99", r"attn_weights\[1\] is not at pos 99\. It is at pos_id=1"),
        ("attn_weights[1] @ here", "is no place"),
        ("lm_haed[0][0]", r"lm_head\[0\]\[0\]"),
    ],
)
def test_a_wrong_name_is_answered_with_right_ones(step: Trace, text: str, said: str) -> None:
    with pytest.raises(NotHere, match=said):
        node_at_address(step, text, len(step) - 1)
