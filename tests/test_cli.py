"""The command line: what it prints, its JSON, its exit statuses, and one clear message for every kind of bad input."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from snippets import PRELUDE, SNIPPETS
from support import BUNDLED, NAMES, SAMPLES

from microgpt_tui import cli

MLP = str(SAMPLES / "scripts" / "mlp_only.py")


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """A command line in this process: exit status, stdout, stderr."""
    try:
        status = cli.main(list(words))
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    captured = capsys.readouterr()
    return status, captured.out, captured.err


# -- help and version -----------------------------------------------------------------------


def test_help_names_every_command() -> None:
    done = subprocess.run([sys.executable, "-m", "microgpt_tui", "--help"], capture_output=True, text=True, check=True)
    for word in ("run", "verify", "show", "export", "new", "--data", "--set", "--python", "--version", "exit status"):
        assert word in done.stdout.lower()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "--version")
    assert status == 0
    assert out.startswith("microgpt-tui 0.")


# -- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def f(:\n", ["script.py:1: not Python", "py_compile"]),
        ("if True:\n", ["script.py:1: not Python", "py_compile"]),
        (PRELUDE + "return w\n", [": not Python: 'return' outside function", "return w"]),
        ("print('no class here')\n", ["no autograd class found", "new FILE"]),
        (PRELUDE + "open('input.txt')\n", ["script.py:65: FileNotFoundError", "open('input.txt')", "--data FILE"]),
        (PRELUDE + "import urllib.error\nraise urllib.error.URLError('down')\n", ["URLError", "--data FILE"]),
        (PRELUDE + "import no_such_module\n", ["script.py:65: ModuleNotFoundError", "--python"]),
        (PRELUDE.split("w = ")[0] + "sys.exit(3)\n", ["exit status 3", "`--`"]),
        (PRELUDE.split("w = ")[0], ["without making a node", "Value"]),
    ],
    ids=[
        "syntax",
        "ends too early",
        "return",
        "no class",
        "no input.txt",
        "no download",
        "no module",
        "exit",
        "nothing made",
    ],
)
@pytest.mark.parametrize("command", ["run", "verify", "show"])
def test_a_script_with_nothing_to_look_at(
    command: str, text: str, says: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = text.replace("w = [Value(random.gauss(0, 1)) for _ in range(4)]\n", "\n")
    path = tmp_path / "script.py"
    path.write_text(text, encoding="utf-8")
    status, out, err = call(capsys, command, str(path), *(("--at", "1:1") if command == "show" else ()))
    assert (status, out) == (2, "")
    for part in says:
        assert part in err
    assert "microgpt_tui/" not in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run", "nosuch.py"), ["nosuch.py: no such file", "new FILE"]),
        (("run", "."), ["a folder"]),
        (("run", MLP, "--data", "nosuch.txt"), ["nosuch.txt: no such file", "one document per line"]),
        (("run", MLP, "--set", "hidden"), ["NAME=VALUE"]),
        (("run", MLP, "--set", "nosuch=1"), ["--set nosuch", "num_steps"]),
        (("run", MLP, "--python", "nosuch"), ["--python nosuch", "no such program"]),
        (("run", MLP, "--steps", "0"), ["1 or more"]),
        (("run", MLP, "--steps", "many"), ["1 or more"]),
        (("run", MLP, "-x", "nosuch.cmd"), ["nosuch.cmd", "one command a line"]),
        (("run", MLP, "more"), ["unrecognized arguments", "`--`"]),
        (("show", MLP, "--at", "later"), ["no moment", "3:1200", "setup:5"]),
        (("show", MLP, "--at", "0:1"), ["no moment"]),
        (("show", MLP, "--at", "1:99999999"), ["training step 1 has", "events"]),
        (("show", MLP, "--at", "999:1"), ["no training step 999", "15 training steps"]),
        (("show", MLP), ["--at"]),
        ((MLP,), ["not a terminal", f"microgpt-tui run {MLP}"]),
        ((), ["not a terminal", "microgpt-tui run --steps"]),
    ],
    ids=lambda value: " ".join(value[1:] if value[:1] == ("run",) else value)[-40:] if isinstance(value, tuple) else "",
)
def test_bad_command_lines(words: tuple[str, ...], says: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = call(capsys, *words)
    assert (status, out) == (2, "")
    for part in says:
        assert part in err


def test_a_terminal_on_one_side_is_not_enough() -> None:
    """Output piped away: the screen would go into the pipe."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "microgpt_tui", MLP], stdin=theirs, capture_output=True, text=True, check=False
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 2
    assert "stdout is not a terminal" in done.stderr


