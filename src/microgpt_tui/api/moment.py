"""A moment, and what there is at it: values, gradients, attention, tokens, weights, pictures."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microgpt_tui.api.arrays import Matrices
from microgpt_tui.graph.addresses import node_at_address
from microgpt_tui.graph.engines import EngineError
from microgpt_tui.graph.export import export
from microgpt_tui.graph.files import ExportError
from microgpt_tui.graph.request import Request
from microgpt_tui.graph.whats import WHATS
from microgpt_tui.graph.whats.whole import PLAIN, nodes_below
from microgpt_tui.headless.launch import InputError
from microgpt_tui.headless.panes import PANES
from microgpt_tui.headless.panes.report import Here
from microgpt_tui.headless.show import as_text, moment
from microgpt_tui.protocol.moments import MomentError, MomentName
from microgpt_tui.recognise.weights import Timeline, parameters, places
from microgpt_tui.session.moment import resolve
from microgpt_tui.trace.formula import formula
from microgpt_tui.trace.ledger import Contribution, ledger
from microgpt_tui.trace.names import name
from microgpt_tui.trace.references import NotHere
from microgpt_tui.trace.trace import Matrix, Trace

if TYPE_CHECKING:
    from microgpt_tui.api.run import Run


@dataclass(frozen=True)
class Episode:
    """A recorded training step or sample, or the setup. What it has of a moment is that of its end."""

    run: Run = field(repr=False)
    kind: str
    """``setup``, ``step`` or ``sample``."""
    number: int
    """From 1; 0 for the setup."""
    trace: Trace = field(repr=False, compare=False)

    def __len__(self) -> int:
        """How many events it has."""
        return len(self.trace)

    @property
    def loss(self) -> float | None:
        """What ``backward`` was called on, added up over calls."""
        return self.trace.loss()

    def at(self, at: str | int = "end") -> Moment:
        """A moment: an event from 1, or ``forward``, ``loss``, ``backward``, ``optimizer``, ``end``.

        Raises InputError for one that it has not; the message says which it has.
        """
        try:
            found = resolve(self.run.debugger.history, MomentName(self.kind, self.number, at))
        except MomentError as error:
            raise InputError(str(error)) from None
        return Moment(self, found.event + 1)

    @property
    def attention(self) -> dict[str, Any]:
        """Attention at its end: see ``Moment.attention``."""
        return self.at("end").attention

    @property
    def tokens(self) -> dict[str, Any]:
        """Tokens at its end: see ``Moment.tokens``."""
        return self.at("end").tokens

    @property
    def weights(self) -> Matrices:
        """Weights at its end, updated."""
        return self.at("end").weights

    def _repr_html_(self) -> str:
        return self.at("end")._repr_html_()


@dataclass(frozen=True)
class Moment:
    """A point in time: ``event`` events of the episode have happened."""

    episode: Episode
    event: int
    """From 1."""

    @property
    def _here(self) -> Here:
        return Here(self.episode.run.debugger, self.episode.trace, self.event - 1)

    def node(self, name: str | int) -> Node:
        """A value, by the name that the screen prints (``q[3]``, ``wte[0][1]``) or by its number.

        Raises InputError where there is none of that name at the moment.
        """
        try:
            number = node_at_address(self.episode.trace, str(name), self.event - 1)
        except NotHere as error:
            raise InputError(str(error)) from None
        return Node(self, number)

    @property
    def about(self) -> dict[str, Any]:
        """Where the script is, the value, its formula, its ledger: what ``show --json`` prints (docs/show.md)."""
        return moment(self.episode.trace, self.event - 1)

    def pane(self, name: str) -> dict[str, Any]:
        """What a pane shows, as ``show --pane NAME --json`` prints it (docs/show.md). Raises KeyError for no pane."""
        return PANES[name].document(self._here)

    @property
    def attention(self) -> dict[str, Any]:
        """``layers`` → ``heads`` → ``rows`` of ``weights``; ``missing`` says what is not known, and why."""
        return self.pane("attention")

    @property
    def tokens(self) -> dict[str, Any]:
        """``positions`` with token, target, probability, loss, distribution, draw and text."""
        return self.pane("tokens")

    @property
    def weights(self) -> Matrices:
        """The parameters' numbers at the moment."""
        return self._matrices(parameters(self.episode.trace).data)

    @property
    def gradients(self) -> Matrices:
        """The parameters' gradients at the moment, in the matrices' shapes."""
        return self._matrices(parameters(self.episode.trace).grad)

    @property
    def optimizer(self) -> Mapping[str, Matrices]:
        """The optimizer's numbers by name (Adam's ``m`` and ``v``), in the matrices' shapes; NaN where not known."""
        return {name: self._matrices(column) for name, column in parameters(self.episode.trace).buffers.items()}

    def _matrices(self, timeline: Timeline) -> Matrices:
        return Matrices(self.episode.run.debugger.history.program.matrices, partial(self._numbers, timeline))

    def _numbers(self, timeline: Timeline, matrix: Matrix) -> list[float]:
        state = timeline.at(self.event - 1)
        return [state[i] for i in places(self.episode.trace, matrix)]

    def graph(self, what: str = "", *, node: str = "", depth: int = 3, layer: int = 0) -> Picture:
        """A picture of the moment, as ``export --what WHAT`` draws it (docs/export.md).

        Without ``what``: the graph where it has at most 60 nodes, else the model; around ``node`` where one is named.
        Raises InputError for a value or a kind that there is not.
        """
        trace, event = self.episode.trace, self.event - 1
        if what and what not in WHATS:
            raise InputError(f"no picture of {what!r}: there are {', '.join(WHATS)}")
        small = len(nodes_below(trace, event, PLAIN)) <= PLAIN
        default = "cone" if node or trace.loss_node() < 0 else "graph" if small else "model"
        number = self.node(node).number if node else -1
        return Picture(self, Request(what or default, number, depth=depth, layer=layer, script=self.episode.run.script))

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def __str__(self) -> str:
        return as_text(self.about)


