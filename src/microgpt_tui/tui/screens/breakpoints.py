"""The list of breakpoints, watches and log points: seen, added, edited, switched, removed."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from microgpt_tui.session.breakpoints import NAN_NUMBER, Breakpoint
from microgpt_tui.session.commands import CommandError, execute
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.tui import palette
from microgpt_tui.tui.dialog import Dialog

KEYS = "Enter edits · a adds · Space on/off · t once · d removes · g next stop there · Esc closes"


class BreakpointsScreen(Dialog[None]):
    """Over the panes. What is typed is the language of ``break``, ``log`` and ``watch``."""

    DEFAULT_CSS = """
    #breakpoints { width: 96%; max-width: 110; height: auto; max-height: 90%; border: round $primary; padding: 0 1; }
    #breakpoints-list { height: auto; max-height: 20; border: none; background: transparent; }
    #breakpoints-edit { display: none; }
    #breakpoints-edit.editing { display: block; }
    #breakpoints-fault { color: $error; height: auto; }
    #breakpoints-foot { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "close"),
        Binding("a", "add", "add"),
        Binding("e", "edit", "edit", show=False),
        Binding("space", "switch", "on/off"),
        Binding("t", "temporary", "once"),
        Binding("d,delete", "remove", "remove"),
        Binding("g", "go", "go there"),
    ]

    def __init__(self, debugger: Debugger) -> None:
        super().__init__()
        self.debugger = debugger
        self.editing: int | None = None
        """The number of the breakpoint that is edited; None while one is added."""

    def compose(self) -> ComposeResult:
        with Vertical(id="breakpoints"):
            yield OptionList(id="breakpoints-list")
            yield Input(
                id="breakpoints-edit",
                select_on_focus=False,
                placeholder="op:exp if data > 5    117    watch lm_head[0][0]    log …",
            )
            yield Static("", id="breakpoints-fault", markup=False)
            yield Static(KEYS, id="breakpoints-foot")

    def on_mount(self) -> None:
        self.query_one("#breakpoints").border_title = "Breakpoints"
        self.show()
        self.options.focus()

    @property
    def options(self) -> OptionList:
        """The list."""
        return self.query_one("#breakpoints-list", OptionList)

    @property
    def line(self) -> Input:
        """Where one is typed."""
        return self.query_one("#breakpoints-edit", Input)

    def show(self, highlighted: int | None = None) -> None:
        """Draw the list anew."""
        at = self.options.highlighted if highlighted is None else highlighted
        self.options.clear_options()
        self.options.add_options([Option(self.row(b), id=str(b.number)) for b in self.debugger.breakpoints])
        count = self.options.option_count
        if count:
            self.options.highlighted = min(at or 0, count - 1)

    def row(self, b: Breakpoint) -> Text:
        """One line: a mark, the number, what it is, how often it was hit."""
        mark = "●" if b.enabled else "○"
        text = Text(f"{mark} ", style=palette.BAD if b.enabled else palette.DIM)
        text.append(b.describe(self.debugger.breakpoints.counted(b)), style="" if b.enabled else palette.DIM)
        return text

    def chosen(self) -> Breakpoint | None:
        """The highlighted one."""
        at = self.options.highlighted
        return None if at is None else self.debugger.breakpoints.items[at]

    def fault(self, text: str) -> None:
        """Say what is wrong with what was typed."""
        self.query_one("#breakpoints-fault", Static).update(text)

    # -- keys --------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """Leave the line that is typed, or the screen."""
        if self.line.has_class("editing"):
            self.end_editing()
        else:
            self.dismiss()

    def action_switch(self) -> None:
        """Switch the highlighted one on or off."""
        b = self.chosen()
        if b is not None:
            self.debugger.breakpoints.enable(b.number, not b.enabled)
            self.show()

    def action_temporary(self) -> None:
        """Stop there once only, or always again."""
        b = self.chosen()
        if b is not None and b.number != NAN_NUMBER:
            b.temporary = not b.temporary
            self.show()

    def action_remove(self) -> None:
        """Remove the highlighted one; the NaN stop is switched off."""
        b = self.chosen()
        if b is not None:
            self.debugger.breakpoints.delete(b.number)
            self.show()

    def action_add(self) -> None:
        """Type a new one."""
        self.begin_editing(None, "")

    def action_edit(self) -> None:
        """Type the highlighted one anew."""
        b = self.chosen()
        if b is None:
            return
        if b.number == NAN_NUMBER:
            self.fault("nan: the command `nan allow CONDITION` tells which are expected")
            return
        self.begin_editing(b.number, command_of(b))

    def action_go(self) -> None:
        """To the next event of the record at which it stops; from the end to the first."""
        b, trace = self.chosen(), self.debugger.trace
        if b is None or trace is None:
            return
        events = self.debugger.breakpoints.events_of(b, trace)
        if not events:
            self.fault("not hit in this episode, as far as it is recorded")
            return
        after = [e for e in events if e > self.debugger.moment.event]
        self.debugger.goto((after or events)[0])
        self.dismiss()

    @on(OptionList.OptionSelected)
    def _selected(self) -> None:
        self.action_edit()

    def begin_editing(self, number: int | None, text: str) -> None:
        """Open the line."""
        self.editing = number
        self.fault("")
        self.line.add_class("editing")
        self.line.value = text
        self.line.cursor_position = len(text)
        self.line.focus()

    def end_editing(self) -> None:
        """Close the line."""
        self.line.remove_class("editing")
        self.fault("")
        self.options.focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if not text:
            self.end_editing()
            return
        word = text.split()[0]
        command = text if word in ("break", "tbreak", "log", "watch") else f"break {text}"
        try:
            execute(self.debugger, command)
        except CommandError as error:
            self.fault(str(error))
            return
        items = self.debugger.breakpoints.items
        if self.editing is not None:
            place = next(i for i, b in enumerate(items) if b.number == self.editing)
            made, before = items.pop(), items[place]
            made.number, made.enabled, items[place] = before.number, before.enabled, made
            self.debugger.breakpoints.changed()
            self.end_editing()
            self.show(place)
        else:
            self.end_editing()
            self.show(len(items) - 1)


def command_of(b: Breakpoint) -> str:
    """A breakpoint as the command that sets it."""
    if b.expression:
        return f"watch {b.expression}"
    place = f"if {b.place.condition}" if b.place.kind == "any" else str(b.place)
    if b.log is not None:
        where, _, condition = str(b.place).partition(" if ")
        return f'log {where} "{b.log}"' + (f" if {condition}" if condition else "")
    return f"{'tbreak' if b.temporary else 'break'} {place}" + (f" ignore {b.ignore}" if b.ignore else "")
