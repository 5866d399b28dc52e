from engine import Value, weights
for step in range(2):
    loss = sum((weights[i % 2] * (i * 1e-5) for i in range(25000)), Value(0.0)) if not step else weights[0] * 1
    if step:
        loss.backward()
    print(loss.data)
