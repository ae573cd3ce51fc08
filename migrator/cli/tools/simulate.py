"""`simulate serve`: both carriers on loopback, for rehearsals."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

import click

from migrator.carriers.hologram.simulator import HologramBehaviour, HologramSimulator, MixedClaims, ReplyEdition
from migrator.carriers.simulation import Fault, FaultPlan, RateLimit
from migrator.cli.app.common import Globals, Outcome, finish, global_options
from migrator.cli.app.files import refuse_unwritable, written
from migrator.core.run.sources import SOURCES
from migrator.errors import InputError
from migrator.wiring.rehearsal.rehearsal import CardsInTest, Rehearsal, pool_of
from migrator.wiring.rehearsal.scans import ScanFiles
from migrator.wiring.rehearsal.units import SwapDays, UnitsOutside
from migrator.wiring.simulated import Simulated
from migrator.wiring.sources import REGISTRY

__all__ = ["serve"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of the simulated carriers."""

    source: str
    sims: int
    seed: int
    port: int
    balance: str
    latency_ms: int
    source_rps: float
    hologram_rps: float
    faults: float
    claims: str | None
    edition: str | None
    pending_s: float
    read_lag_s: float
    connect: float
    crossed: float
    nameless: float
    silent: float
    test_mode: float
    test_mode_days: float
    test_mode_claim: str
    swaps_per_day: float | None
    scans: Path | None
    bad_scans: float
    pool_file: Path | None


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
    return finish("simulate serve", shared, lambda: _serve(ServeOptions(**options)))


def _serve(options: ServeOptions) -> Outcome:

    if options.pool_file is not None:
        refuse_unwritable(options.pool_file)
    swaps = _swaps(options)
    pool = pool_of(options.sims)
    rehearsal = _rehearsal(options)
    if swaps is not None and swaps.scans is not None:
        swaps.scans.begin()  # after the port: nothing is left behind where that is taken
    if options.connect or options.silent:
        rehearsal.units = UnitsOutside(
            rehearsal.source,
            rehearsal.hologram,
            pool,
            options.connect,
            options.seed,
            crossed=options.crossed,
            nameless=options.nameless,
            silent=options.silent,
            swaps=swaps,
        )
    CardsInTest(options.test_mode, options.test_mode_days, options.seed).stock(rehearsal.hologram, pool)
    if options.pool_file is not None:
        written(options.pool_file, (f"{iccid}\n" for iccid in pool))
    for name, value in rehearsal.environment().items():
        click.echo(f"export {name}={value}")
    rehearsal.run()
    return Outcome(rehearsal.summary(), ())


def _swaps(options: ServeOptions) -> SwapDays | None:
    """Return the swaps that are asked for. Raises: InputError."""
    if options.swaps_per_day is None and options.scans is None:
        return None
    if not options.connect and not options.silent:
        raise InputError(
            "no unit is swapped: --swaps-per-day and --scans need --connect",
            code="nothing_swapped",
            hint="add --connect 1, or the share of the units that are swapped",
        )
    scans = None if options.scans is None else ScanFiles(options.scans, options.bad_scans, options.seed)
    return SwapDays(options.swaps_per_day, scans)


def _rehearsal(options: ServeOptions) -> Rehearsal:

    now, latency_s = datetime.now(UTC), options.latency_ms / 1000
    told = Simulated(
        seed=options.seed,
        sims=options.sims,
        rate_limit=RateLimit(options.source_rps, options.source_rps) if options.source_rps else None,
        latency_s=latency_s,
        faults=FaultPlan(_rates(options.faults), seed=options.seed),
        epoch=now,
    )
    hologram = HologramSimulator(
        seed=options.seed,
        behaviour=HologramBehaviour(
            rate_limit=RateLimit(options.hologram_rps, options.hologram_rps) if options.hologram_rps else None,
            latency_s=latency_s,
            claim_policy=MixedClaims(options.claims or "all_or_nothing"),
            edition=ReplyEdition(options.edition or "REF-2"),
            claim_pending_s=(0.0, options.pending_s),
            state_pending_s=(0.0, options.pending_s),
            read_lag_s=options.read_lag_s,
            test_mode_claimable=options.test_mode_claim == "live",
            hang_s=5.0,
        ),
        faults=FaultPlan(_rates(options.faults), seed=options.seed + 1),
        epoch=now,
        balance=_balance(options.balance),
    )
    return Rehearsal(REGISTRY[options.source].simulator(told), hologram, options.port, carrier=options.source)


def _rates(share: float) -> dict[Fault, float]:
    """Spread a share of faults evenly over the kinds of faults.

    Faults that would make a client wait for minutes are left out.
    """
    left_out = {Fault.NONE, Fault.SLOW, Fault.HANG_BEFORE, Fault.HANG_AFTER}
    kinds = [fault for fault in Fault if fault not in left_out]
    return {fault: share / len(kinds) for fault in kinds}


def _balance(text: str) -> Decimal | None:
    if text.strip().lower() == "none":
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InputError(
            f"--balance {text!r} is not an amount", code="bad_balance", hint='e.g. 500.00, or "none"'
        ) from None
