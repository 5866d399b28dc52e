"""What the hooks write down, without a process: the log of a rewritten script, and that looking changes nothing."""

from __future__ import annotations

import builtins
import random
from collections.abc import Iterator
from typing import Any

import pytest
from rewrite_fixtures import BODY, NAME, VALUE, Rewritten, execute, rewrite

from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.record.kinds import Opaque
from microgpt_tui.debuggee.record.recorder import LONGEST_COPY, LONGEST_GROWING, Recorder
from microgpt_tui.debuggee.rewrite import sites as hooks
from microgpt_tui.protocol.codes import SiteKind

BACKWARD = "loss = a * b + c\nloss.backward()\n"


class Recorded:
    """A script that has run under the hooks."""

    def __init__(self, text: str, made: Rewritten, recorder: Recorder, names: dict[str, Any]) -> None:
        self.names = names
        self.made = made
        self.recorder = recorder
        first = next(i for i, s in enumerate(made.sites) if s is not None and s.line >= BODY)
        mark = recorder.log.index(first) if first in recorder.log else 0
        self.log = recorder.log[mark:]
        """What was told from the text on."""

    def notes(self, kind: SiteKind) -> list[tuple[Any, ...]]:
        """What was told at the sites of a kind, without their numbers."""
        sites = {i for i, s in enumerate(self.made.sites) if s is not None and s.kind is kind}
        return [entry[1:] for entry in self.recorder.log if isinstance(entry, tuple) and entry[0] in sites]


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """The hooks live in ``builtins``: none outlives its test."""
    yield
    for name in [n for n in vars(builtins) if n.startswith("@mg_")]:
        del vars(builtins)[name]


def record(text: str, checked: list[bool] | None = None) -> Recorded:
    """Run a text after ``VALUE`` under a recorder; ``checked`` collects what a stepping recorder asks."""
    made = rewrite(VALUE + text)
    recorder = Recorder(made.sites, ("data", "grad"), {NAME: 0})
    recorder.makers = made.makers
    recorder.install()
    if checked is not None:
        recorder.run_checked(checked.append)
    return Recorded(text, made, recorder, execute(made.tree))


KEPT = "Value(self.data * other.data, (self, other), (other.data, self.data))"
APART = {
    "pairs": "Value(self.data * other.data, ((self, other.data), (other, self.data)))",
    "with a word": 'Value(self.data * other.data, ("*", self, other))',
    "objects": "Value(self.data * other.data, (types.SimpleNamespace(node=self), types.SimpleNamespace(node=other)))",
    "closures": "Value(self.data * other.data, lambda: (self, other))",
    "a tape": "Value(self.data * other.data)",
    "by hand later": "Value.late(Value(self.data * other.data), self, other)",
}


@pytest.mark.parametrize("made", APART.values(), ids=APART)
def test_operands_are_seen_where_a_node_does_not_keep_them_in_a_container(made: str) -> None:
    assert VALUE.count(KEPT) == 1
    late = "    @staticmethod\n    def late(new, x, y):\n        new.x, new.y = x, y\n        return new\n\n"
    source = (
        VALUE.replace(KEPT, made).replace("    def __pow__", late + "    def __pow__").replace("math", "math, types", 1)
    )
    rewritten = rewrite(source + "x = a * b\ny = x * x\n")
    recorder = Recorder(rewritten.sites, ("data", "grad"), {NAME: 0})
    recorder.makers = rewritten.makers
    recorder.install()
    names = execute(rewritten.tree)
    recorder.operands.judge()
    assert recorder.operands.needed
    assert recorder.operands.of(names["x"]) == (names["a"], names["b"])
    assert recorder.operands.of(names["y"]) == (names["x"], names["x"])


# -- order of the log ------------------------------------------------------------------------


def test_the_log_is_in_order_of_time_nodes_marks_and_notes() -> None:
    found = record("x = a * b\n")
    statement, creation, node, binding = found.log
    site = found.made.sites
    assert site[statement].kind is SiteKind.STATEMENT  # type: ignore[union-attr]
    assert site[creation].kind is SiteKind.CREATE  # type: ignore[union-attr]
    assert node is found.names["x"]
    assert (site[binding[0]].kind, binding[1]) == (SiteKind.BIND, node)  # type: ignore[union-attr]


def test_running_freely_a_hook_is_the_lists_own_append() -> None:
    found = record(BACKWARD)  # by the first pass it is clear that operands are where they are read from
    append = found.recorder.log.append
    assert not found.recorder.operands.watching
    assert not found.recorder.operands.needed
    assert all(vars(builtins)[name] == append for name in (hooks.MARK, hooks.NODE, hooks.NOTE, hooks.SOURCE))


