"""Progress of the cutovers and rollbacks of a migration.

Used by reports, and for a line in other commands.
"""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from migrator.chunks import chunks
from migrator.core.cutover.plan import Direction, is_as_found
from migrator.core.run.states import PlanState, StepKind, StepState
from migrator.core.run.steps import Verdict
from migrator.core.run.verify import beside_a_pause, is_paused_though_planned_live
from migrator.reports.model import moment

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["begun_by_hand", "cutover_line", "cutovers_of", "finding_counts", "taken_back", "taken_back_and_no_more"]


def begun_by_hand(store: "Store") -> frozenset[str]:
    """Return the begun cutovers whose old SIMs a person switches off."""
    begun = [one for one, state in store.cutovers.known(Direction.CUTOVER).items() if state == PlanState.STARTED]
    return frozenset(one for one in begun if store.cutovers.header(one).is_by_hand)


def cutovers_of(store: "Store", plan_id: str) -> list[dict[str, Any]]:
    """Return a migration's cutover and rollback plans as JSON values.

    The oldest plan comes first; counts are SIMs. `switched` were proved or found so already, `failed` were refused,
    `aside` were skipped because of trouble, and `paused` are new SIMs that a rollback paused. `ran_by` names who ran
    the plan, each person once, and `refs` the changes or tickets that they named.
    """
    return [_values(store, one) for one in store.cutovers.of_plan(plan_id)]


def _values(store: "Store", one: dict[str, Any]) -> dict[str, Any]:
    counts = store.journal.step_codes(one["switch_id"])
    source = [(state, code, sims) for (kind, state, code), sims in counts.items() if kind is StepKind.SOURCE]
    runs = store.journal.runs(one["switch_id"])
    done = sum(sims for state, code, sims in source if state is StepState.DONE or is_as_found(state, code))
    return {
        **one,
        **{name: moment(one[name]) for name in ("created_at", "started_at", "finished_at")},
        "switched": done,
        "failed": sum(sims for (_, state, _), sims in counts.items() if state is StepState.FAILED),
        "aside": sum(
            sims
            for (_, state, code), sims in counts.items()
            if state is StepState.SKIPPED and not is_as_found(state, code)
        ),
        "paused": sum(
            sims for (kind, state, _), sims in counts.items() if (kind, state) == (StepKind.PAUSE, StepState.DONE)
        ),
        "ran_by": list(dict.fromkeys(run.owner for run in runs)),
        "refs": list(dict.fromkeys(run.ref for run in runs if run.ref)),
    }


def cutover_line(values: Mapping[str, Any]) -> str:
    """Return one line about a cutover or rollback plan.

    `values` are an entry of `cutovers_of`.
    """
    way = "off" if values["direction"] == "cutover" else "on again"
    parts = [f"{values['switched']} of {values['count']} SIMs switched {way}"]
    parts += [
        f"{values[name]} {words}" for name, words in (("failed", "failed"), ("aside", "set aside")) if values[name]
    ]
    name = str(values["direction"]).capitalize()
    return f"{name} {values['switch_id']}: {values['state']}, {', '.join(parts)}."


def taken_back(store: "Store", plan_id: str) -> dict[str, str]:
    """Return the SIMs of a plan that a rollback took back.

    The rollback paused the new SIM, and the new SIM was paused when it was read last.

    Returns: the rollback's id, by key.
    """
    back = store.cutovers.rolled_back(plan_id)
    return {
        item.key: back[item.key]
        for keys in chunks(sorted(back))
        for item in store.journal.items_by_key(plan_id, keys)
        if is_paused_though_planned_live(item.change, item.target)
    }


def taken_back_and_no_more(store: "Store", plan_id: str) -> int:
    """Count SIMs that differ from the plan only by a rollback's pause."""
    back = taken_back(store, plan_id)
    if not back:
        return 0
    differ = (one for one, _ in store.journal.verified_rows(plan_id) if one.verdict is Verdict.MISMATCH)
    return sum(one.key in back and not beside_a_pause(one.findings) for one in differ)


def finding_counts(store: "Store", plan_id: str) -> dict[str, int]:
    """Count the SIMs that differed in the last verification, by code.

    A SIM may count under several codes. A SIM that a rollback took back counts under `rolled_back`, and its pause is
    then no finding.
    """
    back = taken_back(store, plan_id)
    codes = Counter(
        finding.code.value
        for verified, _ in store.journal.verified_rows(plan_id)
        for finding in (beside_a_pause(verified.findings) if verified.key in back else verified.findings)
    )
    codes["rolled_back"] = len(back)
    return {code: sims for code, sims in sorted(codes.items()) if sims}
