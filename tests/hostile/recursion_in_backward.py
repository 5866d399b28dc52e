from engine import Value, weights
for step in range(2):
    loss = weights[0]
    for _ in range(3000):
        loss = loss + 0.001
    loss.backward()