def test_stepping_writes_the_same_log_and_asks_after_every_entry() -> None:
    def shapes(log: list[Any]) -> list[Any]:
        return [e if isinstance(e, int) else e[0] if isinstance(e, tuple) else "node" for e in log]

    text = "x = a * b + c\nprint\nx.grad += 2\n"
    free, asked = record(text), list[bool]()
    stepped = record(text, asked)
    assert shapes(stepped.log) == shapes(free.log)
    events = sum(not isinstance(e, int) for e in stepped.recorder.log)
    bound = sum(1 for _ in stepped.notes(SiteKind.BIND))
    assert sum(asked) == events - bound, "an event may have happened: a node was made, or something was told"
    assert asked.count(False) == sum(isinstance(e, int) for e in stepped.recorder.log)


# -- a backward pass -------------------------------------------------------------------------


def test_a_backward_pass_runs_freely_by_one_entry_a_node() -> None:
    found = record(BACKWARD)
    begin, end = found.recorder.passes
    nodes = found.recorder.log[begin + 1 : end]
    assert nodes[0] is found.names["loss"]
    assert len(nodes) == len({id(n) for n in nodes}) == 5
    assert not found.notes(SiteKind.ACCUMULATE)
    assert not found.recorder.propagating


def test_while_stepping_each_contribution_is_told_by_itself() -> None:
    found = record(BACKWARD, [])
    a, b, c, loss = (found.names[n] for n in ("a", "b", "c", "loss"))
    product = loss._children[0]
    told = found.notes(SiteKind.ACCUMULATE)
    assert {(t, s, d, f) for t, s, d, f in told} == {
        (product, loss, 1, 1), (c, loss, 1, 1), (a, product, 3.0, 3.0), (b, product, 2.0, 2.0),
    }  # fmt: skip
    assert [n.grad for n in (a, b, c)] == [3.0, 2.0, 1]


def test_stepping_may_end_in_the_middle_and_changes_over_between_two_nodes() -> None:
    made = rewrite(VALUE + BACKWARD)
    recorder = Recorder(made.sites, ("data", "grad"), {NAME: 0})
    recorder.makers = made.makers
    recorder.install()

    def check(event: bool) -> None:
        if event and recorder.propagating:
            recorder.run_freely()

    recorder.run_checked(check)
    names = execute(made.tree)
    begin, end = recorder.passes
    inside = recorder.log[begin + 1 : end]
    assert [isinstance(entry, tuple) for entry in inside] == [True, True, False, False, False, False]
    assert [names[n].grad for n in "abc"] == [3.0, 2.0, 1]


def test_the_loss_of_a_backward_pass_is_kept() -> None:
    found = record(BACKWARD + "loss.backward()\n")
    assert found.recorder.losses == [11.0, 11.0]
    assert found.recorder.backward_depth == 0


# -- variables -------------------------------------------------------------------------------


def test_a_list_is_told_as_it_is_now() -> None:
    found = record("x = [a, b]\nx[0] = c\ny = [[1, 2], [3]]\ny[0][0] = 9\n")
    first, nested = [e[0] for e in found.notes(SiteKind.BIND)][-2:]
    assert first == (found.names["a"], found.names["b"])
    assert nested == ((1, 2), (3,))
    assert [entry[1:] for entry in found.notes(SiteKind.ELEMENT)] == [((0,), found.names["c"]), ((0, 0), 9)]


def test_of_a_long_list_only_the_length_is_told() -> None:
    found = record(f"x = [0.0] * {LONGEST_COPY + 1}\ny = ['text'] * 3\n")
    long, texts = [e[0] for e in found.notes(SiteKind.BIND)][-2:]
    assert isinstance(long, Opaque)
    assert isinstance(texts, Opaque)
    assert (long.length, texts.length) == (LONGEST_COPY + 1, 3)


def test_weights_are_not_copied() -> None:
    made = rewrite(VALUE + "w = [a, b]\n")
    recorder = Recorder(made.sites, ("data", "grad"), {NAME: 0})
    recorder.makers = made.makers
    recorder.install()
    names = execute(made.tree)
    recorder.weights = {identity_of(names["w"]): names["w"]}
    assert recorder.copied(names["w"], 0) is names["w"]
    assert recorder.copied([names["w"]], 0)[0] is names["w"]


def test_what_grows_tells_its_new_items() -> None:
    found = record("x = [[]]\nx[0].append(a)\nx[0].append(object())\nx.extend([[b]])\n")
    appended, extended = found.notes(SiteKind.APPEND)
    assert appended[:3] == (found.names["a"], (0,), True)
    assert extended[0][1] == (found.names["b"],)
    assert extended[1:3] == ((), False)
    long = record(f"x = [0] * {LONGEST_GROWING}\nx.extend([1])\n")
    assert not long.notes(SiteKind.APPEND)