# -- run -------------------------------------------------------------------------------------


def test_run_counts_every_episode(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "run", trained, "--json")
    document = json.loads(out)
    assert status == 0
    assert [e["episode"] for e in document["episodes"]][:4] == ["setup", "step 1", "step 2", "step 3"]
    assert document["end"] == {"reason": "end", "status": 0}
    assert (document["class"], document["parameters"]) == ("Value", 4)
    step = document["episodes"][1]
    assert (
        step["nodes"]
        == step["events"]["create"]
        == sum(step["events"].values()) - (step["events"]["accumulate"] + 1 + 4 + 4 + 1)
    )
    assert step["events"]["update"] == step["events"]["zero"] == 4
    assert step["events"]["accumulate"] == step["edges"]
    assert step["losses"] == [step["loss"]]
    assert [repr(e["loss"]) for e in document["episodes"][1:4]] == [
        line.split()[1] for line in document["output"].splitlines()
    ]


def test_run_stops_after_so_many_steps(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "run", trained, "--steps", "2")
    assert status == 0
    assert "step 2" in out
    assert "step 3" not in out
    assert "ended: steps" in out


def test_run_to_the_last_step_stops_behind_it(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "run", trained, "--steps", "3", "--json")
    assert status == 0
    assert json.loads(out)["end"]["reason"] == "steps"


