"""Finding what a command line names: SIMs, plans, an inventory that must be there."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.core.fleet.iccid_text import RefusedIccid, read_iccid
from migrator.core.fleet.identifiers import Iccid
from migrator.errors import InputError, StalePlan

if TYPE_CHECKING:
    from migrator.store import Owner, Store

__all__ = [
    "Steered",
    "finding_counts",
    "living_holder",
    "parsed_iccid",
    "plan_id_of",
    "plan_in_use",
    "plan_looked_at",
    "plan_or_file",
    "required_inventory",
    "steered",
    "unfinished_besides",
]


def parsed_iccid(text: str) -> Iccid:
    """An ICCID from the command line. Raises: InputError, if it is none."""
    try:
        return read_iccid(text)
    except RefusedIccid as error:
        hint = error.hint or "give the digits as 1NCE lists them"
        raise InputError(str(error), code=error.code, hint=hint) from error


def required_inventory(store: "Store") -> int:
    """How many SIMs the inventory holds. Raises: InputError, if none was pulled yet."""
    count = int(store.inventory.summary().get("count", 0))
    if not count:
        raise InputError("the store holds no inventory yet", code="no_inventory", hint="run `migrator inventory pull`")
    return count


def plan_id_of(store: "Store", given: str | None) -> str:
    """The plan that is meant: `given`, or the newest. Raises: InputError, if there is none."""
    if given is None:
        newest = store.plans.newest()
        if newest is None:
            raise InputError("the store holds no plan yet", code="no_plan", hint="run `migrator plan create`")
        return newest
    if store.plans.exists(given) is None:
        known = ", ".join(str(plan["plan_id"]) for plan in store.plans.list()[:5]) or "none"
        if Path(given).is_file():
            words = f"{given} is a file, and this command goes by a plan's id"
        else:
            no_file = " and no such file" if set(given) & set("./\\") else ""
            words = f"there is no plan {given!r} in this store{no_file}"
        raise InputError(words, code="no_plan", hint=f"known: {known}")
    return given


@dataclass(frozen=True, slots=True)
class Steered:
    """What an order is for: a migration's plan, or its cutover or rollback. Either way it stands by the first.

    Args:
        plan_id: the migration's plan.
        named: its id, or that of the cutover or rollback.
        command: what carries it out.
        is_running: whether the journal knows of a run of it that has not ended; its process may be dead.
        is_over: whether it is finished.
    """

    plan_id: str
    named: str
    command: str
    is_running: bool
    is_over: bool


def steered(store: "Store", given: str | None) -> Steered:
    """What an order is for: `given`, or the cutover or rollback that is at work, or the plan in use."""
    switch_id = _switch_at_work(store) if given is None else given if store.switches.exists(given) else None
    if switch_id is not None:
        header = store.switches.header(switch_id)
        return Steered(
            plan_id=header.plan_id,
            named=switch_id,
            command=f"{header.direction} apply",
            is_running=_is_switching(store, switch_id),
            is_over=store.switches.state(switch_id) == "finished",
        )
    plan_id = plan_in_use(store, given)
    return Steered(
        plan_id=plan_id,
        named=plan_id,
        command="apply",
        is_running=any(run.state == "running" for run in store.journal.runs(plan_id)),
        is_over=store.plans.state(plan_id) == "finished",
    )


def _switch_at_work(store: "Store") -> str | None:
    """The cutover or rollback that a living process is at; None if there is none."""
    newest = store.switches.newest()
    plans = [] if newest is None else store.switches.of_plan(store.switches.header(newest).plan_id)
    running = [str(one["switch_id"]) for one in plans if _is_switching(store, one["switch_id"])]
    return running[-1] if running and living_holder(store) is not None else None


def _is_switching(store: "Store", switch_id: str) -> bool:
    return any(run["state"] == "running" for run in store.switches.runs(switch_id))


def plan_in_use(store: "Store", given: str | None) -> str:
    """The plan that is meant: `given`, or the one whose run was started last and that is not finished, or the newest.

    A plan that was made since is not begun: a bare word is about the one that is.
    """
    if given is not None:
        return plan_id_of(store, given)
    begun = [plan for plan in store.plans.list() if plan["state"] == "started"]
    last = {
        plan["plan_id"]: max((run.run_id for run in store.journal.runs(plan["plan_id"])), default=0) for plan in begun
    }
    return max(last, key=last.__getitem__) if last else plan_id_of(store, None)


def plan_looked_at(store: "Store", given: str | None) -> str:
    """The plan that a look is for: `given`, or the one that a living run is at, or the newest.

    Raises: InputError, if there is none.
    """
    if given is None and living_holder(store) is not None:
        return plan_in_use(store, None)
    return plan_id_of(store, given)


def unfinished_besides(store: "Store", plan_id: str) -> str | None:
    """Another plan that was begun and is not finished; None if there is none."""
    others = [plan["plan_id"] for plan in store.plans.list() if plan["state"] == "started"]
    return next((str(other) for other in others if other != plan_id), None)


def living_holder(store: "Store") -> "Owner | None":
    """The process that is at work on the store; None if there is none, or if it is known to be dead."""
    from migrator.wiring import process_is_gone

    holder = store.lease.holder()
    return None if holder is None or process_is_gone(holder[0]) else holder[0]


def plan_or_file(store: "Store", given: str | None) -> str:
    """The plan that is meant: an id, a plan file, or the newest.

    Raises: StalePlan, if the file belongs to another store; InputError, if there is no such plan, or if the file is
        none, or not the stored plan to the letter.
    """
    from migrator.inputs.files.plan import must_be_the_stored_plan, read_plan_file

    if given is None or not Path(given).is_file():
        return plan_id_of(store, given)
    header = read_plan_file(Path(given))
    if header.lineage != store.lineage:
        raise StalePlan(
            f"{given} was made from another store (lineage {header.lineage}, this one is {store.lineage})",
            code="other_lineage",
            hint="use the store that it was made from, or make a new plan here",
        )
    plan_id = plan_id_of(store, header.plan_id)
    must_be_the_stored_plan(Path(given), store.plans.header(plan_id))
    return plan_id


def finding_counts(store: "Store", plan_id: str) -> dict[str, int]:
    """How many SIMs the last verification found to differ, by each code; a SIM may count under several.

    Where a rollback paused the new SIM, that is told as such.
    """
    from migrator.core.run.verify import beside_a_pause
    from migrator.workflows.cutover_status import taken_back

    back = taken_back(store, plan_id)
    codes = Counter(
        finding.code.value
        for verified, _ in store.journal.verified_rows(plan_id)
        for finding in (beside_a_pause(verified.findings) if verified.key in back else verified.findings)
    )
    codes["rolled_back"] = len(back)
    return {code: sims for code, sims in sorted(codes.items()) if sims}
