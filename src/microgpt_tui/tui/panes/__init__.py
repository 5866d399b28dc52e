"""What the screen shows, a pane a file; each a pure function of (trace, event)."""
