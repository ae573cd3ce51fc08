"""Part of a policy about receivers and hooks.

No secret is kept here: only the names under which secrets are found.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

__all__ = [
    "SECRET_FIELDS",
    "HookPrograms",
    "NoticeEvent",
    "Receiver",
    "ReceiverKind",
    "receiver_from",
    "receiver_values",
]


class NoticeEvent(StrEnum):
    """Event of which receivers may be told."""

    NEEDS_ATTENTION = "needs_attention"  # a run is done, and some SIMs need a person (exit 3)
    STOPPED = "stopped"  # a run ended before its plan did: a gate, a cap, a veto, a carrier (exits 4 to 7)
    WAVE_DONE = "wave_done"  # a wave has enough good SIMs: its gate is open
    CUTOVER_DONE = "cutover_done"  # every order of a cutover or rollback is proved
    DRIFT = "drift"  # a read found lasting differences from the plan
    SILENT = "silent"  # new SIMs without any sign of life
    SPEND_80 = "spend_80"  # four fifths of a cap are used
    DAILY = "daily"  # a campaign's day in numbers
    TEST = "test"  # `notify test`: nothing happened


class ReceiverKind(StrEnum):
    """Kind of a receiver."""

    WEBHOOK = "webhook"  # JSON by POST, signed
    SLACK = "slack"  # an incoming webhook of Slack
    TEAMS = "teams"  # a workflow of Teams that posts an adaptive card
    MAIL = "mail"  # by SMTP
    COMMAND = "command"  # a program of ours, with JSON on its standard input


SECRET_FIELDS = ("url_from", "secret_from", "password_from")
"""Fields of a receiver that name its secrets."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """`[[notify]]`: who is told of which events.

    `url_from`, `secret_from` and `password_from` name a variable, a file (NAME_FILE) or an entry of the keyring.
    `detail`: the notice may name SIMs.
    """

    to: ReceiverKind
    on: tuple[NoticeEvent, ...] = (NoticeEvent.NEEDS_ATTENTION, NoticeEvent.STOPPED)
    detail: bool = False
    url_from: str | None = None
    secret_from: str | None = None
    command: tuple[str, ...] = ()
    server: str | None = None
    port: int = 587
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    user: str | None = None
    password_from: str | None = None

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Names of the secrets that a delivery needs."""
        return tuple(name for field in SECRET_FIELDS if (name := getattr(self, field)))

    def __str__(self) -> str:
        place = self.url_from or ", ".join(self.recipients) or " ".join(self.command[:1])
        return f"{self.to} ({place})"


@dataclass(frozen=True, slots=True)
class HookPrograms:
    """`[hooks]`: commands that may forbid what would be sent next.

    Each command is a program and its arguments, run without a shell. `timeout_s` is how long it may take; no answer
    is a veto.
    """

    before_claim: tuple[str, ...] = ()
    before_cutover: tuple[str, ...] = ()
    timeout_s: float = 60.0


def receiver_values(receiver: Receiver) -> dict[str, Any]:
    """Return a receiver as JSON values."""
    return {**asdict(receiver), "on": list(receiver.on), "to": receiver.to.value}


def receiver_from(values: Mapping[str, Any]) -> Receiver:
    """Return a receiver from its JSON values."""
    lists = {name: tuple(values.get(name, ())) for name in ("command", "recipients")}
    events = tuple(NoticeEvent(word) for word in values["on"])
    return Receiver(**{**values, **lists, "to": ReceiverKind(values["to"]), "on": events})
