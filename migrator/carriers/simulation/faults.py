"""Faults of requests, drawn from a seed or listed one by one."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Fault", "FaultPlan"]


class Fault(StrEnum):
    """Fault of one exchange that a simulator can cause."""

    NONE = "none"  # answer as the carrier would
    LOSE_BEFORE = "lose_before"  # the connection breaks, and nothing was done
    LOSE_AFTER = "lose_after"  # everything was done, then the connection breaks
    HANG_BEFORE = "hang_before"  # silence past any time-out, and nothing was done
    HANG_AFTER = "hang_after"  # everything was done, then silence past any time-out
    SERVER_ERROR_BEFORE = "server_error_before"  # 500 with JSON, and nothing was done
    SERVER_ERROR_AFTER = "server_error_after"  # everything was done, then 502
    HTML = "html"  # 503 with a page of HTML, and nothing was done
    HTML_OK = "html_ok"  # 200 with a page of HTML; what was asked for was done
    TOO_MANY = "too_many"  # 429 with Retry-After, and nothing was done
    TOO_MANY_SILENT = "too_many_silent"  # 429 without Retry-After, and nothing was done
    LATE = "late"  # the connection breaks at once, and everything is done a good while after it
    SLOW = "slow"  # the right answer, late but within patience


def _every(_method: str, _path: str) -> bool:
    return True


def _no(_method: str, _path: str) -> bool:
    return False


@dataclass(slots=True)
class FaultPlan:
    """Faults of one simulated day.

    The plan is asked about each request once, in order of arrival. `scripted` faults are used up first: the n-th
    request (from 0) whose "METHOD /path" passes `scripted_for` takes the n-th scripted fault. After that, or where a
    request does not pass, chance decides by `rates`.

    Args:
        rates: probability of each fault, per request; what is left of 1 is NONE.
        seed: makes the draws repeatable.
        scripted: faults in order, for the requests that `scripted_for` names.
        scripted_for: which requests the script is for, by method and path; default: every one.
        spare: requests that chance leaves alone, by method and path.
    """

    rates: Mapping[Fault, float] = field(default_factory=dict)
    seed: int = 0
    scripted: Iterable[Fault] = ()
    scripted_for: Callable[[str, str], bool] = _every
    spare: Callable[[str, str], bool] = _no
    _random: random.Random = field(init=False)
    _script: list[Fault] = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._script = list(self.scripted)

    def next(self, method: str, path: str) -> Fault:
        """Return the fault for the request that just arrived."""
        if self._script and self.scripted_for(method, path):
            return self._script.pop(0)
        draw = self._random.random()
        if self.spare(method, path):
            return Fault.NONE
        for fault, rate in self.rates.items():
            draw -= rate
            if draw < 0:
                return fault
        return Fault.NONE
