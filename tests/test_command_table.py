"""One table of commands: keys, `:` line, palette, help, docs and `-c` are made from it and say the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ROOT

from microgpt_tui.session.commands import COMMANDS, CommandError, parse
from microgpt_tui.session.commands.command import lookup, names
from microgpt_tui.tui import screen_commands
from microgpt_tui.tui.keymap import FOOTER, KEYS, TYPED
from microgpt_tui.tui.reference import page
from microgpt_tui.tui.screen_commands import ALL, INSTEAD, read


def test_no_two_commands_share_a_name() -> None:
    assert len(names(ALL)) == len(set(names(ALL)))


def test_every_key_word_of_the_footer_and_screens_own_way_is_of_a_command() -> None:
    known = {c.name for c in ALL}
    assert {*KEYS.values(), *FOOTER, *TYPED, *INSTEAD} <= known
    assert set(FOOTER) <= set(KEYS.values()), "the footer shows a key with each word"


def test_a_key_that_is_a_name_too_means_the_same_command() -> None:
    for key, command in KEYS.items():
        if key in names(ALL) and len(key) == 1:
            assert lookup(key, ALL).name == command, key


@pytest.mark.parametrize("name", names(COMMANDS))
def test_what_works_headless_is_the_same_on_the_screen(name: str) -> None:
    for word in (name, *(name[:n] for n in range(1, len(name)))):
        try:
            headless = parse(word)
        except CommandError:
            continue
        assert read(word)[0] is headless[0]


def test_aliases_are_exact_and_win_over_beginnings() -> None:
    assert (read("b 12")[0].name, read("b 12")[1]) == (parse("b 12")[0].name, "12") == ("break", "12")
    assert read("restore x")[0].name == parse("restore x")[0].name == "load"
    assert parse("conti 3")[0].name == "continue"
    assert [parse(text)[0].name for text in ("3:1200", ":1200", "::5")] == ["goto"] * 3
    with pytest.raises(CommandError, match="could be record, restart, restore, return"):
        parse("re")
    with pytest.raises(CommandError, match="takes no argument"):
        parse("quit now")


def test_the_documentation_is_made_from_the_table() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == page(), "python -m microgpt_tui.tui.reference > docs/commands.md"
    for command in ALL:
        assert command.help in written


def test_every_module_of_commands_is_in_the_table() -> None:
    folder = Path(screen_commands.__file__).parents[1] / "session" / "commands"
    modules = {p.stem for p in folder.glob("*.py")} - {"__init__", "command"}
    registered = {c.run.__module__.rpartition(".")[2] for c in COMMANDS}
    assert modules <= registered
