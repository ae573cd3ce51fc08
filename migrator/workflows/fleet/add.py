"""Adding of accounts, compared with stores that are there."""

import re
from dataclasses import dataclass

from migrator.core.accounts.records import Account
from migrator.core.run.sources import SOURCE_NAMES, SOURCES
from migrator.errors import InputError, NoStore
from migrator.inputs.settings.settings import source_account
from migrator.store import Store
from migrator.store.database.postgresql.address import schema_of
from migrator.store.register import Register

__all__ = ["LEAST_EVERY_S", "MOST_EVERY_S", "Wanted", "add_account", "wanted_account"]

LEAST_EVERY_S, MOST_EVERY_S = 60.0, 7 * 86_400.0
_CARRIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_CUSTOMER = re.compile(r"[!-~]{1,100}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Account as somebody wants it registered; see `Account`."""

    name: str
    carrier: str
    customer: str
    organization: int | None
    every_s: float
    is_held: bool = False


def wanted_account(
    name: str,
    *,
    source: str,
    onence_client_id: str | None,
    customer: str | None,
    organization: int | None,
    every_s: float,
    is_held: bool,
) -> Wanted:
    """Check what somebody wants registered.

    Raises: InputError, naming the option.
    """
    schema_of(name)
    if not _CARRIER.fullmatch(source):
        raise InputError(
            f"--source {source!r} is no name of a carrier",
            code="bad_options",
            hint=f"{', '.join(SOURCES)}; or any other name for a fleet that comes from files: a-z, 0-9, - and _",
        )
    if (onence_client_id is not None) is not (source == "1nce"):
        if source == "1nce":
            words, hint = "1NCE needs a customer", "add --onence-client-id ID: the login's id, which is no secret"
        else:
            words = f"--onence-client-id is for 1NCE, and --source is {source}"
            hint = "--customer NAME says whose rate it is: accounts with the same name are not worked on together"
        raise InputError(words, code="bad_options", hint=hint)
    if customer is not None and source == "1nce":
        raise InputError(
            "--customer is not for 1NCE: --onence-client-id says whose rate it is", code="bad_options", hint="leave it"
        )
    if source == "onomondo" and customer is None:
        raise InputError(
            "Onomondo needs a customer",
            code="bad_options",
            hint="add --customer NAME: accounts of one customer share its rate, and are not worked on together",
        )
    chosen = onence_client_id if source == "1nce" else customer or ""
    if chosen and not _CUSTOMER.fullmatch(chosen):
        raise InputError(
            "a customer's name has 1 to 100 visible ASCII characters, and no blank",
            code="bad_options",
            hint="such as acme",
        )
    if not LEAST_EVERY_S <= every_s <= MOST_EVERY_S:
        raise InputError(
            f"--every {every_s:g} s: from 1m to 7d", code="bad_options", hint="such as 15m, which is usual"
        )
    return Wanted(name, source, chosen or "", organization, every_s, is_held)


def add_account(url: str, wanted: Wanted, by: str) -> tuple[Account, bool]:
    """Add an account to the register.

    A store of that name is taken up, if it has the SIMs of this source, customer and organization. Where there are
    roles, the store is made and they get their rights in it.

    Returns: the account, and whether it has a store already.

    Raises: InputError; StoreError, for a store of another schema; StoreLost.
    """
    with Register.open(url) as register:
        has_store = _compare(url, wanted)
        account = register.add(
            wanted.name,
            carrier=wanted.carrier,
            customer=wanted.customer,
            organization=wanted.organization,
            by=by,
            every_s=wanted.every_s,
            is_held=wanted.is_held,
        )
        if register.has_roles():  # others may work on it, and would make tables of their own
            with Store.open(url, account=wanted.name, now=register.now()):
                pass
            register.grant(wanted.name)
        return account, has_store


def _compare(url: str, wanted: Wanted) -> bool:
    """Compare an account with its store, if there is one.

    Raises: InputError, if the store is of another source, customer or organization; StoreError.
    """
    try:
        store = Store.look(url, account=wanted.name)
    except NoStore:
        return False
    with store:
        inventory = store.inventory.summary()
        kept, newest = store.inventory.source_account(), store.plans.newest()
        org_id = None if newest is None else store.plans.header(newest).org_id
    if inventory["snapshot_id"] is not None:
        known = SOURCE_NAMES.get(kept.name)
        found = kept.name if known is None else known.key
        if found != wanted.carrier and (known is not None or wanted.carrier in SOURCES):
            raise _other(wanted.name, f"has the SIMs of {kept.name}", f"--source {found}")
        told = source_account(wanted.carrier, wanted.customer)
        if kept.account is not None and told is not None and kept.account != told:
            words = f"was read with {kept.account}, and the client id is of {told}"
            raise _other(wanted.name, words, "the client id that its SIMs were read with")
    if org_id is not None and wanted.organization is not None and org_id != wanted.organization:
        raise _other(wanted.name, f"has plans for organization {org_id}", f"--hologram-org {org_id}")
    return True


def _other(name: str, words: str, hint: str) -> InputError:
    return InputError(
        f"there is a store of account {name} already, and it {words}",
        code="account_bound",
        hint=f"{hint}; or choose another name",
    )
