"""Notices of what `verify` found: drift, and new SIMs that are silent."""

from collections.abc import Iterable, Mapping

from migrator import wiring
from migrator.core.campaign.notices import sims_notice
from migrator.core.fleet.units import counted, n_sims
from migrator.core.plan.plan import PlanHeader
from migrator.core.policy.outside import NoticeEvent, Receiver
from migrator.inputs.policy.file import stored_policy
from migrator.store import Store

__all__ = ["tell_drift", "tell_silent"]


def tell_drift(store: Store, header: PlanHeader, drift: Mapping[tuple[str, str], object]) -> bool:
    """Put drift into the outbox, once for these very differences.

    `drift` is by SIM and code, as `drift_of` returns it.

    Returns: True if it is news to somebody.
    """
    if not drift:
        return False
    sims = [f"{key} {code}" for key, code in drift]
    codes = {code: sum(one == code for _, one in drift) for code in sorted({code for _, code in drift})}
    reason = f"{counted(len(drift), 'finding')} on {n_sims(len({key for key, _ in drift}))} not as planned"
    return _told(store, header, NoticeEvent.DRIFT, sims, {"reason": reason, "counts": codes})


def tell_silent(store: Store, header: PlanHeader, silent: Iterable[str]) -> bool:
    """Put the new SIMs without a sign of life into the outbox.

    Returns: True if it is news to somebody.
    """
    sims = list(silent)
    reason = f"{n_sims(len(sims))} without a sign of life since the claim"
    return _told(store, header, NoticeEvent.SILENT, sims, {"reason": reason, "counts": {"silent": len(sims)}})


def _told(store: Store, header: PlanHeader, event: NoticeEvent, sims: list[str], told: dict[str, object]) -> bool:
    to = _receivers(store, header.plan_id)
    way_on = f"migrator {'report' if event is NoticeEvent.DRIFT else 'verify --traffic'} {header.plan_id}"
    head = {"plan_id": header.plan_id, "org_id": header.org_id, "next": way_on}
    notices = sims_notice(event, header.plan_id, sims, {**head, **told}, to)
    return store.outbox.tell(notices, wiring.SystemClock().now().timestamp()) > 0


def _receivers(store: Store, plan_id: str) -> tuple[Receiver, ...]:
    return stored_policy(store.plans.policy_text(plan_id), name=f"policy of {plan_id}").notify
