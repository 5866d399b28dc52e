from engine import fit

def deeper(n):
    try:
        return deeper(n + 1)
    except RecursionError:
        return n

for step in range(2):
    fit()
    print(deeper(0) > 500)
