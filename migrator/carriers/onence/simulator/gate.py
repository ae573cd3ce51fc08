"""Front door: the rate limits, and the answers to calls above them."""

from migrator.carriers.onence.simulator.behaviour import OnenceBehaviour
from migrator.carriers.onence.simulator.messages import OnenceCall
from migrator.carriers.simulation import FreshBucket, SimulatedClock
from migrator.carriers.simulation.messages import SimulatedReply

__all__ = ["RateGate", "too_many"]


def too_many(behaviour: OnenceBehaviour, retry_after_s: int | None) -> SimulatedReply:
    """Return a 429; the body of the real service is not known."""
    headers = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
    return SimulatedReply(429, behaviour.too_many_body.encode(), "application/json", headers)


class RateGate:
    """Rate limits: one bucket for /sims paths, one for logins.

    The first bucket is for all /sims paths of the customer (reference, section 3.1).
    """

    def __init__(self) -> None:
        self._logins, self._sims = FreshBucket(), FreshBucket()
        self._calls = 0

    def refusal(self, call: OnenceCall, behaviour: OnenceBehaviour, clock: SimulatedClock) -> SimulatedReply | None:
        """Return a 429 if `call` comes too soon, else None."""
        if not (call.is_login or call.is_under_sims):
            return None
        limit = behaviour.login_limit if call.is_login else behaviour.rate_limit
        bucket = self._logins if call.is_login else self._sims
        if limit is not None and not bucket.admits(limit, clock):
            return too_many(behaviour, limit.retry_after_s)
        if call.is_login or behaviour.too_many_every is None:
            return None
        self._calls += 1
        return None if self._calls % behaviour.too_many_every else too_many(behaviour, behaviour.too_many_retry_after_s)
