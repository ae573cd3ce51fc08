"""Work of `pair check`: pairs compared with inventory and Hologram."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from migrator.carriers.hologram.wire import record_eids
from migrator.core.fleet.pairing import CONFLICTS, Standing, TargetView, standing, target_view
from migrator.core.fleet.sims import Candidate, Pair
from migrator.engine.run.context import ApplyOptions, Stopper
from migrator.engine.run.read_targets import Reader
from migrator.workflows.site import Site, required_inventory

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["Conflict", "PairCheck", "check_pairs", "count_pairs", "last_organization"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """SIM whose target cannot be used."""

    source: str
    target: str
    code: str
    words: str

    def as_dict(self) -> dict[str, str]:
        """Return the conflict as JSON values."""
        return {"source_iccid": self.source, "target_iccid": self.target, "code": self.code, "words": self.words}


@dataclass(slots=True)
class PairCheck:
    """Result of `pair check`.

    Args:
        inventory: source SIMs: paired + unpaired + conflicting + excluded.
        targets: target SIMs that we know of: paired + conflicting + unused.
        standings: source SIMs by where they stand.
        seen: targets of the inventory's pairs by what was seen of them.
        unpaired: ICCIDs without a target.
        orphans: sources of pairs that are no longer in the inventory; their targets are unused.
        conflicts: SIMs whose target cannot be used.
    """

    inventory: int = 0
    targets: int = 0
    standings: Counter[Standing] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    unpaired: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Counts of paired, unpaired, conflicting, excluded and unused SIMs."""
        used = self.standings[Standing.PAIRED] + self.standings[Standing.CONFLICTING]
        return {one.value: self.standings[one] for one in Standing} | {"unused": self.targets - used}


def check_pairs(site: Site, *, live: bool) -> PairCheck:
    """Compare pairs with the inventory, and with what the target showed.

    Args:
        site: the store.
        live: whether to read the targets first.

    Raises: InputError, if there is no inventory; NotAuthorised and kin; PlatformError.
    """
    required_inventory(site.store)
    org_id = site.outside.run_async(partial(_look_at_targets, site)) if live else last_organization(site.store)
    return count_pairs(site.store, org_id)


async def _look_at_targets(site: Site, stopper: Stopper) -> int:
    """Read what Hologram shows of every target, and keep the reads.

    Returns: our organization.
    """
    store = site.store
    async with site.outside.target(site.settings, store, stopper, read_only=True) as target:
        account = await target.account()
        site.progress("observing", {"sims": store.pairs.count()})
        reader = Reader(target, store.journal, site.clock, stopper, ApplyOptions().workers)
        await reader.read(store.pairs.targets(), full=True, thorough=True)
        return account.org_id


def last_organization(store: "Store") -> int | None:
    """Return our organization by the newest plan, or None.

    None while there is no plan.
    """
    newest = store.plans.newest()
    return None if newest is None else store.plans.header(newest).org_id


def count_pairs(store: "Store", org_id: int | None) -> PairCheck:
    """Count every SIM once.

    Reads the store only.

    Args:
        store: where.
        org_id: our organization; None where it is not known.
    """
    found = PairCheck(targets=store.pairs.count() + store.pairs.unpaired_targets())
    against = {
        pair.source.key: TargetView.EID_DIFFERS for pair, record in store.pairs.chips() if _differs(pair, record)
    }
    against |= {pair.source.key: TargetView.TARGET_IS_SOURCE for pair in store.pairs.misplaced()}
    for candidate in store.plans.candidates():
        view = target_view(candidate.target, was_read=candidate.target_read, org_id=org_id)
        if view not in CONFLICTS:
            view = against.get(candidate.sim.iccid.key, view)
        _count(found, candidate, view)
    found.orphans = sorted(pair.source.digits for pair in store.pairs.orphans())
    return found


def _count(found: PairCheck, candidate: Candidate, view: TargetView) -> None:
    found.inventory += 1
    stands = standing(candidate, view)
    found.standings[stands] += 1
    if stands is Standing.UNPAIRED:
        found.unpaired.append(candidate.sim.iccid.digits)
    if candidate.pair is not None:
        found.seen[view.value] += 1
    if candidate.pair is not None and stands is Standing.CONFLICTING:
        pair = candidate.pair
        found.conflicts.append(Conflict(str(pair.source), str(pair.target), view.value, CONFLICTS[view]))


def _differs(pair: Pair, record: Mapping[str, Any]) -> bool:
    """True if the carrier's record names chips, but not the pair's."""
    told = record_eids(record)
    return pair.eid is not None and bool(told) and pair.eid.digits not in told
