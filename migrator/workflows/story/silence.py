"""Reasons for silence, by what the store has; no carrier is asked."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from migrator.carriers.hologram.wire import recorded_traffic
from migrator.core.cutover.life import KeptProof, silent_as_kept
from migrator.core.cutover.rules import claimed_at_s
from migrator.core.cutover.silence import Silent

if TYPE_CHECKING:
    from migrator.store import Store
    from migrator.store.journal.verifications import ReportRow as StoredRow

__all__ = ["silences"]


def silences(store: "Store", rows: Sequence["StoredRow"], proofs: Mapping[str, KeptProof]) -> dict[str, Silent]:
    """Return why new SIMs are silent, by key of the old SIM.

    Only SIMs with a proof of life and a record are judged. Hologram's own records are read for these alone.
    """
    lives = [(row, proofs[row[0].key]) for row in rows if row[0].key in proofs and row[0].target is not None]
    records = store.target_records.among(item.target.iccid.key for (item, *_), _ in lives if item.target is not None)
    found: dict[str, Silent] = {}
    for (item, _, _, claimed_s, _), proof in lives:
        target = item.target
        if target is not None:
            recorded = recorded_traffic(records.get(target.iccid.key, {}))
            at_s = claimed_at_s(target, claimed_s)
            found[item.key] = silent_as_kept(target, recorded, claimed_s=at_s, proof=proof)
    return found
