"""From the command line to a launch: the script, its corpus, its settings; every fault with its remedy."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.failure import explain
from microgpt_tui.session.process import Launch, overrides_from

PROGRAMS = Path(__file__).resolve().parent.parent / "programs"
BUNDLED = PROGRAMS / "microgpt.py"
CORPUS = PROGRAMS / "names.txt"


class Trouble(Exception):
    """Nothing was run, or nothing could be looked at: the message says what to do. Exit status 2."""


def launch_from(options: argparse.Namespace, script_args: list[str]) -> Launch:
    """What to run. Raises Trouble for a missing file or a malformed ``--set``.

    Without a script: the bundled GPT with the bundled corpus, in a private folder.
    """
    data = Path(options.data) if options.data else None
    if data is not None and not data.is_file():
        raise Trouble(f"{data}: no such file. --data takes a text with one document per line.")
    try:
        overrides = overrides_from(options.set)
    except ValueError as error:
        raise Trouble(str(error)) from None
    launch = Launch(BUNDLED, args=script_args, data=data or CORPUS, overrides=overrides, private_folder=True)
    if options.script is not None:
        script = Path(options.script)
        if script.is_dir():
            raise Trouble(f"{script}: a folder. Give the path of a Python script.")
        if not script.exists():
            raise Trouble(
                f"{script}: no such file. Give the path of a Python script, or none for the GPT that ships with "
                "microgpt-tui; `microgpt-tui new FILE` writes a copy of it to modify."
            )
        launch = Launch(script, args=script_args, data=data, overrides=overrides)
    if options.python:
        python = shutil.which(options.python)
        if python is None:
            raise Trouble(f"--python {options.python}: no such program.")
        launch.python = python
    return launch


def check(debugger: Debugger) -> None:
    """Raises Trouble when the script was refused, or failed before it made a node."""
    message = explain(debugger.history, str(debugger.launch.script))
    if message is not None:
        raise Trouble(message)
