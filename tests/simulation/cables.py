"""Cables of a machine: one to the database and one to the carriers, in a network namespace.

They take Linux, root and `ip`. Nothing here touches a network outside of the machine.
"""

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from typing import Self

from tests.server import Server, sql
from tests.simulation.takeovers import Watched

__all__ = ["NO_CABLES", "Cables", "can_have_cables", "let_in", "reachable"]

NO_CABLES = "no cables here: they take Linux, root, and `ip netns`"
DATABASE_NET, CARRIERS_NET = "10.77", "10.78"
PATIENCE_S = 30.0


def can_have_cables() -> bool:
    """True if this machine can have network namespaces."""
    if os.getuid() or shutil.which("ip") is None:
        return False
    if subprocess.run(["ip", "netns", "add", "mg-try"], capture_output=True, check=False).returncode:
        return False
    _ip("netns", "del", "mg-try")
    return True


def let_in(server: Server) -> None:
    """Let the server, which listens everywhere, take logins by cable."""
    with (server.folder / "data" / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {DATABASE_NET}.0.0/16 trust\n")
    sql(server.url(), "SELECT pg_reload_conf()")


def reachable(carriers: Watched) -> Watched:
    """Let carriers that do not run yet be reached by cable, too."""
    carriers._socket.close()
    carriers._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    carriers._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    carriers._socket.bind(("", carriers.port))
    return carriers


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, check=True, timeout=PATIENCE_S)


@dataclass
class Cables:
    """Cables of one machine.

    Args:
        number: 1 to 200, part of the addresses.
    """

    number: int
    is_cut: bool = False

    def __enter__(self) -> Self:
        _ip("netns", "add", self._name)
        for kind, net in (("d", DATABASE_NET), ("c", CARRIERS_NET)):
            here, there = f"mg{kind}{self.number}", f"{kind}0"
            _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", self._name)
            _ip("addr", "add", f"{net}.{self.number}.1/24", "dev", here)
            _ip("link", "set", here, "up")
            _ip("-n", self._name, "addr", "add", f"{net}.{self.number}.2/24", "dev", there)
            _ip("-n", self._name, "link", "set", there, "up")
        _ip("-n", self._name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_error: object) -> None:
        for kind in "dc":
            _ip("link", "del", f"mg{kind}{self.number}")
        _ip("netns", "del", self._name)

    @property
    def _name(self) -> str:
        return f"mg-{self.number}"

    def command(self, words: list[str]) -> list[str]:
        """Return a command that runs at the far end of the cables."""
        return ["ip", "netns", "exec", self._name, *words]

    def environment(self, told: dict[str, str]) -> dict[str, str]:
        """Return an environment whose addresses of this machine lead through the cables."""
        carriers, database = f"//{CARRIERS_NET}.{self.number}.1:", f"{DATABASE_NET}.{self.number}.1"
        led = {name: value.replace("//127.0.0.1:", carriers) for name, value in told.items()}
        return {**led, "MIGRATOR_STATE": f"postgresql://owner@{database}:5432/postgres"}

    def cut(self) -> None:
        """Cut the one to the database: packets are lost, and nobody is told."""
        _ip("link", "set", f"mgd{self.number}", "down")
        self.is_cut = True

    def heal(self) -> None:
        """Mend it."""
        _ip("link", "set", f"mgd{self.number}", "up")
        self.is_cut = False
