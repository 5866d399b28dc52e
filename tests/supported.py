"""``docs/supported.md``: what is recognised in scripts of which style, from the table of scripts and of what is wrong.

``python tests/supported.py`` writes it; ``test_scripts_truth.py`` holds the two together.
"""

from __future__ import annotations

from pathlib import Path

from scripts_wrong import WRONG
from truth import Script, scripts

PAGE = Path(__file__).resolve().parent.parent / "docs" / "supported.md"
ASPECTS = ("output", "graph", "attention", "tokens", "weights", "optimizer", "samples", "verify")
HEAD = """\
# What is supported

Scripts of every style, each of its own kind, are run bare and recorded by the tests (`tests/scripts`,
`tests/test_scripts_truth.py`): what the script itself tells in the bare run is compared with what is recognised,
number by number. This page is made from those tests by `python tests/supported.py`.

`+` equals the script's own numbers, or there is none; a number leads to what is not right, below. *output*: it prints
what it prints under plain Python; *graph*: nodes and operands of each backward pass; *attention*: rows of each head;
*tokens*: token, target, distribution and loss at each position; *weights*: every matrix; *optimizer*: its numbers per
parameter; *samples*: the texts; *verify*: the command.
"""


def page() -> str:
    """The page as the tests have it."""
    notes: dict[str, int] = {}
    kinds: dict[str, list[Script]] = {}
    for script in scripts().values():
        kinds.setdefault(script.kind, []).append(script)
    lines = [HEAD]
    for kind, own in kinds.items():
        lines += [f"## {kind}", "", f"| script | | {' | '.join(ASPECTS)} |", "|---" * (len(ASPECTS) + 2) + "|"]
        for script in own:
            what = script.what.replace("|", "\\|")
            cells = " | ".join(_cell(script.name, aspect, notes) for aspect in ASPECTS)
            lines.append(f"| {script.name} | {what} | {cells} |")
        lines.append("")
    if notes:
        lines += ["## What is not right", "", *(f"{number}. {reason}" for reason, number in notes.items()), ""]
    return "\n".join(lines)


def _cell(name: str, aspect: str, notes: dict[str, int]) -> str:
    wrong = WRONG.get(name, {})
    reason = wrong.get(aspect) or wrong.get("all")
    return "+" if reason is None else str(notes.setdefault(reason, len(notes) + 1))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
