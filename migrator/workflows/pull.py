"""Reading the source fleet into the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from migrator.core.fleet.sims import Unread
from migrator.core.run.results import PullResult
from migrator.engine.pull.pull import Pulling
from migrator.engine.run.context import Stopper
from migrator.workflows.site import Site, holding

__all__ = ["Pulled", "pull", "pull_list"]


@dataclass(frozen=True, slots=True)
class Pulled:
    """Result of a pull.

    `summary` counts the inventory in force by status, and `unread` has words that cannot be read; both are empty
    while the list has not settled. `lacks_limits`: no SIM of that inventory has a data limit or a booked volume.
    """

    result: PullResult
    summary: Mapping[str, Any] = field(default_factory=dict)
    unread: Unread | None = None
    lacks_limits: bool = False


def pull(
    site: Site, *, quotas: bool = False, limits: bool = False, replace: bool = False, new_login: bool = False
) -> Pulled:
    """Read the source fleet; go on where an interruption left it.

    Args:
        site: the store; it may be new.
        quotas: whether to read of each SIM what the list does not tell, too: one or two calls per SIM.
        limits: whether to read the account's monthly caps, too.
        replace: whether the list may leave out any number of SIMs that the inventory has now.
        new_login: whether the login may be another than that by which the inventory was read. Its list must have the
            SIMs of the inventory all the same.

    Raises: InputError, where too many SIMs are gone, or for another source or account; StoreBusy;
        NotAuthorised; Transient.
    """
    result = pull_list(site, quotas=quotas, limits=limits, replace=replace, new_login=new_login)
    if not result.settled:
        return Pulled(result)
    inventory = site.store.inventory
    told = inventory.told_volumes()
    has_limits = bool(told.data or told.data_limit)
    return Pulled(result, inventory.summary(), inventory.unread(), lacks_limits=not has_limits)


def pull_list(
    site: Site, *, quotas: bool = False, limits: bool = False, replace: bool = False, new_login: bool = False
) -> PullResult:
    """Read the source fleet as `pull` does, and count nothing after."""
    store = site.store
    chosen = site.settings.source()

    async def body(stopper: Stopper) -> PullResult:
        async with (
            site.outside.source(site.settings, store, stopper, new_login=new_login) as source,
            site.heartbeat(me, stopper),
        ):
            pulling = Pulling(
                source,
                store.inventory,
                site.clock,
                stopper,
                site.progress,
                quotas=quotas,
                limits=limits,
                most_dropped=chosen.most_dropped,
                replace=replace,
                account=chosen.account,
            )
            return await pulling.run()

    with holding(site) as me:
        return site.outside.run_async(body)
