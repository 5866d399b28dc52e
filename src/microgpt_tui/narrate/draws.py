"""A random draw and a print, in words."""

from __future__ import annotations

import math

from microgpt_tui.narrate.story import Story
from microgpt_tui.narrate.words import number
from microgpt_tui.recognise.vocabulary import vocabulary
from microgpt_tui.trace.trace import Trace


def tell(trace: Trace, event: int) -> Story:
    """The script drew one of several."""
    row = trace.row[event]
    start, count, choice = trace.weight_start[row], trace.sample_count[row], trace.choice[row]
    weights = trace.weight[start : start + count]
    if not count and trace.draw[row] == trace.draw[row]:
        return Story(f"The script draws the random number {number(trace.draw[row])}, evenly from 0 to 1.")
    if not 0 <= choice < len(weights):
        return Story(f"The script draws from {count:,}; which one is not known.")
    total = math.fsum(weights) or math.nan
    below = math.fsum(weights[:choice])
    share, place = weights[choice] / total, below / total
    why = ""
    draw = trace.draw[row]
    if draw == draw:
        part = f"between {number(place)} and {number(place + share)}"
        why = f"The random number {number(draw)} fell {part}, its part of 0 to 1."
    best = max(range(count), key=weights.__getitem__)
    if best != choice:
        why += f" The likeliest was {drawn(trace, row, best)}, {weights[best] / total:.1%}."
    return Story(
        f"The script draws {drawn(trace, row, choice)} from {count:,}; it had a chance of {share:.1%}.", why.strip()
    )


def drawn(trace: Trace, row: int, place: int) -> str:
    """What stands at a place of what was drawn from."""
    population = trace.populations[row] if row < len(trace.populations) else None
    item = population[place] if isinstance(population, list) and place < len(population) else place
    if isinstance(item, str):
        return f"“{item}”"
    known = vocabulary(trace.program, trace.sample_count[row])
    if isinstance(item, int) and 0 <= item < len(known):
        return f"token {item} ({known.name(item)})"
    return str(item)


def printed(trace: Trace, event: int) -> Story:
    """The script printed."""
    row = trace.row[event]
    site = trace.print_site[row]
    line = trace.program.sites[site] if site >= 0 else None
    where = f" on line {line.line}" if line is not None else ""
    size = trace.print_end[row] - trace.print_end[row - 1] if row else 0
    much = f" {size:,} bytes" if size > 0 else ""
    return Story(f"The script prints{much}{where}.", "The Output pane shows what it has printed so far.")
