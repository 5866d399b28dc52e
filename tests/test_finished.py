"""Finished logs are freed together, newest first, within a bound; cyclic garbage is found."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from microgpt_tui.debuggee.record import finished
from microgpt_tui.debuggee.record.finished import Finished


class Node:
    def __init__(self, freed: list[int], number: int) -> None:
        weakref.finalize(self, freed.append, number)


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_logs_are_held_and_then_freed_together_from_the_newest_node_to_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finished, "HELD_ENTRIES", 4)
    freed: list[int] = []
    held = Finished()
    for first in (0, 2):
        log = [Node(freed, first), Node(freed, first + 1)]
        held.take(log)
        assert log == []
    assert freed == []
    held.take([Node(freed, 4)])
    assert freed == [3, 2, 1, 0]


def test_a_log_that_is_too_long_to_hold_is_freed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finished, "HELD_ENTRIES", 2)
    freed: list[int] = []
    held = Finished()
    held.take([Node(freed, n) for n in range(3)])
    assert freed == [2, 1, 0]
    assert held.entries == 0


@pytest.mark.usefixtures("collector_off")
def test_cyclic_garbage_is_collected_when_it_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finished, "COLLECT_GROWTH", 100)
    monkeypatch.setattr(finished, "HELD_ENTRIES", 0)
    freed: list[int] = []
    held = Finished()
    held.growth = 100
    held.take([0])
    for number in range(300):
        node = Node(freed, number)
        node.me = node  # type: ignore[attr-defined]  # what a `_backward` closure does
    del node
    held.take([0])
    assert len(freed) == 300
