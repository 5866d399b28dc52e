"""The figure's parts before they have a place: boxes with texts and sizes, sections of a row, the layer's frame."""

from __future__ import annotations

import re
from dataclasses import dataclass

from microgpt_tui.graph.draw.font import text_width
from microgpt_tui.graph.model.repeats import Repeat
from microgpt_tui.graph.model.structure import Structure
from microgpt_tui.graph.model.units import Held, Unit, held

TITLE, SMALL = 17.0, 14.0
"""Pixels of text before the figure is enlarged to its slide."""
PAD = 10.0
CHIP = 23.0
"""Height of the line that names parameters."""
JOIN = 30.0
"""Diameter of a small circle."""


@dataclass(slots=True)
class Part:
    """A unit's box: what is written in it and how large that makes it."""

    place: int
    unit: Unit
    title: str
    lines: list[str]
    chips: list[str]
    width: float = 0.0
    height: float = 0.0
    is_loss: bool = False

    @property
    def is_join(self) -> bool:
        """Drawn as a small circle."""
        return self.unit.is_join and not self.is_loss

    def measure(self) -> None:
        """The size that its texts need."""
        if self.is_join:
            self.width = self.height = JOIN
            return
        widths = [text_width(self.title, TITLE, bold=True)]
        widths += [text_width(line, SMALL) for line in self.lines]
        widths += [text_width(chip, SMALL) + 16 for chip in self.chips]
        self.width = max(max(widths) + 2 * PAD, 56.0)
        self.height = 2 * PAD + TITLE + len(self.lines) * 19 + len(self.chips) * (CHIP + 3)


@dataclass(slots=True)
class Section:
    """Parts that are laid out together: what comes before the layers, a residual block, what comes after."""

    parts: list[Part]
    label: str = ""
    residual: Part | None = None
    """The addition that closes it."""


@dataclass(slots=True)
class Frame:
    """Sections of one layer, drawn once for all layers."""

    sections: list[Section]
    title: str
    times: int


@dataclass(slots=True)
class Plan:
    """Everything that is drawn, in the order of the computation."""

    blocks: list[Section | Frame]
    parts: dict[int, Part]
    edges: list[tuple[int, int]]
    """(from, to): places of units."""


def plan_of(structure: Structure) -> Plan:
    """The parts of a figure."""
    units = structure.units
    shown, once = _shown(structure)
    parts: dict[int, Part] = {}
    for place in shown:
        parts[place] = _part(structure, place, family(structure, place))
        parts[place].measure()
    edges = list(dict.fromkeys((once[i], place) for place in shown for i in units[place].inputs if once[i] != place))
    return Plan(_blocks(structure, shown, parts), parts, edges)


def _shown(structure: Structure) -> tuple[list[int], list[int]]:
    """(places that are drawn, per place the one that stands for it)."""
    once = list(range(len(structure.units)))
    for repeat in structure.repeats:
        for place in range(repeat.start, repeat.end):
            once[place] = repeat.start + (place - repeat.start) % repeat.length
    return [place for place, stands in enumerate(once) if place == stands], once


def family(structure: Structure, place: int) -> list[Unit]:
    """The units that a place stands for: the same one of every layer."""
    for repeat in structure.repeats:
        if repeat.start <= place < repeat.start + repeat.length:
            return [structure.units[k] for k in range(place, repeat.end, repeat.length)]
    return [structure.units[place]]


def short(name: str) -> str:
    """A matrix's name without what is around it: ``layer0.wq`` -> ``wq``, ``blocks[1].wq.weight`` -> ``wq``."""
    parts = [p for p in re.split(r"\.", name) if p]
    if len(parts) > 1 and parts[-1] in ("weight", "w", "W", "rows", "data", "values", "matrix"):
        parts.pop()
    return parts[-1] if not parts[-1].isdigit() else name


def _chip(one: Held, named: bool, times: int) -> str:
    count = f"{one.count:,}" + (f" ×{times}" if times > 1 else "")
    shape = f"{one.shape_text} · " if len(one.shape) > 1 else ""
    last = one.name.rpartition(".")[2] or one.name
    return f"{last} {shape}{count}" if named else f"{shape}{count}"


