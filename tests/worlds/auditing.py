"""Whatever happened, the log, the store and the evidence agree: an audit that cries wolf is worth nothing."""

from pathlib import Path

from migrator.reports.evidence.check import evidence_problems
from migrator.store import Store
from migrator.workflows.evidence import gather

__all__ = ["check_audit"]


def check_audit(store: Store, plan_id: str, folder: Path) -> None:
    """Raises: AssertionError, naming what the audit finds in a store that nobody edited."""
    assert list(store.audit.problems()) == []
    _, head = gather(store, plan_id, folder / "evidence.zip", now=0.0)
    assert evidence_problems(folder / "evidence.zip", head=head)[1] == []
