"""Runs in the child process: the instrumented script and its recorder. Standard library only."""
