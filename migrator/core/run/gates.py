"""Rules that stop a run or open the next wave.

The rules are pure. They work on counts from the journal.
"""

import shlex
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

from migrator.core.policy.policy import Gates
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import StepKind
from migrator.core.run.steps import UNREAD, Failures, Verdict
from migrator.errors import InputError

__all__ = ["FAILURE_CODES", "Gate", "broken_bound", "failures_left", "gate", "must_be_a_wave", "way_on"]

_OF_CLAIMS = (
    "claim_ignored",
    "pair_changed",
    Doubt.CLAIM_REFUSED.value,
    Doubt.CLAIMED_ELSEWHERE.value,
    Doubt.CLAIMED_UNSEEN.value,
    Doubt.TEST_MODE.value,
)
_OF_SETTINGS = tuple(
    f"{kind}_{what}"
    for kind in (StepKind.LIMITS, StepKind.STATE, StepKind.TAG, StepKind.UNTAG, StepKind.NAME)
    for what in ("ignored", "not_applied", "refused")
)
_OF_CUTOVERS = (
    "expired",
    "gone_at_source",
    "imei_lock_unknown",
    "new_sim_not_alive",
    "new_sim_not_ours",
    "new_sim_unknown_state",
    "old_sim_not_on",
    "pair_corrected",
    "refused",
    "refused_at_source",
    "status_unknown",
)
FAILURE_CODES = frozenset((*_OF_CLAIMS, *_OF_SETTINGS, *_OF_CUTOVERS))
"""Codes with which a SIM may fail.

They are for `apply` and for a cutover or rollback: all codes that a bound on a code can count.
"""


class Gate(StrEnum):
    """State of the gate to the next wave."""

    OPEN = "open"  # enough SIMs are verified
    UNDECIDED = "undecided"  # not yet, and those still pending may make it enough
    CLOSED = "closed"  # too many SIMs differ, whatever becomes of the pending ones


def gate(verdicts: Mapping[str, int], verified_share: Decimal) -> Gate:
    """Return the state of the gate after a wave, from its verdicts.

    A wave without SIMs leaves the gate open. SIMs that wait in Test Mode do not count: nothing was sent for them yet.
    """
    total, verified = sum(verdicts.values()) - verdicts.get(Verdict.STAGED, 0), verdicts.get(Verdict.OK, 0)
    if verified >= verified_share * total:
        return Gate.OPEN
    undecided = verdicts.get(Verdict.PENDING, 0) + verdicts.get(UNREAD, 0)
    return Gate.UNDECIDED if undecided and verified + undecided >= verified_share * total else Gate.CLOSED


def broken_bound(failures: Failures, gates: Gates) -> str | None:
    """Return the first bound that was passed, in words, or None.

    None means that all bounds hold.
    """
    if failures.total > gates.max_failures:
        return f"{failures.total} SIMs failed, past [gates] max_failures = {gates.max_failures}"
    for code, most in gates.max_failures_by_code.items():
        if failures.by_code.get(code, 0) > most:
            return (
                f"{failures.by_code[code]} SIMs failed with {code}, past [gates.max_failures_by_code] {code} = {most}"
            )
    for where, failed, begun in _shares(failures):
        if begun >= gates.min_sample and failed > gates.max_failure_share * begun:
            return f"{failed} of {begun} SIMs{where} failed, past [gates] max_failure_share = {gates.max_failure_share}"
    return None


def failures_left(failures: Failures, gates: Gates) -> int:
    """Return the number of SIMs that may still fail, never below zero.

    So many SIMs may fail, whatever the code and the wave, before a bound is passed. A share counts from `min_sample`
    SIMs on, and earlier failures count then, too: the next SIM may be the one that makes the share count.
    """
    left = [gates.max_failures - failures.total]
    left += [most - failures.by_code.get(code, 0) for code, most in gates.max_failures_by_code.items()]
    left += [
        int(gates.max_failure_share * max(begun, gates.min_sample)) - failed for _, failed, begun in _shares(failures)
    ]
    return max(0, min(left))


def _shares(failures: Failures) -> list[tuple[str, int, int]]:
    """Return failed and begun SIMs over all, then wave by wave.

    Each entry is: where, how many failed there, of how many begun.
    """
    over_all = ("", failures.total, sum(failures.begun.values()))
    waves = ((f" of wave {wave!r}", failures.by_wave.get(wave, 0), begun) for wave, begun in failures.begun.items())
    return [over_all, *waves]


def must_be_a_wave(wave: str | None, known: Sequence[str]) -> None:
    """Refuse a wave that a plan does not have.

    None means all of them.

    Raises: InputError.
    """
    if wave is not None and wave not in known:
        hint = f"its waves are: {', '.join(known)}"
        raise InputError(f"the plan has no wave {wave!r}", code="unknown_wave", hint=hint)


def way_on(command: str, waits_for: str | None) -> str:
    """Return the command that continues a plan.

    With --wave, earlier waves stay as they are. The gate of an earlier wave may then wait for ever: `waits_for` names
    that wave, and `command` is without --wave.
    """
    if waits_for is None:
        return "the same command goes on from here"
    return (
        f"`{command} --wave {shlex.quote(waits_for)}` goes on with that wave, and `{command}` with all of them in turn"
    )
