"""What crosses the border between the processes: every message comes out as it went in, and nothing else does."""

from __future__ import annotations

import dataclasses
import io
import itertools
import math
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgpt_tui.protocol import frames, goals, messages, narrow, stops
from microgpt_tui.protocol.breakpoints import LiveBreakpoint, Resolved
from microgpt_tui.protocol.fields import Data, MessageError, from_data

CONCRETE = [
    cls for module in (goals, stops, messages) for cls in vars(module).values()
    if dataclasses.is_dataclass(cls) and cls not in (goals.Goal, stops.Stop) and isinstance(cls, type)
]  # fmt: skip
GOAL: st.SearchStrategy[Any] = st.one_of(*(st.from_type(cls) for cls in CONCRETE if issubclass(cls, goals.Goal)))
STOP: st.SearchStrategy[Any] = st.one_of(*(st.from_type(cls) for cls in CONCRETE if issubclass(cls, stops.Stop)))
st.register_type_strategy(goals.Goal, GOAL)
st.register_type_strategy(stops.Stop, STOP)
st.register_type_strategy(float, st.floats(allow_nan=False))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
)
EXTRAS = st.dictionaries(st.text(), JSON)


def sent(message: Data, blobs: frames.Blobs | None = None) -> tuple[Data, frames.Blobs]:
    return frames.unpack(io.BytesIO(frames.pack(message, blobs)).read)


@st.composite
def any_message(draw: st.DrawFn) -> Data:
    cls = draw(st.sampled_from(CONCRETE))
    free = {f.name: EXTRAS for f in dataclasses.fields(cls) if f.type == "dict[str, Any]"}
    made: Data = draw(st.builds(cls, **free))
    return made


@given(any_message())
def test_a_message_comes_out_as_it_went_in(message: Data) -> None:
    assert sent(message)[0] == message


@given(st.dictionaries(st.text(), st.tuples(st.integers(0, 1000), st.binary())))
def test_blobs_come_with_their_places(blobs: dict[str, tuple[int, bytes]]) -> None:
    found = sent(messages.Quit(), blobs)[1]
    assert {name: (start, bytes(raw)) for name, (start, raw) in found.items()} == blobs


@given(st.lists(st.integers(0, 300), max_size=20), st.integers(0, 20), st.sampled_from(["child_start", "op", "site"]))
def test_a_column_is_narrow_on_its_way_only(numbers: list[int], start: int, name: str) -> None:
    column = array("i", itertools.accumulate(numbers) if name == "child_start" else numbers)
    start = min(start, len(column))
    sent_as, raw = narrow.narrowed(name, column, start)
    assert sent_as.removesuffix(narrow.NARROW) == name
    assert (len(raw) == len(column) - start) == (sent_as != name or start == len(column))
    assert narrow.widened(sent_as, column[:start], start, memoryview(raw)) == column[start:].tobytes()


def test_a_breakpoint_keeps_its_sets_and_a_number_its_last_bit() -> None:
    place = Resolved("op", ops=frozenset({"exp", "log"}), nodes=frozenset({3, 1}), condition="data > 1")
    resume = messages.Resume(goals.End(forget=True), (LiveBreakpoint(4, place, ignore=2),))
    assert sent(resume)[0] == resume
    summary = messages.EpisodeSummary(1, "step", 1, 0.1 + 0.2, 1e-300, 5e-324, 7)
    assert sent(messages.EpisodeBegan(summary))[0] == messages.EpisodeBegan(summary)
    loss = sent(messages.LossSeen(math.nan))[0]
    assert isinstance(loss, messages.LossSeen)
    assert math.isnan(loss.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"is": "Steps", "count": "five"}, "Steps.count: 'five' is no int"),
        ({"is": "Steps", "count": True}, "Steps.count: True is no int"),
        ({"is": "Steps"}, "Steps lacks count"),
        ({"is": "Quit", "now": 1}, "Quit has no now"),
        ({"is": "Launch"}, "'Launch' is no Data"),
        ({"is": "Goal"}, "'Goal' is no Data"),
        ([1, 2], "[1, 2] is no Data"),
        ({"is": "Resume", "goal": {"is": "Quit"}}, "Resume.goal: 'Quit' is no Goal"),
        ({"is": "Resume", "goal": {"is": "Iteration", "sites": 3}}, "Resume.goal: Iteration.sites: 3 is no list"),
        ({"is": "Halted", "site": 1.5}, "Halted.site: 1.5 is no int"),
        ({"is": "Raised", "error": "E", "message": "", "frames": [[0, 1]]}, "Raised.frames: [0, 1] is no tuple"),
    ],
)
def test_what_is_no_message_is_told_with_its_place(data: object, said: str) -> None:
    with pytest.raises(MessageError) as caught:
        from_data(data)
    assert said in str(caught.value)


def test_after_a_frame_that_is_no_message_the_next_one_is_read() -> None:
    broken = frames.pack(messages.Halted(3)).replace(b"Halted", b"Heated")
    stream = io.BytesIO(broken + frames.pack(messages.Halted(4)))
    with pytest.raises(MessageError, match="not a message of this version of microgpt-tui: 'Heated'"):
        frames.unpack(stream.read)
    assert frames.unpack(stream.read)[0] == messages.Halted(4)
