from engine import Value, weights
weights[:] = [Value("ab"), Value("cd")]
for step in range(2):
    loss = weights[0] + weights[1]
    loss.backward()
    print(loss.data)
