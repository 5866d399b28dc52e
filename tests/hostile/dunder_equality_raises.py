from engine import Value, weights

class Touchy(Value):
    __slots__ = ()
    __hash__ = object.__hash__
    def __eq__(self, other):
        raise TypeError("do not compare me")

weights[:] = [Touchy(0.5), Touchy(0.25)]
for step in range(2):
    loss = weights[0] * 2 + weights[1]
    loss.backward()
    print(loss.data, weights[0].grad)
