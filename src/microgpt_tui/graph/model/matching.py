"""What made a vector: one step back from its nodes to the vectors they were computed from. No name is looked at."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from microgpt_tui.graph.model.units import Unit, Vector, factor_text
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.recognise.attention import recogniser
from microgpt_tui.recognise.operations import Graph, Role, graph_of
from microgpt_tui.recognise.softmax import SoftmaxRow, softmaxes
from microgpt_tui.trace.names import matrix_place, own_name
from microgpt_tui.trace.trace import Matrix, Trace

MOST_STEPS = 28
"""Operations that one elementwise function (a gelu) may consist of."""
MOST_TERMS = 1 << 14


@dataclass(slots=True)
class Terms:
    """What a chain of additions adds up."""

    products: list[tuple[int, int]] = field(default_factory=list)
    """Operands of the products, oldest first."""
    parameters: list[int] = field(default_factory=list)
    computed: list[int] = field(default_factory=list)
    """Anything else that is not constant."""


class Matcher:
    """Asks of a vector what made it."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.graph: Graph = graph_of(trace)
        self.rows: dict[int, SoftmaxRow] = {}
        self.logs: dict[int, SoftmaxRow] = {}
        for row in softmaxes(trace):
            self.rows.update(dict.fromkeys(row.weights, row))
            if row.log >= 0:
                self.logs[row.log] = row
        self.attends = recogniser(trace).attention_rows

    # -- what a node is -----------------------------------------------------------------------

    def matrix(self, node: int) -> Matrix | None:
        """The parameters that a node belongs to. Within the setup only what was not computed is a parameter."""
        found = matrix_place(self.trace, node)
        if found is None or (node >= self.trace.first_node and len(self.graph.children(node))):
            return None
        return found[0]

    def constant(self, node: int) -> bool:
        """A plain number, or made from such only; also what the setup made and keeps in no list of parameters."""
        if node < self.trace.first_node or not len(self.graph.children(node)):
            return self.matrix(node) is None
        return all(self.constant(int(c)) for c in self.graph.children(node)) if self._shallow(node) else False

    def _shallow(self, node: int, depth: int = 3) -> bool:
        """True when what is below a node ends soon: the signs and factors of a plain number."""
        return depth > 0 and all(self._shallow(int(c), depth - 1) for c in self.graph.children(node))

    def varying(self, node: int) -> list[int]:
        """The operands that are no constants."""
        return [c for c in self.operands(node) if not self.constant(c)]

    def operands(self, node: int) -> list[int]:
        """Operands in the script's order; of a class that keeps a set, parameters and older ones first.

        What an operation in place made of a value, itself among its operands, is drawn without the way back.
        """
        found = [int(c) for c in self.graph.children(node) if c < node]
        return found if self.trace.program.ordered_children else sorted(found)

    # -- one vector ---------------------------------------------------------------------------

    def unit(self, vector: Vector) -> Unit:
        """What made a vector."""
        unit = self._unit(vector)
        unit.vector = vector
        return unit

    def _unit(self, vector: Vector) -> Unit:
        first = vector[0]
        if self.matrix(first) is not None or self.constant(first):
            return self._source(vector)
        if first in self.rows:
            row = self.rows[first]
            logits = tuple(n for n in row.logits if not self.constant(n)) or row.logits
            return Unit("softmax", "softmax", vector, [logits], detail=f"over {len(row.logits)}")
        scaled = self._scaled(vector)
        if scaled is not None:
            return scaled
        entropy = self._entropy(vector)
        if entropy is not None:
            return entropy
        if self.graph.role(first) in (Role.ADD, Role.MULTIPLY, Role.SUBTRACT):
            terms = self.terms(first)
            found = self._sum_of_products(vector, terms) or self._mean(vector, terms)
            if found is not None:
                return found
        return (
            self._norm(vector) or self._gain(vector) or self._rotation(vector) or self._function(vector)
            or self._joined(vector)
        )  # fmt: skip

    def _source(self, vector: Vector) -> Unit:
        matrix = self.matrix(vector[0])
        if matrix is None:
            name = own_name(self.trace, vector[0]) or ""
            return Unit("input", re.split(r"[\[.]", name)[0] or "input", vector)
        matrices = list(dict.fromkeys(m for n in vector if (m := self.matrix(n)) is not None))
        return Unit("parameters", "", vector, matrices=matrices)

    def _scaled(self, vector: Vector) -> Unit | None:
        """A constant factor or sign: written into the box of what it scales."""
        first = vector[0]
        role = self.graph.role(first)
        children = [int(c) for c in self.graph.children(first)]
        own = self.varying(first)
        if len(own) != 1 or role not in (Role.MULTIPLY, Role.DIVIDE, Role.NEGATE):
            return None
        below = self._below(vector)
        if below is None:
            return None
        text = "negated"
        if role is not Role.NEGATE:
            others = [c for c in children if c != own[0]]
            plain = self.trace.operands.get(first, ())
            if (not others and not plain) or (others and role is Role.DIVIDE and others[0] == children[0]):
                return None
            factor = self.graph.data(others[0]) if others else plain[0]
            text = "negated" if factor == -1 else factor_text(factor, role is Role.DIVIDE)
        unit = self._unit(below)
        if unit.kind in ("parameters", "input"):
            return Unit("function", text, vector, [below])
        if unit.kind == "mean" and text.startswith("÷"):
            unit.title, unit.detail = unit.title.replace("sum", "mean"), ""
        elif unit.kind == "loss" and text == "negated":
            unit.title = f"−{unit.title}"
        else:
            unit.detail = " ".join(t for t in (unit.detail, text) if t)
        return unit

    def _below(self, vector: Vector) -> Vector | None:
        """The one varying operand of each node."""
        found = []
        for node in vector:
            own = self.varying(node)
            if len(own) != 1:
                return None
            found.append(own[0])
        return tuple(found)

    def _entropy(self, vector: Vector) -> Unit | None:
        """A cross-entropy that takes the logarithm of the total, or the logarithm of a probability."""
        if len(vector) > 1:
            return None
        graph, level = self.graph, [vector[0]]
        if graph.role(vector[0]) is Role.LOG:
            below = int(graph.children(vector[0])[0])
            return Unit("loss", "log p", vector, [(below,)]) if below in self.rows else None
        for _ in range(4):
            for node in level:
                if node in self.logs:
                    row = self.logs[node]
                    logits = tuple(n for n in row.logits if not self.constant(n)) or row.logits
                    return Unit("loss", "cross-entropy", vector, [logits], detail=f"over {len(row.logits)}")
            level = [int(c) for n in level for c in graph.children(n) if graph.role(n) in _LINEAR][:6]
        return None

    # -- sums -----------------------------------------------------------------------------------

    def terms(self, node: int) -> Terms:
        """What a chain of additions adds up; a product by itself is a sum of one."""
        graph, found = self.graph, Terms()
        stack: list[int] = [node]
        products: list[int] = []
        here = self.statement(node)
        while stack and len(products) <= MOST_TERMS:
            top = stack.pop()
            role, children = graph.role(top), graph.children(top)
            if self.constant(top):
                continue
            if self.matrix(top) is not None:
                found.parameters.append(top)
            elif self.statement(top) != here:
                found.computed.append(top)
            elif role is Role.ADD and (top == node or len(graph.users(top)) == 1):
                stack.extend(int(c) for c in children if c < top)
            elif self._is_product(top):
                products.append(top)
            else:
                found.computed.append(top)
        if not products and len(found.computed) > 1 and all(map(self._is_product, found.computed)):
            products, found.computed = found.computed, []  # multiplied before, added up here
        pairs = (graph.children(p) if self.trace.program.ordered_children else sorted(graph.children(p))
                 for p in sorted(products))  # fmt: skip
        found.products = [(int(a), int(b)) for a, b in pairs]
        found.computed.sort()
        return found

    def _is_product(self, node: int) -> bool:
        """A product of two values, or of a parameter and a plain number: an input that is data."""
        if self.graph.role(node) is not Role.MULTIPLY or len(self.graph.children(node)) != 2:
            return False
        own = self.varying(node)
        return len(own) == 2 or (len(own) == 1 and self.matrix(own[0]) is not None)

    def statement(self, node: int) -> int:
        """Where the script makes a node: the statement, or the call of a function that is an expression."""
        trace = self.trace
        born = trace.born_at(node)
        scope = trace.scope_of(born) if born >= 0 else -1
        while scope >= 0:
            site = trace.scope_site[scope]
            if trace.program.site(site).kind in (SiteKind.STATEMENT, SiteKind.CALL):
                return site
            scope = trace.scope_parent[scope]
        return -1

    def _sum_of_products(self, vector: Vector, terms: Terms) -> Unit | None:
        if not terms.products or terms.computed:
            return None
        weights, inputs = self._sides(vector, terms)
        lone = len(terms.products) == 1 and len(vector) > 1
        if weights:
            if not {*weights, *inputs}.isdisjoint(terms.parameters):
                return None  # what is added is a factor too: a * b + a
            if lone and self.matrix(weights[0]) is self._weight(vector[-1]) and len(self.trace.children(vector[0])):
                return None  # a gain: each element has a parameter of its own
            if any((m := self.matrix(p)) is not None and len(m.shape) > 1 and not self._is_bias(m, vector)
                   for p in terms.parameters):  # fmt: skip
                return None  # an embedding is added, not a bias
            return self._linear(vector, weights, inputs, terms)
        if lone or terms.parameters:
            return None
        return self._dot(vector, terms)

    def _is_bias(self, matrix: Matrix, vector: Vector) -> bool:
        return len(vector) > 1 and self.trace.program.matrices[0] is not matrix and 1 in matrix.shape

    def _weight(self, node: int) -> Matrix | None:
        """The matrix whose parameter the first product of a sum multiplies."""
        terms = self.terms(node)
        return next((m for p in terms.products[:1] for n in p if (m := self.matrix(n)) is not None), None)

    def _sides(self, vector: Vector, terms: Terms) -> tuple[list[int], list[int]]:
        """(weights, what they multiply); no weights where both sides are computed."""
        first = terms.products[0]
        is_weight = [self.matrix(n) is not None for n in first]
        if not any(is_weight):
            return [], []
        if all(is_weight):  # an embedding's row straight into a linear layer: the row stays from element to element
            other = self.terms(vector[-1]).products if len(vector) > 1 else []
            stays = {n for p in other for n in p}
            swap = first[0] in stays and first[1] not in stays
            return [p[swap] for p in terms.products], [p[not swap] for p in terms.products]
        weights, inputs = [], []
        for a, b in terms.products:
            if self.matrix(a) is not None:
                weights.append(a)
                inputs.append(b)
            elif self.matrix(b) is not None:
                weights.append(b)
                inputs.append(a)
            else:
                return [], []
        return weights, inputs

    def _linear(self, vector: Vector, weights: list[int], inputs: list[int], terms: Terms) -> Unit:
        own: list[Matrix] = []
        biases: list[Matrix] = [m for p in terms.parameters if (m := self.matrix(p)) is not None]
        groups: dict[Matrix, list[int]] = {}
        for weight, value in zip(weights, inputs, strict=True):
            matrix = self.matrix(weight)
            assert matrix is not None
            groups.setdefault(matrix, []).append(value)
        own += groups
        small = len(own[0].shape) < 2
        data = set(inputs)
        for node in vector[1:] if small or biases else ():
            more = self.terms(node)
            own += [m for p in more.products[:1] for n in p if (m := self.matrix(n)) is not None and n not in data]
            biases += [m for p in more.parameters if (m := self.matrix(p)) is not None]
        operands: list[Vector] = [tuple(group) for group in groups.values()]
        if len(operands) > 4 or all(len(o) == 1 for o in operands):
            operands = [tuple(inputs)]
        matrices = list(dict.fromkeys([*own, *biases]))
        mark = weights[0] if small and len(matrices) == 1 else -1
        return Unit("linear", "", vector, list(dict.fromkeys(operands)), matrices, mark=mark)

    def _dot(self, vector: Vector, terms: Terms) -> Unit | None:
        """A product of two computed vectors: scores, a blend of values by weights, a sum of squares."""
        products = terms.products
        if all(a == b for a, b in products):
            return Unit("function", "Σ x²", vector, [tuple(a for a, _ in products)])
        side = next((i for i in (0, 1) if products[0][i] in self.rows), -1)
        if side >= 0:
            return self._blend(vector, products, side)
        last = self.terms(vector[-1]).products
        pair = last if last and all(self.matrix(n) is None for p in last for n in p) else products
        if len(products) == 1 and len(vector) > 1:
            return None
        sides = tuple(a for a, _ in pair), tuple(b for _, b in pair)
        title = "q·kᵀ" if self._are_scores(vector) else "a·b"
        return Unit("scores", title, vector, list(sides))

    def _are_scores(self, vector: Vector) -> bool:
        """True when a softmax takes them, at once or through a scale and a mask."""
        level = [vector[0]]
        for _ in range(6):
            level = [u for n in level for u in self.graph.users(n)][:4]
            if any(self.graph.role(n) is Role.EXP for n in level):
                return True
        return False

    def _blend(self, vector: Vector, products: list[tuple[int, int]], side: int) -> Unit:
        weights = tuple(p[side] for p in products)
        values: list[int] = []
        groups: set[int] = set()
        several: list[list[int]] = [[] for _ in products]
        for node in vector:
            own = self.terms(node).products
            place = next((i for i in (0, 1) if own and own[0][i] in self.rows), -1)
            if place < 0:
                break
            groups.add(own[0][place])
            values.append(own[-1][1 - place])
            if own[0][place] == products[0][side]:
                for k, p in enumerate(own[: len(several)]):
                    several[k].append(p[1 - place])
        row = self.rows[weights[0]]
        attends = row.first in self.attends
        operands: list[Vector] = [weights]
        operands += [tuple(values)] if attends or len(several) > 4 else [tuple(v) for v in several]
        return Unit("blend", "Σ · v" if attends else "weighted sum", vector, operands, copies=max(1, len(groups)))

    def _mean(self, vector: Vector, terms: Terms) -> Unit | None:
        """Many results added up: the newest stands for all."""
        if len(terms.computed) < 3 or terms.products or terms.parameters:
            return None
        if len(vector) > 1 and len(terms.computed) < 4:
            return None
        newest = []
        for node in vector:
            own = self.terms(node).computed
            if not own:
                return None
            newest.append(own[-1])
        return Unit("mean", f"sum of {len(terms.computed)}", vector, [tuple(newest)])

    # -- elementwise ----------------------------------------------------------------------------

    def _shared(self, vector: Vector) -> tuple[int, Vector] | None:
        """(the operand that all elements have in common, the others); None where there is none."""
        if len(vector) < 2:
            return None
        common = set(map(int, self.graph.children(vector[0]))) & set(map(int, self.graph.children(vector[-1])))
        common = {c for c in common if not self.constant(c)}
        if len(common) != 1:
            return None
        shared = common.pop()
        others = []
        for node in vector:
            own = [c for c in self.varying(node) if c != shared]
            if len(own) != 1:
                return None
            others.append(own[0])
        return shared, tuple(others)

    def _norm(self, vector: Vector) -> Unit | None:
        """A vector times (over, minus) one number that was computed from the vector itself."""
        found = self._shared(vector)
        role = self.graph.role(vector[0])
        if found is None or role not in (Role.MULTIPLY, Role.DIVIDE, Role.SUBTRACT, Role.ADD):
            return None
        shared, below = found
        base = below
        for _ in range(3):
            inner = self._shared(base)
            if inner is None or self.graph.role(base[0]) not in (Role.SUBTRACT, Role.ADD):
                break
            if not self._depends(inner[0], set(inner[1])):
                break
            base = inner[1]
        if self.matrix(shared) is not None or not self._depends(shared, {*below, *base}):
            return self._gated(vector, shared, below) if role in (Role.MULTIPLY, Role.DIVIDE) else None
        return Unit("norm", self.function_name(vector[0], base[0]) or "norm", vector, [base])

    def _gated(self, vector: Vector, shared: int, below: Vector) -> Unit:
        matrix = self.matrix(shared)
        if matrix is not None:
            return Unit("multiply", "×", vector, [below], [matrix])
        return Unit("multiply", "×", vector, [below, (shared,)])

    def _depends(self, node: int, on: set[int]) -> bool:
        """True when a number was made from one of some nodes, within a norm's length."""
        oldest, seen, stack = min(on), set[int](), [node]
        while stack and len(seen) < 8 * len(on) + 64:
            top = stack.pop()
            if top in on:
                return True
            if top >= oldest and top not in seen:
                seen.add(top)
                stack.extend(int(c) for c in self.graph.children(top))
        return False

    def _gain(self, vector: Vector) -> Unit | None:
        """Each element times a parameter of its own, or plus one: written into the box below."""
        if self.graph.role(vector[0]) not in (Role.MULTIPLY, Role.ADD, Role.SUBTRACT):
            return None
        below, parameters = [], []
        for node in vector:
            own = self.varying(node)
            mine = [c for c in own if self.matrix(c) is not None]
            if len(own) != 2 or len(mine) != 1:
                return None
            parameters.append(mine[0])
            below.append(next(c for c in own if c != mine[0]))
        matrix = self.matrix(parameters[0])
        assert matrix is not None
        if len(matrix.shape) > 1 and len(vector) > 1 and 1 not in matrix.shape:
            return None
        unit = self._unit(tuple(below))
        if unit.kind in ("parameters", "input", "mean") or matrix in unit.matrices:
            return None  # of a * b + a the a that is added is drawn too
        unit.matrices += [m for m in {self.matrix(p): 0 for p in parameters} if m is not None]
        return unit

    def _rotation(self, vector: Vector) -> Unit | None:
        """Sums of two elements of one vector, each times a constant: rotary positions."""
        if self.graph.role(vector[0]) not in (Role.ADD, Role.SUBTRACT) or len(vector) < 2:
            return None
        below: list[int] = []
        for node in vector:
            own = []
            for child in self.varying(node):
                while self.graph.role(child) in (Role.MULTIPLY, Role.NEGATE, Role.DIVIDE):
                    inner = self.varying(child)
                    if len(inner) != 1:
                        return None
                    child = inner[0]
                own.append(child)
            if len(own) != 2 or self.matrix(own[0]) is not None:
                return None
            below += own
        elements = tuple(sorted(set(below)))
        if len(elements) > len(vector) + 1:
            return None
        return Unit("function", self.function_name(vector[0], elements[-1]) or "rotate", vector, [elements])

    def _function(self, vector: Vector) -> Unit | None:
        """An elementwise function: everything between an element and the one node it all comes from."""
        below = []
        steps = 0
        for node in vector:
            frontier, steps = {node}, 0
            while len(frontier) > 1 or node in frontier:
                top = max(frontier)
                frontier.discard(top)
                steps += 1
                if self.matrix(top) is not None or steps > MOST_STEPS or (steps > 1 and top in self.rows):
                    return None
                frontier.update(self.varying(top))
                if not frontier:
                    return None
            below.append(frontier.pop())
        role = self.graph.role(vector[0])
        op = self.trace.op_name(vector[0])
        name = op if steps == 1 else self.function_name(vector[0], below[0]) or op
        title = {Role.POWER: self._power(vector[0]), Role.NEGATE: "−x"}.get(role, name) if steps == 1 else name
        return Unit("function", title, vector, [tuple(below)])

    def _power(self, node: int) -> str:
        exponent = self.trace.operands.get(node, ())
        return {2: "x²", -1: "1/x", 0.5: "√x"}.get(exponent[0], f"x^{exponent[0]:g}") if exponent else "xⁿ"

    def _joined(self, vector: Vector) -> Unit:
        """Two vectors element by element, or whatever an operation of the script's own takes."""
        first = vector[0]
        role = self.graph.role(first)
        slots = [self.operands(node) for node in vector]
        width = len(slots[0])
        if width > 4 and len(vector) == 1:
            return Unit("function", self.trace.op_name(first), vector, [tuple(self.varying(first))])
        operands: list[Vector] = []
        for k in range(width):
            column = tuple(s[k] for s in slots if len(s) == width)
            if column and not self.constant(column[0]):
                operands.append(column if len(set(column)) > 1 else column[:1])
        if len(operands) > 4:
            operands = operands[-1:]
        kind, title = _JOINS.get(role, ("function", self.trace.op_name(first)))
        return Unit(kind, title, vector, list(dict.fromkeys(operands)))

    def function_name(self, node: int, below: int) -> str:
        """The function of the script that made a node out of an older one; empty where it has made that too."""
        born = self.trace.born_at(node)
        path = self.trace.scope_path(self.trace.scope_of(born)) if born >= 0 else []
        for scope in reversed(path):
            site = self.trace.program.site(self.trace.scope_site[scope])
            if self.trace.scope_first[scope] <= self.trace.born_at(below):
                return ""
            if site.kind == SiteKind.CALL:
                name = site.name.rpartition(".")[2]
                return "" if name.startswith("__") else name
        return ""


_LINEAR = (Role.ADD, Role.SUBTRACT, Role.NEGATE, Role.MULTIPLY)
_JOINS = {
    Role.ADD: ("add", "+"), Role.SUBTRACT: ("add", "−"), Role.MULTIPLY: ("multiply", "×"),
    Role.DIVIDE: ("multiply", "÷"),
}  # fmt: skip
