"""Use of old SIMs, as `cutover plan` judges it.

The use is known from earlier notes and from the source's answers.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from migrator.core.cutover.old_use import OldUse, UseOfOld, days_to_ask, use_of_old
from migrator.core.cutover.plan import CutoverAction, CutoverReason, CutoverRow
from migrator.core.cutover.rules import Demand, Judged, in_use_words, unknown_words
from migrator.core.fleet.imei import ImeiDoubt, Unit
from migrator.core.policy.policy import OldSim
from migrator.engine.cutover.context import in_parallel
from migrator.engine.run.context import Stopper
from migrator.ports import FieldNotes, Progress, SourceUsage

__all__ = ["OldSimJudge", "asking", "calls_for_use"]

WORKERS = 8
ENOUGH_UNTOLD = 100
"""Most old SIMs that are asked about without one usable answer.

Then the source has no usage for us, and the other SIMs are not asked about.
"""

Answer = Mapping[date, bool] | None


def calls_for_use(days: tuple[date, date] | None, usage: SourceUsage | None) -> int:
    """Return the requests that the use of one old SIM takes."""
    if days is None or usage is None:
        return 0
    return (days[1] - days[0]).days + 1 if usage.uses_by_day else 1


def asking(source: str, sims: int, requests: int, rps: float) -> dict[str, Any]:
    """Return what people are told before old SIMs are asked about."""
    return {"source": source, "sims": sims, "requests": requests, "minutes": math.ceil(requests / rps / 60)}


@dataclass(slots=True)
class OldSimJudge:
    """Judge the old SIMs of rows that would be switched off.

    Works chunk by chunk.

    Args:
        notes: what was noted of them before.
        usage: answers what they used; None where the demand does not ask, or nobody can be asked.
        demand: what the policy asks for.
    """

    notes: FieldNotes
    usage: SourceUsage | None
    demand: Demand
    asked: int = field(default=0, init=False)
    uses: Counter[OldUse] = field(default_factory=Counter, init=False)
    doubts: Counter[ImeiDoubt] = field(default_factory=Counter, init=False)
    _told: int = field(default=0, init=False)
    _sims: int = field(default=0, init=False)
    _requests: int = field(default=0, init=False)

    @property
    def _wants_answers(self) -> bool:
        """True if the use of old SIMs counts, told or not."""
        return self.demand.old_sim is not OldSim.NOT_ASKED

    def expect(self, chunk: Iterable[Judged]) -> None:
        """Count the SIMs that will be asked about, and the requests."""
        for one in chunk:
            if one.row.action is CutoverAction.SWITCH_OFF:
                self._sims += 1
                self._requests += calls_for_use(days_to_ask(one.life, self._today), self.usage)

    def announce(self, rps: float, progress: Progress) -> None:
        """Report beforehand how many requests are needed, and for how long.

        The time follows from the request rate at the source.
        """
        if self._sims and self.usage is not None:
            progress("asking_old_sims", asking(self.demand.source, self._sims, self._requests, rps))

    async def judged(self, chunk: Sequence[Judged], stopper: Stopper) -> list[CutoverRow]:
        """Return the rows of a chunk, after judging their old SIMs.

        Old SIMs that are in use stay on. By the policy, old SIMs whose use nobody knows stay on, too.
        """
        meant = [one for one in chunk if one.row.action is CutoverAction.SWITCH_OFF]
        known = self.notes.last_uses([one.row.source_iccid.key for one in meant])
        answers = await self._answers(meant, stopper)
        rows = {id(one): self._row(one, known, answers) for one in meant}
        return [rows.get(id(one), one.row) for one in chunk]

    async def _answers(self, meant: Iterable[Judged], stopper: Stopper) -> dict[str, Answer]:
        """Return the source's answers by key of the old SIM.

        SIMs that were not asked about are left out.
        """
        found, usage = dict[str, Answer](), self.usage
        if usage is None:
            return found

        async def ask(one: Judged) -> None:
            days, iccid = days_to_ask(one.life, self._today), one.row.source_iccid
            if days is not None and not self._is_hopeless:
                self.asked += 1
                found[iccid.key] = await usage.used_days(iccid, *days)
                self._told += bool(found[iccid.key])

        await in_parallel(list(meant), ask, workers=WORKERS, stopper=stopper)
        return found

    @property
    def _is_hopeless(self) -> bool:
        """True if so many answers were useless that asking stops."""
        return self.asked >= ENOUGH_UNTOLD and not self._told

    @property
    def _today(self) -> date:
        return datetime.fromtimestamp(self.demand.now_s, UTC).date()

    def _row(self, one: Judged, known: Mapping[str, date], answers: Mapping[str, Answer]) -> CutoverRow:
        key = one.row.source_iccid.key
        noted = [known[key]] if key in known else []
        was_asked = self._wants_answers
        found = use_of_old(one.life, used=answers.get(key), known=noted, today=self._today, was_asked=was_asked)
        if was_asked or found.use is OldUse.IN_USE:
            self.uses[found.use] += 1
        row = self._by_policy(one.row, found)
        if row.action is CutoverAction.SWITCH_OFF and one.doubt is not None and row.unit is Unit.NEVER_SEEN:
            self.doubts[one.doubt] += 1
        return row

    def _by_policy(self, row: CutoverRow, found: UseOfOld) -> CutoverRow:
        left_on = replace(row, action=CutoverAction.LEAVE_ON, wave=None)
        if found.use is OldUse.IN_USE:
            return replace(left_on, reason=CutoverReason.OLD_SIM_IN_USE, detail=in_use_words(found.used_on))
        if found.use is OldUse.SILENT or not self._wants_answers:
            return row
        words = unknown_words(self.demand.source)
        if self.demand.old_sim is OldSim.MUST_BE_SILENT:
            return replace(left_on, reason=CutoverReason.OLD_SIM_UNKNOWN, detail=words)
        return replace(row, detail=words)

    # --- in words -------------------------------------------------------------------------------------------------

    def told(self) -> dict[str, Any]:
        """Return the facts for the plan's header, as JSON values."""
        return {
            "old_sim": self.demand.old_sim.value,
            "alive_within_s": self.demand.alive_within_s,
            "old_sims": {"asked": self.asked, **{use.value: self.uses[use] for use in OldUse}},
            "imeis_that_prove_nothing": {doubt.value: self.doubts[doubt] for doubt in ImeiDoubt},
        }

    def reminders(self) -> list[str]:
        """Return reminders for a person before the plan is used."""
        unknown, words, source = self.uses[OldUse.UNKNOWN], list[str](), self.demand.source
        if self.demand.old_sim is OldSim.NOT_ASKED:
            words.append(
                f"{source} was not asked whether old SIMs are in use (old_sim not_asked): units may be back on them"
            )
        elif unknown and self.demand.old_sim is OldSim.IF_KNOWN:
            words.append(
                f"SIMs to switch off of which {source} does not tell whether they are in use: {unknown}, which was "
                "accepted (old_sim if_known); units that are back on them fall silent"
            )
        elif unknown:
            words.append(
                f"{source} does not tell of {unknown} old SIMs whether they are in use, so they stay on (old_sim "
                "must_be_silent); --old-sim if_known goes without"
            )
        if self.uses[OldUse.IN_USE]:
            words.append(f"{self.uses[OldUse.IN_USE]} old SIMs were used after their new ones lived last: they stay on")
        for doubt, what in (
            (ImeiDoubt.FILLER, "it is a filler, such as zeros"),
            (ImeiDoubt.SHARED, "several old SIMs have it"),
        ):
            if self.doubts[doubt]:
                words.append(f"SIMs to switch off whose IMEI proves nothing, as {what}: {self.doubts[doubt]}")
        return words
