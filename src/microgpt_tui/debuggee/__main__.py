"""``python -m microgpt_tui.debuggee FD``: the child process."""

from microgpt_tui.debuggee.run.runner import main

if __name__ == "__main__":
    main()
