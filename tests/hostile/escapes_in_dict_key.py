from engine import Value, weights
names = {"\x1b[2Jw\x07": weights}
for step in range(2):
    loss = names["\x1b[2Jw\x07"][0] * 2
    loss.backward()
    for p in names["\x1b[2Jw\x07"]:
        p.data -= 0.1 * p.grad
        p.grad = 0
    print(loss.data)