def _part(structure: Structure, place: int, family: list[Unit]) -> Part:
    unit = family[0]
    groups = held(unit.matrices)
    chips = [_chip(one, len(groups) > 1 or unit.kind not in ("linear", "parameters"), len(family)) for one in groups]
    title, lines = unit.title, [unit.detail] if unit.detail else []
    if unit.kind == "parameters":
        title = " + ".join(short(g.name) for g in groups[:2])
    elif unit.kind == "linear":
        title = short(groups[0].name) if len(groups) == 1 else _common(groups)
        lines = [*lines, "times its input"] if not groups[0].shape else lines
    elif unit.kind == "input":
        lines.append(f"{len(unit.vector)} numbers")
    if place == structure.loss:
        lines = [*([title] if title not in ("loss",) else []), *lines]
        title = "loss"
    return Part(place, unit, title, lines, chips, is_loss=place == structure.loss)


def _common(groups: list[Held]) -> str:
    """What weights and a bias are called together."""
    owners = [g.name.rpartition(".")[0] for g in groups]
    if owners[0] and len(set(owners)) == 1:
        return short(owners[0])
    return short(groups[0].name) if owners[0] == "" or len(groups) > 2 else short(owners[0])


def _blocks(structure: Structure, shown: list[int], parts: dict[int, Part]) -> list[Section | Frame]:
    units = structure.units
    cuts = {0}
    residuals = [p for p in shown if units[p].skips >= 0]
    for place in residuals:
        cuts.add(place + 1)
    if residuals and units[residuals[0]].skips >= 0:
        cuts.add(units[residuals[0]].skips + 1)
    for repeat in structure.repeats:
        cuts |= {repeat.start, repeat.start + repeat.length, repeat.end}
    if not residuals and not structure.repeats:
        cuts |= _bridges(structure, shown)
    sections: list[Section] = []
    for place in shown:
        if place in cuts or not sections:
            sections.append(Section([]))
        sections[-1].parts.append(parts[place])
    blocks: list[Section | Frame] = []
    for section in sections:
        _close(section)
        first = section.parts[0].place
        within = next((r for r in structure.repeats if r.start <= first < r.start + r.length), None)
        if within is not None:
            if first == within.start:
                blocks.append(Frame([], _layer_title(structure, within), within.times))
            frame = blocks[-1]
            assert isinstance(frame, Frame)
            frame.sections.append(section)
        else:
            blocks.append(section)
    return _framed(blocks) if not structure.repeats else blocks


def _bridges(structure: Structure, shown: list[int]) -> set[int]:
    """Where a chain without layers can go on in the next row: only what was made last leads across, two parts apart."""
    edges = [(a, b) for b in shown for a in structure.units[b].inputs]
    found, since = set[int](), 0
    for i, place in enumerate(shown[:-1]):
        across = {(a, b) for a, b in edges if a < place <= b}
        if i - since >= 2 and across == {(shown[i - 1], place)}:
            found.add(place)
            since = i
    return found


def _close(section: Section) -> None:
    last = section.parts[-1]
    if last.unit.skips >= 0 and len(section.parts) > 1:
        section.residual = last
    kinds = {p.unit.kind for p in section.parts}
    if "blend" in kinds and "scores" in kinds:
        section.label = "attention"
    elif section.residual is not None and "linear" in kinds:
        section.label = "MLP"


def _layer_title(structure: Structure, repeat: Repeat) -> str:
    names = [m.name for u in structure.units[repeat.start : repeat.end] for m in u.matrices]
    found = [re.match(r"(.*?)(\d+)", n) for n in names]
    prefix = next((m[1] for m in found if m), "layer").strip(" .[_") or "layer"
    return f"{prefix} 0…{repeat.times - 1} · ×{repeat.times} layers"


def _framed(blocks: list[Section | Frame]) -> list[Section | Frame]:
    """Without repetition: the residual blocks in a row are the one layer that there is."""
    inside = [i for i, b in enumerate(blocks) if isinstance(b, Section) and b.residual is not None]
    if len(inside) < 2 or len(inside) > 3 or inside[-1] - inside[0] != len(inside) - 1:
        return blocks
    sections = [b for b in blocks[inside[0] : inside[-1] + 1] if isinstance(b, Section)]
    names = [m.name for s in sections for p in s.parts for m in p.unit.matrices]
    found = next((m for n in names if (m := re.match(r"(.*?\d+)", n))), None)
    title = (found[1] if found else "layer") + " · ×1 layer"
    return [*blocks[: inside[0]], Frame(sections, title, 1), *blocks[inside[-1] + 1 :]]
