from engine import fit
for step in range(2):
    print("\x1b]0;a title\x07\x1b[31mred\x1b[2J\x9b5n", fit())
