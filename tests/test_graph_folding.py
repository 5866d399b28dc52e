"""Folding: the levels come from the script's own scopes, counts are exact, a coarser level never re-opens something."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import BUNDLED, NAMES, SAMPLES, Session, record

from microgpt_tui.graph import engines
from microgpt_tui.graph.fitting import draw
from microgpt_tui.graph.folding import fold, fold_nodes, fold_selection, fold_to_budget, made_in, scope_of_node
from microgpt_tui.graph.group_picture import picture_of_groups
from microgpt_tui.graph.growing import GrowingFold, growing_fold
from microgpt_tui.graph.levels import Level, closing, node_scopes, ranks
from microgpt_tui.graph.request import Request
from microgpt_tui.graph.state import Reached, sums_by_group
from microgpt_tui.trace.trace import Trace

FOLDED = [Level.POSITIONS, Level.LAYERS, Level.BLOCKS, Level.STATEMENTS]


@pytest.fixture(scope="module")
def step() -> Iterator[Trace]:
    session = record(BUNDLED, data=NAMES, overrides={"n_embd": "8", "n_head": "2", "n_layer": "2"})
    yield session.step
    session.debugger.close()


@pytest.fixture(scope="module")
def mixture() -> Iterator[Trace]:
    session = record(SAMPLES / "scripts" / "mixture.py", data=NAMES)
    yield session.step
    session.debugger.close()


@pytest.fixture
def other(recorded: Session) -> Trace:
    """A step of a script of each design."""
    return recorded.step


def owners(trace: Trace, level: Level) -> list[int]:
    close = closing(trace, level)
    return [close[s] for s in node_scopes(trace, len(trace.born))]


def test_every_node_has_the_scope_that_it_was_born_in(step: Trace) -> None:
    assert node_scopes(step, len(step.born)) == [step.scope_of(e) for e in step.born]


def test_the_bundled_gpt_has_positions_layers_blocks(step: Trace) -> None:
    titles = {level: {step.scope_label(g.scope) for g in fold(step, level).groups if g.scope >= 0} for level in FOLDED}
    positions = sum(1 for t in titles[Level.POSITIONS] if t.startswith("pos_id="))
    assert positions > 2
    assert {"li=0", "li=1"} <= titles[Level.LAYERS]
    assert {"h=0", "h=1"} <= titles[Level.BLOCKS]
    assert "li=0" not in titles[Level.BLOCKS]


@pytest.mark.parametrize("level", FOLDED)
def test_counts_add_up_and_edges_are_conserved(step: Trace, level: Level) -> None:
    folded = fold(step, level)
    assert sum(g.count for g in folded.groups if g.scope >= 0) == len(step.born)
    assert sum(folded.edges.values()) == len(step.child)
    for g, group in enumerate(folded.groups):
        assert folded.group_of.count(g) == group.count


def test_the_same_holds_for_other_peoples_scripts(other: Trace) -> None:
    sizes = []
    for level in FOLDED:
        folded = fold(other, level)
        assert sum(g.count for g in folded.groups if g.scope >= 0) == len(other.born)
        assert sum(folded.edges.values()) == len(other.child)
        sizes.append(len(folded.groups))
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_a_coarser_level_never_reopens_something(step: Trace, other: Trace) -> None:
    for trace in (step, other):
        for coarse, fine in pairwise(FOLDED):
            parts = set(zip(owners(trace, fine), owners(trace, coarse), strict=True))
            assert len(parts) == len({f for f, _ in parts}), f"{fine} is no division of {coarse}"


def test_at_the_level_of_operations_nothing_is_folded(step: Trace) -> None:
    folded = fold(step, Level.OPERATIONS)
    assert all(g.count == 1 and g.node >= 0 for g in folded.groups)
    assert sum(folded.edges.values()) == len(step.child)


def test_edges_between_groups_are_those_between_their_nodes(step: Trace) -> None:
    folded = fold(step, Level.LAYERS)
    (a, b), count = max(folded.drawn.items(), key=lambda item: item[1])
    found = 0
    for i in range(len(step.born)):
        node = step.first_node + i
        if folded.group_of[node] == b:
            found += sum(folded.group_of[c] == a for c in step.children(node))
    assert found == count


def test_parameters_fold_to_their_matrices(step: Trace) -> None:
    names = {g.matrix: g.count for g in fold(step, Level.POSITIONS).groups if g.scope < 0}
    for matrix in step.program.matrices:
        assert names[matrix.name] == len(matrix.nodes)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_up_to_any_event_only_what_exists_is_counted(step: Trace, data: st.DataObject) -> None:
    event = data.draw(st.integers(0, len(step) - 1))
    level = data.draw(st.sampled_from(FOLDED))
    born = sum(1 for e in step.born if e <= event)
    assert sum(g.count for g in fold(step, level, event).groups if g.scope >= 0) == born


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_selection_folds_with_its_inner_edges(step: Trace, data: st.DataObject) -> None:
    last = step.end_node - 1
    nodes = data.draw(st.sets(st.integers(step.first_node, last), min_size=1, max_size=60))
    folded = fold_nodes(step, nodes, data.draw(st.sampled_from(list(Level))))
    assert sum(g.count for g in folded.groups) == len(nodes)
    inner = sum(1 for n in nodes for c in step.children(n) if c in nodes)
    assert sum(folded.edges.values()) == inner


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_budget_is_kept_where_it_can_be_and_what_was_done_is_said(step: Trace, data: st.DataObject) -> None:
    budget = data.draw(st.integers(20, 300))
    node = data.draw(st.integers(step.first_node, step.end_node - 1))
    focus = data.draw(st.sampled_from([-1, scope_of_node(step, node)]))
    folded = fold_to_budget(step, budget, focus=focus)
    assert sum(not g.matrix for g in folded.groups) <= budget, "parameters go into the boxes that use them"
    assert sum(g.count for g in folded.groups if g.scope >= 0) == len(step.born)
    assert folded.note or folded.level == Level.BLOCKS


def test_over_the_smallest_budget_the_iterations_of_a_loop_become_one_box(step: Trace) -> None:
    folded = fold_to_budget(step, 5)
    iterations = {step.program.site(step.scope_site[g.scope]).name: g.iterations for g in folded.groups if g.scope >= 0}
    assert iterations["pos_id"] == sum(
        1 for g in fold(step, Level.POSITIONS).groups if "pos" in str(_label(step, g.scope))
    )
    assert "joined" in folded.note


def _label(trace: Trace, scope: int) -> str:
    return trace.scope_label(scope) if scope >= 0 else ""


def test_a_scope_is_seen_in_detail_and_its_surroundings_are_not(step: Trace) -> None:
    rank = ranks(step).rank
    layer = next(s for s in reversed(range(len(rank))) if rank[s] == 2 and step.scope_label(s) == "li=1")
    inside = made_in(step, layer)
    nodes = set(inside).union(*(step.children(n) for n in inside))
    folded = fold_selection(step, nodes, 80, scope=layer)
    outside = [g for g in folded.groups if g.scope >= 0 and g.first not in inside]
    assert any(g.iterations > 1 for g in outside), "the other positions are one box"
    assert sum(g.count for g in folded.groups if g.first in inside) == len(inside)


def test_a_growing_fold_equals_one_made_at_once(step: Trace) -> None:
    for level in FOLDED:
        fresh = GrowingFold(level)
        fresh.update(step)
        whole = fold(step, level)
        assert sorted(g.count for g in fresh.groups if g.scope >= 0) == sorted(
            g.count for g in whole.groups if g.scope >= 0
        )
        assert sum(sum(into.values()) for into in fresh.inputs.values()) == len(step.child)


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_progress_of_the_backward_pass_is_the_same_from_both_sides(step: Trace, data: st.DataObject) -> None:
    events = data.draw(st.lists(st.integers(0, len(step) - 1), min_size=1, max_size=5))
    walked = growing_fold(step, Level.BLOCKS)
    for event in events:
        sums = list(walked.progress(event))
        fresh = GrowingFold(Level.BLOCKS)
        fresh.update(step)
        assert sums == fresh.progress(event)


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_the_pane_and_the_picture_say_the_same_of_a_group(step: Trace, data: st.DataObject) -> None:
    event = data.draw(st.integers(0, len(step) - 1))
    live = growing_fold(step, Level.BLOCKS)
    sums = live.progress(event)
    assert sums == sums_by_group(step, event, live.group_of, len(live.groups))
    whole = fold(step, Level.BLOCKS)
    by_scope = {group.scope: live.reached(g, event) for g, group in enumerate(live.groups) if group.scope >= 0}
    for box in picture_of_groups(step, whole, event).boxes:
        if box.scope >= 0:
            assert box.state is by_scope[box.scope]


def test_after_the_backward_pass_all_gradients_are_final(step: Trace) -> None:
    fold_ = growing_fold(step, Level.LAYERS)
    end = len(step) - 1
    assert {fold_.reached(g, end) for g in range(len(fold_.groups))} <= {Reached.FINAL, Reached.WAITING}
    assert fold_.reached(fold_.group_of[step.loss_node()], 0) is Reached.NONE


@pytest.mark.parametrize("what", ["step", "layer", "position", "model"])
def test_fitting_a_slide_comes_to_an_end(mixture: Trace, what: str) -> None:
    if not engines.engines():
        pytest.skip("no Graphviz here")
    node = next(
        n for n in range(mixture.first_node + len(mixture.born) * 2 // 3, mixture.end_node) if mixture.children(n)
    )
    drawing = draw(mixture, len(mixture) - 1, Request(what, node))
    assert drawing.is_readable or "small text" in drawing.notes[-1]
