from engine import Value, weights
weights[0].data = -0.0
for step in range(2):
    loss = weights[0] * 1.0 + -0.0
    loss.backward()
    print(repr(loss.data), repr(weights[0].grad))
