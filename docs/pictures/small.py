"""Five nodes: what docs/export.md draws as small.svg."""


class Value:
    def __init__(self, data, children=(), slopes=()):
        self.data, self.grad = data, 0.0
        self.children, self.slopes = children, slopes

    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def relu(self):
        return Value(max(0.0, self.data), (self,), (float(self.data > 0),))

    def backward(self):
        order, seen = [], set()

        def visit(v):
            if v not in seen:
                seen.add(v)
                for child in v.children:
                    visit(child)
                order.append(v)

        visit(self)
        self.grad = 1.0
        for v in reversed(order):
            for child, slope in zip(v.children, v.slopes, strict=True):
                child.grad += slope * v.grad


a = Value(2.0)
b = Value(-3.0)
c = a * b + a
loss = (c * c).relu()
loss.backward()
print(loss.data, a.grad, b.grad)
