"""Where everything goes: sections by layers of their graph, and the sections in rows that fill the slide best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from microgpt_tui.graph.draw.ranks import ranked
from microgpt_tui.graph.model.parts import Frame, Plan, Section

LANE = 34.0
"""From the residual stream down to the boxes that branch off it."""
BETWEEN = 44.0
"""Between sections of a row."""
FRAME_TOP, FRAME_PAD = 36.0, 22.0
ROW_GAP = 46.0
BEND = 14.0


@dataclass(slots=True)
class Placed:
    """A section laid out by itself: centres of its parts, from its upper left corner."""

    section: Section
    width: float
    height: float
    at: dict[int, tuple[float, float]]
    """Place -> centre."""
    bends: dict[tuple[int, int], list[tuple[float, float]]]
    """Edges over several ranks -> where they pass between boxes."""
    entry: float
    """Height at which the stream comes in from the left."""
    exit: float
    down: bool = False
    """It runs from top to bottom."""


@dataclass(slots=True)
class Spot:
    """Where a section or a frame lies on the sheet."""

    placed: Placed | None
    x: float
    y: float
    width: float
    height: float
    frame: Frame | None = None
    row: int = 0


@dataclass(slots=True)
class Layout:
    """Everything placed, at the size of its texts."""

    width: float
    height: float
    spots: list[Spot] = field(default_factory=list)
    centre: dict[int, tuple[float, float]] = field(default_factory=dict)
    bends: dict[tuple[int, int], list[tuple[float, float]]] = field(default_factory=dict)


# -- one section -----------------------------------------------------------------------------------


def place_section(section: Section, edges: list[tuple[int, int]], down: bool) -> Placed:
    """A section by itself; the addition that closes it lies on the stream above."""
    parts = {p.place: p for p in section.parts if p is not section.residual}
    inner = [(a, b) for a, b in edges if a in parts and b in parts]
    sources = ("parameters", "input")
    late = frozenset(k for k, p in parts.items() if p.unit.kind in sources)
    found = ranked({k: (p.width, p.height) for k, p in parts.items()}, inner, down, late)
    closed = section.residual is not None
    lead, lane = (26.0, LANE) if closed else (0.0, 0.0)
    at = {k: (x + lead, y + lane) for k, (x, y) in found.at.items()}
    bends = {e: [(x + lead, y + lane) for x, y in points] for e, points in found.bends.items()}
    width, height, rank = found.width + lead, found.height + lane, found.rank
    if section.residual is not None:
        plus = section.residual
        width += 18 + plus.width
        at[plus.place] = width - plus.width / 2, plus.height / 2
        return Placed(section, width, height, at, bends, plus.height / 2, plus.height / 2, down)
    firsts = [at[k][1] for k in at if rank[k] == 0 and parts[k].unit.kind not in sources]
    lasts = [at[k][1] for k in at if rank[k] == max(rank.values())]
    middle = sum(at[k][1] for k in at) / max(1, len(at))
    entry = sum(firsts) / len(firsts) if firsts else middle
    return Placed(section, width, height, at, bends, entry, sum(lasts) / len(lasts) if lasts else middle, down)


# -- all of them -----------------------------------------------------------------------------------


def layout(plan: Plan, width: float, height: float) -> Layout:
    """The arrangement whose text is largest on a slide with so much room."""
    best: tuple[float, Layout] | None = None
    for found in _arrangements(plan):
        scale = min(width / found.width, height / found.height)
        if best is None or scale > best[0] * 1.001:
            best = scale, found
    assert best is not None
    return best[1]


Block = list[Placed] | tuple[Frame, list[list[Placed]]]


def _arrangements(plan: Plan) -> Iterator[Layout]:
    sections = [s for b in plan.blocks for s in (b.sections if isinstance(b, Frame) else [b])]
    both = {id(s): (place_section(s, plan.edges, False), place_section(s, plan.edges, True)) for s in sections}
    free = [s for s in sections if s.residual is None and len(s.parts) > 1][:6]
    frames = [b for b in plan.blocks if isinstance(b, Frame)]
    rows_of = [range(1, min(3, len(f.sections)) + 1) for f in frames][:3]
    for turns in product((False, True), repeat=len(free)):
        down = {id(s): turn for s, turn in zip(free, turns, strict=True)}
        for rows in product(*rows_of):
            count = {id(f): r for f, r in zip(frames, rows, strict=False)}
            blocks: list[Block] = []
            for block in plan.blocks:
                if isinstance(block, Frame):
                    inner = [both[id(s)][down.get(id(s), False)] for s in block.sections]
                    blocks.append((block, _chunks(inner, count.get(id(block), 1))))
                else:
                    blocks.append([both[id(block)][down.get(id(block), False)]])
            sizes = [_size(b) for b in blocks]
            whole = sum(w for w, _, _, _ in sizes) + BETWEEN * (len(blocks) - 1)
            for parts in range(1, min(4, len(blocks)) + 1):
                yield _arranged(blocks, sizes, whole / parts * 1.06)


def _chunks(items: list[Placed], rows: int) -> list[list[Placed]]:
    size = -(-len(items) // rows)
    return [items[i : i + size] for i in range(0, len(items), size)]


def _row_size(row: list[Placed]) -> tuple[float, float, float, float]:
    """(width, height, where the stream enters, where it leaves), sections joined at the height of the stream."""
    top, low, pen, level = 0.0, 0.0, 0.0, 0.0
    for i, one in enumerate(row):
        offset = level - one.entry if i else 0.0
        top, low = min(top, offset), max(low, offset + one.height)
        level = offset + one.exit
        pen += one.width + (BETWEEN if i else 0)
    return pen, low - top, row[0].entry - top, level - top


def _size(block: Block) -> tuple[float, float, float, float]:
    if isinstance(block, list):
        return _row_size(block)
    sizes = [_row_size(row) for row in block[1]]
    width = max(s[0] for s in sizes) + 2 * FRAME_PAD + (2 * BEND if len(sizes) > 1 else 0)
    height = FRAME_TOP + FRAME_PAD + sum(s[1] for s in sizes) + ROW_GAP * (len(sizes) - 1)
    last = FRAME_TOP + sum(s[1] for s in sizes[:-1]) + ROW_GAP * (len(sizes) - 1) + sizes[-1][3]
    return width, height, FRAME_TOP + sizes[0][2], last


def _arranged(blocks: list[Block], sizes: list[tuple[float, float, float, float]], limit: float) -> Layout:
    rows: list[list[int]] = [[]]
    pen = 0.0
    for i, (width, _, _, _) in enumerate(sizes):
        if rows[-1] and pen + width > limit:
            rows.append([])
            pen = 0.0
        rows[-1].append(i)
        pen += width + BETWEEN
    found = Layout(0.0, 0.0)
    y = 0.0
    for number, row in enumerate(rows):
        offsets, level = [], 0.0
        for k, i in enumerate(row):
            offsets.append(level - sizes[i][2] if k else 0.0)
            level = offsets[-1] + sizes[i][3]
        top = min(offsets)
        low = max(o + sizes[i][1] for o, i in zip(offsets, row, strict=True))
        x = 0.0
        for offset, i in zip(offsets, row, strict=True):
            _put(found, blocks[i], sizes[i], x, y + offset - top, number)
            x += sizes[i][0] + BETWEEN
        found.width = max(found.width, x - BETWEEN)
        y += low - top + ROW_GAP
    found.height = y - ROW_GAP
    return found


def _put(found: Layout, block: Block, size: tuple[float, float, float, float], x: float, y: float, row: int) -> None:
    if isinstance(block, list):
        _put_row(found, block, x, y, row)
        return
    frame, rows = block
    found.spots.append(Spot(None, x, y, size[0], size[1], frame, row))
    below = y + FRAME_TOP
    left = x + FRAME_PAD + (BEND if len(rows) > 1 else 0)
    for inner in rows:
        _put_row(found, inner, left, below, row)
        below += _row_size(inner)[1] + ROW_GAP


def _put_row(found: Layout, row: list[Placed], x: float, y: float, number: int) -> None:
    level = y + _row_size(row)[2]
    for one in row:
        top = level - one.entry
        found.spots.append(Spot(one, x, top, one.width, one.height, None, number))
        found.centre.update({k: (x + a, top + b) for k, (a, b) in one.at.items()})
        found.bends.update({e: [(x + a, top + b) for a, b in points] for e, points in one.bends.items()})
        level = top + one.exit
        x += one.width + BETWEEN
