"""State of the simulated carrier, and the basic changes to it.

All other changes are made of the basic changes.
"""

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from migrator.carriers.hologram.simulator.behaviour import HologramBehaviour
from migrator.carriers.hologram.simulator.choices import ReadKind, ReplyEdition
from migrator.carriers.hologram.simulator.model import (
    Condition,
    Session,
    SimulatedLink,
    SimulatedTag,
    SpareProfile,
    Transition,
)
from migrator.carriers.simulation import Ledger, SimulatedClock

__all__ = ["Job", "World", "ids_below"]


@dataclass(frozen=True, slots=True)
class Job:
    """Bulk state change.

    `ends_s` is the time at which its last SIM settles; infinite if a SIM never settles.
    """

    job_id: int
    action: str
    device_count: int
    starts_s: float
    ends_s: float


@dataclass(slots=True)
class World:
    """State of the simulated carrier.

    `device_ids` and `link_ids` are in order of creation, which is ascending. A link id of a spare profile leads to the
    SIM that carries the profile.
    """

    seed: int
    behaviour: HologramBehaviour
    clock: SimulatedClock
    org_id: int
    other_org_id: int
    user_id: int
    balance: Decimal | None
    foreign_org_id: int = 90_001
    other_org_visible: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    sims: dict[str, SimulatedLink] = field(default_factory=dict)
    device_ids: list[int] = field(default_factory=list)
    by_device: dict[int, SimulatedLink] = field(default_factory=dict)
    link_ids: list[int] = field(default_factory=list)
    by_link: dict[int, SimulatedLink] = field(default_factory=dict)
    tags: dict[int, SimulatedTag] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    next_tag_id: int = 5_401
    next_job_id: int = 301
    next_entry_id: int = 1

    def visible_orgs(self) -> frozenset[int]:
        """Return the organizations that the key sees."""
        sees_other = self.other_org_visible or self.behaviour.other_org_visible
        return frozenset({self.org_id, self.other_org_id} if sees_other else {self.org_id})

    def edition(self, own: ReplyEdition | None) -> ReplyEdition:
        """Return the edition of one reply: its own, or the common edition."""
        return own or self.behaviour.edition

    def read_at_s(self, kind: ReadKind) -> float:
        """Return the moment that this kind of read shows."""
        lag_s = self.behaviour.read_lag_s if kind in self.behaviour.lagging_reads else 0.0
        return self.clock.now_s() - lag_s

    def forbid(self, call_name: str, why: str) -> None:
        """Note a call that this project's tool must never make.

        The call is carried out all the same.
        """
        self.ledger.forbidden.append(f"{call_name}: {why}")

    def draw(self, purpose: str, iccid: str) -> float:
        """Return a repeatable number in [0, 1) for purpose and SIM.

        The number depends on the seed, the purpose and the SIM alone.
        """
        return random.Random(f"{self.seed}/{purpose}/{iccid}").random()

    def is_drawn(self, purpose: str, iccid: str, *, named: frozenset[str], share: float) -> bool:
        """True if the SIM is named, or if chance picks the SIM."""
        return iccid in named or (share > 0 and self.draw(purpose, iccid) < share)

    def add(self, iccid: str, condition: Condition) -> SimulatedLink:
        """Bring a new SIM into the world.

        Raises: ValueError, if the SIM is there already.
        """
        if iccid in self.sims:
            raise ValueError(f"{iccid} is stocked already")
        simcard_id = 4_860_001 + len(self.sims)
        link = SimulatedLink(iccid, simcard_id=simcard_id, clock=self.clock, tags=self.tags, condition=condition)
        self.sims[iccid] = link
        return link

    def new_device_id(self, link: SimulatedLink) -> int:
        """Return a new device id that leads to `link` from now on.

        The id is above all earlier ids.
        """
        device_id = (self.device_ids[-1] if self.device_ids else 1_234_566) + 1
        self.device_ids.append(device_id)
        self.by_device[device_id] = link
        return device_id

    def new_link_id(self, link: SimulatedLink) -> int:
        """Return a new link id that leads to `link` from now on.

        The id is above all earlier ids.
        """
        link_id = (self.link_ids[-1] if self.link_ids else 5_608_541) + 1
        self.link_ids.append(link_id)
        self.by_link[link_id] = link
        return link_id

    def fit_spare_profile(self, link: SimulatedLink) -> None:
        """Add the second profile to a SIM that has several profiles."""
        behaviour = self.behaviour
        named, share = behaviour.multi_profile, behaviour.multi_profile_share
        if link.spare is None and self.is_drawn("multi", link.iccid, named=named, share=share):
            link.spare = SpareProfile(f"8944{link.simcard_id:015d}", self.new_link_id(link))

    def pending_s(self, link: SimulatedLink, purpose: str, between: tuple[float, float]) -> float:
        """Return the seconds that the SIM stays pending.

        The result is infinite if the SIM gets stuck.
        """
        if self.is_drawn("stuck", link.iccid, named=self.behaviour.stuck, share=self.behaviour.stuck_share):
            return float("inf")
        shortest_s, longest_s = between
        return shortest_s + (longest_s - shortest_s) * self.draw(purpose, link.iccid)

    def move(self, link: SimulatedLink, *, pending: str, settled: str, after_s: float) -> float:
        """Start a change of state, and return the time of its end."""
        now_s = self.clock.now_s()
        before, due_s = link.state, now_s + after_s
        for at_s, old, new, reason in ((now_s, before, pending, "USER"), (due_s, pending, settled, "SYSTEM")):
            link.change(at_s, state=new)
            link.history.append(Transition(self.next_entry_id, at_s, old, new, reason))
            self.next_entry_id += 1
        return due_s

    def live_state(self, link: SimulatedLink) -> str:
        """Return the state in which a SIM ends that is made live."""
        named, share = self.behaviour.paused_by_system, self.behaviour.paused_by_system_share
        return "PAUSED-SYS" if self.is_drawn("sys", link.iccid, named=named, share=share) else "LIVE"


def ids_below(ids: Sequence[int], cursor: int | None) -> Iterator[int]:
    """Return `ids` from the newest to the oldest, below the cursor.

    `ids` is ascending. Without a cursor all ids are returned.
    """
    end = len(ids) if cursor is None else bisect_left(ids, cursor)
    return (ids[index] for index in range(end - 1, -1, -1))
