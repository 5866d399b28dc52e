"""What the events of an episode are called, and where its named ones are."""

from __future__ import annotations

from microgpt_tui.protocol.codes import BACKWARD, FORWARD, OPTIMIZER
from microgpt_tui.protocol.moments import MARKS, MomentName
from microgpt_tui.trace.trace import Trace


def mark(trace: Trace, name: str) -> int:
    """The event that one of ``protocol.moments.MARKS`` names, or -1 where the episode has none, or none yet."""
    if not len(trace):
        return -1
    if name == "start":
        return 0
    if name == "end":
        return len(trace) - 1
    if name == "loss":
        loss = trace.loss_node()
        return trace.born_at(loss) if loss >= 0 else -1
    spans = trace.phase_spans
    backward = max((i for i, (_, _, phase) in enumerate(spans) if phase == BACKWARD), default=len(spans))
    phase = {"forward": FORWARD, "backward": BACKWARD, "optimizer": OPTIMIZER}[name]
    before = spans[:backward] if phase == FORWARD else spans
    return max((last for _, last, p in before if p == phase), default=-1)


def marks(trace: Trace) -> dict[str, int]:
    """Those that the episode has."""
    return {name: event for name in MARKS if (event := mark(trace, name)) >= 0}


def name_at(trace: Trace, event: int) -> MomentName:
    """What an event of an episode is called; the episode itself for -1."""
    return MomentName(trace.episode_kind, trace.number, event + 1 if event >= 0 else "")
