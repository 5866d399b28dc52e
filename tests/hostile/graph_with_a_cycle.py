from engine import Value, weights
for step in range(2):
    a = weights[0] * 2
    b = a + 1
    a.kids = (weights[0], b)
    b.backward()
    print(b.data, a.grad)
