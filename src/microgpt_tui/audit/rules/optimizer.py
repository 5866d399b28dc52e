"""The optimizer's step against the formulas of SGD, momentum and Adam(W), with the script's own numbers."""

from __future__ import annotations

import ast
import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from microgpt_tui.audit.findings import ERROR, NOTE, WARNING, Finding, Tested
from microgpt_tui.audit.source import writes
from microgpt_tui.audit.subject import NotEvaluated, Subject
from microgpt_tui.trace.trace import Trace

CLOSE = 1e-6
SMALLEST = 1e-9
"""Gradients below this tell nothing about a ratio."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the optimizer,
    in the order of its list: gradients, numbers before, changes; buffers before and after."""

    trace: Trace
    grad: list[float]
    old: list[float]
    change: dict[int, list[float]]
    """Site of an update -> what it added to each parameter."""
    before: dict[str, array[float]]
    after: dict[str, array[float]]


@dataclass(frozen=True, slots=True)
class Moment:
    """A buffer that follows the gradients: ``b = keep * b + share * g**power``."""

    name: str
    power: int
    keep: float
    share: float

    @property
    def said(self) -> str:
        """Both numbers in words."""
        keeps = "an unknown part (one step is not enough)" if math.isnan(self.keep) else f"{self.keep:.6g}"
        return f"keeps {keeps}, takes in {self.share:.6g}"


def optimizer(subject: Subject) -> Iterator[Finding]:
    """Moments, bias correction, sign, decay."""
    steps = _steps(subject)
    if not steps:
        raise NotEvaluated("no update of parameters in the order of one list is recorded")
    tree = subject.trees[0]
    moments: list[Moment] = []
    faulty = False
    for name in steps[0].after:
        found = _moment(name, steps)
        if found is None:
            continue
        if isinstance(found, str):
            faulty = True
            yield Finding(WARNING, "optimizer", _buffer_line(tree, name), f"{name} {found}", step=steps[0].trace.number)
            continue
        if found.share < 0:
            faulty = True
            yield Finding(ERROR,
                "optimizer", _buffer_line(tree, name), f"{name} follows the gradient with the wrong sign: "
                          f"it takes in {found.share:.4g} times the gradient", step=steps[0].trace.number)  # fmt: skip
        elif not math.isnan(found.keep) and abs(found.keep + found.share - 1) > CLOSE < abs(found.share - 1):
            faulty = True
            yield Finding(
                ERROR, "optimizer", _buffer_line(tree, name),
                    f"{name} is no mean: it keeps {found.keep:.6g} of itself and "
                f"takes in {found.share:.6g} of the gradient{'²' if found.power == 2 else ''}; "
                f"together they should be 1",
                step=steps[0].trace.number,
            )  # fmt: skip
        moments.append(found)
    linear, squared = [m for m in moments if m.power == 1], [m for m in moments if m.power == 2]
    if len(linear) > 1 and not squared:
        faulty = True
        yield Finding(ERROR,
            "optimizer", _buffer_line(tree, linear[1].name), f"{linear[0].name} and {linear[1].name} both "
                      "follow the gradient itself: the second moment is a mean of its square",
                      step=steps[0].trace.number)  # fmt: skip
    if faulty:
        return
    for m in moments:
        what = "gradient²" if m.power == 2 else "gradient"
        subject.notes.tested.append(Tested("optimizer", m.name, f"mean of the {what}: {m.said}"))
    yield from _updates(subject, steps, linear[0] if linear else None, squared[0] if squared else None)


def _steps(subject: Subject) -> list[Step]:
    found = []
    traces = [s for s in subject.steps if s.episode_kind == "step" and len(s.updated)]
    for trace, following in zip(traces, [*traces[1:], None], strict=False):
        if not trace.complete:
            continue
        kept = set(trace.program.kept)
        order = list(dict.fromkeys(n for n in trace.updated if n in kept))
        first = trace.update_event[0]
        place = {n: i for i, n in enumerate(order)}
        change: dict[int, list[float]] = {}
        old = [math.nan] * len(order)
        for r, node in enumerate(trace.updated):
            if node in place:
                delta = change.setdefault(trace.update_site[r], [0.0] * len(order))
                delta[place[node]] += trace.new[r] - trace.old[r]
                if old[place[node]] != old[place[node]]:
                    old[place[node]] = trace.old[r]
        after = following.buffers if following is not None and following.number == trace.number + 1 else {}
        after = {n: b for n, b in after.items() if len(b) == len(order)}
        grads = [trace.grad_at(n, trace.update_event[trace.update_index[n][0]]) for n in order]
        if first >= 0 and order:
            found.append(Step(trace, grads, old, change, trace.buffers, after))
    return found


def _ratios(numbers: Sequence[float], by: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(numbers, by, strict=True) if abs(b) > SMALLEST and math.isfinite(a)]


