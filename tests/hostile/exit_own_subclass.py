from engine import fit

class Enough(SystemExit):
    def __init__(self):
        super().__init__(6)

for step in range(4):
    if fit() < 1e9 and step:
        raise Enough
