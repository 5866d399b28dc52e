"""Recordings: what a file answers is what the live run answers; what is damaged is said in one sentence."""

from __future__ import annotations

import json
import os
import pty
import random
import select
import subprocess
import sys
import time
import zipfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_fixtures import give
from hypothesis import given, settings
from hypothesis import strategies as st
from test_travel import ended
from test_travel import launch as small_launch
from tui_fixtures import opened as on_screen

from microgpt_tui.cli import main
from microgpt_tui.headless.panes import PANES
from microgpt_tui.headless.panes.report import Here
from microgpt_tui.headless.show import moment
from microgpt_tui.protocol import goals
from microgpt_tui.protocol.codes import COLUMNS
from microgpt_tui.recording.archive import HEADER, Archive, RecordingError
from microgpt_tui.session.commands import CommandError, execute
from microgpt_tui.session.commands.command import plain
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.session.recordings import open_recording, reading

SAMPLES = Path(__file__).parent.parent / "sample_data" / "scripts"
SCRIPTS = ("mlp_only", "closures_set", "gqa_three_layers")
ENDS = "the recording ends here\nWhat comes after needs the script itself.\n"
PARTS = ("texts", "shapes", "scope_values", "operands", "populations", "ops", "odd_data", "outside_grads",
         "start_data", "start_grad", "start_grad_int", "buffers", "moments", "moments_now", "moments_updates",
         "first_node", "episode_kind", "number", "complete")  # fmt: skip


@pytest.fixture(scope="module", params=SCRIPTS)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Debugger, Debugger]]:
    """A live session, and its recording."""
    script = SAMPLES / f"{request.param}.py"
    live = Debugger(Launch(script, goal=goals.Steps(2), history_memory=0))
    live.wait()
    execute(live, "break op:mul if data > 1")
    execute(live, "goto 2:backward")
    path = tmp_path_factory.mktemp("recordings") / "run.mgt"
    execute(live, f"record {path}")
    opened = Debugger(Launch(path, recording=path))
    yield live, opened
    opened.close()
    live.close()


def test_every_column_is_the_same(both: tuple[Debugger, Debugger]) -> None:
    live, opened = both
    assert opened.history.recorded == live.history.recorded
    for index in live.history.recorded:
        true, found = live.history.traces[index], opened.history.traces[index]
        for name in COLUMNS:
            assert getattr(found, name).tobytes() == getattr(true, name).tobytes(), (index, name)
        for name in PARTS:
            assert plain(_lists(getattr(found, name))) == plain(_lists(getattr(true, name))), (index, name)


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _lists(v) for k, v in value.items()}
    return value.tolist() if isinstance(value, array) else value


def test_summaries_cursor_and_breakpoints_are_the_same(both: tuple[Debugger, Debugger]) -> None:
    live, opened = both
    assert opened.moment == live.moment
    assert [str(b.place) for b in opened.breakpoints] == [str(b.place) for b in live.breakpoints]
    assert opened.process.output(0) == live.process.output(0)
    for true, found in zip(live.history.summaries, opened.history.summaries, strict=True):
        assert (true.kind, true.number, true.loss, true.losses) == (found.kind, found.number, found.loss, found.losses)
        assert _bytes(true.data) == _bytes(found.data)
        assert _bytes(true.grad) == _bytes(found.grad)


def _bytes(column: array[float] | None) -> bytes | None:
    return column.tobytes() if column is not None else None


def test_every_question_has_the_same_answer(both: tuple[Debugger, Debugger]) -> None:
    live, opened = both
    chance = random.Random(7)
    for index in live.history.recorded:
        true, found = live.history.traces[index], opened.history.traces[index]
        for event in {0, len(true) - 1, *(chance.randrange(len(true)) for _ in range(12))}:
            assert plain(moment(found, event)) == plain(moment(true, event)), (index, event)
    for name, pane in PANES.items():
        if name == "variables":  # the frame's own values are the script's to tell
            continue
        here = [Here(d, d.history.traces[live.history.recorded[-1]], 40) for d in (opened, live)]
        documents = [plain(pane.document(h)) for h in here]
        assert documents[0] == documents[1], name