def test_other_objects_are_nobodys_business() -> None:
    found = record("x = object()\ny = None\nz = 'text'\n")
    assert found.notes(SiteKind.BIND)[-1] == ("text",)
    assert not any(type(e[0]) is object or e[0] is None for e in found.notes(SiteKind.BIND))


def test_before_a_write_the_number_is_told_unless_the_episode_began_with_it() -> None:
    made = rewrite(VALUE + "def update(v):\n    v.data -= 1\n")
    recorder = Recorder(made.sites, ("data", "grad"), {NAME: 0})
    recorder.makers = made.makers
    recorder.install()
    names = execute(made.tree)
    recorder.kept_ids = {identity_of(names["a"]): 0}
    for name in "ab":
        names["update"](names[name])
    site = made.sites.index(made.of(SiteKind.BEFORE)[0])
    assert [e for e in recorder.log if isinstance(e, tuple) and e[0] == site] == [(site, names["b"], 3.0)]


# -- random choices and output ---------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        "choices(range(3), weights=w)[0]", "choices([5, 6, 7], w)[0]", "choices(range(3), cum_weights=[1, 2, 3])[0]",
        "choices('xyz', w, k=2)", "choices(population='xyz', weights=iter(w))[0]", "random()", "choices(range(3))[0]",
    ],
)  # fmt: skip
def test_a_choice_is_the_scripts_own_and_the_generator_where_it_would_be(call: str) -> None:
    text = f"import random\nw = [0.2, 0.5, 0.3]\nrandom.seed(4)\nx = [random.{call} for _ in range(20)]\n"
    found = record(text)
    after = random.getstate()
    bare = execute(VALUE + text)
    assert found.names["x"] == bare["x"]
    assert after == random.getstate()


def test_a_choice_tells_its_draw_its_weights_and_what_was_chosen() -> None:
    found = record("import random\nrandom.seed(4)\nx = random.choices('xyz', weights=[2, 5, 3])[0]\n")
    random.seed(4)
    draw = random.random()
    assert found.notes(SiteKind.SAMPLE) == [(draw, [2, 5, 3], "xyz", found.names["x"])]
    assert found.names["x"] == "xyz"[(draw * 10 >= 2) + (draw * 10 >= 7)]


def test_a_function_that_is_called_choices_is_only_called() -> None:
    found = record("def choices(x, **k):\n    return x\ny = choices(3, weights=[1])\n")
    assert found.names["y"] == 3
    assert not found.notes(SiteKind.SAMPLE)


def test_a_print_tells_how_much_output_there_is(capfd: pytest.CaptureFixture[str]) -> None:
    found = record("print('four', flush=True)\nprint('x')\n")
    ends = [end for (end,) in found.notes(SiteKind.PRINT)]
    assert ends == sorted(ends)
    assert capfd.readouterr().out == "four\nx\n"


# -- episodes --------------------------------------------------------------------------------


def test_episodes_are_counted_by_kind_and_an_empty_one_between_them_is_none() -> None:
    made = rewrite(VALUE)
    recorder = Recorder(made.sites, ("data", "grad"), {NAME: 0})
    recorder.makers = made.makers
    recorder.install()
    names = execute(made.tree)
    recorder.episode_kind, closed = "step", list[dict[str, Any]]()
    recorder.send_episode = closed.append
    for kind in ("step", "step", "other", "sample", "other", "other"):
        recorder.begin(kind, None)
        if kind != "other":
            recorder.log.append(names["a"])
    assert [(e["index"], e["kind"], e["number"]) for e in closed] == [
        (0, "step", 0),
        (1, "step", 1),
        (2, "step", 2),
        (3, "sample", 1),
    ]


def test_a_new_episode_begins_with_an_empty_log_and_knows_how_the_parameters_stand() -> None:
    made = rewrite(VALUE + "loss = a * b\nloss.backward()\n")
    recorder = Recorder(made.sites, ("data", "grad"), {NAME: 0})
    recorder.makers = made.makers
    recorder.install()
    names = execute(made.tree)
    recorder.kept_nodes, recorder.episode_kind = [names["a"], names["b"]], "step"
    log = recorder.log
    recorder.begin("step", None)
    assert recorder.log is log, "the hooks are bound to it"
    assert not log
    assert recorder.start_data == [2.0, 3.0]
    assert recorder.start_grad == [3.0, 2.0]
    assert recorder.losses == recorder.passes == []
