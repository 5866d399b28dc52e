"""The pages for each kind of user: every command is run, every key pressed, and what stands in “quotes” is seen."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from snippets import PRELUDE
from support import BUNDLED, NAMES
from tui_fixtures import Screen, opened

from microgpt_tui.cli import main
from microgpt_tui.session.process import Launch
from microgpt_tui.tui.keymap import textual_name

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("student", "teacher", "engineer", "talk")
ON_SCREEN = re.compile(r"^microgpt-tui( |$)(?!run |check |verify |show |compare |export |record |new |repl )")


def text(page: str) -> str:
    return (ROOT / "docs" / f"{page}.md").read_text("utf-8")


def commands(page: str) -> list[tuple[str, int]]:
    """The command lines of a page, and the exit status that it tells."""
    found = re.findall(r"^    (microgpt-tui.*)$", text(page), re.M) + re.findall(
        r"\| `(microgpt-tui export [^`]*)`", text(page)
    )
    return [(line.split("#")[0].strip(), 1 if line.endswith("exit 1") else 0) for line in found]


def tables(page: str) -> Iterator[list[tuple[str, list[str]]]]:
    """The tables of keys: what is pressed, and the words that are on the screen then."""
    for table in re.findall(r"^\| press \| and see \|\n\|---\|---\|\n((?:\|.*\n)+)", text(page), re.M):
        rows = re.findall(r"^\| `(.*?)` \| (.*) \|$", table, re.M)
        assert len(rows) == table.count("\n")
        yield [(press, re.findall(r"“([^”]+)”", seen)) for press, seen in rows]


def shown(screen: Screen) -> str:
    """The whole screen as text."""
    return "\n".join("".join(s.text for s in strip) for strip in screen.app.screen._compositor.render_strips())


async def see(screen: Screen, word: str, after: str) -> None:
    try:
        await screen.until(lambda: word in shown(screen))
    except AssertionError:
        pytest.fail(f"after {after} there is no {word!r}:\n{shown(screen)}")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_does_what_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    (tmp_path / "your.py").write_text(BUNDLED.read_text("utf-8").replace("n_embd = 16", "n_embd = 8"))
    (tmp_path / "input.txt").write_bytes(NAMES.read_bytes())
    (tmp_path / "small.py").write_text(PRELUDE + "loss = (w[0] * w[1] + w[2]) ** 2\nloss.backward()\n")
    ran = 0
    for line, status in commands(page):
        if ON_SCREEN.match(line):
            continue
        assert main(shlex.split(line)[1:]) == status, (line, capsys.readouterr().err)
        ran += 1
    assert ran or page == "student"


@pytest.mark.parametrize("page", PAGES[:3])
async def test_every_key_of_a_page_shows_what_it_says(page: str) -> None:
    script = ROOT / "sample_data" / "scripts" / "gqa_three_layers.py"
    launch = Launch(script, data=NAMES) if page == "engineer" else Launch(BUNDLED, data=NAMES, private_folder=True)
    async with opened(launch) as screen:
        for table in tables(page):
            for press, words in table:
                if press.startswith(":"):
                    await screen.command(press[1:])
                else:
                    await screen.press(textual_name(press))
                for word in words:
                    await see(screen, word, f"{page}: {press}")


def test_the_readme_and_the_pages_name_each_other() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for page in PAGES:
        assert f"docs/{page}.md" in readme
