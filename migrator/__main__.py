"""Entry point of `python -m migrator`."""

from migrator.cli import main

main()
