from engine import Value, weights

class NoTruth(Value):
    __slots__ = ()
    def __bool__(self):
        raise TypeError("neither true nor false")
    def __len__(self):
        raise TypeError("no length")

weights[:] = [NoTruth(0.5), NoTruth(0.25)]
for step in range(2):
    loss = weights[0] * 2 + weights[1]
    loss.backward()
    print(loss.data, weights[0].grad)
