"""Simulated SIMs in their true state, now and at earlier times.

A lagging read shows the past, not a guess.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from migrator.carriers.simulation import SimulatedClock

__all__ = ["Condition", "Session", "SimulatedLink", "SimulatedTag", "SpareProfile", "Transition", "is_pending"]

T = TypeVar("T")


def is_pending(state: str) -> bool:
    """True while the carrier is still moving a SIM.

    Such a SIM is locked (reference, section 8).
    """
    return "PENDING" in state


@dataclass(frozen=True, slots=True)
class Condition:
    """Facts that are true of one SIM for a stretch of time.

    `device_id` is None until somebody claims the SIM. Limits are as on the wire: bytes and messages, -1 for none.
    """

    state: str
    org_id: int
    device_id: int | None = None
    link_id: int | None = None
    name: str | None = None
    overage_limit: int = -1
    sms_limit: int = 100
    threshold: int = -1
    plan_id: int | None = None
    zone: str | None = None
    tag_ids: frozenset[int] = frozenset()
    claimed_at: datetime | None = None
    test_ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """Line of `GET /links/cellular/{id}/history`."""

    entry_id: int
    at_s: float
    old: str
    new: str
    reason: str


@dataclass(frozen=True, slots=True)
class Session:
    """Data session of one SIM."""

    record_id: int
    iccid: str
    begin: datetime
    end: datetime
    bytes_: int
    imei: str


@dataclass(frozen=True, slots=True)
class SpareProfile:
    """Second profile on the card, with the state DISABLED.

    A client that takes the first profile takes the wrong one.
    """

    iccid: str
    link_id: int


@dataclass(frozen=True, slots=True)
class SimulatedTag:
    """Label of one organization."""

    tag_id: int
    name: str
    org_id: int


class _Fact(Generic[T]):
    """Field of the condition that is true now.

    Setting the field also settles its later values.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, link: "SimulatedLink", owner: type | None = None) -> T:
        value: T = getattr(link.at(link.clock.now_s()), self._name)
        return value

    def __set__(self, link: "SimulatedLink", value: T) -> None:
        link.change(link.clock.now_s(), **{self._name: value})


class SimulatedLink:
    """SIM with its fixed facts, and its conditions by time.

    Attributes read and set what is true now.
    """

    __slots__ = (
        "_conditions",
        "_tags",
        "attached",
        "clock",
        "history",
        "iccid",
        "imsi",
        "pin",
        "puk",
        "sessions",
        "simcard_id",
        "spare",
    )

    state = _Fact[str]()
    org_id = _Fact[int]()
    device_id = _Fact[int | None]()
    link_id = _Fact[int | None]()
    name = _Fact[str | None]()
    overage_limit = _Fact[int]()
    sms_limit = _Fact[int]()
    threshold = _Fact[int]()
    plan_id = _Fact[int | None]()
    zone = _Fact[str | None]()
    tag_ids = _Fact[frozenset[int]]()
    claimed_at = _Fact[datetime | None]()

    def __init__(
        self, iccid: str, *, simcard_id: int, clock: SimulatedClock, tags: dict[int, SimulatedTag], condition: Condition
    ) -> None:
        self.iccid = iccid
        self.simcard_id = simcard_id
        self.imsi = 234_500_000_000_000 + simcard_id
        self.pin = f"{simcard_id * 7919 % 10_000:04d}"
        self.puk = f"{simcard_id * 7_654_321 % 100_000_000:08d}"
        self.clock = clock
        self.spare: SpareProfile | None = None
        self.history: list[Transition] = []
        self.sessions: list[Session] = []
        self.attached: list[datetime] = []
        self._tags = tags
        self._conditions: list[tuple[float, Condition]] = [(float("-inf"), condition)]

    def __repr__(self) -> str:
        return f"SimulatedLink({self.iccid}, {self.state}, device {self.device_id})"

    @property
    def tags(self) -> frozenset[str]:
        """Names of the tags that the SIM has now."""
        return frozenset(self._tags[tag_id].name for tag_id in self.tag_ids)

    def at(self, at_s: float) -> Condition:
        """Return the condition at `at_s`, in the past or the future."""
        return next(condition for since_s, condition in reversed(self._conditions) if since_s <= at_s)

    def change(self, from_s: float, **facts: Any) -> None:
        """Make `facts` true from `from_s` on.

        Later changes of other fields still happen.
        """
        before = [(since_s, was) for since_s, was in self._conditions if since_s < from_s]
        after = [(since_s, replace(due, **facts)) for since_s, due in self._conditions if since_s > from_s]
        self._conditions = [*before, (from_s, replace(self.at(from_s), **facts)), *after]

    def truth(self) -> dict[str, Any]:
        """Return the present facts for `GET /_simulator/truth`: no PIN, no PUK."""
        now = self.at(self.clock.now_s())
        claimed_at = now.claimed_at and now.claimed_at.isoformat()
        kept = ("device_id", "link_id", "org_id", "state", "name", "overage_limit", "sms_limit", "plan_id", "zone")
        facts: dict[str, Any] = {name: getattr(now, name) for name in kept}
        return {**facts, "simcard_id": self.simcard_id, "tags": sorted(self.tags), "claimed_at": claimed_at}
