"""`simulate serve`: both carriers on loopback, for rehearsals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options
from migrator.cli.app.files import refuse_unwritable, written
from migrator.core.run.sources import SOURCES
from migrator.wiring.rehearsal.rehearsal import pool_of
from migrator.workflows.rehearsal.serve import ServeWishes, rehearsal_of

__all__ = ["serve"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _share(name: str, words: str) -> Callable[[_Command], _Command]:
    """Return an option for a share of the fleet; none by default."""
    share = click.FloatRange(0, 1)
    return click.option(name, default=0.0, show_default=True, type=share, metavar="SHARE", help=f"Share of {words}")


@click.command("serve", epilog="Exit codes: 0 stopped by Ctrl-C, 2 the port is taken, or the folder in use.")
@click.option("--source", type=click.Choice(list(SOURCES)), default="1nce", show_default=True, help="The old carrier.")
@click.option("--sims", default=1000, show_default=True, type=click.IntRange(0, 1_000_000), help="Old SIMs.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same fleet.")
@click.option("--port", default=8701, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free port.")
@click.option("--balance", default="100000", show_default=True, help='Hologram\'s balance; "none" for an invoiced org.')
@click.option("--latency-ms", default=0, show_default=True, type=click.IntRange(0, 60_000), help="Before each reply.")
@click.option(
    "--source-rps", "--onence-rps", default=10.0, show_default=True, help="The old carrier's rate limit; 0 for none."
)
@click.option("--hologram-rps", default=0.0, show_default=True, help="Hologram's hidden rate limit; 0 for none.")
@click.option(
    "--faults", default=0.0, show_default=True, type=click.FloatRange(0, 0.9), help="Share of requests that go wrong."
)
@click.option(
    "--claims",
    type=click.Choice(["all_or_nothing", "skip_bad", "false_but_some", "refuse_silently"]),
    help="How Hologram treats claims with bad SIMs.",
)
@click.option("--edition", type=click.Choice(["REF-1", "REF-2", "REF-3"]), help="The wording of Hologram's replies.")
@click.option("--pending-s", default=2.0, show_default=True, help="The longest that Hologram takes to move a SIM.")
@click.option("--read-lag-s", default=0.0, show_default=True, help="How old Hologram's reads are.")
@_share("--connect", "the new SIMs that go online some seconds after they are live, in the units of their old ones.")
@_share("--crossed", "the new SIMs that go online in a neighbour's unit, with --connect.")
@_share("--nameless", "the units whose modem has a shared IMEI, or a filler, with --connect.")
@_share("--silent", "the other new SIMs that are silent once they are live, each in one of the ways that `show` tells.")
@_share("--test-mode", "the new SIMs that begin in Test Mode. A unit's data ends it, or its planned end does.")
@click.option(
    "--test-mode-days",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    metavar="DAYS",
    help="From now to that end.",
)
@click.option(
    "--test-mode-claim",
    type=click.Choice(["refused", "live"]),
    default="refused",
    show_default=True,
    help="What a claim does to a SIM in Test Mode: two editions of Hologram's page differ.",
)
@click.option(
    "--swaps-per-day",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="With --connect: technicians swap so many units a day, live or not; 5760 is one every 15 s.",
)
@click.option(
    "--scans",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="With --connect: files of what technicians note at each swap, and truth.csv; without --swaps-per-day of all "
    "units at once.",
)
@_share("--bad-scans", "the rows of --scans that are rounded by Excel, mistyped, of a card in two rows, or exchanged.")
@click.option("--pool-file", type=click.Path(path_type=Path), help="Write the new SIMs here, for `pair pool`.")
@global_options
@click.pass_obj
def serve(shared: Globals, /, **options: Any) -> int:
    """Serve a simulated source, such as 1NCE, and Hologram on 127.0.0.1.

    Prints what to export. The old fleet, and as many new SIMs in Hologram's inventory, come from the seed. Ctrl-C stops
    it. GET /onence/_simulator/ledger and /hologram/_simulator/ledger show what was asked and charged; another source
    has its own name in the place of onence.
    """
    return finish("simulate serve", shared, lambda: _serve(ServeWishes(**options)))


def _serve(wishes: ServeWishes) -> Outcome:

    if wishes.pool_file is not None:
        refuse_unwritable(wishes.pool_file)
    pool = pool_of(wishes.sims)
    rehearsal = rehearsal_of(wishes, pool)
    if wishes.pool_file is not None:
        written(wishes.pool_file, (f"{iccid}\n" for iccid in pool))
    for name, value in rehearsal.environment().items():
        click.echo(f"export {name}={value}")
    rehearsal.run()
    return Outcome(rehearsal.summary(), ())
