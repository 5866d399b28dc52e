"""Changing the script at a moment: the run goes on from there as a branch, and its own run sleeps meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from microgpt_tui.protocol.messages import (
    Answer,
    Belong,
    Belongs,
    Command,
    Execute,
    Executed,
    NumberSet,
    SetNumber,
    Split,
    Splitted,
)
from microgpt_tui.session.branches import Branch, copied
from microgpt_tui.session.debugger import Debugger, Moment, Unanswered
from microgpt_tui.session.moment import name_of
from microgpt_tui.session.process import Connected
from microgpt_tui.session.script import Script
from microgpt_tui.trace.names import name as name_of_node
from microgpt_tui.trace.references import node_named
from microgpt_tui.trace.trace import Trace

A = TypeVar("A", bound=Answer)


class NotPossible(ValueError):
    """It cannot be changed now; the message says what would do."""


@dataclass(frozen=True, slots=True)
class Alteration:
    """A number that the person has set. From its moment on the run is not the script's own."""

    node: int
    name: str
    old: float
    new: float
    moment: Moment
    undone: bool = False

    @property
    def text(self) -> str:
        """In words."""
        if self.undone:
            return f"{self.name} is {self.new!r} again"
        return f"{self.name} was {self.old!r} and is {self.new!r}: altered from here on"


def set_value(debugger: Debugger, name: str, value: str) -> Iterator[None]:
    """Give a node another number at the cursor's moment, in a branch. Raises NotPossible, NotHere or Unanswered."""
    try:
        number = float(value)
    except ValueError:
        raise NotPossible(f"“{value}” is no number") from None
    trace = debugger.trace
    if trace is None or debugger.moment.event < 0:
        raise NotPossible("nothing is recorded here")
    node = node_named(trace, name, debugger.moment.event)
    yield from _leave(debugger, f"{name} = {value}")
    made = _ask(debugger, node, number, name_of_node(trace, node))
    debugger.alterations.append(made)
    debugger.notice = f"{made.text}{_where(debugger)}"


def execute(debugger: Debugger, statement: str) -> Iterator[None]:
    """Execute a statement at the cursor's moment, in a branch. Raises NotPossible or Unanswered."""
    try:
        compile(statement, "<exec>", "exec")
    except SyntaxError as error:
        raise NotPossible(f"not a statement: {error.msg}: {statement}") from None
    parent = debugger.branch
    yield from _leave(debugger, statement)
    try:
        done = _tell(debugger, Execute(statement), Executed)
    except Unanswered:
        if debugger.branch is not parent:
            _drop(debugger)
        raise
    changed = f", {done.changed:,} numbers changed" if done.changed else ""
    debugger.notice = f"executed on line {done.line}{changed}: altered from here on{_where(debugger)}"


def _where(debugger: Debugger) -> str:
    branch = debugger.branch
    if branch.parent is None:
        return "; `undo` before going on"
    return f" in branch {branch.name}; `branch {branch.parent.name}` or `undo` goes back"


def _leave(debugger: Debugger, changed: str) -> Iterator[None]:
    """Make the cursor's moment the frontier of a branch; where the run can be changed in place, only that."""
    if debugger.running:
        raise NotPossible("the script is running; pause it first")
    branch, moment, trace = debugger.branch, debugger.moment, debugger.trace
    assert trace is not None
    live = debugger.at_frontier and not debugger.over
    if live and branch.altered == moment:
        branch.changed += f"; {changed}"  # nothing has run since the change before
        return
    if live:
        script = _split(debugger)
        if script is None:
            return
        left, whole = moment, copied(trace)
    else:
        if not debugger.travel.at(moment):
            raise NotPossible(f"no branch can leave here: {debugger.notice}")
        yield
        found = debugger.travel.leave()
        if found is None:
            raise NotPossible(f"no branch can leave here: {debugger.notice or 'the copy did not come here'}")
        script, whole = found
        left = moment
    _switch(debugger, script, left, whole, changed)


def _split(debugger: Debugger) -> Script | None:
    """A copy of the live script; None where it is changed in place, because there can be none."""
    checkpoints = debugger.checkpoints
    if checkpoints is None:
        return None
    stdout, stderr = checkpoints.new_outputs()
    try:
        debugger.ask(Split(str(stdout), str(stderr)), Splitted)
    except Unanswered:
        return None
    found = checkpoints.awoken()
    if found is None:
        return None
    script = Script(debugger.launch, Connected(*found, stdout, stderr))
    script.process.receive()  # its own answer
    return script


