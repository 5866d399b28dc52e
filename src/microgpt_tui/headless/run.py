"""``run``: a script under the recorder without a screen, and what every episode was made of.

The JSON document::

    {"script": path, "class": name of the autograd class, "parameters": how many numbers it keeps,
     "total_steps": what its loop intends or null,
     "episodes": [{"episode": "setup" | "step 3" | "sample 1" | "other", "kind": .., "number": ..,
                   "loss": number or null, "losses": [one per backward pass],
                   "nodes": .., "events": {"create": .., "accumulate": .., ..}, "edges": ..,
                   "seconds": wall clock, "cpu": CPU seconds, both without encoding}],
     "commands": [{"command": .., "ok": whether it could be done, "status": 1 where it failed or found something wrong,
                   "text": .., "data": {..}}],
     "not_given": [commands after one that failed or after quit],
     "end": {"reason": "steps" | "end" | "exit" | "exception" | "failed" | "quit" | .., "status": exit status or null},
     "output": what the script printed}
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from microgpt_tui.headless.launch import InputError, check
from microgpt_tui.headless.terminal import print_json, replay
from microgpt_tui.protocol import goals
from microgpt_tui.protocol.codes import CREATE, EVENT_NAMES
from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.messages import EpisodeEnded
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.history import Summary
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Trace

_UNFLUSHED = 120
"""Python's own exit status where its output cannot be written."""
LAST_LINES = 20
"""How much of the script's output the text report ends with."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One finished episode in numbers."""

    episode: str
    kind: str
    number: int
    loss: float | None
    losses: tuple[float, ...]
    nodes: int
    edges: int
    events: dict[str, int]
    seconds: float
    cpu: float

    @property
    def line(self) -> str:
        """A row of the table."""
        loss = f"{self.loss:.6f}" if self.loss is not None else "-"
        kinds = "  ".join(f"{name} {count:,}" for name, count in self.events.items() if count)
        return f"{self.episode:<12} {loss:>10} {self.nodes:>9,} {self.cpu * 1000:>8.0f} ms  {kinds}"


HEADING = f"{'episode':<12} {'loss':>10} {'nodes':>9} {'CPU':>11}  events"


def episode_from(summary: Summary, trace: Trace | None) -> Episode | None:
    """An episode as it was counted by the script's process, or as it was recorded; None where it was neither."""
    if summary.events:
        numbers, edges = summary.events, summary.edges
    elif trace is not None:
        raw = trace.kind.tobytes()
        numbers, edges = tuple(raw.count(bytes((kind,))) for kind in range(len(EVENT_NAMES))), len(trace.child)
    else:
        return None
    events = dict(zip(EVENT_NAMES, numbers, strict=True))
    name = f"{summary.kind} {summary.number}" if summary.number else summary.kind
    return Episode(
        name, summary.kind, summary.number, summary.loss, summary.losses, numbers[CREATE], edges, events,
        summary.seconds, summary.cpu,
    )  # fmt: skip


