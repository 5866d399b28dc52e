class Rounded:
    def __init__(self, data, kids=(), slopes=()):
        self.data, self.grad, self.kids, self.slopes = data, 0.0, kids, slopes
    def __setattr__(self, name, value):
        object.__setattr__(self, name, round(value, 2) if isinstance(value, float) else value)
    def __mul__(self, other):
        return Rounded(self.data * other.data, (self, other), (other.data, self.data))
    def __add__(self, other):
        return Rounded(self.data + other.data, (self, other), (1.0, 1.0))
    def backward(self):
        self.grad = 1.0
        for kid, slope in zip(self.kids, self.slopes):
            kid.grad += slope * self.grad

a, b = Rounded(0.123), Rounded(0.456)
for step in range(3):
    loss = a * b + a
    loss.backward()
    for p in (a, b):
        p.data -= 0.077 * p.grad
        p.grad = 0.0
    print(loss.data)
