"""Simulated carriers as somebody wishes them, for rehearsals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from migrator.carriers.hologram.simulator import HologramBehaviour, HologramSimulator, MixedClaims, ReplyEdition
from migrator.carriers.simulation import Fault, FaultPlan, RateLimit
from migrator.errors import InputError
from migrator.wiring.rehearsal.rehearsal import CardsInTest, Rehearsal
from migrator.wiring.rehearsal.scans import ScanFiles
from migrator.wiring.rehearsal.units import SwapDays, UnitsOutside
from migrator.wiring.simulated import Simulated
from migrator.wiring.sources import REGISTRY

__all__ = ["ServeWishes", "rehearsal_of"]


@dataclass(frozen=True, slots=True)
class ServeWishes:
    """Wishes for the simulated carriers: the options of `simulate serve`."""

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


def rehearsal_of(wishes: ServeWishes, pool: Sequence[str]) -> Rehearsal:
    """Make simulated carriers behind one address, with their units.

    `pool` has the ICCIDs of the new SIMs.

    Raises: InputError, for a port that is taken, a folder in use, or wishes that do not go together.
    """
    swaps = _swaps(wishes)
    rehearsal = _rehearsal(wishes)
    if swaps is not None and swaps.scans is not None:
        swaps.scans.begin()  # after the port: nothing is left behind where that is taken
    if wishes.connect or wishes.silent:
        rehearsal.units = UnitsOutside(
            rehearsal.source,
            rehearsal.hologram,
            pool,
            wishes.connect,
            wishes.seed,
            crossed=wishes.crossed,
            nameless=wishes.nameless,
            silent=wishes.silent,
            swaps=swaps,
        )
    CardsInTest(wishes.test_mode, wishes.test_mode_days, wishes.seed).stock(rehearsal.hologram, pool)
    return rehearsal


def _swaps(wishes: ServeWishes) -> SwapDays | None:
    """Return the swaps that are asked for. Raises: InputError."""
    if wishes.swaps_per_day is None and wishes.scans is None:
        return None
    if not wishes.connect and not wishes.silent:
        raise InputError(
            "no unit is swapped: --swaps-per-day and --scans need --connect",
            code="nothing_swapped",
            hint="add --connect 1, or the share of the units that are swapped",
        )
    scans = None if wishes.scans is None else ScanFiles(wishes.scans, wishes.bad_scans, wishes.seed)
    return SwapDays(wishes.swaps_per_day, scans)


def _rehearsal(wishes: ServeWishes) -> Rehearsal:

    now, latency_s = datetime.now(UTC), wishes.latency_ms / 1000
    told = Simulated(
        seed=wishes.seed,
        sims=wishes.sims,
        rate_limit=RateLimit(wishes.source_rps, wishes.source_rps) if wishes.source_rps else None,
        latency_s=latency_s,
        faults=FaultPlan(_rates(wishes.faults), seed=wishes.seed),
        epoch=now,
    )
    hologram = HologramSimulator(
        seed=wishes.seed,
        behaviour=HologramBehaviour(
            rate_limit=RateLimit(wishes.hologram_rps, wishes.hologram_rps) if wishes.hologram_rps else None,
            latency_s=latency_s,
            claim_policy=MixedClaims(wishes.claims or "all_or_nothing"),
            edition=ReplyEdition(wishes.edition or "REF-2"),
            claim_pending_s=(0.0, wishes.pending_s),
            state_pending_s=(0.0, wishes.pending_s),
            read_lag_s=wishes.read_lag_s,
            test_mode_claimable=wishes.test_mode_claim == "live",
            hang_s=5.0,
        ),
        faults=FaultPlan(_rates(wishes.faults), seed=wishes.seed + 1),
        epoch=now,
        balance=_balance(wishes.balance),
    )
    return Rehearsal(REGISTRY[wishes.source].simulator(told), hologram, wishes.port, carrier=wishes.source)


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
