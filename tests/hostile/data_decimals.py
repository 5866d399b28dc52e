from decimal import Decimal
from engine import Value, weights
weights[:] = [Value(Decimal("0.1")), Value(Decimal("0.2"))]
for step in range(3):
    loss = weights[0] * weights[1] + Decimal("0.3")
    loss.backward()
    for p in weights:
        p.data -= Decimal("0.1") * p.grad
        p.grad = 0
    print(loss.data)
