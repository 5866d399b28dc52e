from fractions import Fraction
from engine import Value, weights
weights[:] = [Value(Fraction(1, 3)), Value(Fraction(-2, 7))]
for step in range(3):
    loss = (weights[0] * weights[1] + Fraction(1, 2)) * 2
    loss.backward()
    for p in weights:
        p.data -= Fraction(1, 10) * p.grad
        p.grad = 0
    print(loss.data)
