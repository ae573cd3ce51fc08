"""World around a run: who may forbid, and who is told."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from migrator.core.campaign.notices import Notice, end_notices
from migrator.core.policy.outside import Receiver
from migrator.core.run.results import ExitCode
from migrator.errors import Outdated, Vetoed
from migrator.ports import Clock

__all__ = ["AGREEMENT_LASTS_S", "Around", "Ask", "Veto"]

AGREEMENT_LASTS_S = 60.0
"""Greatest age of a hook's agreement when an order leaves.

A change window may end while a wave rests, while claims go on for hours, or while money is looked at.
"""

ASKED_AGAIN_S = 30.0
"""Age of an agreement from which the hook is asked again.

What is left of the minute is for the order's own reads and its turn.
"""


@dataclass(frozen=True, slots=True)
class Veto:
    """Veto of a hook.

    `words` are for people and may be others each time; `cause` is the same for the same kind of veto.
    """

    words: str
    cause: str


Ask = Callable[[Mapping[str, Any]], Awaitable[Veto | None]]
"""Asker of a hook.

Returns its veto; None where nothing speaks against sending.
"""


class _SteadyClock(Protocol):
    def now(self) -> datetime: ...

    def age_s(self, at_s: float) -> float: ...


class EndOfRun(Protocol):
    """Result of a run, of either kind."""

    @property
    def exit_code(self) -> ExitCode: ...

    @property
    def cause(self) -> str: ...


def _nobody(_told: Sequence[Notice], _now: float) -> int:
    return 0


@dataclass(slots=True)
class Around:
    """World around one run.

    Args:
        ask: asks the hook; None where the policy has none.
        tell: puts notices into the outbox, each once by its key.
        to: the receivers of the policy.
        ref: the change or ticket that the run is for; "" for none.
        who: the person who runs, and the process.
        campaign: name of the campaign whose call this run is a part of; "" for none. The call tells how it ends, and
            goes on with it.
        standstill: number of the account's last standstill; 0 for none, and for a run by hand.
    """

    ask: Ask | None = None
    tell: Callable[[Sequence[Notice], float], int] = _nobody
    to: tuple[Receiver, ...] = ()
    ref: str = ""
    who: str = ""
    campaign: str = ""
    standstill: int = 0
    _agreed: "_Agreement | None" = field(default=None, init=False)

    async def may_send(self, wave: str | None, told: Callable[[], Mapping[str, Any]], clock: _SteadyClock) -> float:
        """Ask the hook, unless it agreed to this wave just now.

        Args:
            wave: the wave whose order is next.
            told: gives what the hook is told, beside plan, reference and person.
            clock: the run's, which counts the machine's sleep.

        Returns: the seconds that the hook took; 0 if it was not asked.

        Raises: Vetoed, if the hook has a veto; then nothing is sent.
        """
        if self.ask is None:
            return 0.0
        if self._agreed is not None and self._agreed.wave == wave and self._agreed.age_s(clock) <= ASKED_AGAIN_S:
            return 0.0
        self._agreed = None
        asked_at = clock.now().timestamp()
        veto = await self.ask({"wave": wave, "ref": self.ref, "who": self.who, **told()})
        took_s = clock.now().timestamp() - asked_at
        if veto is not None:
            raise Vetoed(veto.words, veto.cause)
        self._agreed = _Agreement(wave, asked_at, took_s)
        return took_s

    def notices_of_end(
        self,
        named: str,
        result: EndOfRun,
        told: Mapping[str, Any],
        clock: Clock,
        *,
        plan_id: str | None = None,
    ) -> list[Notice]:
        """Return the notices of how a run ended.

        Args:
            named: id of the migration, cutover or rollback.
            result: of the run.
            told: JSON values.
            clock: the run's.
            plan_id: the migration behind a cutover or rollback; None for `named`.
        """
        return end_notices(
            named,
            result.exit_code,
            told,
            cause=result.cause,
            day=clock.now().date(),
            to=self.to,
            plan_id=plan_id,
            standstill=self.standstill,
        )

    def way_on(self, command: str) -> str:
        """Return the command that goes on with the run.

        That is the plan's own, or the campaign's.
        """
        return "migrator campaign run --once" if self.campaign else command

    def vouch(self, clock: _SteadyClock) -> None:
        """Refuse to let an order leave on an old agreement.

        Raises: Outdated.
        """
        if self.ask is not None and (self._agreed is None or self._agreed.age_s(clock) > AGREEMENT_LASTS_S):
            raise Outdated(
                f"not sent: the agreement of the hook is older than {AGREEMENT_LASTS_S:.0f} s",
                hint="the carrier, or a rate that was set, is too slow for it; run the same command later",
            )


@dataclass(frozen=True, slots=True)
class _Agreement:
    """Agreement of a hook to a wave.

    `asked_at` is by the run's clock; `took_s` is how long the hook took.
    """

    wave: str | None
    asked_at: float
    took_s: float

    def age_s(self, clock: _SteadyClock) -> float:
        """Return the seconds since the hook answered.

        The machine's sleep counts, also while the hook was asked.
        """
        return clock.age_s(self.asked_at) - self.took_s