@dataclass(frozen=True)
class Node:
    """A value at a moment."""

    moment: Moment = field(repr=False)
    number: int

    @property
    def _trace(self) -> Trace:
        return self.moment.episode.trace

    @property
    def name(self) -> str:
        """What the screen calls it."""
        return name(self._trace, self.number)

    @property
    def op(self) -> str:
        """The operation that made it: ``add``, ``mul``, ``exp`` …"""
        return self._trace.op_name(self.number)

    @property
    def data(self) -> float:
        """Its number at the moment."""
        return self._trace.data_at(self.number, self.moment.event - 1)

    @property
    def grad(self) -> float:
        """Its gradient so far."""
        return self._trace.grad_at(self.number, self.moment.event - 1)

    @property
    def ledger(self) -> list[Contribution]:
        """Every contribution to its gradient in this episode: local gradient × upstream gradient, and the sum."""
        return ledger(self._trace, self.number, self.moment.event - 1)

    @property
    def formula(self) -> str:
        """What made it, with the names and with the numbers."""
        made = formula(self._trace, self.number, self.moment.event - 1)
        return f"{made.symbols}\n{made.numbers}"

    @property
    def operands(self) -> list[Node]:
        """What it was made from."""
        return [Node(self.moment, int(n)) for n in self._trace.children(self.number)]

    @property
    def users(self) -> list[Node]:
        """What was made from it, by this moment."""
        trace, event = self._trace, self.moment.event - 1
        return [Node(self.moment, n) for n in trace.users(self.number) if trace.born_at(n) <= event]

    def __repr__(self) -> str:
        return f"{self.name} = {self.data!r} (grad {self.grad!r})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(name(self._trace, c.source)) if c.source >= 0 else ''}</td><td>{c.factor:+.6g}</td>"
            f"<td>{c.upstream:+.6g}</td><td>{c.delta:+.6g}</td><td>{c.total!r}</td></tr>"
            for c in self.ledger
        )
        head = "<tr><th>from</th><th>local</th><th>upstream</th><th>delta</th><th>sum</th></tr>"
        return f"<p>{html.escape(repr(self))}</p><pre>{html.escape(self.formula)}</pre><table>{head}{rows}</table>"


@dataclass(frozen=True)
class Picture:
    """A picture of a moment; a notebook shows it."""

    moment: Moment = field(repr=False)
    request: Request = field(repr=False)

    @property
    def what(self) -> str:
        """The kind of picture."""
        return self.request.what

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write it; the ending says the format (svg, pdf, png, html, dot, json).

        Raises InputError where that cannot be: the file exists, there is no such format, or no Graphviz where one is
        needed.
        """
        trace, event = self.moment.episode.trace, self.moment.event - 1
        try:
            return export(trace, event, self.request, Path(path), overwrite=overwrite).path
        except (ExportError, EngineError) as error:
            raise InputError(str(error)) from None

    @property
    def svg(self) -> str:
        """The picture as SVG."""
        with tempfile.TemporaryDirectory(prefix="microgpt-tui-") as folder:
            return self.save(Path(folder) / "picture.svg").read_text("utf-8")

    def _repr_svg_(self) -> str:
        return self.svg
