"""The scripts that ship with the debugger; they are run as programs, never imported."""
