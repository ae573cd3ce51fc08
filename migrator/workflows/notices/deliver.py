"""Delivery of what waits in the outbox."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import anyio

from migrator.core.campaign.notices import Delivery, DeliveryState, of_account
from migrator.core.fleet.units import counted
from migrator.core.policy.outside import Receiver
from migrator.engine.run.context import Stopper
from migrator.errors import MigratorError
from migrator.receivers.message import Message, NotDelivered
from migrator.store import Store
from migrator.wiring.outside import hand_over
from migrator.wiring.withheld import Withheld, withheld
from migrator.workflows.notices.allowed import may_deliver
from migrator.workflows.site import Site

__all__ = ["GIVE_UP_S", "TOTAL_S", "deliver", "deliver_after_run", "deliver_due", "next_delivery_s", "next_try_s"]

TOTAL_S = 20.0
"""Most seconds that deliveries take at the end of a run."""

LONGEST_TRY_S = 11.0
"""Seconds that must be left to begin a try."""

FIRST_BACK_OFF_S, LONGEST_BACK_OFF_S = 60.0, 6 * 3600.0
GIVE_UP_S = 7 * 86_400.0
"""Age of a notice after which nobody tries it any more."""


def deliver_after_run(site: Site) -> None:
    """Deliver what waits.

    A receiver in trouble is no trouble of the run.
    """
    try:
        done = deliver(site)
    except MigratorError as error:
        words = "notices were not delivered, and wait for the next run or `migrator notify deliver`"
        site.warn(f"{words}: {error.message}")
        return
    bad = done[DeliveryState.WAITING] + done[DeliveryState.GAVE_UP]
    if bad:
        site.warn(f"not delivered: {counted(bad, 'notice')}; `migrator notify list` says why")


def deliver(site: Site, *, most_s: float = TOTAL_S) -> Counter[DeliveryState]:
    """Try every delivery that is due, each receiver by itself.

    In a turn only those that a worker may deliver.

    Args:
        site: the store with the outbox.
        most_s: how long it may take in all.

    Returns: the deliveries that were tried, by what became of them.
    Raises: StoreError.
    """

    async def body(stopper: Stopper) -> Counter[DeliveryState]:
        return await deliver_due(site, stopper, most_s=most_s)

    return site.outside.run_async(body) if site.store.outbox.due(site.now()) else Counter()


def next_delivery_s(site: Site, waiting: Iterable[Delivery]) -> float | None:
    """Return when the next delivery may be tried (UTC seconds).

    None if one is due all the same: it is left to persons, or was not reached.
    """
    next_s = min((one.next_at for one in waiting), default=0.0)
    return next_s if next_s > site.now() else None


async def deliver_due(site: Site, stopper: Stopper, *, most_s: float = TOTAL_S) -> Counter[DeliveryState]:
    """Try every delivery that is due, within a run.

    In a turn only those that a worker may deliver.

    Args:
        site: the store with the outbox.
        stopper: ends it.
        most_s: how long it may take in all.

    Raises: StoreError.
    """
    done = Counter[DeliveryState]()
    due: dict[Receiver, list[Delivery]] = {}
    for one in site.store.outbox.due(site.now()):
        if site.turn_of is not None and not may_deliver(site.store, one):
            continue
        due.setdefault(one.receiver, []).append(one)
    kept = withheld(site.settings, site.store.outbox.secret_names())  # also of receivers of which nothing is due
    around = _Round(stopper, anyio.current_time() + most_s, done, kept)
    with anyio.move_on_after(most_s):
        async with anyio.create_task_group() as tasks:
            for waiting in due.values():
                tasks.start_soon(_to_one, site, around, waiting)
    return done


@dataclass(frozen=True, slots=True)
class _Round:
    """Round of deliveries: its end, and what it did."""

    stopper: Stopper
    until: float
    done: Counter[DeliveryState]
    kept: Withheld


async def _to_one(site: Site, around: _Round, waiting: Sequence[Delivery]) -> None:
    """Deliver to one receiver, oldest first, until it fails."""
    store = site.store
    for one in waiting:
        if around.stopper.is_stopping or anyio.current_time() + LONGEST_TRY_S > around.until:
            return
        if not store.outbox.take_up(one, site.now()):
            continue
        try:
            await hand_over(message_of(store, one), one.receiver, now=site.now(), kept=around.kept)
        except NotDelivered as error:
            around.done[_failed(site, one, error)] += 1
            return
        except Exception as error:  # noqa: BLE001 - the run is not to blame; the words may hold an address
            around.done[_failed(site, one, NotDelivered(f"unexpected: {type(error).__name__}"))] += 1
            return
        store.outbox.delivered(one, site.now())
        around.done[DeliveryState.DELIVERED] += 1


def _failed(site: Site, one: Delivery, error: NotDelivered) -> DeliveryState:
    now = site.now()
    wait_s = next_try_s(one, now, error.retry_after_s)
    site.store.outbox.failed(one, now, error.words, None if wait_s is None else now + wait_s)
    return DeliveryState.GAVE_UP if wait_s is None else DeliveryState.WAITING


def next_try_s(one: Delivery, now: float, asked_s: float | None) -> float | None:
    """Return the seconds until the next try; None to give up.

    Args:
        one: as it was before the try that failed.
        now: UTC seconds.
        asked_s: how long the receiver asks to be left alone.
    """
    back_off_s = min(FIRST_BACK_OFF_S * 2 ** min(one.tries, 20), LONGEST_BACK_OFF_S)
    wait_s = max(back_off_s, asked_s or 0.0)
    return None if now + wait_s - one.made_at > GIVE_UP_S else wait_s


def message_of(store: Store, one: Delivery) -> Message:
    """Return the message of a delivery, as its receiver may see it."""
    account = None if store.file is not None else store.name
    told = of_account({**one.told, "store": store.outbox.store_name}, account)
    notice_id = f"{store.lineage}-{one.number}"
    return Message.of(notice_id, one.event, one.made_at, told, detail=one.receiver.detail)
