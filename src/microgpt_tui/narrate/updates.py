"""What an optimizer does to a weight, in words."""

from __future__ import annotations

from microgpt_tui.narrate.story import Story
from microgpt_tui.narrate.words import called, number
from microgpt_tui.protocol.codes import ALTERED_LINE
from microgpt_tui.trace.trace import Trace


def tell(trace: Trace, event: int) -> Story:
    """A node's data was changed."""
    row = trace.row[event]
    node, old, new = trace.updated[row], trace.old[row], trace.new[row]
    site = trace.program.site(trace.update_site[row])
    change = f"from {number(old)} to {number(new)}, by {number(new - old)}"
    whose = called(trace, node, event)
    if site.line == ALTERED_LINE:
        return Story(f"You set {whose} {change}.", "What the script computes from now on uses it.")
    start = trace.used_start[row]
    used = [f"{n} = {number(v)}" for n, v in zip(site.names, trace.used[start:], strict=False) if v == v]
    why = because(trace.grad_at(node, event - 1), new - old)
    return Story(f"The optimizer changes {whose} {change}.", f"{why} With {', '.join(used)}." if used else why)


def because(grad: float, change: float) -> str:
    """What the change has to do with the gradient."""
    if grad != grad or change != change:
        return "The gradient or the change is no number."
    if not grad:
        same = "it stays." if not change else "what moves it is no gradient of this step."
        return f"Its gradient is 0, this loss does not depend on it: {same}"
    if not change:
        return f"Its gradient is {number(grad)}, but the change is 0."
    if (grad > 0) != (change > 0):
        return f"Its gradient is {number(grad)}: going the other way makes the loss smaller."
    return f"Its gradient is {number(grad)}: it goes along with it all the same, as earlier steps have it go."
