from engine import Value, weights

class Liar(Value):
    __slots__ = ()
    @property
    def __class__(self):
        return int

weights[:] = [Liar(0.5), Liar(0.25)]
for step in range(2):
    loss = Value.__mul__(weights[0], Value(2.0))
    loss.backward()
    print(loss.data, weights[0].grad)
