class Value:
    def __init__(self, data, kids=(), slopes=()):
        self.data, self.grad, self.kids, self.slopes = data, 0.0, kids, slopes
    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1.0, 1.0))
    def __mul__(self, other):
        return Value(self.data * other.data, (self, other), (other.data, self.data))
    def backward(self):
        self.grad = 1.0
        for kid, slope in zip(self.kids, self.slopes):
            kid.grad += slope * self.grad

First = Value

class Value(First):
    def __mul__(self, other):
        return Value(self.data * other.data * 2, (self, other), (2 * other.data, 2 * self.data))

a, b = Value(1.5), First(2.0)
for step in range(3):
    loss = a * b
    loss.backward()
    print(loss.data, a.grad)
    if step == 1:
        Value = First
        a = Value(0.5)
