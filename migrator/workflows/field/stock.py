"""Cards without a unit yet: taking in, listing, claiming."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from migrator.core.fleet.pairing import Card
from migrator.core.fleet.sims import Candidate, Pair, SourceSim, SourceStatus
from migrator.core.money.calls import CallSizes
from migrator.core.plan.plan import PlanHeader
from migrator.core.policy.policy import Caps, Gates, StockPolicy
from migrator.core.run.packing import slices
from migrator.core.run.results import ApplyResult
from migrator.core.run.states import PlanKind
from migrator.engine.run.context import ApplyOptions, Stopper
from migrator.engine.run.read_targets import Reader
from migrator.errors import Halted, InputError, NotConfirmed
from migrator.inputs.pairing.pool import PoolEntry, RangeMode
from migrator.inputs.policy.file import LoadedPolicy, parse_policy, read_policy
from migrator.store import Store
from migrator.workflows.apply import apply
from migrator.workflows.check_pairs import last_organization
from migrator.workflows.deal_pool import new_sims
from migrator.workflows.plans.make import Fleet, make_plan
from migrator.workflows.site import Site

__all__ = ["TakenIn", "claim_stock", "import_stock", "stock_cards", "stock_counts"]

AT_ONCE = 500
"""Cards that are read at a time."""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """Result of taking cards into stock.

    `paired` counts cards of the file that a pair names already. `unused_columns` are titles of the file.
    """

    added: int
    total: int
    paired: int
    entries: Sequence[PoolEntry]
    unused_columns: Sequence[str]


def import_stock(
    site: Site,
    file: Path | str,
    *,
    range_mode: RangeMode | None = None,
    columns: Mapping[str, str] | None = None,
    reading: AbstractContextManager[Any] | None = None,
) -> TakenIn:
    """Take cards of a file into stock, all or none.

    Args:
        site: the store.
        file: cards, one ICCID or range in a line; or a table, as for `pair_pool`.
        range_mode: how ranges count; None: only where that is clear.
        columns: title by field, where the file is a table.
        reading: entered while the file is read, to see its problems.

    Raises: InputError, naming every problem of the file.
    """
    store = site.store
    entries, unused_columns = new_sims(store, Path(file), range_mode=range_mode, columns=columns, reading=reading)
    added = store.stock.add(((entry.iccid, entry.origin) for entry in entries), site.now())
    paired = store.pairs.by_target_keys(entry.iccid.key for entry in entries)
    return TakenIn(added, store.stock.count(), len(paired), entries, unused_columns)


def stock_cards(site: Site) -> list[Card]:
    """Return every card in stock as last read, sorted by ICCID."""
    cards = site.store.stock.cards(last_organization(site.store))
    return sorted(cards, key=lambda card: card.iccid.digits)


def stock_counts(cards: Sequence[Card]) -> dict[str, int]:
    """Count cards by their standing."""
    return {state.value: count for state, count in sorted(Counter(card.state for card in cards).items())}


def claim_stock(site: Site, policy: Path | str, *, count: int, confirm: int | None) -> ApplyResult:
    """Claim cards of the stock, or go on with it.

    Cards that are free are taken in the order of their ICCIDs. They get limits, tag and name of `[stock]`.

    Args:
        site: the store.
        policy: a policy file (TOML) with `[stock]`.
        count: how many cards to claim.
        confirm: the same number again: a claim bills at once and cannot be undone.

    Returns: the result, as of `apply`.
    Raises: InputError, for another number or too few free cards; Halted, past `[stock] max_cards`, or for missing
        approvals; StoreBusy; PlatformError.
    """
    store, loaded = site.store, read_policy(Path(policy))
    _must_be_confirmed(count, confirm)
    begun = store.stock.unfinished()
    if begun is not None and store.plans.header(begun).claims != count:
        raise InputError(
            f"plan {begun} claims {store.plans.header(begun).claims} cards and was not finished; nothing was sent",
            code="stock_unfinished",
            hint=f"`migrator apply {begun}` goes on with it",
        )
    plan_id = begun or _planned(site, loaded, count).plan_id
    return apply(site, plan_id, confirm=count)


def _must_be_confirmed(count: int, confirm: int | None) -> None:
    if confirm == count:
        return
    given = "nothing" if confirm is None else str(confirm)
    raise NotConfirmed(
        f"{count} cards are to be claimed, which bills at once and cannot be undone, and {given} was confirmed",
        hint=f"add --confirm {count}",
    )


def _planned(site: Site, loaded: LoadedPolicy, count: int) -> PlanHeader:
    """Make a plan for cards that nobody has now."""
    store, settings, clock = site.store, site.settings, site.clock
    derived = _of_stock(loaded)

    async def body(stopper: Stopper) -> PlanHeader:
        async with site.outside.target(settings, store, stopper, read_only=True) as target:
            org_id = (await target.account()).org_id
            _must_fit(store, loaded.policy.stock, org_id, count)
            reader = Reader(target, store.journal, clock, stopper, ApplyOptions().workers)
            cards = await _free(store, reader, org_id, count)
            return await make_plan(
                store,
                target,
                derived,
                max_rps=settings.hologram().max_rps,
                clock=clock,
                stopper=stopper,
                progress=site.progress,
                sizes=CallSizes(settings.claim_batch, settings.batch),
                fleet=Fleet(partial(_candidates, cards), PlanKind.STOCK, "s", is_read=True),
            )

    return site.outside.run_async(body)


def _must_fit(store: Store, stock: StockPolicy, org_id: int, count: int) -> None:
    """Refuse more cards than the policy allows over all plans.

    Raises: Halted.
    """
    claimed = store.stock.claimed(org_id)
    if claimed + count > stock.max_cards:
        raise Halted(
            f"{claimed} cards were claimed for the stock, and {count} more are past [stock] max_cards "
            f"= {stock.max_cards}; nothing was sent",
            code="past_stock",
            hint="raise it in the policy, or claim fewer",
        )


async def _free(store: Store, reader: Reader, org_id: int, count: int) -> list[Card]:
    """Return the first cards that nobody has, as read now.

    Raises: InputError, if there are too few of them.
    """
    found: list[Card] = []
    on_disk = sorted(store.stock.free(org_id), key=lambda card: card.iccid.digits)
    for some in slices(on_disk, AT_ONCE):
        await reader.read([card.iccid for card in some], full=True, thorough=True)
        found += store.stock.free(org_id, among_keys=[card.iccid.key for card in some])
        if len(found) >= count:
            return found[:count]
    raise InputError(
        f"{count} cards are to be claimed, and {len(found)} in stock are free; nothing was sent",
        code="stock_too_small",
        hint="`migrator stock list` shows where each card stands; `migrator stock import FILE` takes in more",
    )


def _candidates(cards: Sequence[Card]) -> Iterator[Candidate]:
    """Yield each card as its own old SIM and new SIM."""
    for card in cards:
        sim = SourceSim(iccid=card.iccid, status=SourceStatus.ENABLED, status_word="in stock")
        yield Candidate(sim, Pair(card.iccid, card.iccid, card.origin), None, target_read=True)


def _of_stock(loaded: LoadedPolicy) -> LoadedPolicy:
    """Return the policy of a plan for the stock.

    Tariff, caps, bounds and approvals are those of the policy, the rest is that of `[stock]`.

    Raises: InputError, if no card may be claimed, or the tag is that of units.
    """
    policy, stock = loaded.policy, loaded.policy.stock
    if not stock.max_cards:
        raise InputError(
            f"{loaded.name} allows no card to be claimed for the stock",
            code="no_stock_policy",
            hint="add [stock] with max_cards, the most of them over all plans",
        )
    if stock.tag is not None and stock.tag == policy.claim.tag:
        raise InputError(
            f"{loaded.name}: [stock] tag and [claim] tag are both {stock.tag!r}",
            code="stock_tag",
            hint="give cards in stock a tag of their own",
        )
    sections: dict[str, dict[str, Any]] = {
        "claim": {
            "data_plan_id": policy.claim.data_plan_id,
            "zone": policy.claim.zone,
            "tag": stock.tag or "",
            "limits": policy.claim.limits.value,
        },
        "data_limit": {"basis": "fixed", "fixed_mb": stock.data_limit_mb},
        "sms_limit": {"basis": "fixed", "fixed": stock.sms_limit},
        "name": {"template": stock.name, "when_missing": stock.name},
        "gates": _values_of(policy.gates),
        "caps": _values_of(policy.caps),
        "approvals": {"required": policy.approvals},
    }
    text = "policy_version = 1\n" + "".join(
        f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())
        for name, values in sections.items()
    )
    return parse_policy(f'{text}[[waves]]\nname = "stock"\n', name=loaded.name)


def _values_of(section: Gates | Caps) -> dict[str, Any]:
    """Return a section's values by key."""
    return {one.name: getattr(section, one.name) for one in fields(section)}


def _toml(value: Any) -> str:
    """Write a value as TOML does."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value) if isinstance(value, str) else f"{value:f}" if isinstance(value, Decimal) else str(value)
