"""Poke and ripple: what is computed again equals a real run in which the script itself changes the number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from control_fixtures import give, said
from support import BUNDLED, NAMES, SAMPLES

from microgpt_tui.audit.ripple import as_made, ripple
from microgpt_tui.protocol import goals
from microgpt_tui.session import pokes
from microgpt_tui.session.commands import CommandError
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.references import nodes_of, read_text
from microgpt_tui.trace.trace import Trace

QUERY = '        q = linear(x, state_dict[f"layer{li}.attn_wq"])'
CASES = {
    "arithmetic": (BUNDLED, QUERY, "if pos_id == 1: q[3].data = 0.5"),
    "to the softmax's maximum": (BUNDLED, QUERY, "if pos_id == 1: q[3].data = 40.0"),
    "a method that the script is asked for": (
        SAMPLES / "layers" / "gelu_method.py", '    q = linear(h, W["wq"])', "if pos == 1: q[3].data = 0.5",
    ),
    "closures": (
        SAMPLES / "scripts" / "closures_tuple.py",
        '    q = linear(x, state_dict[f"h{li}.wq"])',
        "if len(keys[li]) == 1: q[3].data = 0.5",
    ),
}  # fmt: skip


def step_of(script: Path) -> tuple[Debugger, Trace]:
    """The first training step, recorded whole; the script waits behind it."""
    debugger = Debugger(Launch(script, data=NAMES, goal=goals.Steps(1)))
    debugger.wait()
    return debugger, next(t for t in debugger.history.traces.values() if t.episode_kind == "step")


def query_at_second_position(trace: Trace) -> int:
    """The node of q[3] that belongs to the second position."""
    reference = read_text("q[3]", trace.program)
    assert reference is not None
    seen: dict[int, None] = {}
    for row, site in enumerate(trace.bind_site):
        if trace.program.site(site).name == "q":
            value, _ = nodes_of(reference, trace, trace.bind_event[row])
            assert isinstance(value, int)
            seen[value] = None
    return list(seen)[1]


@pytest.mark.parametrize("case", CASES)
def test_a_poke_equals_a_run_in_which_the_script_changes_the_number(case: str, tmp_path: Path) -> None:
    script, line, change = CASES[case]
    text = script.read_text(encoding="utf-8")
    assert line in text
    indent = line[: len(line) - len(line.lstrip())]
    rest = text.split(line, 1)[1].split("\n", 1)[0]
    altered = tmp_path / script.name
    altered.write_text(text.replace(line + rest, f"{line}{rest}\n{indent}{change}", 1), encoding="utf-8")
    debugger, trace = step_of(script)
    other, changed = step_of(altered)
    try:
        poked = query_at_second_position(trace)
        number = float(change.rpartition("=")[2])
        found = ripple(trace, {poked: number}, pokes.operation(debugger))
        assert not found.stuck
        assert found.raised is None
        assert len(found.values) > 100
        assert len(trace.born) == len(changed.born)
        for node in range(trace.first_node, trace.end_node):
            real = number if node == poked else as_made(changed, node)
            assert found.data(trace, node).hex() == real.hex(), trace.describe()
    finally:
        debugger.close()
        other.close()


@pytest.fixture(scope="module")
def debugger() -> Iterator[Debugger]:
    """The bundled model behind its first step, the cursor inside its forward pass."""
    made, _ = step_of(BUNDLED)
    give(made, "goto 1:20000")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def nothing_poked(debugger: Debugger) -> None:
    debugger.pokes.clear()


def test_what_is_not_reached_keeps_its_number_to_the_last_bit(debugger: Debugger) -> None:
    give(debugger, "poke q[3] = 0.5")
    trace = debugger.trace
    assert trace is not None
    found = pokes.rippled(debugger)
    first = min(found.values)
    assert all(found.data(trace, n) == as_made(trace, n) for n in range(trace.first_node, first))


def test_pokes_stack_and_are_taken_back_one_by_one(debugger: Debugger) -> None:
    one = give(debugger, "poke q[3] = 0.5")[-1].data
    two = give(debugger, "ablate head 0 2")[-1].data
    assert len(two["pokes"]) == 2
    assert two["loss"] != one["loss"]
    assert give(debugger, "unpoke")[-1].data["loss"] == one["loss"]
    assert "nothing is poked" in said(debugger, "unpoke all")


def test_a_switched_off_position_moves_only_those_after_it(debugger: Debugger) -> None:
    moved = [p["moved"] for p in give(debugger, "ablate position 2")[-1].data["positions"]]
    assert moved[:3] == [0, 0, 0]
    assert all(moved[3:])


def test_another_token_moves_its_position_and_those_after_it(debugger: Debugger) -> None:
    told = give(debugger, "poke token 2 = e")[-1]
    moved = [p["moved"] for p in told.data["positions"]]
    assert moved[:2] == [0, 0]
    assert all(moved[2:])
    assert "token 2 = e" in told.text


def test_a_block_switched_off_leaves_the_stream_as_it_was(debugger: Debugger) -> None:
    assert "attention: no weight has changed" in said(debugger, "ablate block MLP 0")


def test_an_operation_that_would_raise_is_told_with_its_line(debugger: Debugger) -> None:
    told = give(debugger, "poke x[0] = 1e200")[-1]
    assert told.data["raised"] is not None
    assert "would raise here" in told.text


@pytest.mark.parametrize(
    ("command", "said_"),
    [("ablate head 0 9", "recognised are layer 0: 4 heads"), ("ablate block attic 0", "are attention 0, MLP 0"),
     ("poke q[3]", "poke NAME = X"), ("poke nothing_here = 1", "not in scope"), ("poke q[3] = much", "no number"),
     ("poke token 99 = e", "no position 99"), ("ablate head one", "ablate head LAYER HEAD")],
)  # fmt: skip
def test_what_cannot_be_poked_is_answered_with_what_can(debugger: Debugger, command: str, said_: str) -> None:
    with pytest.raises(CommandError, match=said_):
        give(debugger, command)


def test_why_names_the_terms_that_account_for_a_value(debugger: Debugger) -> None:
    told = give(debugger, "goto 1:backward", "why logits[3]")[-1].data
    amounts = [p["amount"] for p in told["data_parts"]]
    assert sum(amounts) == pytest.approx(told["data"], rel=1e-9)
    assert [abs(a) for a in amounts] == sorted((abs(a) for a in amounts), reverse=True)
    assert sum(p["amount"] for p in told["grad_parts"]) == pytest.approx(told["grad"], rel=1e-9)
    assert told["pending"] == 0
    give(debugger, "goto 1:20000")
