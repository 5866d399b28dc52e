"""A very small autograd engine: the module that mlp_only.py imports."""

import math


class Var:
    """A scalar with a gradient.

    `inputs` are the Vars it was computed from, `partials` the derivatives with respect to them.
    """

    __slots__ = ("data", "grad", "inputs", "partials")

    def __init__(self, data, *, inputs=(), partials=()):
        self.data = data
        self.grad = 0.0
        self.inputs = inputs
        self.partials = partials

    def __add__(self, other):
        other = lift(other)
        return Var(self.data + other.data, inputs=(self, other), partials=(1.0, 1.0))

    def __mul__(self, other):
        other = lift(other)
        partials = (other.data, self.data)
        return Var(self.data * other.data, inputs=(self, other), partials=partials)

    def __sub__(self, other):
        other = lift(other)
        return Var(self.data - other.data, inputs=(self, other), partials=(1.0, -1.0))

    def __neg__(self):
        return Var(-self.data, inputs=(self,), partials=(-1.0,))

    __radd__ = __add__
    __rmul__ = __mul__

    def tanh(self):
        t = math.tanh(self.data)
        return Var(t, inputs=(self,), partials=(1.0 - t * t,))

    def exp(self):
        e = math.exp(self.data)
        return Var(e, inputs=(self,), partials=(e,))

    def log(self):
        return Var(math.log(self.data), inputs=(self,), partials=(1.0 / self.data,))

    def reciprocal(self):
        r = 1.0 / self.data
        return Var(r, inputs=(self,), partials=(-r * r,))

    def backward(self):
        self.grad = 1.0
        for node in reversed(sort(self)):
            for var, partial in zip(node.inputs, node.partials):
                var.grad += partial * node.grad


def lift(x):
    """A plain number becomes a constant Var."""
    return x if isinstance(x, Var) else Var(float(x))


def sort(root):
    """All Vars below `root`, inputs first; a stack of its own, so that depth does not matter."""
    order, seen = [], {root}
    stack = [(root, iter(root.inputs))]
    while stack:
        node, rest = stack[-1]
        for var in rest:
            if var not in seen:
                seen.add(var)
                stack.append((var, iter(var.inputs)))
                break
        else:
            order.append(node)
            stack.pop()
    return order
