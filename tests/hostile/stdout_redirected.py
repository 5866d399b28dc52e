import contextlib, os, sys
from engine import fit
for step in range(3):
    with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
        print("hidden")
    print("seen", fit())