def commands_in(file: str) -> list[str]:
    """The commands of a file, one a line; one that begins with # is a remark. Raises InputError."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"-x {file}: cannot be read: {error}. Give a text with one command a line.") from None
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def run(launch: Launch, steps: int | None, commands: list[str], *, as_json: bool) -> int:
    """Run a script (to the end, or ``steps`` training steps) and report.

    Commands are given at the first operation of the first training step; with ``steps`` the run then goes on, and
    never beyond. Returns 1 where the script or a command failed (those after it are not given) or found something
    wrong, else 0. Raises InputError where the setup failed before there was a node.
    """
    if not commands:
        launch.history_memory = 0  # nobody goes back
    launch.most_steps = (steps or 0) if commands else 0
    counted = {"forget": True, "counting": True}
    launch.goal = goals.Episode() if commands else goals.Steps(steps, **counted) if steps else goals.End(**counted)
    debugger = Debugger(launch)
    try:
        return _run(debugger, steps, commands, as_json)
    finally:
        debugger.close()


def _run(debugger: Debugger, steps: int | None, commands: list[str], as_json: bool) -> int:
    episodes: list[Episode] = []
    printed: list[str] = []
    keep = bool(commands)

    def take(message: Data | None) -> None:
        if not isinstance(message, EpisodeEnded):
            return
        history = debugger.history
        summary = history.summaries[-1]
        episode = episode_from(summary, history.traces.get(summary.index))
        if episode is None:  # run freely by a command
            return
        episodes.append(episode)
        if summary.index and not keep:
            history.traces.pop(summary.index, None)
        if not as_json and (episodes[-1].nodes or printed):  # a setup that fails before its first node has no table
            for episode in episodes[len(printed) :]:
                printed.append(episode.line if printed else f"{HEADING}\n{episode.line}")
                print(printed[-1], flush=True)

    debugger.wait(take)
    check(debugger)
    if debugger.launch.recording is not None and not commands:
        episodes = _recorded(debugger, as_json)
    results, reason = _obey(debugger, commands, take, as_json)
    if commands and steps and not reason and not debugger.over:
        keep = False
        for b in debugger.breakpoints:
            b.enabled = b.enabled and b.log is not None
        debugger.run_steps(steps)
        debugger.wait(take)
    history = debugger.history
    stop = history.stop
    status = stop.status if stop is not None else None
    if not reason:
        reason = stop.reason if stop is not None and (commands or stop.reason != "step") else "steps"
    end = {"reason": reason, "status": status}
    if debugger.over and reason != "killed":
        ended = debugger.process.end()  # an exit handler may have changed its mind
        if stop is not None and reason == stop.reason == "end" and ended not in (None, 0, _UNFLUSHED):
            end["reason"] = "exit" if ended > 0 else "killed"
        end["status"] = status = ended if ended is not None else status
    output = debugger.process.output(0)
    if as_json:
        program = history.program
        document = {
            "script": str(debugger.launch.script), "class": program.class_name, "parameters": len(program.kept),
            "total_steps": program.total_steps, "episodes": [asdict(e) for e in episodes], "commands": results,
            "not_given": commands[len(results) :], "end": end,
            "output": output.decode(errors="replace"),
        }  # fmt: skip
        print_json(document)
    else:
        _print_end(end, output)
    replay(sys.stderr, debugger.process.errors())
    return 1 if status not in (None, 0) or any(r["status"] for r in results) else 0


def _recorded(debugger: Debugger, as_json: bool) -> list[Episode]:
    """The episodes that a recording has whole."""
    history = debugger.history
    found = [episode_from(s, history.traces.get(s.index)) for s in history.summaries if s.index in history.traces]
    episodes = [e for e in found if e is not None]
    if not as_json:
        print("\n".join([HEADING, *(e.line for e in episodes)]))
    return episodes


def _obey(
    debugger: Debugger, commands: list[str], take: Callable[[Data | None], None], as_json: bool
) -> tuple[list[dict[str, Any]], str]:
    """Give the commands one after another, each when the script stands still.

    What they answered; and why those after are not given: ``quit``, ``failed``, or empty where all were.
    """
    results: list[dict[str, Any]] = []
    reason = ""
    if not commands:
        return results, reason
    from microgpt_tui.session.commands import CommandError, Result, execute

    for command in commands:
        try:
            answer, ok = execute(debugger, command, take), True
        except CommandError as error:
            answer, ok = Result(str(error), status=1), False
        results.append(
            {"command": command, "ok": ok, "status": answer.status, "text": answer.text, "data": answer.data}
        )
        if not as_json:
            print(f"> {command}\n{answer.text}")
        if answer.ends or not ok:
            reason = "quit" if answer.ends else "failed"
            break
    rest = commands[len(results) :]
    if rest and reason == "failed":
        print(f"not given, because {commands[len(results) - 1]!r} failed: {'; '.join(rest)}", file=sys.stderr)
    return results, reason


def _print_end(end: dict[str, Any], output: bytes) -> None:
    status = "" if end["status"] is None else f", exit status {end['status']}"
    print(f"ended: {end['reason']}{status}")
    lines = [line.rsplit(b"\r", 1)[-1] for line in output.replace(b"\r\n", b"\n").rstrip(b"\r\n").split(b"\n")]
    if any(lines):
        more = len(lines) - LAST_LINES
        print(f"the script's output{f', last {LAST_LINES} lines of {len(lines)}' if more > 0 else ''}:")
        replay(sys.stdout, b"".join(b"  %b\n" % line for line in lines[-LAST_LINES:]))
