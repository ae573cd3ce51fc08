"""How the true carriers' pacers are put together."""

from typing import cast

import anyio
import pytest

from migrator import wiring
from migrator.carriers.onence.adapter import OnenceSource
from migrator.engine.run.context import Stopper
from migrator.wiring import settings


@pytest.mark.usefixtures("desk")
def test_pauses_that_nobody_asked_for_are_spread() -> None:
    """The limits are shared with the customer's own systems: those that were refused together come back apart."""

    async def main() -> list[object]:
        async with (
            wiring.target(settings(None), None, Stopper()) as hologram,
            wiring.source(settings(None), None, Stopper()) as onence,
        ):
            return [
                hologram._client._session._pacer.chance,
                cast("OnenceSource", onence)._client._session._pacer.chance,
            ]

    assert None not in anyio.run(main)
