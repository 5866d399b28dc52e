from engine import Value
w = Value(None)
for step in range(2):
    loss = w * 2
    loss.backward()
