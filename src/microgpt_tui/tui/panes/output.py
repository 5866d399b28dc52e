"""Output: what the script has printed up to this moment, each line tied to the moment that printed it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import ClassVar

from textual.binding import Binding, BindingType

from microgpt_tui.protocol.escape import visible
from microgpt_tui.session.process import Connected
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, empty, text
from microgpt_tui.tui.messages import CommandChosen
from microgpt_tui.tui.pane import View
from microgpt_tui.tui.panes.listing import ListingPane, Target

HELD = 1 << 20
"""Bytes of output that are held; what is left out is said."""
LONGEST = 1000
"""Characters of a line that are shown."""

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[PX^_][^\x1b]*(\x1b\\)?|[ -/]*[0-~])?")


def harmless(raw: bytes) -> str:
    """A line as it stands after its carriage returns and backspaces, without escape sequences; other control
    characters become pictures of themselves."""
    content = _ESCAPES.sub("", raw.decode("utf-8", "replace")).rstrip("\r\n")
    shown = ""
    for part in content.split("\r"):
        if part:
            shown = part + shown[len(part) :]
    while "\b" in shown:
        shown = re.sub("[^\b]\b", "", shown, count=1) if not shown.startswith("\b") else shown[1:]
    return visible(shown.expandtabs(8))[:LONGEST]


class Written:
    """A growing file by lines; only its last ``HELD`` bytes are kept."""

    def __init__(self) -> None:
        self.start = 0
        """Offset of the first byte held."""
        self.raw = bytearray()
        self.lines = [0]
        """Offsets at which lines start."""

    @property
    def end(self) -> int:
        """One past the last byte read."""
        return self.start + len(self.raw)

    def take(self, more: bytes) -> None:
        """Add what has come."""
        base = self.end
        at = more.find(b"\n")
        while at >= 0:
            self.lines.append(base + at + 1)
            at = more.find(b"\n", at + 1)
        self.raw += more
        if len(self.raw) > 2 * HELD:
            cut = self.lines[min(bisect_right(self.lines, self.end - HELD), len(self.lines) - 1)]
            cut = cut if cut > self.start else self.end - HELD
            del self.raw[: cut - self.start]
            self.start = cut
            self.lines = [cut, *self.lines[bisect_right(self.lines, cut) :]]

    def count(self, end: int) -> int:
        """How many lines have begun before an offset."""
        return bisect_left(self.lines, min(end, self.end))

    def line(self, index: int, end: int) -> bytes:
        """A line as far as it was written when ``end`` bytes were."""
        begin = self.lines[index]
        stop = self.lines[index + 1] if index + 1 < len(self.lines) else self.end
        return bytes(self.raw[begin - self.start : max(begin, min(stop, end)) - self.start])


def printed_upto(view: View, written: Written) -> int:
    """How many bytes had been printed at the moment."""
    if view.debugger.at_frontier or view.debugger.running:
        return written.end
    trace = view.trace
    row = bisect_right(trace.print_event, view.event) - 1
    if row >= 0:
        return trace.print_end[row]
    earlier = [t for i, t in sorted(view.history.traces.items()) if i < trace.index and len(t.print_end)]
    known = earlier[-1].print_end[-1] if earlier else 0
    gap = not earlier or earlier[-1].index < trace.index - 1
    if gap and trace.index and len(trace.print_end):
        # Steps before were run freely: their prints left no moments. The first print of this episode is left out:
        # it is what follows the last line end before it.
        first = trace.print_end[0] - 1 - written.start
        cut = max(written.raw.rfind(b"\n", 0, max(0, first)), written.raw.rfind(b"\r", 0, max(0, first)))
        return max(known, written.start + cut + 1)
    return known


class OutputPane(ListingPane):
    """stdout up to the moment, stderr below it; Enter goes to the moment that printed the line, running it again."""

    title = "Output"
    explanation = """
