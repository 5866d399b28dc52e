from engine import Value, weights

class Nosy(Value):
    __slots__ = ()
    def __repr__(self):
        return f"<{self.data} of {self.kids} and {self!r}>"

weights[:] = [Nosy(0.5), Nosy(0.25)]
for step in range(2):
    loss = weights[0] * 2 + weights[1]
    loss.backward()
    print(loss.data, weights[0].grad)
