"""Files behind one claim: those whose code runs for it, and those on the way from the run to the socket."""

import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

from migrator.carriers.simulation.transport import InProcessTransport
from migrator.engine.apply.claim import Claimer
from tests.structure.sources import ROOT
from tests.worlds.world import World

__all__ = ["files_of_a_claim"]


def files_of_a_claim() -> tuple[set[str], set[str]]:
    """Return the files whose code runs from a claim's guards to its answer on disk, and those on the way to the socket.

    One wave of twelve SIMs is claimed at the simulator, which is left out.
    """
    ran: set[str] = set()
    way: set[str] = set()
    claim = Claimer._one

    def seen(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and (file := _ours(frame)):
            ran.add(file)
        if event == "call" and frame.f_code is InProcessTransport.handle_async_request.__code__ and not way:
            way.update(filter(None, map(_ours, _stack(frame))))

    async def watched(self: Claimer, batch: Any) -> Any:
        sys.setprofile(seen)
        try:
            return await claim(self, batch)
        finally:
            sys.setprofile(None)

    Claimer._one = watched  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder))
            world.ready()
            world.apply()
    finally:
        Claimer._one = claim  # type: ignore[method-assign]
    return ran, way


def _stack(frame: FrameType | None) -> list[FrameType]:
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found


def _ours(frame: FrameType) -> str:
    """Return a file of the product, relative to it; empty for another, and for what simulates."""
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(ROOT):
        return ""
    own = path.relative_to(ROOT)
    return "" if {"simulation", "simulator"} & set(own.parts) else str(own)
