"""Reports over all accounts, and of each of them."""

from pathlib import Path

from migrator.core.accounts.overview import Overview
from migrator.errors import MigratorError, StoreLost
from migrator.reports.writers import FORMATS, write_report
from migrator.store import Store
from migrator.store.register import Register
from migrator.wiring import SystemClock
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.fleet.overview import read_overview
from migrator.workflows.report import reconciliation

__all__ = ["own_reports", "read_all"]


def read_all(url: str) -> Overview:
    """Read all accounts of a database.

    Raises: InputError, StoreError.
    """
    with Register.open(url, writable=False) as register:
        return read_overview(register)


def own_reports(url: str, overview: Overview, folder: Path) -> dict[str, str]:
    """Write the reconciliation of each account's newest plan.

    It goes into a folder of the account's name. Accounts without a plan are passed over.

    Returns: the accounts whose store cannot be read, with the reason.

    Raises: InputError, if a file cannot be written; StoreLost.
    """
    left_out: dict[str, str] = {}
    for line in overview.lines:
        name, plan = line.account.name, line.standing.plan
        if line.standing.trouble:
            left_out[name] = line.standing.trouble
        if plan is None:
            continue
        try:
            store = Store.look(url, account=name)
        except StoreLost:
            raise
        except MigratorError as error:
            left_out[name] = error.message
            continue
        with store, collecting_rarely():
            model = reconciliation(store, plan, now=SystemClock().now().timestamp())
            write_report(model, folder / name, tuple(FORMATS))
    return left_out
