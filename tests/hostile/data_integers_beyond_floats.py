from engine import Value, weights
weights[:] = [Value(10**400), Value(3)]
for step in range(2):
    loss = weights[0] * weights[1]
    loss.backward()
    print(loss.data % 1000, weights[0].grad)
