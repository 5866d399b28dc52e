"""The screen in a browser: a page, and a session of its own for every visitor."""
