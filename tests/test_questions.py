"""Questions have limits: whatever an expression does, it is answered, and the script is as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import SAMPLES, record

from microgpt_tui.session.commands import CommandError, execute
from microgpt_tui.session.debugger import Debugger

SCRIPT = SAMPLES / "scripts" / "scalar_main.py"


@pytest.fixture(scope="module")
def debugger() -> Iterator[Debugger]:
    session = record(SCRIPT)
    yield session.debugger
    session.debugger.close()


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("exit()", "SystemExit"),
        ("__import__('os')._exit(3)", "exit status 3"),
        ("__import__('os').kill(__import__('os').getpid(), 11)", "SIGSEGV"),
        ("[0] * 10**9", "MemoryError: it takes more than 1024 MB"),
        ("(lambda f: f(f))(lambda f: f(f))", "RecursionError"),
        ("[i for i in iter(int, 1)]", "given up after|MemoryError"),
        ("1/0", "ZeroDivisionError"),
        ("(_ for _ in ()).throw(KeyboardInterrupt)", "KeyboardInterrupt"),
        ("(", "not an expression"),
    ],
)
def test_what_an_expression_does_wrong_is_told(debugger: Debugger, expression: str, answer: str) -> None:
    with pytest.raises(CommandError, match=answer):
        execute(debugger, f"print {expression}")
    assert execute(debugger, "print 1 + 1").text.startswith("2")


def test_what_an_expression_does_is_undone(debugger: Debugger) -> None:
    before = debugger.process.output(0)
    execute(debugger, "print globals().clear()")
    execute(debugger, "print print('seen by nobody', flush=True)")
    first = execute(debugger, "print __import__('random').random()").text
    assert execute(debugger, "print __import__('random').random()").text == first, "the generator was not moved"
    assert debugger.process.output(0) == before
    assert execute(debugger, "step").status == 0


def test_a_large_answer_is_cut_short(debugger: Debugger) -> None:
    text = execute(debugger, "print [[[0] * 300] * 300] * 300").text
    assert "300 in all" in text
    assert len(text) < 1_000_000
