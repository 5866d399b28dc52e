import sys
from engine import Value, weights

class Strict(Value):
    __slots__ = ()

    def backward(self):
        super().backward()
        sys.exit(7)

for step in range(2):
    a = weights[0] * weights[1]
    loss = Strict(a.data, (a,), (1.0,))
    loss.backward()
