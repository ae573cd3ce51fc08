"""Command line: one file per command.

Imports are lazy, so that `--help` answers at once.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the tool with the process's arguments, and exit."""
    from migrator.cli.app.root import run  # noqa: PLC0415 - who imports the library loads no command line
    from migrator.interrupts import heed_signals  # noqa: PLC0415 - the same

    heed_signals()
    sys.exit(run(sys.argv[1:]))