def _switch(debugger: Debugger, script: Script, left: Moment, trace: Trace, changed: str) -> None:
    parent = debugger.branch
    number = max(b.number for b in debugger.branches) + 1
    history = parent.history.until(left.episode)
    history.traces[left.episode] = trace
    history.pinned.add(left.episode)
    history.stop = None if parent.history.stop is None or parent.history.stop.over else parent.history.stop
    _give_output(parent.script.process, script.process)
    if debugger.notify is not None and not script.listens:
        script.listen(debugger.notify)
    script.running = False
    branch = Branch(number, f"b{number}", history, script, parent, left, changed, left, altered=left)
    debugger.branches.append(branch)
    debugger.switch(branch)
    debugger.ask(Belong(number), Belongs)


def _give_output(parent: Connected, child: Connected) -> None:
    """What the parent had printed until the child left: the child's own file has a hole there."""
    for source, target, printed in (
        (parent.stdout, child.stdout, parent.output(0, child.output_size())),
        (parent.stderr, child.stderr, parent.errors(0, child.stderr.stat().st_size if child.stderr.exists() else 0)),
    ):
        if printed and source != target:
            with target.open("r+b") as file:
                file.write(printed)


def undo(debugger: Debugger) -> Alteration | None:
    """Take the last change back: in a branch that has left with it, by going back to where it left.

    Raises NotPossible where the run itself was changed and has gone on.
    """
    if debugger.running:
        raise NotPossible("the script is running; pause it first")
    alterations = debugger.alterations
    last: Alteration | None = alterations[-1] if alterations else None
    if debugger.branch.parent is not None and len(alterations) <= 1:
        branch = _drop(debugger)
        debugger.notice = f"branch {branch.name} ({branch.changed}) is gone: here is where it left"
        return None
    if last is None or last.undone:
        raise NotPossible("nothing was changed")
    if debugger.moment != last.moment or not debugger.at_frontier:
        raise NotPossible("the script has gone on with the changed number; `restart` begins anew")
    made = _ask(debugger, last.node, last.old, last.name)
    alterations[-1] = replace(last, undone=True)
    return replace(made, undone=True)


def _drop(debugger: Debugger) -> Branch:
    """Go back to the parent of the branch that is looked at, where it left, and end it with those that left it."""
    branch, parent = debugger.branch, debugger.branch.parent
    assert parent is not None
    assert branch.left is not None
    parent.moment = branch.left
    debugger.switch(parent)
    gone = [branch]
    for other in debugger.branches:
        if other.parent in gone:
            gone.append(other)
    for each in gone:
        each.script.process.close()
        debugger.branches.remove(each)
        if debugger.checkpoints is not None:
            for checkpoint in [c for c in debugger.checkpoints.items if c.run == each.number]:
                debugger.checkpoints.drop(checkpoint)
    return branch


def _ask(debugger: Debugger, node: int, number: float, shown: str) -> Alteration:
    answer = _tell(debugger, SetNumber(node, number), NumberSet)
    return Alteration(node, shown, float(answer.old), float(answer.new), debugger.moment)


def _tell(debugger: Debugger, order: Command, expected: type[A]) -> A:
    """Let the live script change something; a branch notes what was changed where it left."""
    branch, before = debugger.branch, debugger.moment
    answer = debugger.ask(order, expected)
    debugger.to_frontier()
    if branch.altered == before:
        branch.orders.append(order)
        branch.altered = debugger.moment
    return answer


def go_to_branch(debugger: Debugger, name: str) -> None:
    """Look at a run by its name; without one, at the run that this one has left. Raises NotPossible."""
    if debugger.running:
        raise NotPossible("the script is running; pause it first")
    if not name:
        if debugger.branch.parent is None:
            raise NotPossible("this is the script's own run: `branches` lists the others")
        name = debugger.branch.parent.name
    for branch in debugger.branches:
        if branch.name == name:
            if branch is not debugger.branch:
                debugger.switch(branch)
            debugger.notice = f"branch {name}: {name_of(branch.history, branch.moment)}"
            return
    raise NotPossible(f"no branch “{name}”; there are {', '.join(b.name for b in debugger.branches)}")
