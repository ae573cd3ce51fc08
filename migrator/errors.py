"""Errors, sorted by what may have happened.

::

    MigratorError                  exit  reach
    ├── InputError                 2     the command: nothing was changed
    │   ├── PairInUse              2     the command: a plan that was begun claims by a pair
    │   ├── NoStore                2     the command: there is no store at its place
    │   ├── NoSuchFile             2     the command: there is no file at its place
    │   ├── NotConfirmed           2     the command: a number that a person must confirm is missing or another
    │   ├── OtherSource            2     the command: the SIMs of the store are another carrier's, or of a file
    │   ├── StoreMoved             2     the command: the store was moved to another place
    │   └── NoSuchPlan             2     the command: no plan of the store has that id
    ├── StalePlan                  5     the command: nothing was sent
    │   └── PairChanged            5     some SIMs of a claim: they are left out, and the others go on
    ├── StoreError                 1     the command
    │   ├── StoreBusy              9     another run holds the store
    │   │   └── LeaseLost          9     the run: another took it for dead and holds the store now
    │   ├── OtherSchema            1     the command: the store is of another version
    │   │   ├── OlderStore         1     the same: of an older version, and not upgraded by itself
    │   │   └── NewerStore         1     the same: of a newer version than this tool
    │   ├── StoreLost              7     the command: the database is out of reach; what was under way is settled later
    │   └── NotStorable            1     one SIM or one request: a value that no store can keep
    ├── Halted                     6     the run: a gate or a cap stopped it
    ├── IllegalTransition          1     the process: our own impossible state, stop rather than guess
    └── PlatformError
        ├── Transient              7     nothing happened; may be tried again
        │   ├── NotTrusted         4     the same, and no try will do before the certificate is right
        │   ├── RateLimited        7     the same, and everybody slows down
        │   ├── NotSent                  the run was told to stop while a write waited for its turn
        │   ├── Outdated           7     what a write rests on grew old while it waited for its turn
        │   └── StoreHeld          7     a write was given up: its intent did not get into the store's main file
        ├── Permanent              1     one SIM or one request: refused for good
        │   ├── NotAuthorised      4     the run
        │   │   └── LoginRefused   4     the same: no call at all will pass
        │   ├── LoginFailed        1     the same, for a login that the carrier did not understand
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
    "LeaseLost",
    "LoginFailed",
    "LoginRefused",
    "LookAgain",
    "MigratorError",
    "MostClaimed",
    "NewerStore",
    "NoStore",
    "NoSuchFile",
    "NoSuchPlan",
    "NotAuthorised",
    "NotConfirmed",
    "NotSent",
    "NotStorable",
    "NotTrusted",
    "OlderStore",
    "OtherSchema",
    "OtherSource",
    "OutcomeUnknown",
    "Outdated",
    "PairChanged",
    "PairInUse",
    "Permanent",
    "PlatformError",
    "Problem",
    "RateLimited",
    "StalePlan",
    "StoreBusy",
    "StoreError",
    "StoreHeld",
    "StoreLost",
    "StoreMoved",
    "Transient",
    "Unforeseen",
    "WireMismatch",
]


class Problem:
    """Problem for a person to read.

    A problem has a code for machines, a message, and what to do about it.
    """

    __slots__ = ("code", "hint", "message")

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.code = code
        self.message = message
        self.hint = hint

    def as_dict(self) -> dict[str, str]:
        """Return one entry of `errors` in the JSON envelope."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class MigratorError(Exception):
    """Root of everything this tool raises on purpose.

    An error carries an exit code and words for a person.
    """

    exit_code = 1
    code = "error"

    def __init__(self, message: str, *, code: str = "", hint: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.hint = hint
        self.problems = problems or (Problem(self.code, message, hint),)

    @property
    def cause(self) -> str:
        """Cause in our own words.

        By it two ends of a run are the same or not.
        """
        return self.message


class InputError(MigratorError):
    """A file, an option or a setting is wrong.

    Nothing was changed and nothing was sent.
    """

    exit_code = 2
    code = "input"


class PairInUse(InputError):
    """A pair must stay: a plan that was begun claims by it."""

    code = "pair_in_use"


class NoStore(InputError):
    """There is no store at the place that was named."""

    code = "no_store"


class NoSuchFile(InputError):
    """There is no file at the place that was named."""

    code = "no_such_file"


class NotConfirmed(InputError):
    """A number that a person must confirm is missing, or is another.

    Nothing was sent.
    """

    code = "confirm"


class OtherSource(InputError):
    """The store has another carrier's SIMs, or those of a file."""

    code = "other_source"


class StoreMoved(InputError):
    """The store was moved, and knows nothing of what was done since."""

    code = "moved"


class NoSuchPlan(InputError):
    """No plan of the store has the id that was named."""

    code = "no_such_plan"


class StalePlan(MigratorError):
    """The plan's basis has changed, or the plan belongs to another store.

    Nothing was sent.
    """

    exit_code = 5
    code = "stale_plan"


class PairChanged(StalePlan):
    """SIMs of a claim have another target now than their plan says.

    Nothing was sent.

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
    """Another run holds the store.

    `free_in_s` is after how many seconds it is taken for dead, if it gives no sign of life until then; None where
    nobody knows.
    """

    exit_code = 9
    code = "store_busy"
    free_in_s: float | None = None


class LeaseLost(StoreBusy):
    """Another run has taken the store over from this run.

    This run sends nothing more.
    """

    code = "lease_lost"


class OtherSchema(StoreError):
    """The store has another schema than this version needs."""


class OlderStore(OtherSchema):
    """The store has an older schema than this version needs."""

    code = "schema_older"


class NewerStore(OtherSchema):
    """The store has a schema that this version does not know."""

    code = "schema_newer"


class StoreLost(StoreError):
    """The database is out of reach, or the connection to it broke.

    A transaction that was under way may have been kept or not: the next run settles that by reading.
    """

    exit_code = 7
    code = "store_lost"


class NotStorable(StoreError):
    """A value cannot be kept in a store.

    An example is text that is not Unicode. This is the trouble of one SIM, and no trouble of the store.
    """

    code = "not_storable"


class Halted(MigratorError):
    """A gate or a cap stopped the run.

    What was done is kept. The same command checks again.
    """

    exit_code = 6
    code = "halted"


class Vetoed(Halted):
    """A hook of the policy forbade what would have been sent next.

    Args:
        message: with the words of the hook, which may be others each time.
        cause: the kind of the veto, without them.
    """

    code = "veto"

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message, hint="run the same command again once the hook agrees")
        self._cause = cause

    @property
    def cause(self) -> str:
        """Cause without the words of the hook."""
        return self._cause


class MostClaimed(Halted):
    """The run claimed as many SIMs as it may; others are left."""

    code = "max_sims"


class IllegalTransition(MigratorError):
    """A step was given a move that the table does not allow.

    This is a defect of ours, so the process stops.
    """

    code = "illegal_transition"


class Interrupted(Exception):
    """Order to stop, from the operator or a time limit.

    Such an order is no error: everything so far is on disk. `again_at` (UTC seconds) is when there is something to do
    again; None where nobody knows.
    """

    def __init__(self, reason: str, exit_code: int, again_at: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.exit_code = exit_code
        self.again_at = again_at


class LookAgain(Interrupted):
    """Order to read again, after a very long pause.

    What the run knows of the carrier is old: the run reads again before it sends.
    """


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
    """Nothing happened, and a new try is allowed.

    Examples are no connection, a read that failed, or a page of maintenance.
    """

    exit_code = 7
    code = "carrier_unreachable"


class NotTrusted(Transient):
    """Nothing was sent: the other side's certificate is not to be trusted.

    No further try will do before somebody has looked at it.
    """

    exit_code = 4
    code = "certificate"


class RateLimited(Transient):
    """The carrier refused for now (429).

    `retry_after_s` is the wait that the carrier asked for; None if the carrier did not say.
    """

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: float | None = None, carrier_words: str = "") -> None:
        super().__init__(message, carrier_words=carrier_words, status=429)
        self.retry_after_s = retry_after_s


class NotSent(Transient):
    """A write was given up while it waited for its turn.

    The write never left, and the run ends as `stop` says.
    """

    code = "not_sent"

    def __init__(self, stop: Interrupted | Halted) -> None:
        super().__init__(str(stop), hint=getattr(stop, "hint", "") or "the same command goes on from here")
        self.exit_code = stop.exit_code


class Outdated(Transient):
    """A write was given up at the moment of sending.

    What the write rests on was learned too long ago. The write never left.
    """

    code = "outdated"


class StoreHeld(Transient):
    """A write was given up before it left.

    Its intent could not be put into the store's main file.
    """

    code = "store_held"


class Permanent(PlatformError):
    """The carrier refused this request for good. Other SIMs may still do.

    `is_about_login` is True where the credentials are in question: then no other request will pass either.
    """

    code = "refused"
    is_about_login = False

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
            reasons: the carrier's words by ICCID as sent; empty if the carrier named no SIM.
        """
        super().__init__(message, carrier_words=carrier_words, status=status, code=code, hint=hint)
        self.reasons = reasons or {}


class NotAuthorised(Permanent):
    """The carrier refused credentials or permission.

    That is 401, 403 or a refused login. The run halts at once.
    """

    exit_code = 4
    code = "not_authorised"
    halts_run = True


class LoginRefused(NotAuthorised):
    """The carrier does not take our credentials as such.

    A refusal of what the credentials may do is `NotAuthorised` alone.
    """

    code = "login_refused"
    is_about_login = True


class LoginFailed(Permanent):
    """The carrier did not understand our login."""

    code = "login_refused"
    is_about_login = True
    halts_run = True


class InsufficientBalance(Permanent):
    """The account cannot pay: the run halts at once.

    Nothing is marked failed.
    """

    exit_code = 6
    code = "insufficient_balance"
    halts_run = True


class OutcomeUnknown(PlatformError):
    """A write left us and no readable answer came back.

    The write may have happened: read, never send again.
    """

    exit_code = 7
    code = "outcome_unknown"


class Unforeseen(OutcomeUnknown):
    """A defect of ours appeared while a write was sent.

    The write may have left: read, and send the write once more at most.
    """

    code = "unexpected"


class WireMismatch(PlatformError):
    """A read was answered with something we cannot read, time after time."""

    code = "wire_mismatch"
    halts_run = True
