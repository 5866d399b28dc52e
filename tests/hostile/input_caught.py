from engine import fit
for step in range(2):
    try:
        rate = float(input())
    except EOFError:
        rate = 0.1
    print(rate, fit())
