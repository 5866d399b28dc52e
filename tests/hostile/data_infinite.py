from engine import Value, weights
for step in range(3):
    loss = weights[0] * 1e308 * 10.0 + weights[1] * -1e308 * 10.0
    loss.backward()
    for p in weights:
        p.data -= p.grad
        p.grad = 0
    print(loss.data)
