"""Both simulated carriers behind one address on loopback.

Used by `simulate serve`, `demo`, and rehearsals.
"""

import logging
import random
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from starlette.types import Receive, Scope, Send

from migrator.carriers.hologram.simulator import HologramSimulator
from migrator.carriers.simulation import serve_cuts
from migrator.core.fleet.identifiers import luhn_digit
from migrator.core.run.sources import SOURCES
from migrator.errors import InputError
from migrator.wiring.rehearsal.units import UnitsOutside
from migrator.wiring.simulated import SimulatedSource
from migrator.wiring.sources import REGISTRY

if TYPE_CHECKING:
    from migrator.carriers.onence.simulator import OnenceSimulator

__all__ = ["CardsInTest", "Rehearsal", "pool_of"]

START_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 60
"""Seconds for which an idle connection stays open.

Clients give theirs up after 5 s: a request must not leave as the server closes.
"""


def pool_of(count: int, *, start: int = 1) -> list[str]:
    """Return invented ICCIDs of new SIMs.

    The ICCIDs are consecutive, each with 19 digits and a check digit.
    """
    bodies = (f"894450000{number:010d}" for number in range(start, start + count))
    return [body + luhn_digit(body) for body in bodies]


@dataclass(frozen=True, slots=True)
class CardsInTest:
    """Cards that are delivered in Test Mode.

    Args:
        share: of 1, how many cards.
        days: from now to the end of their Test Mode.
    """

    share: float
    days: float
    seed: int = 0

    def stock(self, hologram: HologramSimulator, pool: Iterable[str]) -> None:
        """Deliver the cards of a pool, each in Test Mode or not."""
        kinds: tuple[list[str], list[str]] = ([], [])
        for iccid in pool:
            kinds[random.Random(f"{self.seed} test mode {iccid}").random() < self.share].append(iccid)
        hologram.stock(kinds[False])
        if kinds[True]:
            hologram.stock_test_mode(kinds[True], ends_in=timedelta(days=self.days))


@dataclass(slots=True)
class Rehearsal:
    """Simulated source and simulated Hologram, each under its path.

    The paths are /hologram, and /onence or another source's, as in the settings file.

    Args:
        source: the source.
        port: on 127.0.0.1; 0 takes any free one.
        units: the units that go online with the new SIMs; None: no unit does.
        carrier: the source's key in the registry.
    """

    source: SimulatedSource
    hologram: HologramSimulator
    port: int = 0
    units: UnitsOutside | None = None
    carrier: str = "1nce"
    _socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", self.port))
            self._socket.listen()  # whoever is told the port may be quicker than the server's start
        except OSError as error:
            self._socket.close()
            raise InputError(
                f"port {self.port} on 127.0.0.1 cannot be used: {error.strerror}",
                code="port_taken",
                hint="choose another with --port, or 0 for any free one",
            ) from error
        self.port = self._socket.getsockname()[1]

    @property
    def onence(self) -> "OnenceSimulator":
        """Simulated 1NCE, where that is the source."""
        return cast("OnenceSimulator", self.source)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the carrier that its path names."""
        if scope["type"] == "lifespan":
            return
        if self.units is not None:
            self.units.go_round()
        for prefix, app in ((f"/{self._name}", self.source), ("/hologram", self.hologram)):
            if scope["path"].startswith(prefix + "/"):
                raw = scope.get("raw_path", b"").removeprefix(prefix.encode())
                await app({**scope, "path": scope["path"].removeprefix(prefix), "raw_path": raw}, receive, send)
                return
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def environment(self) -> dict[str, str]:
        """Return the settings that point the tool at this rehearsal."""
        here = f"http://127.0.0.1:{self.port}"
        return {
            **REGISTRY[self.carrier].exports(self.source, f"{here}/{self._name}"),
            "HOLOGRAM_BASE_URL": f"{here}/hologram/api/1",
            "HOLOGRAM_API_KEY": self.hologram.api_key,
            "HOLOGRAM_ORG_ID": str(self.hologram.org_id),
        }

    def summary(self) -> Mapping[str, Any]:
        """Return the requests and charges at both carriers."""
        return {self._name: self.source.ledger.as_dict(), "hologram": self.hologram.ledger.as_dict()}

    @property
    def _name(self) -> str:
        return SOURCES[self.carrier].section

    def run(self) -> None:
        """Serve until interrupted."""
        self._server().run(sockets=[self._socket])

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve in a thread for as long as the block lasts."""
        server = self._server()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        thread.start()
        deadline = datetime.now(UTC).timestamp() + START_TIMEOUT_S
        while not server.started and thread.is_alive() and datetime.now(UTC).timestamp() < deadline:
            thread.join(0.02)
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(START_TIMEOUT_S)
            self._socket.close()

    def _server(self) -> uvicorn.Server:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # cut connections are meant, and it frets
        config = uvicorn.Config(
            serve_cuts(self),
            lifespan="off",
            log_level="critical",
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            callback_notify=None if self.units is None else self._units_go_on,
            timeout_notify=1,
        )
        return uvicorn.Server(config)

    async def _units_go_on(self) -> None:
        """Let the field go on while nobody asks the carriers."""
        if self.units is not None:
            self.units.go_round()
