class Greedy:
    def __init__(self, data, kids=(), slopes=()):
        self.data, self.grad, self.kids, self.slopes = data, 0.0, kids, slopes
    def __mul__(self, other):
        return Greedy(self.data * other.data, (self, other), (other.data, self.data))
    def __add__(self, other):
        self.data += 1e-3
        return Greedy(self.data + other.data, (self, other), (1.0, 1.0))
    def backward(self):
        self.grad = 1.0
        for kid, slope in zip(self.kids, self.slopes):
            kid.grad += slope * self.grad

a, b = Greedy(1.0), Greedy(2.0)
for step in range(3):
    loss = a * b + a
    loss.backward()
    print(loss.data, a.data)
