"""The command line: one file per command. Imports are lazy, so that `--help` answers at once."""

import gc
import sys

__all__ = ["RECORDS_BETWEEN_LOOKS", "main"]

RECORDS_BETWEEN_LOOKS = 50_000
"""New objects between two looks of the garbage collector: fleets are read as records by the million, without a cycle
among them, and by default they are looked through every 700."""


def main() -> None:
    """Run the tool with the process's arguments, and exit."""
    from migrator.cli.root import run

    gc.set_threshold(RECORDS_BETWEEN_LOOKS)
    sys.exit(run(sys.argv[1:]))