def test_run_obeys_commands_in_order(trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "commands"
    script.write_text("# a remark\n\nback\n", encoding="utf-8")
    status, out, _ = call(capsys, "run", trained, "--json", "-c", "step 3", "-c", "step", "-x", str(script))
    commands = json.loads(out)["commands"]
    assert status == 0
    assert [c["command"] for c in commands] == ["step 3", "step", "back"]
    assert all(c["ok"] and c["text"] for c in commands)


def test_commands_of_c_and_x_are_obeyed_in_the_order_given(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "commands"
    script.write_text("next\nback\n", encoding="utf-8")
    status, out, _ = call(capsys, "run", trained, "--json", "-c", "step", "-x", str(script), "-c", "where")
    assert status == 0
    assert [c["command"] for c in json.loads(out)["commands"]] == ["step", "next", "back", "where"]


def test_a_command_that_fails_is_status_1_and_the_last(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = call(capsys, "run", trained, "--json", "-c", "nosuchcommand", "-c", "step", "-c", "back")
    document = json.loads(out)
    assert status == 1
    assert [c["ok"] for c in document["commands"]] == [False]
    assert document["not_given"] == ["step", "back"]
    assert document["end"]["reason"] == "failed"
    assert err == "not given, because 'nosuchcommand' failed: step; back\n"


def test_quit_ends_the_session_at_once(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "run", trained, "--json", "-c", "step", "-c", "q", "-c", "step")
    document = json.loads(out)
    assert status == 0
    assert (document["end"], document["not_given"]) == ({"reason": "quit", "status": None}, ["step"])
    assert document["output"] == ""


@pytest.mark.parametrize(
    "words", [["continue"], ["continue 5", "run"], ["goto 3:end"], ["tbreak step:2", "continue"], ["step"]]
)
def test_steps_is_the_limit_whatever_the_commands_do(
    words: list[str], trained: str, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = [part for word in words for part in ("-c", word)]
    status, out, _ = call(capsys, "run", trained, "--steps", "2", "--json", *commands)
    document = json.loads(out)
    failed = words == ["goto 3:end"]
    assert status == failed
    assert len(document["output"].splitlines()) == 2
    assert document["end"] == {"reason": "failed" if failed else "steps", "status": None}


@pytest.mark.parametrize(
    ("script", "command", "expected"),
    [("trained", "check", 0), ("trained", "rootcause", 0), ("wrong_local_grad.py", "check", 1),
     ("log_of_zero.py", "rootcause", 1)],
)  # fmt: skip
def test_what_check_and_rootcause_find_is_the_exit_status(
    script: str, command: str, expected: int, trained: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = trained if script == "trained" else str(SAMPLES / "bugs" / script)
    small = [] if script == "trained" else ["--data", str(NAMES), "--set", "n_embd=4", "--set", "block_size=3"]
    go = "continue" if command == "rootcause" else "goto 1:end"
    status, out, _ = call(capsys, "run", path, *small, "--json", "-c", go, "-c", command, "-c", "quit")
    answer = json.loads(out)["commands"][1]
    assert (answer["ok"], answer["status"]) == (True, expected)
    if script != "log_of_zero.py":  # that one fails by itself
        assert status == expected


def test_a_script_that_fails_later_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fails.py"
    path.write_text(PRELUDE + SNIPPETS["train"] + "w[0] + None\n", encoding="utf-8")
    status, out, err = call(capsys, "run", str(path), "--json")
    assert status == 1
    assert json.loads(out)["end"] == {"reason": "exception", "status": 1}
    assert "TypeError" in err


def test_settings_data_and_arguments_reach_the_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "told.py"
    path.write_text(
        PRELUDE + "n = 1\nname = 'a'\nprint(n, name, sys.argv[1:], open('input.txt').readline())\n", encoding="utf-8"
    )
    words = ("--data", str(NAMES), "--set", "n=[2, 3]", "--set", "name=some text", "--json", "--", "-x", "--steps")
    status, out, _ = call(capsys, "run", str(path), *words)
    first = NAMES.read_text(encoding="utf-8").splitlines()[0]
    assert status == 0
    assert json.loads(out)["output"] == f"[2, 3] some text ['-x', '--steps'] {first}\n\n"


def test_a_script_named_like_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").write_text(PRELUDE + SNIPPETS["train"], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert call(capsys, "run", "./run", "--steps", "1")[0] == 0
    assert "not a terminal" in call(capsys, "./run")[2]


# -- show ------------------------------------------------------------------------------------


def test_show_a_moment_of_the_backward_pass(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "run", trained, "--steps", "1", "--json")
    events = json.loads(out)["episodes"][1]["events"]
    at = events["create"] + 1 + events["accumulate"]
    status, out, _ = call(capsys, "show", trained, "--at", f"1:{at}", "--json")
    document = json.loads(out)
    assert status == 0
    assert document["moment"] == f"1:{at}"
    assert document["event"] == {"number": at, "kind": "accumulate", "phase": "backward"}
    assert document["where"]["expression"] == "child.grad += local * v.grad"
    node = document["node"]
    assert node["ledger"][-1]["sum"] == node["final_grad"] or node["ledger"][-1]["kind"] == "zero"
    total = 0.0
    for entry in node["ledger"]:
        if entry["kind"] == "accumulate":
            assert entry["local"] * entry["upstream"] == entry["delta"]
            total += entry["delta"]
            assert entry["sum"] == total


def test_show_as_text_marks_the_sub_expression(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "show", trained, "--at", "1:2")
    lines = out.splitlines()
    marked = next(i for i, line in enumerate(lines) if set(line.strip()) == {"━"})
    begin, end = lines[marked].index("━"), len(lines[marked])
    assert status == 0
    assert lines[marked - 1][begin:end] == "w_i * 2"
    assert lines[0].startswith("trained.py · training step 1/3 · forward · event 2 of ")
    assert any(line.startswith("formula × in loss = w[0] × 2") for line in lines), out
    assert "∂/∂w[0] = 2.0" in out


def test_show_the_setup_an_update_and_a_print(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "show", trained, "--at", "setup:2", "--json")
    document = json.loads(out)
    assert (status, document["node"]["name"], document["event"]["phase"]) == (0, "w[1]", "setup")
    total = document_events(capsys, trained)
    _, out, _ = call(capsys, "show", trained, "--at", f"1:{total - 2}", "--json")
    update = json.loads(out)["update"]
    assert update["old"] - 0.1 * update["numbers"]["p.grad"] == update["new"]
    _, out, _ = call(capsys, "show", trained, "--at", f"1:{total}")
    assert "printed 0 " in out


def document_events(capsys: pytest.CaptureFixture[str], script: str) -> int:
    _, out, _ = call(capsys, "show", script, "--at", "1:1", "--json")
    return int(json.loads(out)["episode"]["events"])


# -- verify and new --------------------------------------------------------------------------


def test_verify_says_same(trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "verify", trained, "--json")
    document = json.loads(out)
    assert status == 0
    assert document["same"] is True
    assert [c["what"] for c in document["checks"]] == [
        "stdout", "stderr", "exit status", "losses", "parameters", "ledgers",
    ]  # fmt: skip


def test_verify_says_what_differs_first(
    trained: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorder that changes the output would be found out: here the bare run's is changed instead."""
    from microgpt_tui.headless import verify
    from microgpt_tui.headless.bare import Outcome, run_bare

    def another(launch: object, *, until: int | None = None) -> Outcome:
        outcome = run_bare(launch, until=until)  # type: ignore[arg-type]  # a Launch
        outcome.stdout = outcome.stdout.replace(b"\n1 ", b"\n1  ")
        return outcome

    monkeypatch.setattr(verify, "run_bare", another)
    status, out, _ = call(capsys, "verify", trained)
    assert status == 1
    assert "stdout       different       line 2 " in out
    assert "please report" in out


def test_verify_knows_a_script_that_is_never_twice_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "clock.py"
    path.write_text(PRELUDE + "import time\nprint(time.perf_counter_ns())\n" + SNIPPETS["train"], encoding="utf-8")
    status, out, _ = call(capsys, "verify", str(path))
    assert status == 0
    assert "stdout       not comparable  two bare runs" in out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bugs/log_of_zero.py", "ValueError: math domain error"),
        ("layers/rope.py", "exit status  same            0 (bare 0)"),
    ],
)
def test_verify_of_a_script_that_raises_or_ends_before_its_steps(
    name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = call(capsys, "verify", str(SAMPLES / name), "--data", str(NAMES), "--steps", "50")
    assert status == 0
    assert said in out
    assert out.rstrip().endswith("Recording changes nothing.")


def test_verify_of_a_graph_that_was_made_before_the_loop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "outside.py"
    path.write_text(PRELUDE + """
w = [Value(0.5), Value(-0.25)]
loss = w[0] * w[1] + w[0]
for step in range(3):
    loss.backward()
    for p in w:
        p.data -= 0.1 * p.grad
        p.grad = 0
""", encoding="utf-8")  # fmt: skip
    status, out, _ = call(capsys, "verify", str(path), "--steps", "2")
    assert status == 0, out


def test_new_writes_a_copy_and_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "mine.py"
    status, out, _ = call(capsys, "new", str(target))
    assert status == 0
    assert target.read_text(encoding="utf-8") == BUNDLED.read_text(encoding="utf-8")
    assert f"microgpt-tui {target}" in out
    target.write_text("mine", encoding="utf-8")
    status, _, err = call(capsys, "new", str(target))
    assert status == 2
    assert "exists already" in err
    assert target.read_text(encoding="utf-8") == "mine"
    assert call(capsys, "new", str(tmp_path / "no" / "folder.py"))[0] == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("command", "status"), [("run --steps 1", 0), ("repl", 0), ("show --at 1:5", 0), ("", 2)])
def test_closed_standard_streams_are_no_hindrance(closed: str, command: str, status: int) -> None:
    small = "--set n_embd=4 --set n_head=2"
    line = f"exec {sys.executable} -m microgpt_tui {command} {small} {closed}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    if command.startswith("run") and ">&-" not in closed:
        assert "step 1" in done.stdout
