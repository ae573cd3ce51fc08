"""Steps before the handlers: faults of the wire, and the rate limit."""

from collections.abc import Mapping
from types import MappingProxyType

from migrator.carriers.hologram.simulator.behaviour import HologramBehaviour
from migrator.carriers.hologram.simulator.replies import HologramReply, html, refusal
from migrator.carriers.hologram.simulator.world import World
from migrator.carriers.simulation import Fault, RateLimit, TokenBucket

__all__ = ["CUTS", "HANGS", "PaceLimit", "reply_after", "reply_instead"]

CUTS = frozenset({Fault.LOSE_BEFORE, Fault.LOSE_AFTER, Fault.LATE})
HANGS = frozenset({Fault.HANG_BEFORE, Fault.HANG_AFTER})
SILENCE = HologramReply(0, None)
"""Stand-in for the answer to a request that never got through."""

_INSTEAD: Mapping[Fault, HologramReply] = MappingProxyType(
    {
        Fault.LOSE_BEFORE: SILENCE,
        Fault.HANG_BEFORE: SILENCE,
        Fault.LATE: SILENCE,
        Fault.SERVER_ERROR_BEFORE: refusal(500, "Internal server error"),
        Fault.HTML: html(503, "Service Unavailable"),
    }
)


def too_many(retry_after_s: int | None) -> HologramReply:
    """Return a 429 in the carrier's words; no header without a value."""
    headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
    return HologramReply(429, {"success": False, "error": "API rate limit exceeded"}, headers)


def reply_instead(fault: Fault, behaviour: HologramBehaviour) -> HologramReply | None:
    """Return the reply of a fault that stops the request, or None.

    None means that the fault lets the request through to the handlers.
    """
    if fault == Fault.TOO_MANY:
        return too_many(behaviour.retry_after_s)
    return too_many(None) if fault == Fault.TOO_MANY_SILENT else _INSTEAD.get(fault)


def reply_after(fault: Fault, reply: HologramReply, behaviour: HologramBehaviour) -> HologramReply:
    """Return the answer to a finished request, as the fault changes it."""
    if fault == Fault.HTML_OK:
        return html(200, "Please sign in")
    if fault != Fault.SERVER_ERROR_AFTER:
        return reply
    return html(502, "Bad Gateway") if behaviour.bad_gateway_html else refusal(502, "Bad gateway")


class PaceLimit:
    """Hidden rate limit, and the refusal of every k-th request.

    The limit starts afresh when the clock does.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._bucket: TokenBucket | None = None
        self._made_for: tuple[RateLimit, int] | None = None
        self._admitted = 0

    def refusal(self) -> HologramReply | None:
        """Return a 429 for one more request now; None if it passes."""
        behaviour = self._world.behaviour
        if behaviour.rate_limit is not None and not self._current(behaviour.rate_limit).admits():
            return too_many(behaviour.rate_limit.retry_after_s)
        self._admitted += 1
        if behaviour.refuse_every and self._admitted % behaviour.refuse_every == 0:
            return too_many(behaviour.refuse_every_retry_after_s)
        return None

    def _current(self, limit: RateLimit) -> TokenBucket:
        self._world.clock.now_s()
        made_for = (limit, self._world.clock.loops)
        if self._bucket is None or self._made_for != made_for:
            self._bucket, self._made_for = TokenBucket(limit), made_for
        return self._bucket
