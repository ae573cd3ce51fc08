"""Command line: one file per command.

Imports are lazy, so that `--help` answers at once.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the tool with the process's arguments, and exit."""
    from migrator.cli.app.root import run

    sys.exit(run(sys.argv[1:]))
