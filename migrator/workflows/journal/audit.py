"""Check of a store's log, journal and plans against each other."""

from migrator.store import Store

__all__ = ["store_problems"]


def store_problems(store: Store, *, head: str | None) -> tuple[list[str], str]:
    """Return what does not hold, and the head of the log.

    Both are of one moment, though a run may be at work. `head` is one that was noted before; None for none.
    """
    before = store.audit.head()
    found = list(store.audit.problems(head=head))
    if not found or store.audit.head() == before:
        return found, before
    with store.scratch_copy() as still:
        return list(still.audit.problems(head=head)), still.audit.head()
