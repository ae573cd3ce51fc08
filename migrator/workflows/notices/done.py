"""Notices of waves and cutovers of a campaign that are done."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from migrator.core.campaign.notices import Notice, done_notice
from migrator.core.campaign.state import Campaign
from migrator.core.fleet.units import counted
from migrator.core.policy.outside import NoticeEvent, Receiver
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import Verdict
from migrator.store import Store
from migrator.workflows.site import Site

__all__ = ["DONE", "done_notices"]

DONE = "done_told"
"""Name of what was told of waves and cutovers, in a tick.

For each there is the day, and the last event of the log.
"""


def done_notices(
    site: Site, campaign: Campaign, day: str, to: tuple[Receiver, ...], *, ref: str, is_end: bool = False
) -> tuple[list[Notice], Mapping[str, Any]]:
    """Return the notices of what is done, and how far they go.

    Each is told once a day. What is done after the notice of a day is told by the first tick of the next one, and what
    a killed tick did by the tick after it: the tick that tells it notes how far it read the log. No tick follows the
    end of a campaign: it tells the rest at once, and a tick that was at work then what it did since.

    Args:
        site: the store.
        campaign: whose they are.
        day: today, in its time zone.
        to: the receivers.
        ref: the change or ticket; "" for none.
        is_end: whether the campaign is being ended.
    """
    store, opened = site.store, site.store.campaigns.open()
    is_last = is_end or opened is None or opened.campaign_no != campaign.campaign_no
    before: Mapping[str, Any] = store.ticks.last_told(campaign.campaign_no, DONE) or {}
    notices, noted = list[Notice](), dict[str, Any]()
    for event, read, sums in (
        (NoticeEvent.WAVE_DONE, store.done.waves, _sum_of_waves),
        (NoticeEvent.CUTOVER_DONE, store.done.cutovers, _sum_of_cutovers),
    ):
        was, is_asked = before.get(event, {"day": "", "seq": 0}), any(event in one.on for one in to)
        if is_asked and was["day"] == day and not is_last:
            noted[event] = was
            continue
        after = max(was["seq"], store.done.told_to(event, campaign)) if is_last else was["seq"]
        done = read(campaign, after)
        is_told = bool(is_asked and done.ids)
        noted[event] = {"day": day if is_told else was["day"], "seq": done.seq}
        if is_told:
            told = {"campaign": campaign.name, "ref": ref, **sums(store, done.ids)}
            told["next"] = "`migrator campaign status` shows how far it is"
            notices.append(done_notice(event, campaign.campaign_no, done.seq, told, to))
    return notices, noted


def _sum_of_waves(store: Store, waves: Sequence[tuple[str, str]]) -> dict[str, Any]:
    verdicts = Counter[str]()
    for plan_id, wave in waves:
        verdicts.update(store.journal.verdicts(plan_id, wave))
    words = f"SIMs that are verified: {verdicts[Verdict.OK]} of {verdicts.total()}, in {counted(len(waves), 'plan')}"
    return {"reason": words, "counts": {"plans": len(waves), **{str(one): n for one, n in verdicts.items() if n}}}


def _sum_of_cutovers(store: Store, cutovers: Sequence[tuple[str, str]]) -> dict[str, Any]:
    off = 0
    for cutover_id, _ in cutovers:
        steps = store.journal.step_codes(cutover_id)
        off += sum(n for (kind, state, _), n in steps.items() if (kind, state) == (StepKind.SOURCE, StepState.DONE))
    words = f"old SIMs that were switched off: {off}, in {counted(len(cutovers), 'cutover')}"
    return {"reason": words, "counts": {"cutovers": len(cutovers), "switched_off": off}}