def test_commands_of_the_past_work_and_others_say_what_they_need(both: tuple[Debugger, Debugger]) -> None:
    live, opened = both
    for command in ("goto 1:1", "step 5", "next", "where", "goto 1:loss", "find op:mul", "goto 2:end", "rcontinue"):
        told = execute(opened, command).text  # at its end it says so first
        assert told.removeprefix(ENDS) == execute(live, command).text, command
    execute(opened, "goto 2:end")
    execute(opened, "step")
    assert "the recording ends here" in opened.notice
    with pytest.raises(CommandError, match=r"not in the recording|no training step 9"):
        execute(opened, "goto 9")
    with pytest.raises(CommandError, match="a recording already"):
        execute(opened, "record /tmp/another.mgt")
    assert "needs the script itself" in said(opened, "print 1 + 1")


def said(debugger: Debugger, command: str) -> str:
    try:
        return execute(debugger, command).text
    except CommandError as error:
        return str(error)


# -- the command line --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a small script."""
    path = tmp_path_factory.mktemp("small") / "run.mgt"
    assert main(["record", str(SAMPLES / "mlp_only.py"), "--steps", "3", "--only", "1,3", "-o", str(path)]) == 0
    return path


def test_only_the_steps_that_were_asked_for_are_whole(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(small), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [e["episode"] for e in document["episodes"]] == ["setup", "step 1", "step 3"]
    assert document["end"]["reason"] == "recording"
    assert main(["show", str(small), "--at", "2:1"]) == 2
    assert "not in the recording: only its loss and weights are" in capsys.readouterr().err


def test_show_of_a_recording_is_that_of_the_script(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents = []
    for script in (small, SAMPLES / "mlp_only.py"):
        assert main(["show", str(script), "--at", "3:backward", "--json"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
        del documents[-1]["script"]
    for document in documents:
        document["where"]["file"] = Path(document["where"]["file"]).name
    assert documents[0] == documents[1]


def test_what_cannot_be_done_is_told(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = str(SAMPLES / "mlp_only.py")
    text = tmp_path / "text.mgt"
    text.write_bytes(b"PK\x03\x04 and no zip")
    for words, told in [
        (["record", script, "-o", str(small)], "exists already"),
        (["record", script, "--steps", "2", "--only", "3", "-o", str(tmp_path / "a.mgt")], "ends before it"),
        (["record", script, "-o", str(tmp_path / "no" / "a.mgt")], "Name a file that can be written"),
        (["check", str(small)], "a recording, and this runs the script itself"),
        (["verify", str(small)], "a recording, and this runs the script itself"),
        (["show", str(small), "--at", "1", "--set", "x=1"], "is a recording: nothing runs"),
        (["run", str(text)], "not a recording of microgpt-tui"),
    ]:
        assert main(words) == 2, words
        assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [text]


def test_another_version_is_named(small: Path, tmp_path: Path) -> None:
    changed = rewritten(small, tmp_path / "v.mgt", {HEADER: lambda raw: raw.replace(b'"version":1', b'"version":7')})
    with pytest.raises(RecordingError, match="format 7; this microgpt-tui reads format 1"):
        open_recording(changed, 1 << 29)


# -- on the screen -------------------------------------------------------------------------------


async def test_the_screen_on_a_recording(small: Path) -> None:
    async with on_screen(Launch(small, recording=small)) as screen:
        await screen.command("goto 1:1")
        assert "step 1" in screen.status
        await screen.press("s")
        assert screen.event > 0
        await screen.press("6", "0", "9", "8", "7", "5", "4")
        await screen.command("goto 3:end")
        await screen.press("s")
        assert "the recording ends here" in screen.bottom
        await screen.command("print 1 + 1")
        assert "needs the script itself" in screen.bottom
        await screen.command("goto 2:1")
        assert "not in the recording" in screen.bottom


# -- damaged and hostile files -------------------------------------------------------------------


def rewritten(path: Path, to: Path, changes: dict[str, Any]) -> Path:
    """A copy of a zip with some members changed, its checksums right."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            raw = old.read(info)
            new.writestr(info.filename, changes[info.filename](raw) if info.filename in changes else raw)
    return to


def look(path: Path) -> bool:
    """Open a file, and look at some moments of each episode; False where it is refused as it is to be."""
    try:
        opened = open_recording(path, 1 << 26)
    except RecordingError:
        return False
    try:
        with reading(path):
            for history in (run.history for run in opened.runs):
                for index in history.recorded:
                    trace = history.traces[index]
                    for event in (0, len(trace) // 2, len(trace) - 1):
                        moment(trace, event)
                for summary in history.summaries:
                    assert summary.data is None or len(summary.data) >= 0
    except RecordingError:
        return False
    finally:
        opened.close()
    return True


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """Some bytes turned, cut out, doubled, or an end cut off."""
    found = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(max(1, len(found)))
        kind = chance.randrange(4)
        if kind == 0 and found:
            found[at % len(found)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del found[at : at + chance.choice((1, 4, 100, len(found)))]
        elif kind == 2:
            found[at:at] = found[at : at + chance.choice((1, 8, 200))]
        else:
            found[at : at + 4] = chance.randbytes(4)
    return bytes(found)


def mutate(small: Path, folder: Path, seeds: range) -> int:
    """How many of the mutated files were refused."""
    raw, refused = small.read_bytes(), 0
    for seed in seeds:
        chance = random.Random(seed)
        path = folder / "m.mgt"
        if seed % 2:
            path.write_bytes(mutated(raw, chance))
        else:  # its checksums are right: what is wrong has to be found by looking
            with zipfile.ZipFile(small) as old:
                name = chance.choice([i.filename for i in old.infolist() if i.filename != "output"])
            rewritten(small, path, {name: lambda member, own=chance: mutated(member, own)})
        refused += not look(path)
    return refused


def test_a_mutated_file_is_refused_or_read(small: Path, tmp_path: Path) -> None:
    assert mutate(small, tmp_path, range(60)) > 30
    assert [p.name for p in tmp_path.iterdir()] == ["m.mgt"]


@pytest.mark.slow
def test_many_mutated_files(small: Path, tmp_path: Path) -> None:
    """``MUTATIONS=10000``: so many of them."""
    count = int(os.environ.get("MUTATIONS", "300"))
    assert mutate(small, tmp_path, range(1000, 1000 + count)) > count / 2
    assert [p.name for p in tmp_path.iterdir()] == ["m.mgt"]


def test_a_member_that_unpacks_to_too_much_is_refused(small: Path, tmp_path: Path) -> None:
    bomb = rewritten(small, tmp_path / "b.mgt", {"episodes/1.bin": lambda raw: bytes(500 << 20)})
    assert bomb.stat().st_size < 4 << 20
    assert not look(bomb)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_no_recording(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "any.mgt"
    path.write_bytes(raw)
    assert not look(path)


def test_a_closed_recording_says_so(small: Path) -> None:
    archive = Archive(small)
    archive.close()
    with pytest.raises(RecordingError, match="was closed"):
        archive.raw("run.json")


# -- branches ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def branched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Debugger, Path]]:
    """A live session of three runs, one of which has left another branch, and its recording."""
    live = ended(small_launch(tmp_path_factory.mktemp("live")))
    give(
        live, "goto 4:700", "set lm_head[0][0] = 0.5", "run", "goto 6:300", "set lm_head[0][1] = 0.25", "run", "goto 6"
    )
    give(live, "branch main", "goto 2:100", "branch b1", "goto 5:50")
    path = tmp_path_factory.mktemp("branches") / "run.mgt"
    give(live, f"record {path}")
    yield live, path
    live.close()


def test_branches_are_in_the_file_too(branched: tuple[Debugger, Path]) -> None:
    live, path = branched
    opened = Debugger(Launch(path, recording=path))
    try:
        assert said(opened, "branches") == said(live, "branches")
        assert opened.branch.name == "b1"
        for branch in live.branches:
            give(live, f"branch {branch.name}") if live.branch is not branch else None
            give(opened, f"branch {branch.name}") if opened.branch.name != branch.name else None
            assert opened.moment == live.moment, branch.name
            assert set(opened.history.recorded) >= set(live.history.recorded), "or more, of what it shares"
            assert [s.loss for s in opened.history.summaries] == [s.loss for s in live.history.summaries]
            assert [_bytes(s.data) for s in opened.history.summaries] == [
                _bytes(s.data) for s in live.history.summaries
            ]
            assert opened.process.output(0) == live.process.output(0)
            for index in live.history.recorded:
                true, found = live.history.traces[index], opened.history.traces[index]
                for column in COLUMNS:
                    assert _bytes(getattr(found, column)) == _bytes(getattr(true, column)), (branch.name, index, column)
    finally:
        opened.close()


def test_an_episode_that_runs_share_is_in_the_file_once(branched: tuple[Debugger, Path]) -> None:
    live, path = branched
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    assert "branches/1/episodes/2.bin" not in names, "that is before it left"
    assert {n.split("/")[1] for n in names if n.startswith("branches/")} == {str(b.number) for b in live.branches[1:]}


def test_mutated_branches_are_refused_or_read(branched: tuple[Debugger, Path], tmp_path: Path) -> None:
    for seed in range(40):
        chance = random.Random(seed)
        with zipfile.ZipFile(branched[1]) as old:
            name = chance.choice(
                [n for n in old.namelist() if n.startswith("branches/") and n.endswith("json")] + [HEADER]
            )
        look(rewritten(branched[1], tmp_path / "m.mgt", {name: lambda raw, own=chance: mutated(raw, own)}))
    for wrong in (
        {"number": 0},
        {"number": "1"},
        {"parent": 9},
        {"left": [1]},
        {"name": 3},
        {"changed": None},
        {"episodes": 5},
    ):

        def change(raw: bytes, wrong: dict[str, Any] = wrong) -> bytes:
            header = json.loads(raw)
            header["branches"][0].update(wrong)
            return json.dumps(header).encode()

        assert not look(rewritten(branched[1], tmp_path / "m.mgt", {HEADER: change})), wrong


# -- running on --------------------------------------------------------------------------------


def test_a_script_is_run_on_from_where_its_recording_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "scripts" / "gpt.py"
    script.parent.mkdir()
    (tmp_path / "names.txt").write_bytes((SAMPLES.parent / "names.txt").read_bytes())
    script.write_text((SAMPLES / "closures_tuple.py").read_text("utf-8"), "utf-8")
    live = Debugger(Launch(script, goal=goals.Steps(2)))
    live.wait()
    path = tmp_path / "run.mgt"
    give(live, "break op:mul if data > 1e9", "goto 2:300", "bookmark here", f"record {path}")
    live.close()
    words = ["run", str(path), "--script", str(script), "--steps", "3", "--json"]
    asked = ["where", "breakpoints", "goto bookmark here", "print 1 + 1", "history"]
    assert main([*words, *(w for c in asked for w in ("-c", c))]) == 0
    document = json.loads(capsys.readouterr().out)
    answers = {c["command"]: c["text"] for c in document["commands"]}
    assert [c["ok"] for c in document["commands"]] == [True] * 6
    assert "\n2:300 " in answers["where"]
    assert "op:mul if data > 1e9" in answers["breakpoints"]
    assert "\n2:300 " in answers["goto bookmark here"]
    assert answers["print 1 + 1"].startswith("2")
    assert "loss" not in answers["history"], "every loss is as it was"

    script.write_text(script.read_text("utf-8") + "# changed\n", "utf-8")
    assert main([*words, "-c", "history"]) == 0
    first, asked = (c["text"] for c in json.loads(capsys.readouterr().out)["commands"])
    for text in (first, asked):
        assert "the script is not as it was when run.mgt was recorded" in text


def test_what_needs_a_script_names_the_way(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(small), "-c", "print 1"]) == 1
    assert "open it with --script FILE" in capsys.readouterr().out
    assert main(["run", str(SAMPLES / "mlp_only.py"), "--script", "x.py"]) == 2
    assert "it goes with a recording" in capsys.readouterr().err
    assert main(["run", str(small), "--script", "nowhere.py"]) == 2
    assert "nowhere.py: no such file" in capsys.readouterr().err


# -- hostile texts -----------------------------------------------------------------------------

EVIL = "\x1b]0;OWNED\x07\x9b31m\u202e"
"""Sets a terminal's title; the eight-bit way to colours; turns a line around."""


def poisoned(value: Any, key: str = "") -> Any:
    """Every text that a person may be shown, with control characters in it."""
    if isinstance(value, dict):
        return {k if k.isidentifier() or "/" in k else k + EVIL: poisoned(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(v, key) for v in value]
    path = isinstance(value, str) and value.startswith("[")  # to a place in a list: read by the program, not shown
    return value + EVIL if isinstance(value, str) and key in POISONED and not path else value


POISONED = {"texts", "ops", "scope_values", "changed", "name", "script", "arguments", "written by", "class_name",
            "files", "namespace", "matrices", "sites", "target", "condition", "log", "commands"}  # fmt: skip


def on_terminal(*words: str, keys: bytes = b"", seconds: float = 60) -> bytes:
    """What a command writes to a terminal of its own, keys pressed once something is there."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "microgpt_tui", *words], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(slave)
    seen, end, pressed = b"", time.monotonic() + seconds, False
    try:
        while time.monotonic() < end:
            if select.select([master], [], [], 1.0)[0]:
                try:
                    got = os.read(master, 65536)
                except OSError:
                    break
                if not got:
                    break
                seen += got
            elif keys and not pressed and seen:
                os.write(master, keys)
                pressed = True
            elif child.poll() is not None:
                break
    finally:
        child.kill()
        child.wait()
        os.close(master)
    return seen


@pytest.mark.slow
def test_nothing_in_a_file_reaches_the_terminal_unescaped(branched: tuple[Debugger, Path], tmp_path: Path) -> None:
    path = tmp_path / "evil.mgt"
    with zipfile.ZipFile(branched[1]) as old:
        members = {
            n: lambda raw: json.dumps(poisoned(json.loads(raw))).encode() for n in old.namelist() if n.endswith(".json")
        }
        members["output"] = lambda raw: raw + EVIL.encode()
    rewritten(branched[1], path, members)
    asked = ["where", "bt", "list", "branches", "history", "find op:mul", "breakpoints", "bookmark", "info locals"]
    calls = [
        ["run", str(path), *(w for c in asked for w in ("-c", c))],
        ["show", str(path), "--at", "2:loss"],
        *(
            ["show", str(path), "--at", "2:loss", "--pane", pane]
            for pane in ("tokens", "weights", "variables", "training")
        ),
    ]
    for words in calls:
        seen = on_terminal(*words)
        assert seen, words
        assert b"\x1b]0;OWNED" not in seen, (words, seen[-500:])
        assert "\x9b".encode() not in seen, words
        assert b"Traceback" not in seen, seen[-1500:]
    assert b"OWNED" in on_terminal(*calls[0]), "it is shown, made visible"
    seen = on_terminal("open", str(path), keys=b"s4567890:branches\r", seconds=12)
    assert b"\x1b[?1049h" in seen, "the screen was there"
    assert b"\x1b]0;OWNED" not in seen
    assert "\x9b31m".encode() not in seen
