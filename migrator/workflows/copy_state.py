"""Work of `state copy`, between a file and PostgreSQL."""

from typing import TYPE_CHECKING

from migrator import wiring
from migrator.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrator.store import Moved

__all__ = ["copy_state"]


def copy_state(
    old: str, new: str, account: str | None, now: float, *, warn: "Callable[[str], None]" = lambda _words: None
) -> "Moved":
    """Copy an account, and mark the old store as moved.

    Args:
        old: address of the store.
        new: address of a place that holds nothing. One of the two is in PostgreSQL, and the other is a file.
        account: its name in PostgreSQL.
        now: UTC seconds.
        warn: called with words where a file cannot be locked.

    Raises: InputError, StoreBusy, StoreError. The old store can be worked with then, unless the error says otherwise.
    """
    from migrator.store import Store
    from migrator.store.opening import is_postgresql

    if is_postgresql(old) == is_postgresql(new):
        raise InputError(
            "one of FROM and TO must be a SQLite file, and the other PostgreSQL",
            code="state_url",
            hint="such as: migrator --account acme state copy sqlite:///migrator.db postgresql://ada@db.example/fleet; "
            "a file goes elsewhere by `mv`, with its -wal and -shm, once nothing is at work",
        )
    there, here = (account, None) if is_postgresql(old) else (None, account)
    with (
        Store.open(old, account=there, now=now, create=False, upgrade=False, to_move=True) as store,
        wiring.holding_lease(store, warn, to_move=True),
    ):
        return store.move_to(new, here, now)
