from engine import Value, weights
plain = Value.__mul__
for step in range(3):
    if step == 1:
        Value.__mul__ = lambda self, other: plain(plain(self, other), 0.5)
    loss = weights[0] * weights[1]
    loss.backward()
    print(loss.data, weights[0].grad)
