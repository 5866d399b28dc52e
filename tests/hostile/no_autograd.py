total = 0
for step in range(3):
    total += step
print(total)
