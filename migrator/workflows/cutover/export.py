"""List of old SIMs for a portal, where there is no API."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from migrator import wiring
from migrator.carriers.by_hand import ByHandControl
from migrator.core.cutover.plan import CutoverHeader, CutoverItem, Direction
from migrator.core.cutover.results import CutoverResult
from migrator.core.cutover.rules import is_open
from migrator.core.fleet.sims import SourceSim
from migrator.core.run.states import StepKind, StepState
from migrator.engine.cutover.cutover import CutoverRun
from migrator.engine.run.context import Stopper
from migrator.errors import InputError
from migrator.inputs.settings.settings import Settings
from migrator.store import Store
from migrator.workflows.cutover.apply import (
    Carriers,
    CutoverBounds,
    context_of,
    cutover_must_be_usable,
)
from migrator.workflows.plans.refusals import cutover_must_be_whole
from migrator.workflows.site import Site, holding

__all__ = ["OffList", "list_cutover", "must_be_by_hand"]

BY_HAND = CutoverBounds(wait_s=0.0, queue_s=0.0)
"""Bounds of a run that gives a list.

Nothing is waited for, and what is not off yet is listed again.
"""


@dataclass(frozen=True, slots=True)
class OffList:
    """Result of a list.

    Args:
        result: of the run.
        items: the SIMs of the list, in the plan's order; each may be switched off now.
        is_with_a_person: whether the plan goes on only once a person has switched SIMs off.
    """

    result: CutoverResult
    items: Sequence[CutoverItem]
    is_with_a_person: bool

    def sims(self, store: Store) -> Iterator[tuple[CutoverItem, SourceSim]]:
        """Yield the SIMs of the list, as the inventory has them."""
        known = {sim.iccid.key: sim for sim in store.inventory.sims([item.key for item in self.items])}
        yield from ((item, known[item.key]) for item in self.items)


def must_be_by_hand(settings: Settings, store: Store) -> str:
    """Return the name of a source without an API.

    Raises: InputError, if it is, or could be by other settings.
    """
    name = store.inventory.source_name()
    if wiring.is_asked(settings, store):
        hint = "`migrator cutover apply` switches them off, and proves it"
        raise InputError(f"the SIMs of this store are {name}'s, which has an API", code="has_api", hint=hint)
    return name


def list_cutover(site: Site, header: CutoverHeader) -> OffList:
    """List the old SIMs to switch off; read the new ones first.

    This is the run of a cutover whose orders go to a person: the same guards, gates, waves and journal. A SIM of an
    earlier list that the inventory shows as off is proved, and one that is still on is judged and listed again.

    Args:
        site: the store.
        header: of the cutover plan, confirmed.

    Raises: InputError, if the source is asked by its API, or for a rollback; StalePlan; StoreBusy.
    """
    store, name = site.store, must_be_by_hand(site.settings, site.store)
    if header.direction is not Direction.CUTOVER:
        words = f"{header.cutover_id} is a rollback plan: switch these SIMs on in {name}'s portal, then import its file"
        raise InputError(words, code="other_direction", hint="`migrator cutover show` lists them")
    with holding(site) as me:
        cutover_must_be_usable(store, header)
        cutover_must_be_whole(store, header)
        source = ByHandControl(name, store.inventory.find)

        async def body(stopper: Stopper) -> CutoverResult:
            command = "cutover export"
            stopper.obey(store.signs, header.cutover_id, site.progress, command, migration=header.plan_id)
            async with (
                site.outside.target(site.settings, store, stopper, read_only=True) as target,
                site.heartbeat(me, stopper),
            ):
                carriers = Carriers(store, source, target, stopper, wiring.runner(me))
                return await CutoverRun(context_of(site, header, BY_HAND, carriers)).run()

        result = site.outside.run_async(body)
        if result.is_over:
            store.cutovers.finish(header.cutover_id, site.now())
        keys = {order.iccid.key for order in source.ordered}
        items = [item for item in store.cutovers.all_items(header.cutover_id) if item.key in keys]
        return OffList(result, items, _is_with_a_person(store, header))


def _is_with_a_person(store: Store, header: CutoverHeader) -> bool:
    """True if every open SIM of the first open wave was listed."""
    for wave in header.waves:
        states = {
            item.state_of(StepKind.SOURCE)
            for item in store.cutovers.items(header.cutover_id, wave)
            if is_open(item, header.direction)
        }
        if states:
            return states == {StepState.UNCERTAIN}
    return False
