"""A third source, made up to show how small the port is: a carrier, and its adapter, in one file."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from migrator.core.cutover.rules import Sight, Sighting
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import AccountLimits, QuotaReading, SourceSim, SourceStatus
from migrator.errors import InputError, LoginRefused, Transient
from migrator.ports import Answer, Reading, Remaining, Request, SetSourceState, SourcePage, SourceRow, Vouch
from tests.carriers.contract.subject import DAY, Controller, Known, Reader, Subject

PAGE = 100
GATES = ("shut", "open")
WORDS = {"open": SourceStatus.ENABLED, "shut": SourceStatus.DISABLED}


@dataclass(slots=True)
class MadeUpCarrier:
    """A carrier that tells a gate's state for a status, and an order of which shuts gates one by one."""

    sims: dict[str, dict[str, Any]]
    is_silent: bool = False
    key: str = "made-up-key-0000"
    orders: list[tuple[str, str, Any]] = field(default_factory=list)

    def ask(self, key: str) -> dict[str, dict[str, Any]]:
        if key != self.key:
            raise LoginRefused("the made-up carrier does not know this key", status=401)
        if self.is_silent:
            raise Transient("the made-up carrier is in trouble", status=500)
        return self.sims


def source_row(record: Mapping[str, Any]) -> SourceRow:
    """The wire.py of this carrier: the one place that knows its words."""
    gate = record["gate"]
    status = WORDS.get(gate, SourceStatus.UNKNOWN)
    word = gate if status is SourceStatus.UNKNOWN else status.value
    sim = SourceSim(Iccid.parse(record["iccid"]), status, word, label=record["label"], imei_lock=False)
    return SourceRow(record, sim)


class MadeUpSource:
    """The adapter: every port of a source."""

    name, warning, capless, calls_per_reading, uses_by_day, most, writes_back = "made up", "", "", 1, False, 3, False

    def __init__(self, carrier: MadeUpCarrier, key: str) -> None:
        self._carrier, self._key = carrier, key

    def __repr__(self) -> str:
        return "MadeUpSource(key=***)"

    async def open(self) -> str:
        self._carrier.ask(self._key)
        return "made up"

    async def page(self, number: int) -> SourcePage:
        sims = list(self._carrier.ask(self._key).values())
        rows = [source_row(record) for record in sims[(number - 1) * PAGE : number * PAGE]]
        return SourcePage(number, rows, total_sims=len(sims), is_full=len(rows) == PAGE)

    async def reading(self, iccid: Iccid) -> Reading:
        try:
            is_known = iccid.digits in self._carrier.ask(self._key)
        except Transient:
            is_known = False
        left = Remaining(QuotaReading.NO_RECORD if is_known else QuotaReading.FAILED)
        return Reading(iccid, left, left)

    async def account_limits(self) -> AccountLimits:
        return AccountLimits()

    async def used_days(
        self, iccid: Iccid, first: date, last: date, *, insists: bool = False
    ) -> Mapping[date, bool] | None:
        try:
            record = self._carrier.ask(self._key).get(iccid.digits)
        except Transient:
            if insists:
                raise
            return None
        days = [first + timedelta(days=after) for after in range((last - first).days + 1)]
        return None if record is None else {day: day in record["used"] for day in days}

    async def look(self, iccid: Iccid) -> Sight:
        record = self._carrier.ask(self._key).get(iccid.digits)
        return Sight(Sighting.GONE) if record is None else Sight(Sighting.SEEN, source_row(record).sim)

    async def session(self, iccid: Iccid) -> str | None:
        return "ONLINE" if iccid.digits in self._carrier.ask(self._key) else None

    def request(self, order: SetSourceState) -> Request:
        if not 1 <= len(order.sims) <= self.most:
            raise InputError("too many gates, or none", code="order_size")
        return Request("POST", "/gates", {sim.iccid.digits: GATES[sim.enabled] for sim in order.sims})

    async def send(self, order: SetSourceState, *, vouch: Vouch | None = None) -> Answer:
        request, gates = self.request(order), {sim.iccid.digits: sim.enabled for sim in order.sims}
        sims = self._carrier.ask(self._key)
        if vouch is not None:
            vouch()
        self._carrier.orders.append((request.method, request.path, request.body))
        for iccid, enabled in gates.items():
            sims[iccid]["gate"] = GATES[enabled]
        return Answer()


class ThirdSubject(Subject):
    """The third source under the contract."""

    secret, stranger = "made-up-key-0000", "8900000099999999999"

    def __init__(self, known: list[Known]) -> None:
        self.iccids = [f"8900000{number:012d}" for number in range(len(known))]
        told = [{"gate": GATES[one.on], "label": one.label, "used": {DAY} if one.is_used else set()} for one in known]
        rows = zip(self.iccids, told, strict=True)
        self.carrier = MadeUpCarrier({iccid: {"iccid": iccid, **row} for iccid, row in rows})

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        yield MadeUpSource(self.carrier, self.secret)

    @asynccontextmanager
    async def controller(self) -> AsyncIterator[Controller]:
        yield MadeUpSource(self.carrier, self.secret)

    def is_on(self, iccid: str) -> bool:
        return bool(self.carrier.sims[iccid]["gate"] == "open")

    def rest(self, iccid: str) -> Any:
        return self.carrier.sims[iccid] | {"gate": None}

    def writes(self) -> list[tuple[str, str, Any]]:
        return self.carrier.orders

    def fall_silent(self) -> None:
        self.carrier.is_silent = True

    def lock_out(self) -> None:
        self.secret = "another-key-0000"

    def revoke(self) -> None:
        self.carrier.key = "another-key-0000"
