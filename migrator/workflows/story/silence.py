"""Reasons for silence, by what the store has; no carrier is asked."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from migrator.carriers.hologram.wire import recorded_traffic
from migrator.core.cutover.life import KeptProof, silent_as_kept
from migrator.core.cutover.rules import claimed_at_s
from migrator.core.cutover.silence import Silent
from migrator.core.fleet.sims import TargetLink

if TYPE_CHECKING:
    from migrator.store import Store
    from migrator.store.journal.verifications import ReportRow as StoredRow

__all__ = ["kept_silence", "silences"]


def kept_silence(
    target: TargetLink, record: Mapping[str, Any], *, claimed_s: float | None, proof: KeptProof | None
) -> Silent:
    """Return why a new SIM is silent, by record and kept proof.

    `claimed_s` is when our journal says that it was claimed (UTC seconds).
    """
    at_s = claimed_at_s(target, claimed_s)
    return silent_as_kept(target, recorded_traffic(record), claimed_s=at_s, proof=proof)


def silences(store: "Store", rows: Sequence["StoredRow"], proofs: Mapping[str, KeptProof]) -> dict[str, Silent]:
    """Return why new SIMs are silent, by key of the old SIM.

    Only SIMs with a proof of life and a record are judged. Hologram's own records are read for these alone.
    """
    lives = [
        (item.key, item.target, claimed_s)
        for item, _, _, claimed_s, _ in rows
        if item.key in proofs and item.target is not None
    ]
    records = store.target_records.among(target.iccid.key for _, target, _ in lives)
    return {
        key: kept_silence(target, records.get(target.iccid.key, {}), claimed_s=claimed_s, proof=proofs[key])
        for key, target, claimed_s in lives
    }
