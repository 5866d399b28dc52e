import io, sys
from engine import fit
real, sys.stdout = sys.stdout, io.StringIO()
for step in range(3):
    print("hidden", fit())
real.write(f"{len(sys.stdout.getvalue().splitlines())} lines were hidden\n")
