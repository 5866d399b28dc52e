"""What happened, in words: a sentence for every event, with its numbers. A pure function of (trace, event)."""

from __future__ import annotations

from collections.abc import Callable

from microgpt_tui.narrate import draws, gradients, operations, updates
from microgpt_tui.narrate.story import Story
from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, CREATE, PRINT, SAMPLE, UPDATE, ZERO
from microgpt_tui.trace.trace import Trace

_TELLERS: dict[int, Callable[[Trace, int], Story]] = {
    CREATE: operations.tell,
    ACCUMULATE: gradients.accumulated,
    ASSIGN: gradients.assigned,
    ZERO: gradients.zeroed,
    UPDATE: updates.tell,
    SAMPLE: draws.tell,
    PRINT: draws.printed,
}


def story(trace: Trace, event: int) -> Story:
    """What happened at an event, and why."""
    return _TELLERS[trace.kind[event]](trace, event)


__all__ = ["Story", "story"]
