"""What can go wrong, sorted by what may have happened.

::

    MigratorError                  exit  reach
    ├── InputError                 2     the command: nothing was changed
    ├── StalePlan                  5     the command: nothing was sent
    │   └── PairChanged            5     some SIMs of a claim: they are left out, and the others go on
    ├── StoreError                 1     the command
    │   └── StoreBusy              9     another run holds the store
    ├── Halted                     6     the run: a gate or a cap stopped it
    ├── IllegalTransition          1     the process: our own impossible state, stop rather than guess
    └── PlatformError
        ├── Transient              7     nothing happened; may be tried again
        │   ├── RateLimited        7     the same, and everybody slows down
        │   ├── NotSent                  the run was told to stop while a write waited for its turn
        │   ├── Outdated           7     what a write rests on grew old while it waited for its turn
        │   └── StoreHeld          7     a write was given up: its intent did not get into the store's main file
        ├── Permanent              1     one SIM or one request: refused for good
        │   ├── NotAuthorised      4     the run
        │   └── InsufficientBalance 6    the run
        ├── OutcomeUnknown         7     a write may or may not have happened: read, never send again
        │   └── Unforeseen         7     the same, by a defect of ours while it was sent
        └── WireMismatch           1     the run: a reply we cannot read

`Interrupted`, with `LookAgain`, stands beside the tree: an order to stop is no error. This module imports nothing, so
that every layer can raise from it.
"""

__all__ = [
    "Halted",
    "IllegalTransition",
    "InputError",
    "InsufficientBalance",
    "Interrupted",
    "LookAgain",
    "MigratorError",
    "NotAuthorised",
    "NotSent",
    "OutcomeUnknown",
    "Outdated",
    "PairChanged",
    "Permanent",
    "PlatformError",
    "Problem",
    "RateLimited",
    "StalePlan",
    "StoreBusy",
    "StoreError",
    "StoreHeld",
    "Transient",
    "Unforeseen",
    "WireMismatch",
]


class Problem:
    """One thing for a person to read: a code for machines, a message, and what to do about it."""

    __slots__ = ("code", "hint", "message")

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.code = code
        self.message = message
        self.hint = hint

    def as_dict(self) -> dict[str, str]:
        """The shape of one entry of `errors` in the JSON envelope."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class MigratorError(Exception):
    """Root of everything this tool raises on purpose. Carries an exit code and words for a person."""

    exit_code = 1
    code = "error"

    def __init__(self, message: str, *, code: str = "", hint: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.hint = hint
        self.problems = problems or (Problem(self.code, message, hint),)


class InputError(MigratorError):
    """A file, an option or a setting is wrong. Nothing was changed and nothing was sent."""

    exit_code = 2
    code = "input"


class StalePlan(MigratorError):
    """What the plan was made from has changed since, or it belongs to another store. Nothing was sent."""

    exit_code = 5
    code = "stale_plan"


class PairChanged(StalePlan):
    """SIMs of a claim are paired with another target now than their plan says. Nothing was sent.

    Args:
        keys: the keys of those SIMs.
    """

    code = "pair_changed"

    def __init__(self, keys: frozenset[str]) -> None:
        super().__init__("its pair was changed or removed since the plan was made; its planned SIM was not claimed")
        self.keys = keys


class StoreError(MigratorError):
    """The state store cannot be read or written."""

    code = "store"


class StoreBusy(StoreError):
    """Another run holds the store."""

    exit_code = 9
    code = "store_busy"


class Halted(MigratorError):
    """A gate or a cap stopped the run. What was done is kept; the same command looks again."""

    exit_code = 6
    code = "halted"


class IllegalTransition(MigratorError):
    """A step was asked to move in a way the table does not allow: a defect of ours, so stop."""

    code = "illegal_transition"


class Interrupted(Exception):
    """An order to stop, from the operator or a time limit. It is no error: everything so far is on disk."""

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.exit_code = exit_code


class LookAgain(Interrupted):
    """A pause was so long that what the run knows of the carrier is old: it reads again before it sends."""


class PlatformError(MigratorError):
    """A carrier did not do what was asked.

    Args:
        message: what happened, in our words, without secrets.
        carrier_words: what the carrier said, shortened and without secrets; empty if it said nothing.
        status: the HTTP status, or None where there was no answer.
    """

    code = "platform"
    halts_run = False

    def __init__(
        self, message: str, *, carrier_words: str = "", status: int | None = None, code: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.carrier_words = carrier_words
        self.status = status


class Transient(PlatformError):
    """Nothing happened (no connection, a read that failed, a page of maintenance); it may be tried again."""

    exit_code = 7
    code = "carrier_unreachable"


class RateLimited(Transient):
    """429: the carrier refused for now. `retry_after_s` is what it asked for, None if it did not say."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: float | None = None, carrier_words: str = "") -> None:
        super().__init__(message, carrier_words=carrier_words, status=429)
        self.retry_after_s = retry_after_s


class NotSent(Transient):
    """A write was given up while it waited for its turn: it never left, and the run ends as `stop` says."""

    code = "not_sent"

    def __init__(self, stop: Interrupted | Halted) -> None:
        super().__init__(str(stop), hint=getattr(stop, "hint", "") or "the same command goes on from here")
        self.exit_code = stop.exit_code


class Outdated(Transient):
    """A write was given up at the moment of sending: what it rests on was learned too long ago. It never left."""

    code = "outdated"


class StoreHeld(Transient):
    """A write was given up before it left: its intent could not be put into the store's main file."""

    code = "store_held"


class Permanent(PlatformError):
    """The carrier refused this request for good. Other SIMs may still do."""

    code = "refused"

    def __init__(
        self,
        message: str,
        *,
        reasons: dict[str, str] | None = None,
        carrier_words: str = "",
        status: int | None = None,
        code: str = "",
        hint: str = "",
    ) -> None:
        """Keep what the carrier said of single SIMs.

        Args:
            reasons: the carrier's words by ICCID as sent; empty if it named none.
        """
        super().__init__(message, carrier_words=carrier_words, status=status, code=code, hint=hint)
        self.reasons = reasons or {}


class NotAuthorised(Permanent):
    """Credentials or permission refused (401, 403, a refused login): halts the run at once."""

    exit_code = 4
    code = "not_authorised"
    halts_run = True


class InsufficientBalance(Permanent):
    """The account cannot pay: halts the run at once, nothing is marked failed."""

    exit_code = 6
    code = "insufficient_balance"
    halts_run = True


class OutcomeUnknown(PlatformError):
    """A write left us and no readable answer came back. It may have happened: read, never send again."""

    exit_code = 7
    code = "outcome_unknown"


class Unforeseen(OutcomeUnknown):
    """A defect of ours, met while a write was sent. It may have left: read, and send it once more at most."""

    code = "unexpected"


class WireMismatch(PlatformError):
    """A read was answered with something we cannot read, time after time."""

    code = "wire_mismatch"
    halts_run = True
