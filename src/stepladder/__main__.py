"""`python -m stepladder`, where the command is not on the path."""

from __future__ import annotations

from stepladder.cli import main

if __name__ == "__main__":
    main()
