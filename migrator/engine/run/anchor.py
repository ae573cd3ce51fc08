"""Anchoring of intents in the store's main file.

An intent counts once it is in the main file: that file may be used later without the files beside it.
"""

from migrator.engine.run.context import Stopper
from migrator.errors import Halted, Interrupted, NotSent, StoreHeld
from migrator.ports import Journal

__all__ = ["anchored"]

TRIES = 60
PAUSE_S = 0.5
"""Seconds between two tries.

A backup or a report of a large store reads for some seconds. After all tries a claim is tried five times more.
"""


async def anchored(journal: Journal, stopper: Stopper) -> None:
    """Wait until the intents so far are in the main file.

    Raises: StoreHeld, if that took too long; NotSent, if the run had to stop meanwhile. Nothing was sent then.
    """
    for _ in range(TRIES):
        if journal.into_main_file():
            return
        try:
            await stopper.sleep(PAUSE_S)
        except (Interrupted, Halted) as stop:
            raise NotSent(stop) from stop
    raise StoreHeld(
        "nothing was sent: another program reads the state store, and keeps what was to be sent out of its main file",
        hint="end the program that reads the store, such as a database browser or a backup; then the same command",
    )
