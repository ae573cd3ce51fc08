"""Claims: sending, reading back and settling.

A claim bills at once, is not idempotent, and its partial failures are undocumented. So the intent is on disk first, one
request is sent at a time, and afterwards every ICCID is read back, whatever the reply said. A SIM whose claim may have
happened is UNCERTAIN and is settled by reading. The SIM is claimed again only after agreeing reads that the carrier's
own lag cannot explain.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from migrator.core.fleet.identifiers import Iccid, NotAnIdentifier
from migrator.core.plan.compare import FindingCode, differences
from migrator.core.policy.policy import LimitsTiming
from migrator.core.run.doubts import Doubt
from migrator.core.run.packing import ClaimBatch, claim_batches
from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.core.run.steps import Item
from migrator.engine.apply.guards import Money, check_failures
from migrator.engine.apply.notices import asked_of_hook, notices_of_spend
from migrator.engine.apply.secure import Securer
from migrator.engine.apply.settle import settle_claims
from migrator.engine.run.context import Context
from migrator.engine.run.freshness import OLDEST_GUARD_S, Knowledge
from migrator.engine.run.read_targets import Reader, by_our_clock, targets_of
from migrator.engine.run.send import keys_of, send
from migrator.errors import (
    Halted,
    InsufficientBalance,
    NotAuthorised,
    NotTrusted,
    OutcomeUnknown,
    Outdated,
    PairChanged,
    Permanent,
    RateLimited,
    Transient,
)
from migrator.ports import Answer, Claim

__all__ = ["Claimer"]

OLDEST_LOOK_S = 600.0
"""Greatest age of a read of a SIM at its claim.

Waves rest for days, and people work at the carrier's console.
"""

MOST_LOST = 3
"""Most claims in a row without an answer.

Then the run stops and can be resumed.
"""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0

_NOT_LIVE = {FindingCode.IN_TEST_MODE, FindingCode.WRONG_ORGANIZATION, FindingCode.WRONG_PLAN}
"""Differences that show another end than planned."""

MOST_REFUSALS = 5
"""Most refusals for now in a row.

