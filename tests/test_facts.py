"""One fact, one place: live, recorded, one by one and as a column, every fact of an event is the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_fixtures import give, said, session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snippets import PRELUDE
from support import SAMPLES

from microgpt_tui.protocol.conditions import FACTS, template
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.breakpoints import holds, parse, resolve, where
from microgpt_tui.trace.facts import fact, facts, made_not_finite, not_finite
from microgpt_tui.trace.names import names_given, own_name
from microgpt_tui.trace.navigation import next_iteration
from microgpt_tui.trace.positions import position, position_loops, positions
from microgpt_tui.trace.references import node_named
from microgpt_tui.trace.trace import Trace

MODEL = """
def gelu(x):
    s = 1 / (1 + math.exp(-1.702 * x.data))
    return Value(x.data * s, (x,), (s + 1.702 * x.data * s * (1 - s),))


def log(x):
    return Value(math.log(x.data), (x,), (1 / x.data,))


class Layer:
    def __init__(self, n):
        self.w = [[Value(0.1 * (i + j + 1)) for j in range(n)] for i in range(n)]


class Model:
    def __init__(self):
        self.layers = [Layer(2) for _ in range(2)]


model = Model()
params = [p for layer in model.layers for row in layer.w for p in row]


def forward(x, {argument}):
    kept = []
    for layer in model.layers:
        q = {empty}
        for i in range(2):
            q[i] = layer.w[i][0] * x + layer.w[i][1]
        {nested}
        kept.append({activation})
        x = kept[-1]
    return x


for step in range(2):
    losses = []
    {loop}
        y = forward(Value(0.3 + 0.1 * {argument}), {argument})
        {advance}
        losses.append({loss})
    total = losses[0]
    for one in losses[1:]:
        total = total + one
    total.backward()
    for p in params:
        p.data -= 0.1 * p.grad
        p.grad = 0
    print(total.data)
