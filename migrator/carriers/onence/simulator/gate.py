"""Front door: the rate limits, and the answers to calls above them."""

from migrator.carriers.onence.simulator.messages import Call, Reply
from migrator.carriers.onence.simulator.switches import OnenceSwitches
from migrator.carriers.simulation import RateLimit, SimulatedClock, TokenBucket

__all__ = ["RateGate", "too_many"]


def too_many(switches: OnenceSwitches, retry_after_s: int | None) -> Reply:
    """Return a 429; the body of the real service is not known."""
    headers = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
    return Reply(429, switches.too_many_body.encode(), "application/json", headers)


class RateGate:
    """Rate limits: one bucket for /sims paths, one for logins.

    The first bucket is for all /sims paths of the customer (reference, section 3.1).
    """

    def __init__(self) -> None:
        self._buckets: dict[bool, TokenBucket] = {}
        self._loops = 0
        self._calls = 0

    def refusal(self, call: Call, switches: OnenceSwitches, clock: SimulatedClock) -> Reply | None:
        """Return a 429 if `call` comes too soon, else None."""
        if not (call.is_login or call.is_under_sims):
            return None
        limit = switches.login_limit if call.is_login else switches.rate_limit
        if limit is not None and not self._bucket(limit, clock, is_login=call.is_login).admits():
            return too_many(switches, limit.retry_after_s)
        if call.is_login or switches.too_many_every is None:
            return None
        self._calls += 1
        return None if self._calls % switches.too_many_every else too_many(switches, switches.too_many_retry_after_s)

    def _bucket(self, limit: RateLimit, clock: SimulatedClock, *, is_login: bool) -> TokenBucket:
        """Return the bucket for `limit`.

        The bucket is full for a new limit, and for a new event loop, whose clock began anew.
        """
        clock.now_s()
        if clock.loops != self._loops:
            self._loops = clock.loops
            self._buckets.clear()
        bucket = self._buckets.get(is_login)
        if bucket is None or bucket.limit != limit:
            bucket = self._buckets[is_login] = TokenBucket(limit)
        return bucket
