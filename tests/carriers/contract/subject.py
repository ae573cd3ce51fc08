"""What the contract of sources asks of a carrier under test: a fleet of which the truth is known, and the adapter."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol

import httpx

from migrator.carriers.onence.adapter import OnenceSource
from migrator.carriers.onence.control import OnenceControl
from migrator.carriers.onence.simulator import OnenceBehaviour, OnenceSimulator, SimStatus, SimulatedSourceSim
from migrator.carriers.onomondo.adapter import OnomondoSource
from migrator.carriers.onomondo.control import OnomondoControl
from migrator.carriers.onomondo.simulator import OnomondoBehaviour, OnomondoSimulator, SimulatedOnomondoSim
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import Fault, FaultPlan, InProcessTransport
from migrator.core.fleet.identifiers import luhn_digit
from migrator.ports import SourceControl, SourcePlatform, SourceSight, SourceUsage

__all__ = ["DAY", "Controller", "Known", "OnenceSubject", "OnomondoSubject", "Reader", "Subject", "fleet_of"]

DAY = date(2026, 11, 19)
BASE_URL = "https://carrier.example/management-api"


@dataclass(frozen=True, slots=True)
class Known:
    """The truth of one SIM."""

    on: bool = True
    label: str | None = None
    is_used: bool = False


def fleet_of(count: int) -> list[Known]:
    """SIMs of every kind in turn: every third is off, every second has a label, every fourth is in use."""
    return [
        Known(number % 3 != 2, f"  Zähler {number}" if number % 2 else None, number % 4 == 0) for number in range(count)
    ]


class Reader(SourcePlatform, SourceUsage, Protocol):
    """The part that reads."""


class Controller(SourceControl, SourceSight, Protocol):
    """The part that also switches."""


class Subject(ABC):
    """A carrier under the contract. ICCIDs are as the carrier lists them, in the order of `fleet`."""

    iccids: list[str]
    stranger: str
    secret: str

    @abstractmethod
    def reader(self) -> AbstractAsyncContextManager[Reader]:
        """A new process's adapter."""

    @abstractmethod
    def controller(self) -> AbstractAsyncContextManager[Controller]:
        """A new process's adapter that may write."""

    @abstractmethod
    def is_on(self, iccid: str) -> bool:
        """The truth, with every accepted order that is due."""

    @abstractmethod
    def rest(self, iccid: str) -> Any:
        """The truth of all but the status."""

    @abstractmethod
    def writes(self) -> list[tuple[str, str, Any]]:
        """Method, path and body of what arrived and could have changed something."""

    @abstractmethod
    def fall_silent(self) -> None:
        """Give no usable answer from now on."""

    @abstractmethod
    def lock_out(self) -> None:
        """Give the next process credentials that are not taken."""

    @abstractmethod
    def revoke(self) -> None:
        """Take the credentials of a running process no more."""


class OnenceSubject(Subject):
    """1NCE, by either version of its API."""

    secret = "invented-for-the-simulator"
    stranger = "8988228066699999999"

    def __init__(self, known: list[Known], version: Any) -> None:
        self.version = version
        self.iccids = [f"8988228{number:012d}" for number in range(len(known))]
        sims = [
            SimulatedSourceSim(
                iccid,
                status=SimStatus.ENABLED if one.on else SimStatus.DISABLED,
                label=one.label,
                imei="8600000000000104",
                silent_from=date(2026, 1, 1),
                used_on=(DAY,) if one.is_used else (),
                imei_lock=number % 5 == 0,
            )
            for number, (iccid, one) in enumerate(zip(self.iccids, known, strict=True))
        ]
        self.carrier = OnenceSimulator.from_fleet(sims, behaviour=OnenceBehaviour(required_fields_enforced=True))

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        async with httpx.AsyncClient(transport=InProcessTransport(self.carrier), base_url=BASE_URL) as http:
            yield OnenceSource(http, **self._login)

    @asynccontextmanager
    async def controller(self) -> AsyncIterator[Controller]:
        async with httpx.AsyncClient(transport=InProcessTransport(self.carrier), base_url=BASE_URL) as http:
            yield OnenceControl(http, **self._login)

    @property
    def _login(self) -> dict[str, Any]:
        known = {"client_id": "8100012345_migrator", "client_secret": self.secret}
        return known | {"pacer": Pacer(8.0), "api_version": self.version}

    def is_on(self, iccid: str) -> bool:
        return self._sim(iccid).status == SimStatus.ENABLED

    def rest(self, iccid: str) -> Any:
        return (self._sim(iccid).label, self._sim(iccid).imei_lock)

    def _sim(self, iccid: str) -> SimulatedSourceSim:
        sim = self.carrier.fleet.find(iccid)
        assert sim is not None
        return sim

    def writes(self) -> list[tuple[str, str, Any]]:
        return [(entry.method, entry.path, entry.body) for entry in self.carrier.writes]

    def fall_silent(self) -> None:
        self.carrier.faults = FaultPlan({Fault.SERVER_ERROR_BEFORE: 1.0})

    def lock_out(self) -> None:
        self.secret = "no-longer-the-secret"

    def revoke(self) -> None:
        self.carrier.behaviour = replace(self.carrier.behaviour, token_revoked_after=0)


class OnomondoSubject(Subject):
    """Onomondo, with pages of a hundred and an order that shows after a while."""

    stranger = "89457387309999999990"

    def __init__(self, known: list[Known], **behaviour: Any) -> None:
        bodies = [f"8945738730{number + 1:09d}" for number in range(len(known))]
        self.iccids = [body + luhn_digit(body) for body in bodies]
        sims = [
            SimulatedOnomondoSim(
                iccid,
                activated=one.on,
                label=one.label,
                imei="861340049971524",
                silent_from=date(2026, 1, 1),
                used_on=(DAY,) if one.is_used else (),
            )
            for iccid, one in zip(self.iccids, known, strict=True)
        ]
        self.carrier = OnomondoSimulator(
            fleet=sims, behaviour=OnomondoBehaviour(largest_limit=100, effect_s=3, **behaviour)
        )
        self.secret = self.carrier.api_key

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        async with httpx.AsyncClient(transport=InProcessTransport(self.carrier), base_url="https://o.example") as http:
            yield OnomondoSource(http, api_key=self.secret, pacer=Pacer(8.0))

    @asynccontextmanager
    async def controller(self) -> AsyncIterator[Controller]:
        async with httpx.AsyncClient(transport=InProcessTransport(self.carrier), base_url="https://o.example") as http:
            yield OnomondoControl(http, api_key=self.secret, pacer=Pacer(8.0))

    def is_on(self, iccid: str) -> bool:
        return self._sim(iccid).activated

    def rest(self, iccid: str) -> Any:
        return self._sim(iccid).as_dict() | {"activated": None}

    def _sim(self, iccid: str) -> SimulatedOnomondoSim:
        sim = self.carrier.fleet.find(iccid)
        assert sim is not None
        return sim

    def writes(self) -> list[tuple[str, str, Any]]:
        return [(entry.method, entry.path, entry.body) for entry in self.carrier.writes]

    def fall_silent(self) -> None:
        self.carrier.faults = FaultPlan({Fault.SERVER_ERROR_BEFORE: 1.0})

    def lock_out(self) -> None:
        self.secret = "onok_no-longer-the-key-of-anybody"

    def revoke(self) -> None:
        self.carrier.api_key = "onok_another-key"