What the script has written **up to this moment**; at the frontier all of it. Escape sequences are taken
out, a carriage return overwrites its line as in a terminal. `Enter` on a line goes to the moment that
printed it; a step that was not kept is run again for it. What went to stderr stands below, marked `!`.
"""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "to its moment")]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._out, self._err = Written(), Written()
        self._upto = 0
        self._rows: tuple[int, int, int] = (0, 0, 0)
        self._process: Connected | None = None

    def show(self, view: View) -> None:
        """Take what was printed since, and show it up to the moment; the end stays in sight."""
        process = view.debugger.process
        if process is not self._process:
            self._process, self._out, self._err = process, Written(), Written()
        size = process.output_size()
        if size > self._out.end:
            if size - self._out.end > 2 * HELD:
                self._out = Written()
                self._out.start = size - HELD
                self._out.lines = [self._out.start]
            self._out.take(process.output(self._out.end, size))
        errors = process.errors(self._err.end)
        if errors:
            self._err.take(errors[-HELD:])
        upto = printed_upto(view, self._out)
        changed = upto != self._upto or bool(errors)
        self._upto = upto
        super().show(view)
        if changed and not self.has_focus:
            self.selected = -1
            self.jump_to(self.virtual_size.height - self.size.height)

    def line_count(self, view: View, width: int) -> int:
        """Lines of stdout up to the moment, a heading where bytes were let go, stderr at the frontier."""
        out = self._out.count(self._upto)
        late = view.debugger.at_frontier or view.debugger.running
        err = self._err.count(self._err.end) if late and self._err.end else 0
        head = 1 if self._out.start and out else 0
        self._rows = head, out, err
        count = head + out + (1 + err if err else 0)
        self.targets = {i: Target(key="line") for i in range(max(0, count - 5000), count)}
        return count or 4

    def line_at(self, view: View, width: int, index: int) -> Line:
        """One line."""
        head, out, err = self._rows
        if not out and not err:
            lines = empty("nothing printed yet", "what the script prints up to this moment shows up here")
            return lines[index] if index < len(lines) else []
        if index < head:
            line: Line = [text(f"… {self._out.start:,} bytes before this were let go", palette.FAINT)]
        elif index < head + out:
            content = harmless(self._out.line(index - head, self._upto))
            line = [text(content)]
        elif index == head + out:
            line = [text("── stderr", palette.BAD)]
        else:
            line = [
                text("! ", palette.BAD),
                text(harmless(self._err.line(index - head - out - 1, self._err.end)), palette.STDERR),
            ]
        if index == self.selected and self.has_focus:
            line = [text("▶ ", palette.ACCENT), *line]
        return line

    def default_line(self) -> int:
        """The last line."""
        return max(self.targets, default=-1)

    def choose(self, target: Target) -> None:
        """Go to the moment that last wrote into the line."""
        view = self.view
        head, out, _ = self._rows
        index = self.selected - head
        if view is None or not 0 <= index < out:
            return
        begin = self._out.lines[index]
        stop = self._out.lines[index + 1] if index + 1 < len(self._out.lines) else self._out.end
        found = moment_of(view, begin, min(stop, self._upto))
        if found is not None:
            trace, event = found
            super().choose(Target(event=event, episode=trace.index))
        else:
            self.post_message(CommandChosen(f"goto byte {max(begin, min(stop, self._upto) - 1)}"))


def moment_of(view: View, begin: int, end: int) -> tuple[Trace, int] | None:
    """The recorded print that wrote the last of these bytes."""
    best: tuple[int, Trace, int] | None = None
    for trace in view.history.traces.values():
        row = bisect_left(trace.print_end, end)
        for candidate in (row, row - 1):
            if 0 <= candidate < len(trace.print_end) and begin < trace.print_end[candidate] <= end:
                written = trace.print_end[candidate]
                if best is None or written > best[0]:
                    best = written, trace, trace.print_event[candidate]
                break
    return (best[1], best[2]) if best is not None else None
