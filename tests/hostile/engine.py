"""What the hostile programs train: two numbers whose product is to become 1."""


class Value:
    __slots__ = ("data", "grad", "kids", "slopes")

    def __init__(self, data, kids=(), slopes=()):
        self.data, self.grad, self.kids, self.slopes = data, 0, kids, slopes

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    __radd__, __rmul__ = __add__, __mul__

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if node not in seen:
                seen.add(node)
                for kid in node.kids:
                    visit(kid)
                order.append(node)

        visit(self)
        self.grad = 1
        for node in reversed(order):
            for kid, slope in zip(node.kids, node.slopes):
                kid.grad += slope * node.grad


weights = [Value(0.5), Value(1.25)]


def fit():
    """One training step; its loss."""
    miss = weights[0] * weights[1] + -1.0
    loss = miss * miss
    loss.backward()
    for p in weights:
        p.data -= 0.1 * p.grad
        p.grad = 0
    return loss.data
