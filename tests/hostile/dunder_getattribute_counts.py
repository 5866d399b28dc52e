from engine import fit
reads = 0

class Counted:
    def __init__(self, data, kids=(), slopes=()):
        self.data, self.grad, self.kids, self.slopes = data, 0.0, kids, slopes
    def __getattribute__(self, name):
        global reads
        reads += 1
        return object.__getattribute__(self, name)
    def __mul__(self, other):
        return Counted(self.data * other.data, (self, other), (other.data, self.data))
    def __add__(self, other):
        return Counted(self.data + other.data, (self, other), (1.0, 1.0))
    def backward(self):
        self.grad = 1.0
        for kid, slope in zip(self.kids, self.slopes):
            kid.grad += slope * self.grad

a, b = Counted(2.0), Counted(3.0)
for step in range(2):
    loss = a * b
    loss.backward()
    print(loss.data, reads)