def _one(ratios: list[float]) -> float | None:
    """The number that all of these are, or None."""
    if len(ratios) < 2:
        return None
    middle = sorted(ratios)[len(ratios) // 2]
    return middle if all(abs(r - middle) <= 1e-5 * max(abs(middle), 1e-12) for r in ratios) else None


def _moment(name: str, steps: list[Step]) -> Moment | str | None:
    """What a buffer does with the gradients; a text for one that follows them in no known way,
    None for another list."""
    told = [s for s in steps if name in s.after]
    if not told or not any(told[0].after[name]):
        return None
    first = told[0]
    before = first.before.get(name, array("d", [0.0] * len(first.grad)))
    for power in (1, 2):
        given = [g**power for g in first.grad]
        if not any(before):
            share = _one(_ratios(first.after[name], given))
            if share is None:
                continue
            keep = math.nan
            for s in told[1:]:
                rest = [a - share * g**power for a, g in zip(s.after[name], s.grad, strict=True)]
                kept = _one(_ratios(rest, s.before[name]))
                if kept is None:
                    return f"follows the gradient in step {first.trace.number} and does not in step {s.trace.number}"
                keep = kept
            return Moment(name, power, keep, share)
    untouched = all(a == b for a, b in zip(first.after[name], before, strict=True))
    return None if untouched or any(before) else "follows neither the gradient nor its square"


def _updates(subject: Subject, steps: list[Step], first: Moment | None, second: Moment | None) -> Iterator[Finding]:
    """Each statement that changes parameters: a decay, or the step itself."""
    told = [s for s in steps if (first is None or first.name in s.after) and (second is None or second.name in s.after)]
    if not told:
        raise NotEvaluated("the optimizer's buffers after a step are not known")
    for site in told[0].change:
        line = subject.program.site(site).line
        shares = [_one(_ratios(s.change[site], s.old)) for s in told if site in s.change]
        rates = [d for d in shares if d is not None]
        if len(rates) == len(shares) and len(told[0].change) > 1:
            if max(rates) > 0:
                yield Finding(ERROR,
                    "optimizer", line, f"the weight decay lets the weights grow: each is multiplied by "
                              f"{1 + rates[0]:.8g} a step", step=told[0].trace.number)  # fmt: skip
            else:
                subject.notes.tested.append(
                    Tested("optimizer", "weight decay", f"each weight times {1 + rates[0]:.8g} a step")
                )
            continue
        yield from _step(subject, told, site, line, first, second)


def _step(
    subject: Subject, steps: list[Step], site: int, line: int, first: Moment | None, second: Moment | None
) -> Iterator[Finding]:
    s = steps[0]
    change = s.change[site]
    along = sum(d * g for d, g in zip(change, s.grad, strict=True))
    if along > 0 and s.trace.number == 1:
        yield Finding(ERROR, "optimizer", line, "the first update goes up the gradient: the loss grows with it",
                      f"Σ change · gradient = {along:.4g}", step=1)  # fmt: skip
        return
    numbers = _numbers(subject, s.trace, site)
    small = [x for x in numbers if 1e-16 < x < 1e-2] if second is not None else []
    fits: dict[str, list[float]] = {}
    for eps in dict.fromkeys((*small[:6], 1e-8)):
        forms = _forms(first, second, eps)
        for name, form in forms.items():
            given = [_one(_ratios(t.change[site], form(t))) for t in steps if site in t.change]
            if None not in given:
                fits.setdefault(name, [-r for r in given if r is not None])
    if not fits:
        decayed = _with_decay(steps, site, forms)
        if decayed:
            subject.notes.tested.append(Tested("optimizer", f"line {line}", decayed))
            return
        if first is not None and second is not None:
            yield Finding(WARNING,
                "optimizer", line, "the update keeps both moments of Adam and is no step of Adam: it is not "
                          "in proportion to m / √v",
                          _deviation(s, site, first, second), step=s.trace.number)  # fmt: skip
            return
        raise NotEvaluated(f"the update on line {line} is none of SGD, momentum, Adam and AdamW")
    right = next(iter(forms))
    for name, rates in fits.items():
        known = [any(abs(rate - n) <= CLOSE * abs(n) for n in _numbers(subject, t.trace, site))
                 for rate, t in zip(rates, steps, strict=False)]  # fmt: skip
        if all(known):
            if name != right and "times" in name:
                yield Finding(ERROR,
                    "optimizer", line, f"the update is {name}, where {right} is meant: its first step is "
                              f"{(1 - (first.keep if first else 0)) ** 2:.4g} times what it should "
                              f"be", step=s.trace.number)  # fmt: skip
                return
            subject.notes.tested.append(Tested("optimizer", f"line {line}", f"{name}, learning rate {rates[0]:.6g}"))
            if name != right and "without" in name:
                one = name.endswith(("of v", "of m"))
                yield Finding(
                    WARNING if one else NOTE, "optimizer", line, f"the update is {name}: its first steps are of "
                    f"another size than those of {right}" + (", since the other moment is corrected" if one else ""),
                    step=s.trace.number,
                )  # fmt: skip
            return
    if len(numbers) and second is not None:
        rates = fits.get(right, next(iter(fits.values())))
        yield Finding(
            WARNING, "optimizer", line,
            f"the update is {right} with a rate of {', '.join(f'{r:.6g}' for r in rates)}, which is "
            "none of the numbers that it is made of: something else is multiplied in", step=s.trace.number,
        )  # fmt: skip
        return
    subject.notes.tested.append(
        Tested("optimizer", f"line {line}", f"{right}, rate {fits.get(right, [math.nan])[0]:.6g}")
    )


Form = Callable[[Step], list[float]]


def _forms(first: Moment | None, second: Moment | None, eps: float = 1e-8) -> dict[str, Form]:
    """Name -> direction of a step, the right one first."""

    def m(s: Step) -> Sequence[float]:
        return s.after[first.name] if first is not None else s.grad

    def one(moment: Moment | None, s: Step) -> float:
        keep = 1 - moment.share if moment is not None and moment.share < 1 else 0.0
        return 1 - keep**s.trace.number

    if second is None:
        forms: dict[str, Form] = {"momentum" if first is not None else "SGD": lambda s: list(m(s))}
        if first is not None:
            forms["momentum with bias correction"] = lambda s: [x / one(first, s) for x in m(s)]
            forms["SGD"] = lambda s: list(s.grad)
        return forms

    def adam(top: Callable[[Step], float], below: Callable[[Step], float]) -> Form:
        def form(s: Step) -> list[float]:
            roots = [math.sqrt(max(v, 0.0) * below(s)) for v in s.after[second.name]]
            return [x * top(s) / (r + eps) if r > 1e-5 else 0.0 for x, r in zip(m(s), roots, strict=True)]

        return form

    return {
        "Adam": adam(lambda s: 1 / one(first, s), lambda s: 1 / one(second, s)),
        "Adam with m times its bias correction": adam(lambda s: one(first, s), lambda s: 1 / one(second, s)),
        "Adam with v times its bias correction": adam(lambda s: 1 / one(first, s), lambda s: one(second, s)),
        "Adam with both moments times their corrections": adam(lambda s: one(first, s), lambda s: one(second, s)),
        "Adam without bias correction": adam(lambda s: 1.0, lambda s: 1.0),
        "Adam without bias correction of v": adam(lambda s: 1 / one(first, s), lambda s: 1.0),
        "Adam without bias correction of m": adam(lambda s: 1.0, lambda s: 1 / one(second, s)),
    }


def _with_decay(steps: list[Step], site: int, forms: dict[str, Form]) -> str:
    """A step that takes a share of the weight off in the same statement: two unknowns, by least squares."""
    for name, form in forms.items():
        rates = []
        for s in steps:
            if site not in s.change:
                continue
            rows = [(d, u, p) for d, u, p in zip(s.change[site], form(s), s.old, strict=True) if u]
            uu, up, pp = (sum(r[i] * r[j] for r in rows) for i, j in ((1, 1), (1, 2), (2, 2)))
            du, dp = sum(r[0] * r[1] for r in rows), sum(r[0] * r[2] for r in rows)
            bottom = uu * pp - up * up
            if not bottom:
                break
            a, b = (du * pp - dp * up) / bottom, (dp * uu - du * up) / bottom
            if any(abs(d - a * u - b * p) > 1e-6 * max(abs(d), 1e-9) for d, u, p in rows):
                break
            rates.append((a, b))
        else:
            if rates and rates[0][0] < 0 and rates[0][1] <= 0:
                return f"{name} with decay: rate {-rates[0][0]:.6g}, decay {-rates[0][1]:.4g}"
    return ""


def _numbers(subject: Subject, trace: Trace, site: int) -> list[float]:
    """The numbers that an update may be made of: recorded ones, literals of its statement, and products of two."""
    row = next(r for r in range(len(trace.updated)) if trace.update_site[r] == site)
    start = trace.used_start[row]
    end = trace.used_start[row + 1] if row + 1 < len(trace.used_start) else len(trace.used)
    found = [float(x) for x in trace.used[start:end] if math.isfinite(x)]
    where = subject.program.site(site)
    for node in ast.walk(subject.trees[where.file]):
        if isinstance(node, ast.stmt) and node.lineno == where.line:
            values = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
            found += [float(x) for x in values if isinstance(x, int | float)]
    found += [x for x in subject.program.namespace.values() if type(x) in (int, float)]
    singles = [x for x in dict.fromkeys(found) if x]
    return [*singles, *(a * b for i, a in enumerate(singles) for b in singles[i:])]


def _deviation(s: Step, site: int, first: Moment, second: Moment) -> str:
    form = next(iter(_forms(first, second).values()))(s)
    ratios = [-d / u for d, u in zip(s.change[site], form, strict=True) if u]
    return f"the rate would be {min(ratios):.4g} to {max(ratios):.4g}" if ratios else ""


def _buffer_line(tree: ast.Module, name: str) -> int:
    """The statement that writes an element of a buffer."""
    lines = (at for at, t in writes(tree) if isinstance(t, ast.Subscript) and ast.unparse(t.value) == name)
    return next(lines, 1)
