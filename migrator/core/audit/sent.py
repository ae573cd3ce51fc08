"""Requests of the journal, compared with the log."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from migrator.core.audit.chain import DAMAGE, AuditEvent, request_digest

__all__ = ["SentRequests"]


@dataclass(slots=True)
class SentRequests:
    """Requests that a log reports as sent, by plan.

    A cutover or rollback is a plan of its own here. `made` names the plans whose making is in the log: nothing that was
    sent for them may lack its event.
    """

    made: set[str] = field(default_factory=set)
    _sent: dict[str, Counter[str]] = field(default_factory=dict)

    def note(self, event: AuditEvent) -> None:
        """Gather what one event reports.

        Raises: KeyError and the like, if the event lacks what it should report.
        """
        plan_id = str(event.detail["switch_id"] if event.kind.startswith("switch.") else event.plan_id)
        if event.kind in {"plan.made", "switch.made"}:
            self.made.add(plan_id)
        elif event.kind in {"request.sent", "switch.request_sent"}:
            self._sent.setdefault(plan_id, Counter())[event.detail["sha256"]] += 1

    def problems(self, plan_id: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        """Yield what is wrong with the requests of one plan, in words.

        Args:
            plan_id: the plan, cutover or rollback.
            rows: all its requests, with `request_id`, `method`, `path`, and `body` as JSON text.
        """
        sent = Counter(self._sent.get(plan_id, ()))
        for row in rows:
            digest = _digest(row)
            if digest is not None and sent[digest]:
                sent[digest] -= 1
            elif digest is None or plan_id in self.made:
                yield f"request {row.get('request_id')} of plan {plan_id} is not in the log as it stands in the journal"
        if missing := sent.total():
            yield f"plan {plan_id}: requests are in the log, and not in the journal as they were sent: {missing}"


def _digest(row: Mapping[str, Any]) -> str | None:
    try:
        return request_digest(row["method"], row["path"], row["body"])
    except DAMAGE:
        return None
