"""World around a run: who may forbid, and who is told."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from migrator.core.campaign.notices import Notice
from migrator.core.policy.outside import Receiver
from migrator.errors import Halted

__all__ = ["VETO_LASTS_S", "Around", "Ask"]

VETO_LASTS_S = 900.0
"""Seconds that the agreement of a hook holds.

A change window may end while a wave rests, or while claims go on for hours.
"""

Ask = Callable[[Mapping[str, Any]], Awaitable[str | None]]
"""Asker of a hook.

Returns the words of its veto; None where nothing speaks against sending.
"""


class _Steady(Protocol):
    def now(self) -> datetime: ...

    def age_s(self, at_s: float) -> float: ...


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
    """

    ask: Ask | None = None
    tell: Callable[[Sequence[Notice], float], int] = _nobody
    to: tuple[Receiver, ...] = ()
    ref: str = ""
    who: str = ""
    _agreed: tuple[str | None, float] | None = field(default=None, init=False)  # to which wave, and when

    async def may_send(self, wave: str | None, told: Callable[[], Mapping[str, Any]], clock: _Steady) -> None:
        """Ask the hook, unless it agreed to this wave lately.

        Args:
            wave: the wave whose first order is next.
            told: gives what the hook is told, beside plan, reference and person.
            clock: the run's, which counts the machine's sleep.

        Raises: Halted, if the hook has a veto; then nothing is sent.
        """
        if self.ask is None:
            return
        if self._agreed is not None:
            agreed_to, at_s = self._agreed
            if agreed_to == wave and clock.age_s(at_s) <= VETO_LASTS_S:
                return
        self._agreed = None
        asked_at = clock.now().timestamp()
        veto = await self.ask({"wave": wave, "ref": self.ref, "who": self.who, **told()})
        if veto is not None:
            raise Halted(veto, code="veto", hint="run the same command again once the hook agrees")
        self._agreed = (wave, asked_at)
