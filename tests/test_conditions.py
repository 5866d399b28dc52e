"""The expression language: what gets through, what is refused and where, and that it means what Python means."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from control_fixtures import tanh_gpt
from hypothesis import given, settings
from hypothesis import strategies as st

from microgpt_tui.protocol.codes import CREATE, EVENT_NAMES, PHASE_NAMES, UPDATE, SiteKind
from microgpt_tui.protocol.conditions import ConditionError, condition, parse_iteration, printed_line, template
from microgpt_tui.trace.facts import facts
from microgpt_tui.trace.trace import Trace


@pytest.fixture(scope="module")
def trace() -> Iterator[Trace]:
    debugger = tanh_gpt()
    debugger.next_episode()
    debugger.wait()
    yield debugger.history.traces[1]
    debugger.close()


@pytest.mark.parametrize(
    ("text", "facts", "answer"),
    [
        ("data > 5", {"data": 6.0}, True),
        ("abs(data) > 5 and op == 'exp'", {"data": -6.0, "op": "exp"}, True),
        ("isnan(data) or isinf(grad)", {"data": 1.0, "grad": math.inf}, True),
        ("inputs[1] > 2", {"inputs": (1.0, 3.0)}, True),
        ("any(x < 0 for x in inputs)", {"inputs": (1.0, -3.0)}, True),
        ("'softmax' in scope", {"scope": "gpt > softmax"}, True),
        ("name.startswith('q[')", {"name": "q[3]"}, True),
        ("1 < pos <= 3", {"pos": 4}, False),
        ("min(data, 0) == 0 if op != 'mul' else log(data) > 1", {"data": 3.0, "op": "mul"}, True),
    ],
)
def test_what_can_be_said(text: str, facts: dict[str, object], answer: bool) -> None:
    made = condition(text)
    assert set(made.names) == set(facts)
    assert bool(made.test(*(facts[n] for n in made.names))) is answer


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("dat > 5", 0, "did you mean data"),
        ("data > 5 and gard < 1", 13, "did you mean grad"),
        ("data = 5", 5, "=="),
        ("data >", 6, "not an expression"),
        ("__import__('os')", 0, "no function"),
        ("data.__class__", 0, "not allowed"),
        ("(lambda: 1)()", 0, "only plain calls"),
        ("open('x')", 0, "no function"),
        ("[x for x in inputs][0].real", 0, "not allowed"),
        ("2 ** 999", 5, "exponent"),
        ("data ** data", 8, "exponent"),
        ("(2 ** 60) ** 60", 0, "power of a power"),
        ("op * 1000000000 == ''", 0, "only numbers"),
        ("'%9999999999d' % 3", 0, "only numbers"),
        ("[1] * 1000000000", 0, "only numbers"),
        ("data and (data := 3)", 10, "not allowed"),
        ("f'{data}'", 0, "not allowed"),
        ("abs > 3", 0, "write abs(...)"),
        ("", 0, "empty"),
    ],
)
def test_what_is_refused_and_where(text: str, column: int, words: str) -> None:
    with pytest.raises(ConditionError) as refused:
        condition(text)
    assert words in refused.value.message
    assert refused.value.column == column
    if text:
        assert str(refused.value).splitlines()[-1] == "  " + " " * column + "^"


def test_loop_variables_can_be_named_when_the_script_has_them() -> None:
    with pytest.raises(ConditionError):
        condition("li == 0")
    assert condition("li == 0", frozenset({"li"})).test(0)


def test_the_part_that_can_be_decided_early_follows_from_the_whole() -> None:
    made = condition("data > 2 and pos == 3 and abs(data) < 9")
    assert made.implied({"data"}) == "(data > 2) and (abs(data) < 9)"
    assert made.implied({"grad"}) == ""
    assert condition("data > 2 or pos == 3").implied({"data"}) == ""


def test_a_failing_condition_stops_the_search_once_and_says_why() -> None:
    made = condition("1 / data > 3")
    events, failure = made.select([10, 11, 12, 13], {"data": [0.1, 5.0, 0.0, 0.1]})
    assert events == [10, 12]
    assert failure is not None
    assert failure.event == 12
    assert "ZeroDivisionError" in failure.message


def test_operands_past_the_end_are_nan(trace: Trace) -> None:
    unary = next(e for e, op in enumerate(facts(trace)["op"]) if op == "exp" and trace.kind[e] == CREATE)
    assert math.isnan(facts(trace)["inputs"][unary][1])
    assert not condition("inputs[1] > 2 or inputs[1] < 2").test(facts(trace)["inputs"][unary])


def test_a_log_text_plugs_facts_in_and_survives_its_own_faults() -> None:
    made = template("{op}: {data:+.2f} {1/grad}")
    assert made.names == ("data", "grad", "op")
    assert made.render({"op": "exp", "data": 1.5, "grad": 0.0}).startswith("exp: +1.50 <ZeroDivisionError")
    with pytest.raises(ConditionError):
        template("{data.__class__}")


@pytest.mark.parametrize(
    ("output", "line"),
    [(b"one\ntwo\n", "two"), (b"loss 3\rloss 2\r", "loss 2"), (b"", ""), (b"a\nb", "b")],
)
def test_the_line_that_ends_at_a_byte(output: bytes, line: str) -> None:
    assert printed_line(output) == line


# -- the same as plain Python over the trace ---------------------------------------------------

NUMBERS = st.sampled_from(["-1", "0", "0.05", "0.3", "1", "2"])
ATOMS = st.one_of(
    st.tuples(st.sampled_from(["data", "grad", "delta", "factor", "abs(data)", "abs(grad)", "inputs[0]", "loss"]),
              st.sampled_from(["<", ">", "<=", ">=", "==", "!="]), NUMBERS).map(" ".join),
    st.sampled_from(["op == 'mul'", "op != 'add'", "kind == 'create'", "kind == 'update'", "kind == 'accumulate'",
                     "pos == 1", "pos > 0", "h == 1", "li == 0", "'softmax' in scope", "phase == 'backward'",
                     "step == 1",
                     "name.startswith('q')", "name == ''", "len(inputs) == 2", "isnan(delta)", "line > 150"]),
)  # fmt: skip
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map(lambda p: f"({p[0]}{p[1]}{p[2]})"),
        inner.map(lambda c: f"not ({c})"),
    ),
    max_leaves=4,
)


def plainly(trace: Trace, event: int) -> dict[str, object]:
    """The facts of an event, each looked up in the trace by itself."""
    node = trace.node_of(event)
    kind = trace.kind[event]
    row = trace.row[event]
    path = trace.scope_path(trace.scope_of(event))
    sites = [trace.program.site(trace.scope_site[s]) for s in path]
    iterations: dict[str, object] = {}
    for scope, site in zip(path, sites, strict=True):
        if site.kind == SiteKind.ITERATION:
            iterations.update(parse_iteration(trace.scope_values.get(scope, "")))
    wrote = EVENT_NAMES[kind] in ("accumulate", "assign", "zero")
    seeds = [e for e, _, phase in trace.phase_spans if PHASE_NAMES[phase] == "backward" and e <= event]
    lines = [s.line for s in sites if s.kind == SiteKind.STATEMENT]
    if wrote:
        lines.append(trace.program.site(trace.write_site[row]).line)
    if kind == UPDATE:
        lines.append(trace.program.site(trace.update_site[row]).line)
    return {
        "data": trace.data_at(node, event) if node >= 0 else math.nan,
        "grad": 0.0 if kind == CREATE else trace.grad_at(node, event) if node >= 0 else math.nan,
        "delta": trace.delta[row] if wrote else trace.new[row] - trace.old[row] if kind == UPDATE else math.nan,
        "factor": trace.factor[row] if wrote else math.nan,
        "inputs": [trace.data_at(c, event) for c in trace.children(node)] if kind == CREATE else [],
        "op": trace.op_name(node) if node >= 0 else "",
        "kind": EVENT_NAMES[kind],
        "pos": iterations.get("pos_id", math.nan),
        "h": iterations.get("h", math.nan),
        "li": iterations.get("li", math.nan),
        "scope": " > ".join(trace.scope_label(s) for s, site in zip(path, sites, strict=True)
                            if site.kind in (SiteKind.CALL, SiteKind.ITERATION)),
        "phase": PHASE_NAMES[trace.phase_of(event)],
        "step": trace.number,
        "loss": trace.data_at(trace.node_of(seeds[-1]), event) if seeds else math.nan,
        "line": lines[-1] if lines else 0,
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(text=CONDITIONS, start=st.integers(0, 10_000))
def test_conditions_agree_with_plain_python(trace: Trace, text: str, start: int) -> None:
    made = condition(text, frozenset({"h", "li"}))
    events = list(range(start % len(trace), len(trace), 211))
    known = facts(trace)
    found, failure = made.select(events, {n: [known[n][e] for e in events] for n in made.names})
    assert failure is None
    expected = []
    for event in events:
        own: dict[str, object] = {**plainly(trace, event), "name": known["name"][event]}
        inputs = own["inputs"]
        assert isinstance(inputs, list)
        own["inputs"] = [*inputs, math.nan] if "inputs[0]" in text and not inputs else inputs
        if eval(text, {"isnan": math.isnan, "abs": abs, "len": len}, own):  # the plain Python to compare with
            expected.append(event)
    if "len(inputs)" not in text or "inputs[0]" not in text:
        assert found == expected


def test_a_name_is_known_only_after_the_script_has_given_it(trace: Trace) -> None:
    known = facts(trace)
    q = next(n for n in known["name"] if n == "q[0]")
    first = known["name"].index(q)
    node = known["node"][first]
    assert trace.born_at(node) < first
    assert known["name"][trace.born_at(node)] == ""
