import sys
from engine import Value, weights

class Loud(Value):
    __slots__ = ()
    def __repr__(self):
        sys.exit(99)
    __str__ = __repr__

weights[:] = [Loud(0.5), Loud(0.25)]
for step in range(2):
    loss = weights[0] * 2 + weights[1]
    loss.backward()
    print(loss.data, weights[0].grad)