"""
LOOPS = {
    "for pos in range(3):": ("pos", ""),
    "for k, token in enumerate([5, 3, 8]):": ("k", ""),
    "for token, target in zip([5, 3, 8], [3, 8, 5]):": ("token", ""),
    "at = 0\n    while at < 3:": ("at", "at += 1"),
}
SCRIPTS = st.builds(
    lambda loop, empty, nested, activation, loss: PRELUDE + MODEL.format(
        loop=loop, argument=LOOPS[loop][0], advance=LOOPS[loop][1] or "pass", empty=empty, nested=nested,
        activation=activation, loss=loss,
    ),
    st.sampled_from(sorted(LOOPS)), st.sampled_from(["[None] * 2", "[x] * 2", "{}"]),
    st.sampled_from(["h = [[q[0] * q[1]], [q[0] + q[1]]]", "h = q[0], q[1]", "h = q[0]"]),
    st.sampled_from(["gelu(q[0]) + q[1]", "(q[0] + q[1]).tanh()", "gelu(q[0] * q[1])"]),
    st.sampled_from(["-log(y * y + 1.0)", "log(y * y)"]),
)  # fmt: skip
PLACES = (
    "op:mul", "op:gelu", "op:*", "forward", "i=1", "var:q", "var:y", "phase", "phase:backward", "pos:1", "loss",
    "print:", "nan", "forward if grad != 0", "param:model.layers[0].w[0][1]", "step:1",
)  # fmt: skip
LOG = " ".join(f"{name}={{{name}}}" for name in sorted(FACTS)) + " i={i} step={step}"


def ran(text: str, *, live: bool) -> tuple[Debugger, dict[tuple[int, int], str]]:
    """A session over two steps, and with ``live`` what a log point at every event has said."""
    with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as file:
        file.write(text)
    debugger = Debugger(Launch(Path(file.name)))
    debugger.wait()
    give(debugger, "nan off")
    if live:
        give(debugger, f'log if 1 > 0 "{LOG}"')
    debugger.run_steps(1)
    debugger.wait()
    return debugger, {(m.episode, m.event): said for _, said, m in debugger.breakpoints.logs}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=SCRIPTS)
def test_every_fact_is_the_same_live_recorded_and_as_a_column(text: str) -> None:
    debugger, live = ran(text, live=True)
    try:
        trace = debugger.history.traces[1]
        extra = frozenset({"i", "step"})
        made = template(LOG, extra)
        columns = {name: facts(trace)[name] for name in made.names}
        assert len(live) > len(trace) // 2
        for event in range(len(trace)):
            single = {name: fact(trace, event, name) for name in made.names}
            assert repr(single) == repr({name: columns[name][event] for name in made.names})
            if (1, event) in live:
                assert live[1, event] == made.render(single)
        names_lead_back(trace)
        positions_agree(trace)
        places_agree(trace)
    finally:
        debugger.close()


def names_lead_back(trace: Trace) -> None:
    """What a name shows, every command understands."""
    for node, (since, text) in names_given(trace).items():
        assert own_name(trace, node, since) == text
        if since:
            assert own_name(trace, node, since - 1) is None
        found = node_named(trace, text, min(since, len(trace) - 1))
        assert own_name(trace, found, since) == text or since >= len(trace)


def positions_agree(trace: Trace) -> None:
    """``pos``, ``nextpos`` and ``break pos:1`` mean one loop."""
    known = positions(trace).position
    assert set(known.values()) == {0, 1, 2}
    for wanted in range(3):
        expected = sorted(trace.scope_first[s] for s, place in known.items() if place == wanted)
        assert where(resolve(parse(f"pos:{wanted}", trace.program), trace.program), trace, None) == expected
        assert all(position(trace, e) == wanted for e in expected)
    event, visited = 0, [0]
    while isinstance(following := next_iteration(trace, event), int) and position(trace, following) == position(
        trace, following
    ):
        event = following
        visited.append(event)
    assert visited == sorted(trace.scope_first[s] for s in known)


def places_agree(trace: Trace) -> None:
    """``where`` finds the events at which ``holds``."""
    program = trace.program
    for text in PLACES:
        place = resolve(parse(text, program), program)
        expected = [e for e in range(len(trace)) if holds(place, trace, e, lambda end: "")]
        assert where(place, trace, lambda end: "") == expected, text


# -- the cases that showed it ------------------------------------------------------------------

INDEXED = PRELUDE + MODEL.format(
    loop="for pos in range(3):", argument="pos", advance="pass", empty="[None] * 2", nested="h = q[0]",
    activation="gelu(q[0]) + q[1]", loss="y * y",
)  # fmt: skip


@pytest.fixture(scope="module")
def indexed() -> Iterator[Debugger]:
    """A script that assigns by index, one step recorded."""
    debugger, _ = ran(INDEXED, live=False)
    give(debugger, "goto 1:1")
    yield debugger
    debugger.close()


def test_what_find_lists_it_finds(indexed: Debugger) -> None:
    assert "q[1]" in said(indexed, "find op:add")
    assert said(indexed, "find q[1]").startswith("6 found")
    assert "0 found" not in said(indexed, 'find if name == "q[1]"')
    assert "gelu" in said(indexed, "find op:gelu").splitlines()[1]


def test_a_name_given_by_index_stops_the_live_script(tmp_path: Path) -> None:
    script = tmp_path / "indexed.py"
    script.write_text(INDEXED)
    debugger = session(script)
    try:
        assert "q[1]" in said(debugger, 'tbreak if name == "q[1]"', "continue")
        assert "gelu" in said(debugger, "break op:gelu", "continue")
    finally:
        debugger.close()


DOTTED = "model.layers[1].w[0][1]"


def test_dotted_names_are_understood_by_every_command(tmp_path: Path) -> None:
    script = tmp_path / "dotted.py"
    script.write_text(INDEXED)
    debugger = session(script)
    try:
        assert f"{DOTTED} = 0.2" in said(debugger, f"display {DOTTED}")
        assert f"{DOTTED} was 0.2" in said(debugger, f"set {DOTTED} = 0.5")
        assert f"watch {DOTTED}" in said(debugger, f"watch {DOTTED}")
        assert DOTTED in said(debugger, "delete all", f"tbreak {DOTTED}", "continue")
        assert DOTTED in said(debugger, f'tbreak if name == "{DOTTED}" and kind == "update"', "continue")
        assert "0 found" not in said(debugger, f"find {DOTTED}")
        for wrong in ("watch model.layers[k].w[0]", "display q[0].foo(q[1])"):
            with pytest.raises(ValueError, match=r"names nothing|not allowed") as refused:
                give(debugger, wrong)
            assert "_0" not in str(refused.value)
    finally:
        debugger.close()


@pytest.mark.parametrize(
    ("name", "loops"),
    [("gqa_three_layers", {"at"}), ("mlp_only", {"here", "there"}), ("whole_sequence", set()), ("closures_set", None)],
)
def test_the_loops_over_positions_of_other_peoples_scripts(name: str, loops: set[str] | None) -> None:
    debugger = Debugger(Launch(SAMPLES / "scripts" / f"{name}.py", data=SAMPLES / "names.txt"))
    try:
        debugger.wait()
        program = debugger.history.program
        found = {n for site in position_loops(program) for n in program.site(site).names}
        assert found == loops if loops is not None else found
    finally:
        debugger.close()


def test_nextpos_and_break_pos_mean_the_same_loop() -> None:
    debugger = Debugger(Launch(SAMPLES / "scripts" / "gqa_three_layers.py"))
    try:
        debugger.wait()
        assert "at=1" in said(debugger, "nextpos")
        here = debugger.moment
        debugger.goto(0)
        assert "pos:1" in said(debugger, "break pos:1", "continue")
        assert debugger.moment == here
    finally:
        debugger.close()


NOT_FINITE = """
w = [Value(1e200), Value(1.0)]
for step in range(2):
    mask = Value(float("-inf"))
    a = w[0] * w[0]
    b = a + -a
    c = w[1] * 2.0 + mask
    loss = w[1] * w[1] + a
    loss.backward()
    for p in w:
        p.data -= 0.1 * p.grad
        p.grad = 0
"""


def test_what_makes_a_nan_is_found_by_the_same_rule_one_by_one_and_at_once(tmp_path: Path) -> None:
    script = tmp_path / "not_finite.py"
    script.write_text(PRELUDE + NOT_FINITE)
    debugger = session(script, nan=False)
    try:
        debugger.run_steps(1)
        debugger.wait()
        trace = debugger.history.traces[1]
        found = not_finite(trace)
        assert found == [e for e in range(len(trace)) if made_not_finite(trace, e)]
        assert [own_name(trace, trace.node_of(e)) for e in found[:2]] == ["a", "b"], "not the mask, and not c after it"
    finally:
        debugger.close()
