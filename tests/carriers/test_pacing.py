"""The pacers, on the virtual clock: an even pace, one stop for everybody, and a hidden limit found and used."""

import random
from collections.abc import Awaitable, Callable

import anyio
import pytest

from migrator.carriers.pacing import LONGEST_HOLD_S, AdaptivePacer, Pacer
from tests.support import run_virtual
from tests.worlds.refusing import Refusing, fare, fare_knowing

START_RPS = 10.0
LONG = pytest.mark.long


def adaptive(ceiling: float) -> Callable[[], AdaptivePacer]:
    """Make pacers as `wiring` makes them."""
    return lambda: AdaptivePacer(min(START_RPS, ceiling), ceiling=ceiling)


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
        begun = anyio.current_time()
        for _ in range(6):
            pacer.refused(None)
        await pacer.turn()
        return anyio.current_time() - begun, pacer.per_second, pacer.refusals

    assert run_virtual(main) == (1.0, 8.0, 6)


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


def test_the_pace_stays_below_the_ceiling() -> None:
    async def main() -> float:
        pacer = AdaptivePacer(2.0, ceiling=5.0)
        for _ in range(200):
            await pacer.turn()
            pacer.accepted()
        return pacer.per_second

    assert run_virtual(main) == 5.0


def test_the_pace_stays_above_the_floor() -> None:
    """However far below it the limit is."""
    pacer = AdaptivePacer(2.0, floor=0.5)
    fare(lambda: pacer, Refusing(limits=((0, 0.3),), burst=1, retry_after_s=None), 100)
    assert pacer.per_second == 0.5


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


@pytest.mark.parametrize("retry_after_s", [pytest.param(1, marks=LONG), None], ids=["Retry-After", "silent"])
@pytest.mark.parametrize("per_second", [3, pytest.param(7, marks=LONG), 15])
@pytest.mark.parametrize("burst", [1, None], ids=["one", "a second"])
def test_a_hidden_limit_is_used_and_seldom_hit(per_second: int, burst: int | None, retry_after_s: int | None) -> None:
    """The bar: 85 % of the limit used, at most 2 % of the requests answered 429."""
    how = Refusing(limits=((0, per_second),), burst=burst, retry_after_s=retry_after_s)
    fared = fare(adaptive(20.0), how, 2_000)
    assert fared.per_second >= 0.85 * per_second
    assert fared.refused <= 0.02


@pytest.mark.parametrize("retry_after_s", [pytest.param(1, marks=LONG), None], ids=["Retry-After", "silent"])
@pytest.mark.parametrize(("share", "per_second"), [(0.01, 8), pytest.param(0.02, 7, marks=LONG), (0.05, 5)])
def test_refusals_that_do_not_depend_on_our_rate_do_not_slow_it(
    share: float, per_second: float, retry_after_s: int | None
) -> None:
    """Others share the limit: to go slower would not help, and only the stops that the carrier asks for cost time."""
    how = Refusing(share=share, retry_after_s=retry_after_s)
    assert fare(adaptive(10.0), how, 1_500).per_second >= per_second


@pytest.mark.parametrize("burst", [1, pytest.param(None, marks=LONG)], ids=["one", "a second"])
@pytest.mark.parametrize("limits", [((0, 10), (150, 4), (350, 8)), ((0, 7), (150, 15), (300, 5))])
def test_a_hidden_limit_that_moves_is_followed(limits: tuple[tuple[float, float], ...], burst: int | None) -> None:
    how = Refusing(limits=limits, burst=burst)
    fared = fare(adaptive(20.0), how, 3_600)
    assert fared.per_second >= 0.85 * how.allowed(fared.took_s)
    assert fared.refused <= 0.02


@pytest.mark.parametrize(
    "limits",
    [
        ((0, 3),),
        pytest.param(((0, 7),), marks=LONG),
        pytest.param(((0, 15),), marks=LONG),
        ((0, 10), (100, 4), (200, 8), (300, 12)),
    ],
)
@pytest.mark.parametrize("share", [pytest.param(0.01, marks=LONG), 0.05])
def test_a_hidden_limit_is_found_among_refusals_by_chance(
    limits: tuple[tuple[float, float], ...], share: float
) -> None:
    """The bar: 85 % of what a pacer reaches that knows the limit, and 2 % more of the requests refused."""
    how = Refusing(limits=limits, share=share)
    fared, best = fare(adaptive(20.0), how, 2_400), fare_knowing(20.0, how, 2_400)
    assert fared.per_second >= 0.85 * best.per_second
    assert fared.refused <= best.refused + 0.02


def test_a_limit_far_below_the_start_is_found_within_a_few_refusals() -> None:
    """After each stop one request passes and the next is refused, which any limit below our rate explains.

    If the pace came down bit by bit, the request that matters might be the refused one each time.
    """
    how = Refusing(limits=((0, 3),), burst=1, retry_after_s=None, latency_s=0.0, workers=1)
    fared = fare(adaptive(10.0), how, 60)
    assert fared.refused * 60 <= 10


def test_without_a_limit_a_cold_start_costs_little() -> None:
    """From 10 requests a second to 200, doubled every half second while nothing is refused."""
    how = Refusing(latency_s=0.05, workers=20)
    assert fare(adaptive(200.0), how, 3_000).took_s <= 1.25 * fare_knowing(200.0, how, 3_000).took_s


def test_a_known_limit_is_used_to_the_full_without_a_refusal() -> None:
    fared = fare(lambda: Pacer(10.0), Refusing(limits=((0, 10),)), 1_000)
    assert fared.per_second >= 10 / 1.03
    assert fared.refused == 0


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


def test_the_next_process_begins_a_bit_below_what_the_last_one_learned() -> None:
    """It neither feels its way up from the start again, nor runs into the limit at once."""
    pacers: list[AdaptivePacer] = []

    def first() -> AdaptivePacer:
        pacers.append(adaptive(20.0)())
        return pacers[0]

    def second() -> AdaptivePacer:
        pacer = adaptive(20.0)()
        pacer.restore(pacers[0].snapshot())
        return pacer

    how = Refusing(limits=((0, 7),))
    fare(first, how, 1_000)
    assert 5.0 <= second().per_second < min(7.0, pacers[0].per_second)
    fared = fare(second, how, 300)
    assert fared.per_second >= 0.85 * 7
    assert fared.refused <= 0.02


def test_what_was_learned_never_goes_above_the_ceiling_of_today() -> None:
    pacer = AdaptivePacer(2.0, ceiling=5.0)
    pacer.restore({"per_second": 18.0, "was_refused": True})
    assert pacer.per_second == 5.0


@pytest.mark.parametrize(
    "learned", [{}, {"per_second": "fast"}, {"per_second": -1.0}, {"per_second": True}, {"per_second": float("nan")}]
)
def test_nonsense_is_not_learned_from(learned: dict[str, object]) -> None:
    pacer = AdaptivePacer(2.0)
    pacer.restore(learned)
    assert pacer.snapshot() == {"per_second": 2.0, "was_refused": False}


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
