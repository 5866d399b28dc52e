"""Every command, key and moment in Markdown: the help screen, and ``docs/commands.md`` (``python -m`` writes it)."""

from __future__ import annotations

import re

from microgpt_tui.narrate import story
from microgpt_tui.protocol.moments import GRAMMAR
from microgpt_tui.session.commands import Command
from microgpt_tui.tui.keymap import PANE_KEYS, keys_of, shown_key
from microgpt_tui.tui.pane import Pane, View, own_keys
from microgpt_tui.tui.panels import LEFT, RIGHT, pane_class
from microgpt_tui.tui.screen_commands import EVERY, read
from microgpt_tui.tui.screens.page import PageScreen

INTRODUCTION = """\
Lower case goes forwards, upper case the same way backwards. The same words work on the screen's `:` line, after
`microgpt-tui run -c` and in a file for `run -x`, one a line. A name or alias is taken exactly; else a beginning that
only one command has will do."""

BAR = r"\|"
"""A bar inside a table."""

PAGE = f"""\
# Commands

Written by `python -m microgpt_tui.tui.reference`; a test holds it to the program.

{INTRODUCTION} Only the last group needs the screen.

Without the screen, each command is given when the script stands still, the first at the first operation of the first
training step; with `--steps N` the run then goes on, and never beyond N training steps. One that fails is the last:
those after it are named on stderr (`"not_given"` in JSON) and the exit status is 1. It is 1 as well where `check` or
`rootcause` find something, 0 where they find nothing, and 2 where nothing could be run.
"""


MOMENTS = """\
## Moments

For `goto`, `bookmark` and `--at`; breakpoints take a step, a sample or `3:loss`, as its backward pass begins.
"""


def commands_table() -> str:
    """Every command by group: keys, how it is written, what it does."""
    parts = []
    for group, commands in EVERY.items():
        rows = [
            f"| {_code(keys_of(c.name))} | `{c.usage.replace('|', BAR)}` | {_code(_aliases(c))} | {c.help} |"
            for c in commands
        ]
        parts.append("\n".join([f"## {group}\n", "| key | command | also | |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts)


def _aliases(command: Command[object]) -> list[str]:
    return [a for a in command.aliases if a not in keys_of(command.name)]


def _code(words: list[str]) -> str:
    return " ".join(f"`{word}`" for word in words)


PANE_TABLE = """\
## Keys of the panes

Each means the same in every pane that has it; of letters upper case goes the other way.
"""


def pane_keys_table() -> str:
    """What the keys mean that act on the pane in focus, and in which panes they do."""
    rows = []
    for key, meaning in PANE_KEYS.items():
        titles = [title for name, _, title, _ in (*LEFT, *RIGHT) if key in own_keys(pane_class(name))]
        rows.append(f"| `{shown_key(key)}` | {meaning} | {', '.join(titles) or 'every pane'} |")
    return "\n".join([PANE_TABLE, "| key | | in |", "|---|---|---|", *rows])


def moments_table() -> str:
    """How moments are written."""
    rows = [f"| `{example}` | {meaning} |" for example, meaning in GRAMMAR.items()]
    return "\n".join([MOMENTS, "| written | is |", "|---|---|", *rows])


def page() -> str:
    """``docs/commands.md``."""
    return f"{PAGE}\n{commands_table()}\n\n{pane_keys_table()}\n\n{moments_table()}\n"


def help_on(pane: Pane | None, view: View | None, command: str = "") -> PageScreen:
    """Help: what a pane shows, with this moment's numbers, and everything there is to do; or one command."""
    if command:
        found = read(command)[0]
        known = " ".join(dict.fromkeys((*keys_of(found.name), *found.aliases))) or "none"
        parts = [found.usage, found.help, found.more, f"keys and other names: {known}"]
        return PageScreen(f"Help: {found.name}", "\n\n".join(p for p in parts if p))
    title = pane.title if pane is not None else "microgpt-tui"
    parts = [f"# {title}"]
    if view is not None and 0 <= view.event < len(view.trace):
        parts.append(f"**What happened.** {_plain(str(story(view.trace, view.event)))}")
    if pane is not None:
        parts += [pane.explain(view).strip(), _pane_keys(pane)]
    parts += ["# Keys and commands", INTRODUCTION, commands_table(), pane_keys_table(), moments_table()]
    return PageScreen(f"Help: {title}", "\n\n".join(parts), markdown=True)


def _plain(text: str) -> str:
    """A text without meaning to Markdown."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)


def _pane_keys(pane: Pane) -> str:
    rows = [
        f"| `{b.key_display or b.key}` | {b.description} |" for _, b in pane._bindings if b.description and not b.system
    ]
    return "\n".join(["| key here | |", "|---|---|", *dict.fromkeys(rows)]) if rows else ""


if __name__ == "__main__":
    print(page(), end="")
