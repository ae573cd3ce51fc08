"""The pacers, on the virtual clock: an even pace, one stop for everybody, and a hidden limit found and used."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import pytest

from migrator.carriers.pacing import LONGEST_HOLD_S, AdaptivePacer, Pacer
from migrator.carriers.simulation import RateLimit, TokenBucket
from tests.support import run_virtual

LATENCY_S = 0.15


@dataclass
class Carrier:
    """Something that admits requests as a token bucket does, and what was asked of it."""

    limit: RateLimit
    sent_at: list[float] = field(default_factory=list)
    refused: int = 0

    async def answers(self, pacer: Pacer, bucket: TokenBucket) -> bool:
        await pacer.turn()
        self.sent_at.append(anyio.current_time())
        await anyio.sleep(LATENCY_S / 2)
        admitted = bucket.admits()
        await anyio.sleep(LATENCY_S / 2)
        if admitted:
            pacer.accepted()
        else:
            self.refused += 1
            pacer.refused(self.limit.retry_after_s)
        return admitted


@dataclass(frozen=True)
class Measured:
    """`accepted_per_second` over the whole run, and the share of requests that were answered 429."""

    accepted_per_second: float
    refused_share: float


def measure(make: Callable[[], Pacer], limit: RateLimit, *, requests: int, workers: int = 6) -> Measured:
    async def main() -> Measured:
        pacer, bucket, carrier, left = make(), TokenBucket(limit), Carrier(limit), [requests]

        async def worker() -> None:
            while left[0] > 0:
                left[0] -= 1
                while not await carrier.answers(pacer, bucket):
                    pass

        started = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for _ in range(workers):
                tasks.start_soon(worker)
        took_s = anyio.current_time() - started
        return Measured(requests / took_s, carrier.refused / len(carrier.sent_at))

    return run_virtual(main)


def starts_of(pacer: Pacer, times: int) -> Callable[[], Awaitable[list[float]]]:
    async def main() -> list[float]:
        begun = anyio.current_time()
        starts = []
        for _ in range(times):
            await pacer.turn()
            starts.append(round(anyio.current_time() - begun, 6))
        return starts

    return main


def test_requests_start_at_an_even_pace() -> None:
    assert run_virtual(starts_of(Pacer(4.0), 5)) == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_idle_time_is_not_saved_up_for_a_burst() -> None:
    """A carrier counts per second; what we did not use before, we may not use at once."""

    async def main() -> list[float]:
        pacer = Pacer(4.0)
        await pacer.turn()
        await anyio.sleep(100)
        return await starts_of(pacer, 3)()

    assert run_virtual(main) == [0.0, 0.25, 0.5]


def test_a_refusal_holds_everybody() -> None:
    async def main() -> list[float]:
        pacer, starts = Pacer(10.0), []

        async def one() -> None:
            await pacer.turn()
            starts.append(round(anyio.current_time() - begun, 6))

        begun = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(one)
            await anyio.sleep(0.05)  # one has started; three wait for their turn
            pacer.refused(5.0)
        return starts

    assert run_virtual(main) == [0.0, 5.05, 5.15, 5.25]


@pytest.mark.parametrize(("asked_s", "waited_s"), [(7.0, 7.0), (None, 1.0), (0.0, 1.0), (1e9, LONGEST_HOLD_S)])
def test_retry_after_is_obeyed_within_reason(asked_s: float | None, waited_s: float) -> None:
    """Zero says nothing, so our own pause counts; a year would never be noticed to be over."""

    async def main() -> float:
        pacer = Pacer(10.0)
        await pacer.turn()
        pacer.refused(asked_s)
        begun = anyio.current_time()
        await pacer.turn()
        return anyio.current_time() - begun

    assert run_virtual(main) == pytest.approx(waited_s)


@pytest.mark.parametrize(
    ("make", "pauses_s"), [(Pacer, [1, 2, 4, 8, 8]), (AdaptivePacer, [1, 2, 5, 10, 10])], ids=["fixed", "adaptive"]
)
def test_refusals_in_a_row_hold_longer_and_longer(make: type[Pacer], pauses_s: list[float]) -> None:
    async def main() -> list[float]:
        pacer, pauses = make(1000.0), []
        for _ in range(5):
            await pacer.turn()
            pacer.refused(None)
            begun = anyio.current_time()
            await pacer.turn()
            pauses.append(round(anyio.current_time() - begun, 2))
        return pauses

    assert run_virtual(main) == pauses_s


def test_one_stop_counts_once_however_many_were_in_flight() -> None:
    async def main() -> tuple[float, float, int]:
        pacer = AdaptivePacer(8.0)
        pacer.refused(None)
        after_one = pacer.per_second
        for _ in range(5):
            pacer.refused(None)
        return after_one, pacer.per_second, pacer.refusals

    after_one, after_six, refusals = run_virtual(main)
    assert after_one < 8.0
    assert after_six == after_one
    assert refusals == 6


def test_a_later_refusal_of_the_same_stop_can_make_it_longer() -> None:
    """The first 429 may come without Retry-After and the second with one: everybody obeys the longer."""

    async def main() -> float:
        pacer = Pacer(10.0)
        pacer.refused(None)
        pacer.refused(30.0)
        begun = anyio.current_time()
        await pacer.turn()
        return anyio.current_time() - begun

    assert run_virtual(main) == pytest.approx(30.0)


def test_answers_from_before_a_stop_do_not_end_the_streak() -> None:
    """They were sent before anybody knew of the stop."""

    async def main() -> float:
        pacer = Pacer(1000.0)
        pacer.refused(None)
        pacer.accepted()
        await pacer.turn()
        pacer.refused(None)
        begun = anyio.current_time()
        await pacer.turn()
        return anyio.current_time() - begun

    assert run_virtual(main) == pytest.approx(2.0)


def test_slow_start_doubles_while_nothing_is_refused() -> None:
    async def main() -> list[float]:
        pacer, paces = AdaptivePacer(2.0, ceiling=100.0, doubling_s=3.0), []
        while anyio.current_time() < 10.0:
            await pacer.turn()
            pacer.accepted()
            paces.append(pacer.per_second)
        return sorted(set(paces))

    assert run_virtual(main) == [2.0, 4.0, 8.0, 16.0]


def test_the_pace_does_not_grow_while_it_holds_nobody_back() -> None:
    """Claims go out minutes apart; that they pass says nothing of what a hundred a second would do."""

    async def main() -> float:
        pacer = AdaptivePacer(2.0)
        for _ in range(50):
            await pacer.turn()
            await anyio.sleep(20)
            pacer.accepted()
        return pacer.per_second

    assert run_virtual(main) == 2.0


def test_the_pace_stays_between_floor_and_ceiling() -> None:
    async def main() -> tuple[float, float]:
        fast, slow = AdaptivePacer(2.0, ceiling=5.0), AdaptivePacer(2.0, floor=0.5)
        for _ in range(200):
            await fast.turn()
            fast.accepted()
        for _ in range(50):
            await slow.turn()
            slow.refused(None)
        return fast.per_second, slow.per_second

    assert run_virtual(main) == (5.0, 0.5)


def test_a_limit_that_was_raised_is_found_again() -> None:
    """After a refusal the pace lingers there, but not for ever."""

    async def main() -> float:
        pacer = AdaptivePacer(8.0, ceiling=20.0)
        pacer.refused(None)
        while anyio.current_time() < 300:
            await pacer.turn()
            pacer.accepted()
        return pacer.per_second

    assert run_virtual(main) == 20.0


@pytest.mark.parametrize("retry_after_s", [1, None], ids=["Retry-After", "silent"])
@pytest.mark.parametrize("per_second", [3, 7, 15])
@pytest.mark.parametrize("burst_of", ["one", "a second"])
def test_a_hidden_limit_is_used_and_seldom_hit(per_second: int, burst_of: str, retry_after_s: int | None) -> None:
    """The bar: 85 % of the limit used, at most 2 % of the requests answered 429."""
    limit = RateLimit(per_second, 1 if burst_of == "one" else per_second, retry_after_s)
    measured = measure(lambda: AdaptivePacer(2.0, ceiling=20.0), limit, requests=2_000)
    assert measured.accepted_per_second >= 0.85 * per_second
    assert measured.refused_share <= 0.02


def test_a_known_limit_is_used_to_the_full_without_a_refusal() -> None:
    measured = measure(lambda: Pacer(10.0), RateLimit(10, 10), requests=1_000)
    assert measured.accepted_per_second >= 10 / 1.03
    assert measured.refused_share == 0


def test_a_lowered_ceiling_counts_at_once() -> None:
    """It is how an operator takes the foot off the pedal of a run that goes on."""

    async def main() -> list[float]:
        pacer = AdaptivePacer(10.0, ceiling=10.0)
        await pacer.turn()
        pacer.ceiling = 1.0
        return await starts_of(pacer, 3)()

    assert run_virtual(main) == [1.0, 2.0, 3.0]


# --- steering and memory ------------------------------------------------------------------------------------------


def test_a_closed_gate_lets_nobody_through_and_idle_time_is_not_saved_up() -> None:
    async def main() -> list[float]:
        shut_until = anyio.current_time() + 100

        async def gate() -> bool:
            if anyio.current_time() >= shut_until:
                return False
            await anyio.sleep_until(shut_until)
            return True

        return await starts_of(Pacer(4.0, gate=gate), 3)()

    assert run_virtual(main) == [100.0, 100.25, 100.5]


@pytest.mark.parametrize("make", [Pacer, AdaptivePacer], ids=["fixed", "adaptive"])
def test_a_ceiling_that_is_ordered_counts_from_the_next_request_on(make: type[Pacer]) -> None:
    async def main() -> list[float]:
        allowed = [10.0]
        pacer = make(10.0, ceiling_now=lambda: allowed[0])
        await pacer.turn()
        allowed[0] = 0.5
        slow = await starts_of(pacer, 2)()
        allowed[0] = 10.0
        return [*slow, *await starts_of(pacer, 1)()]

    assert run_virtual(main) == [2.0, 4.0, 0.1 if make is Pacer else 2.0]


def test_a_ceiling_that_is_raised_does_not_let_the_pace_leap() -> None:
    """However long it was held down: what was not tried proves nothing."""

    async def main() -> float:
        allowed = [20.0]
        pacer = AdaptivePacer(4.0, ceiling=20.0, ceiling_now=lambda: allowed[0])
        pacer.refused(None)
        allowed[0] = 1.0
        while anyio.current_time() < 1000:
            await pacer.turn()
            pacer.accepted()
        allowed[0] = 20.0
        for _ in range(3):
            await pacer.turn()
            pacer.accepted()
        return pacer.per_second

    assert run_virtual(main) <= 4.5


def learned_under(limit: RateLimit) -> dict[str, object]:
    pacers: list[AdaptivePacer] = []

    def make() -> AdaptivePacer:
        pacers.append(AdaptivePacer(2.0, ceiling=20.0))
        return pacers[0]

    measure(make, limit, requests=1_000)
    return pacers[0].snapshot()


def test_the_next_process_begins_a_bit_below_what_the_last_one_learned() -> None:
    """It neither feels its way up from 2 again, nor runs into the limit at once."""
    limit = RateLimit(7, 7)
    learned = learned_under(limit)
    resumed = AdaptivePacer(2.0, ceiling=20.0)
    resumed.restore(learned)
    assert 5.0 <= resumed.per_second < 7.0
    assert resumed.per_second < float(str(learned["per_second"]))

    def make() -> AdaptivePacer:
        pacer = AdaptivePacer(2.0, ceiling=20.0)
        pacer.restore(learned)
        return pacer

    measured = measure(make, limit, requests=300)
    assert measured.accepted_per_second >= 0.85 * 7
    assert measured.refused_share <= 0.02


def test_what_was_learned_never_goes_above_the_ceiling_of_today() -> None:
    pacer = AdaptivePacer(2.0, ceiling=5.0)
    pacer.restore({"per_second": 18.0, "refused_at": 20.0})
    assert pacer.per_second == 5.0


@pytest.mark.parametrize(
    "learned", [{}, {"per_second": "fast"}, {"per_second": -1.0}, {"per_second": True}, {"per_second": float("nan")}]
)
def test_nonsense_is_not_learned_from(learned: dict[str, object]) -> None:
    pacer = AdaptivePacer(2.0)
    pacer.restore(learned)
    assert pacer.snapshot() == {"per_second": 2.0, "refused_at": None}


def test_a_pause_that_the_carrier_did_not_ask_for_is_spread() -> None:
    """Others share the limit; those that were refused together must not come back together."""

    async def main() -> list[float]:
        ends = []
        for seed in range(20):
            pacer = Pacer(100.0, chance=random.Random(seed))
            began = anyio.current_time()
            pacer.refused(None)
            await pacer.turn()
            ends.append(anyio.current_time() - began)
        return ends

    ends = run_virtual(main)
    assert all(1.0 <= pause_s <= 1.25 for pause_s in ends)
    assert len(set(ends)) == len(ends)


def test_a_pause_that_the_carrier_asked_for_is_kept_to_the_letter() -> None:
    async def main() -> float:
        pacer = Pacer(100.0, chance=random.Random(1))
        began = anyio.current_time()
        pacer.refused(7.0)
        await pacer.turn()
        return anyio.current_time() - began

    assert run_virtual(main) == pytest.approx(7.0)
