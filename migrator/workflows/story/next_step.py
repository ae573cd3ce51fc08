"""Next step of one unit: one command, or nothing. Pure."""

import re
from dataclasses import dataclass
from typing import Any

from migrator.core.cutover.silence import ADVICE, Silence
from migrator.core.run.verify import Bucket

__all__ = ["NextStep", "UnitStanding", "next_step"]

_COMMAND = re.compile(r"`(migrator [^`]+)`")
_OFF = frozenset({"disabled", "expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitStanding:
    """Standing of a unit on its way.

    Args:
        iccid: the old SIM, or the new one where there is no old one.
        is_listed: whether the inventory holds the old SIM.
        is_paired: whether the old SIM has a new one.
        plan: the plan that counts, with its bucket, code and remedy, as JSON values; None where no plan holds the SIM.
        open_cutover: a cutover or rollback that has still to order something for the SIM, as (direction, command).
        old_status: the old SIM's status, as it was read last.
        is_taken_back: whether a rollback took the unit back to its old SIM.
        silence: why the new SIM is silent; None where nothing is known of it.
    """

    iccid: str
    is_listed: bool
    is_paired: bool
    plan: dict[str, Any] | None = None
    open_cutover: tuple[str, str] | None = None
    old_status: str | None = None
    is_taken_back: bool = False
    silence: Silence | None = None


@dataclass(frozen=True, slots=True)
class NextStep:
    """Command that moves a unit on, with words.

    The command is None where there is none.
    """

    command: str | None
    words: str

    def as_dict(self) -> dict[str, str | None]:
        """Return the step as JSON values."""
        return {"command": self.command, "words": self.words}


def next_step(stands: UnitStanding) -> NextStep:
    """Return the next step; the first rule that fits wins."""
    begun = _before_the_plan(stands)
    if begun is not None:
        return begun
    if stands.open_cutover is not None:
        direction, command = stands.open_cutover
        return NextStep(command, f"The {direction} that holds it is not finished.")
    if stands.is_taken_back:
        return NextStep(None, "Nothing: a rollback took it back to its old SIM, and paused the new one.")
    if stands.plan is not None and stands.plan["bucket"] != Bucket.VERIFIED:
        words = stands.plan["remedy"]
        told = _COMMAND.search(words)
        return NextStep(None if told is None else told[1], words)
    return _after_the_claim(stands)


def _before_the_plan(stands: UnitStanding) -> NextStep | None:
    if not stands.is_listed and stands.plan is None:
        return NextStep("migrator inventory pull", "No inventory holds an old SIM for it: pull, or pair it.")
    if not stands.is_paired:
        return NextStep("migrator pair import FILE", "It has no new SIM yet.")
    if stands.plan is None:
        return NextStep("migrator plan create", "No plan holds it yet.")
    return None


def _after_the_claim(stands: UnitStanding) -> NextStep:
    """Return the next step of a SIM that is as planned."""
    is_off = stands.old_status in _OFF
    if stands.silence is Silence.NOT_SILENT:
        if is_off:
            return NextStep(None, "Nothing: the new SIM passes data, and the old one is off.")
        return NextStep("migrator cutover plan", "The new SIM passes data, and the old one is still on.")
    plan_id = (stands.plan or {}).get("plan_id", "")
    if stands.silence in {None, Silence.NOT_KNOWN}:
        return NextStep(f"migrator verify --traffic --old-silent {plan_id}", "Nobody knows yet whether it passes data.")
    return NextStep(None, ADVICE[stands.silence])
