"""A picture on its way into a file: as it is, or laid out on its page; and what a format makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from microgpt_tui.graph.draw.shapes import Sheet
from microgpt_tui.graph.measure import SMALL_TEXT
from microgpt_tui.graph.page import Page
from microgpt_tui.graph.paint import painted
from microgpt_tui.graph.picture import Picture
from microgpt_tui.graph.presets import Style
from microgpt_tui.graph.request import Request
from microgpt_tui.trace.trace import Trace


@dataclass(slots=True)
class Sketch:
    """A picture of a moment, not laid out."""

    trace: Trace
    event: int
    request: Request
    """What is drawn: of a picture that had to be folded, the request that led to it."""
    picture: Picture

    @property
    def style(self) -> Style:
        """How it looks."""
        return self.request.style


@dataclass(slots=True)
class Drawing(Sketch):
    """A picture that is laid out, ready for any format."""

    page: Page
    engine: str = ""
    """What laid it out."""
    notes: list[str] = field(default_factory=list)

    @property
    def smallest_text(self) -> float:
        """Pixels of the smallest text on the page."""
        if not any(box.body for box in self.picture.boxes):
            return SMALL_TEXT * self.page.scale  # what is in the head is larger
        return min((text.size for text in self.sheet().texts), default=SMALL_TEXT * self.page.scale)

    @property
    def is_readable(self) -> bool:
        """True when no text is smaller than the style wants it, or when there is no slide to fit on."""
        return not self.style.is_slide or self.smallest_text >= self.style.minimum_text - 0.05

    def sheet(self) -> Sheet:
        """Everything in its place."""
        return painted(self.picture, self.style, self.page)


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files: made from a sheet, or from the picture alone."""

    name: str
    """The file's ending."""
    meaning: str
    """A few words for docs/export.md."""
    write: Callable[[Sheet], bytes] | None = None
    write_sketch: Callable[[Sketch], bytes] | None = None
    is_frame: bool = False
    """The backward pass can be written as a sequence of these."""
