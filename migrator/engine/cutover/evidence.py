"""Evidence of a cutover plan, checked once more before an order.

A plan may be carried out months later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from migrator.core.cutover.old_use import NewLife, OldUse, days_to_ask, use_of_old
from migrator.core.cutover.plan import CutoverItem, CutoverReason, Require
from migrator.core.cutover.rules import Told, alive_at_s, claimed_at_s, in_use_words, not_lately_words, unknown_words
from migrator.core.policy.policy import CutoverPolicy, OldSim
from migrator.core.run.states import StepKind
from migrator.core.run.steps import Item
from migrator.engine.cutover.context import CutoverContext, in_parallel
from migrator.engine.cutover.data_sessions import sessions_since_claim
from migrator.engine.run.freshness import Knowledge

__all__ = ["Evidence"]

ANSWER_LASTS_S = 120.0
"""Greatest age of an answer about days that an order uses.

The row of today changes while the day goes on.
"""


@dataclass(frozen=True, slots=True)
class _UsedDays:
    """Days on which an old SIM used anything, with their age.

    None where 1NCE does not report the days.
    """

    known: Knowledge
    used: Mapping[date, bool] | None


@dataclass(slots=True)
class Evidence:
    """Renew the evidence of the plan.

    The new SIM must have lived lately, and the old SIM must be silent since.
    """

    ctx: CutoverContext
    _old_sim: OldSim = field(init=False)
    _within_s: float = field(init=False)
    _answers: dict[str, _UsedDays] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        told, usual = self.ctx.header.summary, CutoverPolicy()  # plans of before there were these have none
        self._old_sim = OldSim(told.get("old_sim", usual.old_sim))
        self._within_s = float(told.get("alive_within_s", usual.alive_within_s))

    async def ask(self, items: Sequence[CutoverItem]) -> None:
        """Ask 1NCE about old SIMs' use since the new SIMs last lived.

        Each SIM costs a request. Nothing is asked if the plan does without. 1NCE is asked before the SIMs are read, so
        that those reads are as fresh as can be when the order leaves.

        Raises: Transient, where the answer may come yet and the order must not go without it.
        """
        ctx = self.ctx
        self._answers = {key: one for key, one in self._answers.items() if not one.known.is_old}
        open_ = [item for item in items if item.key not in self._answers]
        if self._old_sim is OldSim.NOT_ASKED or not open_:
            return
        lives = {item.key: _life(item) for item in self._migrated(open_)}
        insists = self._old_sim is OldSim.MUST_BE_SILENT

        async def one(item: CutoverItem) -> None:
            days = days_to_ask(lives[item.key], self._today)
            iccid = item.row.source_iccid
            known = replace(ctx.learned_now(), most_s=ANSWER_LASTS_S)
            used = None if days is None else await ctx.source.used_days(iccid, *days, insists=insists)
            self._answers[item.key] = _UsedDays(known, used)

        await in_parallel(open_, one, workers=ctx.options.workers, stopper=ctx.stopper)

    async def outdated(self, items: Sequence[CutoverItem]) -> Mapping[str, Told]:
        """Return SIMs that must not be ordered, with the reason.

        What the plan saw of these SIMs is no longer true. 1NCE is asked here about SIMs without a recent answer.

        Args:
            items: SIMs whose new side was read just now.
        """
        await self.ask(items)
        ctx, found = self.ctx, dict[str, Told]()
        known = ctx.field_notes.last_uses([item.key for item in items])
        doubted = [item for item in self._migrated(items) if self._told(item.key, _life(item), known)]

        async def one(item: Item) -> None:
            """Judge a SIM by its usage, too.

            The record of the SIM alone does not clear it.
            """
            told = self._told(item.key, await self._life_by_usage(item), known)
            if told is not None:
                found[item.key] = told

        await in_parallel(doubted, one, workers=ctx.options.workers, stopper=ctx.stopper)
        return found

    async def _life_by_usage(self, item: Item) -> NewLife:
        """Return a new SIM's last sign of life, by record and usage."""
        sessions = await sessions_since_claim(self.ctx.target, item.target, _life(item).claimed_s) or ()
        return _life(item, max((session.at_s for session in sessions), default=None))

    def _told(self, key: str, life: NewLife, known: Mapping[str, date]) -> Told | None:
        words = self._not_lately(life)
        if words is not None:
            return Told(CutoverReason.NOT_ALIVE_LATELY.value, words)
        noted = [known[key]] if key in known else []
        answer, was_asked = self._answers.get(key), self._old_sim is not OldSim.NOT_ASKED
        used = None if answer is None else answer.used
        found = use_of_old(life, used=used, known=noted, today=self._today, was_asked=was_asked)
        if found.use is OldUse.IN_USE:
            return Told(CutoverReason.OLD_SIM_IN_USE.value, in_use_words(found.used_on))
        if found.use is OldUse.UNKNOWN and self._old_sim is OldSim.MUST_BE_SILENT:
            return Told(CutoverReason.OLD_SIM_UNKNOWN.value, unknown_words(self.ctx.source_name))
        return None

    def _not_lately(self, life: NewLife) -> str | None:
        """Return the reason if a sign of life is old or missing.

        None where the sign is recent enough, or the plan asks for none.
        """
        if self.ctx.header.require is not Require.TRAFFIC:
            return None
        if life.alive_s is None:
            return "no data session on the new SIM since its claim"
        return not_lately_words(life.alive_s, now_s=self.ctx.now(), within_s=self._within_s)

    def _migrated(self, items: Sequence[CutoverItem]) -> Sequence[Item]:
        """Return the migration's own items, as they were read last."""
        return self.ctx.journal.items_by_key(self.ctx.header.plan_id, [item.key for item in items])

    @property
    def _today(self) -> date:
        return datetime.fromtimestamp(self.ctx.now(), UTC).date()


def _life(item: Item, session_s: float | None = None) -> NewLife:
    claim = item.steps.get(StepKind.CLAIM)
    noted_s = None if claim is None else claim.since
    claimed_s = noted_s if item.target is None else claimed_at_s(item.target, noted_s)
    if item.target is None or claimed_s is None:
        return NewLife(None, claimed_s)
    return NewLife(alive_at_s(item.target, claimed_s, session_s), claimed_s)
