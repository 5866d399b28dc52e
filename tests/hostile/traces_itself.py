import sys
from engine import fit
calls = []
def tracer(frame, event, arg):
    if event == "call" and frame.f_code.co_filename == __file__:
        calls.append(frame.f_code.co_name)
    return None
def learn():
    return fit()
sys.settrace(tracer)
for step in range(3):
    print(learn())
sys.settrace(None)
print(calls)
