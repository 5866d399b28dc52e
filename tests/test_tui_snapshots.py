"""The screen as pictures, at known moments of a fixed session; no timings are on them.

``pytest --snapshot-update`` takes new ones: look at them before keeping them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from tui_fixtures import small_launch

from microgpt_tui.protocol.codes import UPDATE
from microgpt_tui.session.cursor import Cursor
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.moment import episode_index
from microgpt_tui.session.process import Launch
from microgpt_tui.tui.app import DebuggerApp

Compare = Callable[..., bool]
SIZES = [(80, 24), (120, 40)]
SCRIPTS = Path(__file__).resolve().parents[1] / "sample_data" / "scripts"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debugger]:
    """A finished session: every step and sample recorded whole, so that nothing moves any more."""
    debugger = Debugger(small_launch(tmp_path_factory.mktemp("corpus")))
    debugger.wait()
    while not debugger.over:
        debugger.next_episode()
        debugger.wait()
    yield debugger
    debugger.close()


def at(debugger: Debugger, kind: str, number: int, event: int, theme: str = "dark") -> DebuggerApp:
    """The screen at a moment."""
    index = episode_index(debugger.history, kind, number)
    assert index is not None
    debugger.cursor = Cursor(debugger.history)
    debugger.goto(event, index)
    return DebuggerApp(debugger, hint=False, theme=theme)


def middle_of_backward(debugger: Debugger) -> int:
    """The second contribution to the node of step 2 that has the most."""
    trace = debugger.history.traces[episode_index(debugger.history, "step", 2) or 0]
    node = max(range(trace.first_node, trace.end_node), key=lambda n: len(trace.writes_of(n)))
    return trace.write_event[trace.writes_of(node)[1]]


@pytest.mark.parametrize("size", SIZES)
def test_forward(recorded: Debugger, snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(at(recorded, "step", 2, 300), terminal_size=size)


@pytest.mark.parametrize("size", SIZES)
def test_backward_with_its_ledger(recorded: Debugger, snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(at(recorded, "step", 2, middle_of_backward(recorded)), terminal_size=size)


@pytest.mark.parametrize("size", SIZES)
def test_the_light_theme(recorded: Debugger, snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(at(recorded, "step", 2, middle_of_backward(recorded), "light"), terminal_size=size)


@pytest.fixture(scope="module")
def transformer() -> Iterator[Debugger]:
    """A recorded step of a GPT with attention."""
    debugger = Debugger(Launch(SCRIPTS / "gqa_three_layers.py", private_folder=True))
    debugger.wait()
    debugger.next_episode()
    debugger.wait()
    yield debugger
    debugger.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tab", ["5", "6", "7", "8"], ids=["graph", "attention", "tokens", "weights"])
def test_the_views_of_a_transformer(
    transformer: Debugger, snap_compare: Compare, size: tuple[int, int], tab: str
) -> None:
    trace = transformer.history.traces[1]
    event = trace.phase_spans[0][1] - 100
    assert snap_compare(at(transformer, "step", 1, event), terminal_size=size, press=[tab])


@pytest.mark.parametrize("size", SIZES)
def test_an_update_of_the_optimizer(recorded: Debugger, snap_compare: Compare, size: tuple[int, int]) -> None:
    trace = recorded.history.traces[episode_index(recorded.history, "step", 2) or 0]
    assert snap_compare(at(recorded, "step", 2, trace.kind.index(UPDATE) + 20), terminal_size=size)


@pytest.mark.parametrize("size", SIZES)
def test_a_draw(recorded: Debugger, snap_compare: Compare, size: tuple[int, int]) -> None:
    trace = recorded.history.traces[episode_index(recorded.history, "sample", 1) or 0]
    assert snap_compare(at(recorded, "sample", 1, trace.sample_event[0]), terminal_size=size)


@pytest.mark.parametrize("size", SIZES)
def test_the_left_side(recorded: Debugger, snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(at(recorded, "step", 2, middle_of_backward(recorded)), terminal_size=size, press=["1"])


@pytest.mark.parametrize("size", SIZES)
def test_output_at_the_end(recorded: Debugger, snap_compare: Compare, size: tuple[int, int]) -> None:
    trace = recorded.history.newest
    assert trace is not None
    app = at(recorded, trace.episode_kind, trace.number, len(trace) - 1)

    async def show(pilot: Pilot[int]) -> None:
        await pilot.press("0")
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=show)


@pytest.mark.parametrize("size", SIZES)
def test_help(recorded: Debugger, snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(at(recorded, "step", 1, 50), terminal_size=size, press=["question_mark"])


def test_too_small(recorded: Debugger, snap_compare: Compare) -> None:
    assert snap_compare(at(recorded, "step", 1, 50), terminal_size=(50, 14))
