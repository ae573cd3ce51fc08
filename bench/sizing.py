"""How many slots a team needs: 200 accounts of 5,000 SIMs on a virtual clock, by the rules that workers follow.

What a job takes is its requests at the carriers' rate and our own time, both measured by `whole_way` and `ticking`.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.measures import Measure
from migrator.core.accounts.turns import AccountState, FreeAccount, Turn, next_turns

__all__ = ["sizing"]

ACCOUNTS, SIMS, CUSTOMERS = 200, 5000, 150
"""Fifty of the customers have two accounts each, which share their rate."""

TARGET_RPS, SOURCE_RPS = 10.0, 8.0
REQUESTS_PER_SIM = 0.93
"""Of a whole migration, nearly all of them names (`whole_way`)."""

PAGES = SIMS / 100 + SIMS / 1000
"""Reads of a call that finds nothing to do: the source's list and the devices."""

OWN_S, OWN_PER_SIM_S = 2.0, 0.0003
"""Our own time in a job: a process, its connections, and what a call of a campaign takes for a SIM (`ticking`)."""

QUESTIONS = 12
"""To the store, for each request."""

CONNECTIONS_OF_JOB, CONNECTIONS_OF_WORKER = 2, 4
SLOTS_OF_WORKER = 8
EVERY_S, DAY_S = 900.0, 86_400.0


@dataclass
class Day:
    """A team's first day: all migrations are asked for at once, and each account is looked after every 15 minutes.

    Args:
        slots: jobs at once, of all workers.
    """

    slots: int
    done_s: float = 0.0
    busy_s: float = 0.0
    most_at_once: int = 0
    late_s: list[float] = field(default_factory=list)

    def live(self) -> None:
        """Give every account its turns until a day is over."""
        waiting = {number: Turn(AccountState.READY, 0.0) for number in range(ACCOUNTS)}
        ends: list[tuple[float, int]] = []
        migrated: set[int] = set()
        now = 0.0
        while now < DAY_S:
            taken = {_customer(number) for _, number in ends}
            candidates = [
                FreeAccount(str(number), ("1nce", _customer(number)), turn)
                for number, turn in waiting.items()
                if _customer(number) not in taken
            ]
            for one in next_turns(candidates, now, is_served=lambda _name: True)[: self.slots - len(ends)]:
                number, turn = int(one.name), waiting.pop(int(one.name))
                if number in migrated:
                    self.late_s.append(now - (turn.at or 0.0))
                took_s = _tick_s() if number in migrated else _migration_s()
                self.busy_s += took_s
                heapq.heappush(ends, (now + took_s, number))
            self.most_at_once = max(self.most_at_once, len(ends))
            due = min((turn.at or 0.0 for turn in waiting.values() if (turn.at or 0.0) > now), default=DAY_S)
            now = min(due, ends[0][0]) if ends else due
            while ends and ends[0][0] <= now:
                at, number = heapq.heappop(ends)
                if number not in migrated:
                    migrated.add(number)
                    self.done_s = at
                waiting[number] = Turn(AccountState.READY, at + EVERY_S)


def sizing(_folder: Path) -> Iterator[Measure]:
    """The same day with few and with many slots."""
    for slots in (4, 8, 16, 32):
        day = Day(slots)
        day.live()
        workers = -(-slots // SLOTS_OF_WORKER)
        yield Measure(
            what=f"{ACCOUNTS} accounts of {SIMS:,} SIMs, {slots} slots: all migrated after",
            value=day.done_s / 3600,
            unit="h",
        )
        yield Measure(what="… jobs at once, at most", value=day.most_at_once)
        yield Measure(what="… a campaign's call late by at most, meanwhile", value=max(day.late_s) / 60, unit="min")
        yield Measure(what="… processors busy with calls from then on", value=ACCOUNTS * _own_s() / EVERY_S)
        yield Measure(what="… of the slots' time used in the day", value=day.busy_s / (slots * DAY_S))
        yield Measure(what="… requests to carriers, at most", value=day.most_at_once * TARGET_RPS, unit="/s")
        yield Measure(
            what="… questions to the database, at most", value=day.most_at_once * TARGET_RPS * QUESTIONS, unit="/s"
        )
        connections = day.most_at_once * CONNECTIONS_OF_JOB + workers * CONNECTIONS_OF_WORKER
        yield Measure(what="… connections", value=connections)


def _customer(number: int) -> str:
    return str(number % CUSTOMERS)


def _own_s() -> float:
    return OWN_S + SIMS * OWN_PER_SIM_S


def _migration_s() -> float:
    return _own_s() + SIMS * REQUESTS_PER_SIM / TARGET_RPS


def _tick_s() -> float:
    return _own_s() + PAGES / SOURCE_RPS
