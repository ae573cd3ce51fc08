"""Plans by id, by file, or the one in use."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrator.core.plan.diff import PlanLine
from migrator.core.plan.document import header_line
from migrator.core.plan.plan import PlanHeader
from migrator.errors import InputError, StalePlan
from migrator.inputs.files.plan import must_be_the_stored_plan, plan_file_lines, read_plan_file
from migrator.store import Store
from migrator.workflows.site import living_holder

__all__ = [
    "ReadPlan",
    "plan_id_of",
    "plan_in_use",
    "plan_lines",
    "plan_looked_at",
    "plan_or_file",
    "read_plan",
    "unfinished_besides",
]


def plan_id_of(store: Store, given: str | None) -> str:
    """Return the id of the plan: `given`, or the newest.

    Raises: InputError, if there is no such plan.
    """
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


def plan_in_use(store: Store, given: str | None) -> str:
    """Return the id of the plan in use.

    That is `given`, or the unfinished plan whose run was started last, or the newest plan. A newer plan that is not
    begun does not count while an older one is begun.
    """
    if given is not None:
        return plan_id_of(store, given)
    begun = [plan for plan in store.plans.list() if plan["state"] == "started"]
    last = {
        plan["plan_id"]: max((run.run_id for run in store.journal.runs(plan["plan_id"])), default=0) for plan in begun
    }
    return max(last, key=last.__getitem__) if last else plan_id_of(store, None)


def plan_looked_at(store: Store, given: str | None) -> str:
    """Return the id of the plan that a command only reads.

    That is `given`, or the plan of a living run, or the newest plan.

    Raises: InputError, if there is no such plan.
    """
    if given is None and living_holder(store) is not None:
        return plan_in_use(store, None)
    return plan_id_of(store, given)


def unfinished_besides(store: Store, plan_id: str) -> str | None:
    """Return another plan that was begun and is not finished, or None."""
    others = [plan["plan_id"] for plan in store.plans.list() if plan["state"] == "started"]
    return next((str(other) for other in others if other != plan_id), None)


def plan_or_file(store: Store, given: str | None) -> str:
    """Return the plan's id: of an id, a file, or the newest.

    Raises: StalePlan, if the file belongs to another store; InputError, if there is no such plan, or if the file is
        no plan file, or not the stored plan to the letter.
    """
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


def plan_lines(store: Store, plan_id: str) -> Iterator[str]:
    """Yield the plan's file, line by line."""
    yield header_line(store.plans.header(plan_id)) + "\n"
    for _, line in store.plans.lines(plan_id):
        yield line + "\n"


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """Plan of a store or of a file, to be compared.

    `policy` is None where only the plan's file is at hand.
    """

    header: PlanHeader
    lines: Callable[[], Iterator[PlanLine]]
    policy: Mapping[str, Any] | None


def read_plan(store: Store | None, name: str) -> ReadPlan:
    """Return a plan by its id or file.

    The policy of a file is looked for in the store, if there is one.

    Raises: InputError, if there is no such plan or the file is none.
    """
    if store is None or Path(name).is_file():
        header = read_plan_file(Path(name))
        return ReadPlan(header, lambda: plan_file_lines(Path(name)), _stored_policy(store, header))
    plan_id = plan_id_of(store, name)
    return ReadPlan(store.plans.header(plan_id), lambda: store.plans.lines(plan_id), store.plans.policy_json(plan_id))


def _stored_policy(store: Store | None, header: PlanHeader) -> Mapping[str, Any] | None:
    """Return the policy of a plan file from the store, or None.

    The store must hold the same plan.
    """
    if store is None or store.plans.exists(header.plan_id) is None:
        return None
    same = store.plans.header(header.plan_id).fingerprints == header.fingerprints
    return store.plans.policy_json(header.plan_id) if same else None