Then the run stops and can be resumed.
"""


@dataclass(slots=True)
class Claimer:
    """Claim what is missing, batch after batch.

    Args:
        tag_id: the tag that every claim carries; None for none.
        money: asked before each claim.
        securer: secures what was just claimed.
        stays_in_test: why SIMs in Test Mode were not claimed; "" where nothing speaks against it.
    """

    ctx: Context
    reader: Reader
    money: Money
    securer: Securer
    tag_id: int | None
    is_capped: bool = field(default=False, init=False)
    is_spent: bool = field(default=False, init=False)
    stays_in_test: str = field(default="", init=False)
    _claimed_before: int = field(init=False)
    _ends_test_mode: bool = field(default=False, init=False)
    _refused_in_a_row: int = field(default=0, init=False)
    _lost_in_a_row: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.ctx.claimed_before is None:
            self.ctx.claimed_before = self.money.claimed()
        self._claimed_before = self.ctx.claimed_before

    async def claim(self, items: Iterable[Item]) -> None:
        """Claim the SIMs of `items` that wait for their claim.

        Such a SIM is planned to be claimed, not begun, and not on anybody's organization. Claims at most the run's
        `max_sims`; then `is_capped` is set. Once the error budget of a campaign is spent nothing more is claimed, and
        `is_spent` is set.

        Raises: Halted (caps, failures), InsufficientBalance, NotAuthorised, Transient: all with everything on disk.
        """
        await self.securer.follow_up()
        queue = deque(claim_batches([item for item in items if item.awaits_claim], most=self.ctx.options.claim_batch))
        while queue:
            looked_at = await self._looked_at(queue.popleft())
            if not looked_at or (looked_at[0].is_test_to_live and not await self._may_end_test_mode(looked_at)):
                continue
            queue.extendleft(reversed(looked_at[1:]))
            batch = self._within_max_sims(looked_at[0])
            if batch is None:
                return
            check_failures(self.ctx)
            if self._is_spent():
                return
            await self._may_claim(batch)
            queue.extendleft(reversed(await self._one(batch)))

    async def _may_claim(self, batch: ClaimBatch) -> None:
        """Check the money, then ask `before_claim` as the last thing.

        Raises: Halted, for a cap or a veto; InsufficientBalance, StalePlan.
        """
        ctx, money = self.ctx, self.money
        await self._check_money(batch)
        ctx.around.tell(notices_of_spend(ctx, money.price), ctx.now())
        wave = batch.items[0].change.wave
        took_s = await ctx.around.may_send(wave, lambda: asked_of_hook(ctx, money.price), ctx.steady)
        if took_s > OLDEST_GUARD_S:  # somebody was asked for long, and the price may be another one now
            await self._check_money(batch)

    async def _check_money(self, batch: ClaimBatch) -> None:
        await self.money.look()
        await self.money.check(len(batch.items))

    def _vouch(self, look: Knowledge) -> None:
        """Refuse a claim whose look, or whose agreement, is too old.

        Raises: Outdated.
        """
        look.vouch()
        self.ctx.around.vouch(self.ctx.steady)

    async def _looked_at(self, batch: ClaimBatch) -> list[ClaimBatch]:
        """Return the batch as read at most `OLDEST_LOOK_S` ago.

        SIMs with an older read are read again, and the batch is then packed anew.
        """
        items = by_our_clock(batch.items, self.ctx.now())
        old = [item for item in items if self._look_at([item]).is_old]
        if not old:
            return [batch]
        await self.reader.read(targets_of(old), full=False)
        return self._same_again(batch.items)

    def _look_at(self, items: Sequence[Item]) -> Knowledge:
        """Return the knowledge about some SIMs before their claim.

        Its age is the age of the oldest read among the SIMs.
        """
        return Knowledge(self.ctx.steady, min(item.read_at or 0.0 for item in items), OLDEST_LOOK_S)

    async def _may_end_test_mode(self, batches: list[ClaimBatch]) -> bool:
        """Let one SIM go first, until its Test Mode has ended.

        The vendor's pages contradict each other on what such a claim does. `batches` gets the first SIM as a batch of
        its own.

        Returns: False, if the first one had another end; then `stays_in_test` has the words.
        """
        if self._ends_test_mode or self.stays_in_test:
            return self._ends_test_mode
        items = (item for item in self.ctx.journal.items(self.ctx.plan_id) if item.change.is_test_to_live)
        first = next(
            (item for item in items if item.state_of(StepKind.CLAIM) in {StepState.DONE, StepState.FAILED}), None
        )
        if first is None:
            one, *others = batches[0].items
            most = self.ctx.options.claim_batch
            batches[:1] = [*claim_batches([one], most=1), *claim_batches(others, most=most)]
            return True
        self.stays_in_test = await self._end_of(first)
        self._ends_test_mode = not self.stays_in_test
        return self._ends_test_mode

    async def _end_of(self, first: Item) -> str:
        """Return why a Test Mode did not end as planned, or "".

        Waits while Hologram moves the SIM.
        """
        step, pause_s = first.steps[StepKind.CLAIM], FIRST_PAUSE_S
        if step.state is StepState.FAILED:
            return f"it was refused: {step.message}"
        while first.is_locked:
            self.ctx.progress("settling", {"sims": 1})
            await self.ctx.stopper.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            await self.reader.read(targets_of([first]), full=False)
            (first,) = self._fresh([first])
        found = () if first.target is None else differences(first.change, first.target, self.ctx.header.org_id)
        wrong = [finding for finding in found if finding.code in _NOT_LIVE]
        shown = "; ".join(f"{finding.planned} was planned, {finding.observed} it is" for finding in wrong)
        return "it is not seen any more" if first.target is None else shown

    def _is_spent(self) -> bool:
        asked = self.ctx.options.is_spent
        self.is_spent = asked is not None and asked()
        return self.is_spent

    def _within_max_sims(self, batch: ClaimBatch) -> ClaimBatch | None:
        """Return the part of `batch` that this run may still claim.

        None if the run may claim nothing more.
        """
        most = self.ctx.options.max_sims
        if most is None:
            return batch
        left = most - (self.money.claimed() - self._claimed_before)
        self.is_capped = self.is_capped or left < len(batch.items)
        return claim_batches(batch.items[:left], most=left)[0] if left > 0 else None

    async def _one(self, batch: ClaimBatch) -> list[ClaimBatch]:
        """Send one claim and settle every SIM of the claim.

        Returns: batches to send in its place.

        Raises: errors that concern the whole run; OutcomeUnknown, when answer after answer is lost.
        """
        try:
            answer = await send(
                self.ctx,
                StepKind.CLAIM,
                batch.items,
                self._claim_of(batch),
                vouch=partial(self._vouch, self._look_at(batch.items)),
                said=partial(_said, batch.items),
            )
        except PairChanged as error:
            other = [item for item in batch.items if item.key in error.keys]
            self._move(StepEvent.PAIR_CHANGED, keys_of(other, error.code, error.message))
            self.ctx.progress("pair_changed", {"sims": len(other)})
            return self._same_again(batch.items)
        except OutcomeUnknown as error:
            self.ctx.progress("claim_lost", {"sims": len(batch.items), "why": error.message})
            await self._settle(batch.items)
            self._lost_in_a_row += 1
            if self._lost_in_a_row >= MOST_LOST:
                raise
            return self._same_again(batch.items)
        except (Transient, NotAuthorised) as error:
            await self._after_refusal_for_now(batch.items, error)
            if isinstance(error, NotAuthorised | NotTrusted):
                raise
            return self._same_again(batch.items)
        except Permanent as error:
            return await self._after_refusal(batch.items, error)
        await self._after_answer(batch.items, answer)
        self._lost_in_a_row = 0
        return self._same_again(batch.items)

    def _claim_of(self, batch: ClaimBatch) -> Claim:
        change = batch.items[0].change
        with_limits = self.ctx.policy.claim.limits is LimitsTiming.WITH_CLAIM
        assert change.data_plan_id is not None and change.zone is not None  # noqa: S101, PT018 - a CLAIM has both
        return Claim(
            iccids=targets_of(batch.items),
            org_id=self.ctx.header.org_id,
            data_plan_id=change.data_plan_id,
            zone=change.zone,
            tag_id=self.tag_id if change.tag else None,
            overage_limit_bytes=batch.overage_limit_bytes if with_limits else None,
            sms_limit=batch.sms_limit if with_limits else None,
        )

    async def _after_answer(self, items: Sequence[Item], answer: Answer) -> None:
        """Read back the SIMs of a claim whose answer reports success.

        The answer's word on each SIM is on disk already.
        """
        refused = _by_item(items, answer.reasons)
        absent = await self._read_back(items)
        self._fail({item.key: words for item in absent if (words := refused.get(item.key)) is not None})
        await self._settle([item for item in absent if item.key not in refused])

    async def _after_refusal_for_now(self, items: Sequence[Item], error: Transient | NotAuthorised) -> None:
        """Put back the SIMs of a claim that was refused for now.

        Nothing should have happened. After a rate limit the SIMs are read all the same. SIMs that are not claimed are
        left as they were.
        """
        absent: Sequence[Item] = items
        if isinstance(error, RateLimited):
            unclaimed = await self._read_back(items, event=StepEvent.CONFIRMED)
            taken = [item for item in unclaimed if _is_elsewhere(item)]
            self._move(
                StepEvent.REFUSED_FOR_GOOD, keys_of(taken, Doubt.CLAIMED_ELSEWHERE, "the read-back shows it as taken")
            )
            absent = [item for item in unclaimed if item not in taken]
        self._move(StepEvent.REFUSED_FOR_NOW, keys_of(absent, error.code, error.message))
        self._refused_in_a_row += 1
        if self._refused_in_a_row > MOST_REFUSALS:
            raise error
        # after a 429 the pacer holds everyone already, and the last two end the run
        if not isinstance(error, RateLimited | Outdated | NotAuthorised | NotTrusted):
            await self.ctx.stopper.sleep(2.0**self._refused_in_a_row)

    async def _after_refusal(self, items: Sequence[Item], error: Permanent) -> list[ClaimBatch]:
        """Find the SIMs that were refused, and send the others again.

        If the carrier named the refused SIMs, their names are on disk already.
        """
        words = error.carrier_words or error.message
        refused = _by_item(items, error.reasons)
        absent = await self._read_back(items)
        await self._raise_if_poor(absent, error)
        self._raise_if_limits_are_not_allowed(absent, error)
        if not refused and absent and len(items) == 1:  # of several, one that is ours by now may have been the reason
            refused = {absent[0].key: words}
        self._fail({item.key: refused[item.key] for item in absent if item.key in refused})
        left = [item for item in absent if item.key not in refused]
        await self._settle(left)
        if refused:
            return self._same_again(left)
        half = -(-len(left) // 2)
        return [*self._same_again(left[:half]), *self._same_again(left[half:])]

    async def _raise_if_poor(self, absent: Sequence[Item], error: Permanent) -> None:
        """Raise InsufficientBalance, if the balance was too low for the claim.

        The balance itself decides. The carrier's words count only where no balance can be read.

        Raises: InsufficientBalance.
        """
        poor = isinstance(error, InsufficientBalance)
        if not poor and error.reasons:
            return
        balance = await self.ctx.target.balance() if self.money.price is not None else None
        if balance is not None and self.money.price is not None:
            poor = balance < self.money.price * len(absent)
        if poor:
            raise InsufficientBalance(
                "Hologram refused the claim for want of balance",
                carrier_words=error.carrier_words,
                hint="add funds, then run the same command again: it reads first what the refused claim did",
            ) from error

    def _raise_if_limits_are_not_allowed(self, absent: Sequence[Item], error: Permanent) -> None:
        """Raise Halted, if limits were the reason of the refusal.

        That is so when the whole claim was refused with a word about limits and nothing was claimed yet.

        Raises: Halted.
        """
        with_limits = self.ctx.policy.claim.limits is LimitsTiming.WITH_CLAIM
        nothing_done = self.money.claimed() == len(absent)
        if with_limits and nothing_done and not error.reasons and "limit" in error.carrier_words.lower():
            raise Halted(
                f"Hologram refused the claim: {error.carrier_words}",
                code="limits_on_claim",
                hint="if this account may not set limits on the claim, set [claim] limits = "
                '"after_claim" in the policy and make a new plan',
            ) from error

    async def _read_back(self, items: Sequence[Item], event: StepEvent = StepEvent.PROBED_PRESENT) -> list[Item]:
        """Read the SIMs of a claim, and settle those that are ours.

        New SIMs get their limits and their state at once, before the run waits for anything.

        Returns: the SIMs that are not ours.
        """
        await self.reader.read(targets_of(items), full=False, newest=True)
        present: list[Item] = []
        absent: list[Item] = []
        for item in self._fresh(items):
            link = item.target
            is_ours = link is not None and link.is_held_by(self.ctx.header.org_id) and not item.is_still_in_test
            (present if is_ours else absent).append(item)
        self._move(event, keys_of(present))
        self.reader.claimed(len(present))
        if present:
            self.ctx.progress("claimed", {"sims": len(present)})
            await self.securer.secure(self._fresh(present))
        return absent

    def _fresh(self, items: Sequence[Item]) -> Sequence[Item]:
        return self.ctx.journal.items_by_key(self.ctx.plan_id, [item.key for item in items])

    async def _settle(self, items: Sequence[Item]) -> None:
        await settle_claims(self.ctx, self.reader, [item.key for item in items], self.securer.secure)

    def _same_again(self, items: Sequence[Item]) -> list[ClaimBatch]:
        """Return the SIMs of `items` that are still pending, packed anew."""
        pending = [item for item in self._fresh(items) if item.awaits_claim]
        if len(pending) < len(items):
            self._refused_in_a_row = 0
        return claim_batches(pending, most=self.ctx.options.claim_batch)

    def _fail(self, words_by_key: Mapping[str, str]) -> None:
        self._move(StepEvent.PROBED_CONFLICT, {key: (_code(words), words) for key, words in words_by_key.items()})

    def _move(self, event: StepEvent, keys: Mapping[str, tuple[str, str]]) -> None:
        if keys:
            self.ctx.journal.move(self.ctx.plan_id, StepKind.CLAIM, event, keys, now=self.ctx.now())


def _said(items: Sequence[Item], answer: Answer | Permanent) -> dict[str, tuple[str, str]]:
    """Return code and words for each SIM from an answer or refusal.

    The outcome of each SIM stays unknown until a read shows it. Words about money say nothing about a single SIM.
    """
    if isinstance(answer, InsufficientBalance):
        return keys_of(items, answer.code, answer.carrier_words or answer.message)
    refused = {key: (_code(words), words) for key, words in _by_item(items, answer.reasons).items()}
    if isinstance(answer, Permanent):
        return {**keys_of(items, answer.code, answer.carrier_words or answer.message), **refused}
    named = {key for key in (_key_of(sim) for sim in answer.claimed) if key}
    told = [item for item in items if _target_key(item) in named]
    untold = [item for item in items if _target_key(item) not in named]
    return {
        **keys_of(told, Doubt.CLAIMED_UNSEEN, "the reply names it as claimed, and no read shows it yet"),
        **keys_of(untold, Doubt.NOT_IN_REPLY, "the reply does not name it"),
        **refused,
    }


def _is_elsewhere(item: Item) -> bool:
    return item.target is not None and item.target.is_claimed and not item.is_still_in_test


def _target_key(item: Item) -> str:
    return "" if item.change.target_iccid is None else item.change.target_iccid.key


def _key_of(sim: str) -> str | None:
    try:
        return Iccid.parse(sim).key
    except NotAnIdentifier:
        return None


def _by_item(items: Sequence[Item], reasons: Mapping[str, str]) -> dict[str, str]:
    """Return the carrier's words by SIM key.

    Words about ICCIDs that we did not send are dropped.
    """
    by_target = {_key_of(sim): words for sim, words in reasons.items()}
    return {item.key: by_target[_target_key(item)] for item in items if _target_key(item) in by_target}


def _code(words: str) -> Doubt:
    """Return a code that groups the carrier's words.

    The carrier's free text is only a hint, and no decision rests on it.
    """
    said = words.lower()
    if "already" in said:
        return Doubt.CLAIMED_ELSEWHERE
    return Doubt.TEST_MODE if "preflight" in said else Doubt.CLAIM_REFUSED
