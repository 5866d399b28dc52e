"""`python -m microgpt_tui` is `microgpt-tui`."""

import sys

from microgpt_tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
