"""The debugger without a screen: run, verify, show. The same data as on the screen, as text and JSON."""
