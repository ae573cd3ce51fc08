"""Roles in PostgreSQL: who may read, give orders, and work.

A role is granted to logins by an administrator: `GRANT migrator_operator TO ada`. Nobody but the owner of the tables
may say who logged in when something was approved or done: the database fills that in.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, Table, text

from migrator.errors import InputError
from migrator.store.database.database import Database
from migrator.store.database.postgresql.address import schema_of
from migrator.store.register.tables import accounts, events, meta, workers
from migrator.store.tables import METADATA as STORE
from migrator.store.tables import campaigns as of_campaigns
from migrator.store.tables import fleet, outbox, plans

__all__ = ["OPERATOR", "READER", "ROLES", "WORKER", "are_made", "grant_account", "grant_register", "make_roles"]

READER, OPERATOR, WORKER = "migrator_reader", "migrator_operator", "migrator_worker"
ROLES = (READER, OPERATOR, WORKER)

FILLED = "db_user"
"""Column that the database fills with who logged in."""

_MISSING = text("SELECT name FROM unnest(CAST(:names AS text[])) name WHERE name NOT IN (SELECT rolname FROM pg_roles)")
_SCHEMA = text("SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = :name")

_COLUMNS = text("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = :name")

_GIVEN = text(
    "SELECT 1 FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) given "
    "JOIN pg_roles r ON r.oid = given.grantee WHERE n.nspname = :schema AND r.rolname = :name"
)
_QUEUE = "queue"
"""Schema of the queue of jobs."""

_STEERED = ("state", "due_at", "words", "is_held", "order_json", "is_woken", "crashes", "is_untold")
"""Columns of an account in the register that an operator changes."""

_TURNS = (*_STEERED, "worker", "since", "last_worker", "ended_at")
"""Columns of it that a worker changes."""

_ORDERS: Mapping[Table, str] = {
    fleet.meta: "INSERT, UPDATE",
    plans.events: "INSERT",
    plans.orders: "INSERT, UPDATE, DELETE",
    plans.rates: "INSERT, UPDATE",
    plans.looks: "INSERT, UPDATE",
    of_campaigns.campaigns: "UPDATE",
    of_campaigns.claim_retries: "INSERT, UPDATE, DELETE",
    outbox.notices: "INSERT",
    outbox.deliveries: "INSERT, UPDATE",
}
"""Rights of an operator in an account's store, beside approvals.

Neither the lease nor the journal is among it.
"""
_APPROVED = (plans.approvals, of_campaigns.campaign_approvals)


def make_roles(database: Database) -> list[str]:
    """Make the roles that are not there; return their names.

    Raises: InputError, for a user who may make none.
    """
    try:
        with database.write() as connection:
            missing = list(connection.execute(_MISSING, {"names": list(ROLES)}).scalars())
            for name in missing:
                connection.execute(text(f"CREATE ROLE {name} NOLOGIN"))
    except InputError as error:
        raise InputError(
            f"this user may make no roles: {', '.join(ROLES)}",
            code="no_right",
            hint="an administrator runs `migrator fleet init --roles`, or: "
            f"{'; '.join(f'CREATE ROLE {name} NOLOGIN' for name in ROLES)}; then run it again",
        ) from error
    return missing


def are_made(database: Database) -> bool:
    """True if the roles were given their rights in the register."""
    return bool(database.rows(_GIVEN, name=READER, schema=database.name))


def grant_register(database: Database) -> None:
    """Give the roles their rights in the register, whatever they had.

    Raises: InputError, where the register is another user's.
    """
    with database.write() as connection:
        schema = database.name
        _must_own(connection, schema, database.place)
        _read_all(connection, schema)
        both = f"{OPERATOR}, {WORKER}"
        _grant(connection, schema, meta.name, "INSERT, UPDATE", both)
        _grant(connection, schema, events.name, f"INSERT ({_columns(events)})", both)
        _grant(connection, schema, accounts.name, f"UPDATE ({', '.join(_STEERED)})", OPERATOR)
        _grant(connection, schema, accounts.name, f"UPDATE ({', '.join(_TURNS)})", WORKER)
        _grant(connection, schema, workers.name, "INSERT, UPDATE, DELETE", WORKER)
        connection.execute(text(f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA "{schema}" TO {both}'))
        if connection.execute(_SCHEMA, {"name": _QUEUE}).first() is not None:
            _must_own(connection, _QUEUE, "the queue of jobs")
            for rights in ("USAGE ON SCHEMA", "ALL ON ALL TABLES IN SCHEMA", "ALL ON ALL SEQUENCES IN SCHEMA"):
                connection.execute(text(f"GRANT {rights} {_QUEUE} TO {WORKER}"))


def grant_account(database: Database, account: str) -> bool:
    """Give the roles their rights in the store of an account.

    Whatever they had before is taken.

    Returns: False if there is no store yet.

    Raises: InputError, where the store is another user's.
    """
    schema = schema_of(account)
    with database.write() as connection:
        if connection.execute(_SCHEMA, {"name": schema}).first() is None:
            return False
        _must_own(connection, schema, f"account {account}")
        _read_all(connection, schema)
        there: dict[str, set[str]] = {}  # an older store has not all of it
        for name, column in connection.execute(_COLUMNS, {"name": schema}):
            there.setdefault(name, set()).add(column)
        for table in STORE.sorted_tables:
            if table.name not in there:
                continue
            if table in _ORDERS:
                _grant(connection, schema, table.name, _ORDERS[table], OPERATOR)
            if table in _APPROVED:
                _grant(connection, schema, table.name, "UPDATE, DELETE", WORKER)
                columns = _columns(table, there[table.name])
                _grant(connection, schema, table.name, f"INSERT ({columns})", f"{OPERATOR}, {WORKER}")
            else:
                _grant(connection, schema, table.name, "INSERT, UPDATE, DELETE", WORKER)
        connection.execute(text(f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA "{schema}" TO {OPERATOR}, {WORKER}'))
    return True


def _must_own(connection: Connection, schema: str, place: str) -> None:
    if not connection.scalar(_SCHEMA, {"name": schema}):
        raise InputError(
            f"{place} is another user's, who alone may give rights to it",
            code="no_right",
            hint="its owner, or an administrator, runs `migrator fleet init --roles`",
        )


def _read_all(connection: Connection, schema: str) -> None:
    """Take all rights from the roles, and let each of them read."""
    roles = ", ".join(ROLES)
    for told in (
        f'REVOKE ALL ON ALL TABLES IN SCHEMA "{schema}" FROM {roles}',
        f'GRANT USAGE ON SCHEMA "{schema}" TO {roles}',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO {roles}',
    ):
        connection.execute(text(told))


def _grant(connection: Connection, schema: str, table: str, rights: str, roles: str) -> None:
    connection.execute(text(f'GRANT {rights} ON "{schema}"."{table}" TO {roles}'))


def _columns(table: Table, there: Collection[str] | None = None) -> str:
    """Return the columns that a user fills, of those that are there."""
    names = (column.name for column in table.columns if column.name != FILLED)
    return ", ".join(name for name in names if there is None or name in there)
