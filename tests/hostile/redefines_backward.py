from engine import Value, weights

def quick(self):
    self.grad = 1.0
    for kid, slope in zip(self.kids, self.slopes):
        kid.grad += slope

for step in range(3):
    if step == 1:
        Value.backward = quick
    loss = weights[0] * weights[1]
    loss.backward()
    print(loss.data, weights[0].grad)
