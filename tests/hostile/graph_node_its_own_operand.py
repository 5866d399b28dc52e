from engine import Value, weights
for step in range(2):
    a = weights[0] * 2
    a.kids = (a, a)
    a.slopes = (0.5, 0.5)
    a.backward()
    print(a.data, a.grad)
