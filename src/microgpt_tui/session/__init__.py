"""The debugger's end of the debuggee's process: launching it, talking to it, keeping what it told."""
