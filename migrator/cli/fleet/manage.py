"""`fleet` commands that change something: from `init` to `remove`."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, say
from migrator.cli.app.refs import ref_option
from migrator.cli.app.words import seconds_of
from migrator.cli.fleet import CODES
from migrator.core.accounts.records import Account, TurnOrder
from migrator.core.fleet.units import counted
from migrator.core.plan.refs import ref_of
from migrator.core.run.results import ExitCode
from migrator.core.run.sources import SOURCES
from migrator.errors import InputError, MigratorError, Problem
from migrator.reports.accounts.values import account_values
from migrator.wiring.fleet.bound import register_place
from migrator.wiring.fleet.secrets_here import secrets_here
from migrator.workflows.fleet.add import add_account, wanted_account
from migrator.workflows.fleet.make import make_fleet
from migrator.workflows.fleet.steer import hold_accounts, let_go, not_ordered, remove_account
from migrator.workflows.fleet.upgrade import Upgraded, upgrade_stores
from migrator.workflows.site import named_person

__all__ = ["add", "go", "hold", "init", "remove", "upgrade"]

_BY = click.option("--by", metavar="NAME", help="Who gives the order [the login name, at this host].")


@click.command("init", epilog="Exit codes: 0 done, 1 newer than this tool, 2 input or no right, 7 out of reach.")
@click.option("--roles", "with_roles", is_flag=True, help="Make roles for a team, with their rights.")
@global_options
@click.pass_obj
def init(shared: Globals, /, *, with_roles: bool) -> int:
    """Make the register of accounts in a PostgreSQL database.

    The queue of their turns is made, too. If both are there, they are brought up to date; accounts and their stores
    stay as they are. From then on `--account NAME` takes registered accounts alone.

    The roles are migrator_reader, migrator_operator and migrator_worker, to be granted to logins. Once they are there,
    each `fleet init` and `fleet add` gives them their rights.
    """

    def body() -> Outcome:
        made = make_fleet(register_place(shared.config), with_roles=with_roles)
        text = [f"Made {made.place}." if made.is_new else f"{made.place[:1].upper()}{made.place[1:]} is up to date."]
        if made.roles_made:
            text.append(f"Made the roles {', '.join(made.roles_made)}: GRANT one of them TO each login.")
        if made.has_roles:
            text.append("The roles have their rights in the register and in the stores of all accounts.")
        data = {
            "place": made.place,
            "made": made.is_new,
            "accounts": made.accounts,
            "roles_made": made.roles_made,
            "has_roles": made.has_roles,
        }
        return Outcome(data, (*text, _next(made.accounts)))

    return finish("fleet init", shared, body)


def _next(accounts: int) -> str:
    return "Next: `migrator fleet list`." if accounts else "Next: `migrator fleet add NAME`."


@click.command("add", epilog=CODES)
@click.argument("name")
@click.option(
    "--source", metavar="NAME", default="1nce", show_default=True, help=f"{', '.join(SOURCES)}, or a name for files."
)
@click.option("--onence-client-id", metavar="ID", help="Whose SIMs these are at 1NCE: the id of the login.")
@click.option("--customer", metavar="NAME", help="Elsewhere: whose rate it is. One account of a customer at a time.")
@click.option("--hologram-org", metavar="N", type=click.IntRange(1), help="Its organization at Hologram.")
@click.option("--every", metavar="DURATION", default="15m", show_default=True, help="Between two calls of a campaign.")
@click.option("--hold", "is_held", is_flag=True, help="Let no worker take it before `fleet go`.")
@_BY
@global_options
@click.pass_obj
def add(shared: Globals, /, *, by: str | None, every: str, **options: Any) -> int:
    """Register account NAME, with its source, customer and organization.

    A store of that name is taken up, if it is of the same. From then on each command for it goes by the register: a
    machine whose settings say something else is refused.
    """

    def body() -> Outcome:
        chosen = {"name": options["name"], "source": options["source"], "is_held": options["is_held"]}
        chosen |= {"onence_client_id": options["onence_client_id"], "customer": options["customer"]}
        every_s = seconds_of("--every", every)
        wanted = wanted_account(**chosen, organization=options["hologram_org"], every_s=every_s)
        place = register_place(shared.config)
        account, has_store = add_account(place, wanted, named_person(by, option="--by"))
        ((_, found),) = secrets_here([account], shared.config)
        text = [
            f"Account {account.name} is registered" + (", with the store that it has." if has_store else "."),
            *(_left(account, place) if has_store else ()),
            *(["It is held: `migrator fleet go` lets workers take it."] if account.is_held else []),
            *(f"This machine cannot work on it yet: {words}." for words in found.missing),
        ]
        if not has_store:
            text.append(f"Next: `migrator --account {account.name} inventory pull`.")
        data = account_values(account) | {"has_store": has_store, "secrets_missing": list(found.missing)}
        return Outcome(data, text)

    return finish("fleet add", shared, body)


@click.command("go", epilog=CODES)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--plan", metavar="PLAN", help="Let a worker begin this plan, by its id.")
@click.option("--confirm", type=int, metavar="COUNT", help="How many SIMs the plan will claim: `plan show` says it.")
@click.option("--confirm-pauses", type=int, metavar="COUNT", help="How many live SIMs the plan will pause, if any.")
@click.option("--wave", metavar="NAME", help="Work on this wave only.")
@click.option("--max-sims", type=click.IntRange(1), metavar="N", help="Claim at most so many SIMs.")
@ref_option
@_BY
@global_options
@click.pass_obj
def go(
    shared: Globals, /, *, names: tuple[str, ...], by: str | None, ref: str | None, plan: str | None, **options: Any
) -> int:
    """Let workers take these accounts now.

    Also after attention or a hold. With --plan and one NAME the worker begins that plan, as `apply` would, or goes on
    with it: also a cutover or rollback. Without, it calls the campaign, or goes on with what was ordered before; what
    was begun by hand it leaves alone. A claim bills at once and cannot be undone.
    """

    def body() -> Outcome:
        who, place = named_person(by, option="--by"), register_place(shared.config)
        order = None
        if plan is not None:
            order = TurnOrder(plan, **options, ref=ref_of(ref), by=who)
        elif ref is not None or any(value is not None for value in options.values()):
            words = "--confirm, --confirm-pauses, --wave, --max-sims and --ref belong to --plan"
            raise InputError(words, code="bad_options", hint="add --plan PLAN")
        if order is not None and len(names) > 1:
            raise InputError("a plan is of one account", code="bad_options", hint="give --plan with one NAME")
        done = let_go(place, names, who, order)
        told = "" if order is None else f": it begins plan {order.plan}"
        text = list[str]()
        for account in done:
            text += (f"Account {account.name} is due now{told}.", *_at_work(account), *_left(account, place))
        return Outcome(_values(done), text)

    return finish("fleet go", shared, body)


@click.command("hold", epilog=CODES)
@click.argument("names", metavar="[NAME...]", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Hold every account that is not held yet.")
@click.option("--why", metavar="TEXT", default="", help="Words to keep with it.")
@_BY
@global_options
@click.pass_obj
def hold(shared: Globals, /, *, names: tuple[str, ...], is_all: bool, why: str, by: str | None) -> int:
    """Let no worker take these accounts before `fleet go`.

    A job that is under way goes on to its end: `run pause` holds a run. An order that no worker has carried out is
    taken back.
    """

    def body() -> Outcome:
        if is_all is bool(names):
            raise InputError("say which accounts", code="bad_options", hint="give NAME..., or --all alone")
        _must_mean_all(names)
        who, words = named_person(by, option="--by"), " ".join(why.split())
        done = hold_accounts(register_place(shared.config), names, who, words)
        held = [account for account, _ in done]
        text = list[str]()
        for account, before in done:
            text += (f"Account {account.name} is held.", *_at_work(account), *_taken_back(account, before))
        own = " ".join(account.name for account in held)
        text.append(f"Next: `migrator fleet go {own}` lets these go on." if held else "All were held.")
        return Outcome(_values(held), text)

    return finish("fleet hold", shared, body)


@click.command("upgrade", epilog="Exit codes: 0 done, 1 some stores are left, 2 input, 7 the database is out of reach.")
@click.argument("names", metavar="[NAME...]", nargs=-1)
@global_options
@click.pass_obj
def upgrade(shared: Globals, /, *, names: tuple[str, ...]) -> int:
    """Bring the stores of all accounts, or of these, up to date.

    For the one who ran `fleet init`, after a new version: stop the workers, upgrade all machines, `fleet init`, this,
    and start the workers. Each store is upgraded as by `state upgrade`, in a transaction of its own; `pg_dump` first. A
    store that a worker is at, or that cannot be upgraded, is named and left, and the others go on.
    """

    def body() -> Outcome:
        _must_mean_all(names)
        done = list[Upgraded]()
        for one in upgrade_stores(register_place(shared.config), names):
            say(
                f"account {one.name} {one.words}"
                if not one.is_left
                else f"account {one.name} was not upgraded: {one.words}"
            )
            done.append(one)
        left = [one.name for one in done if one.is_left]
        counts = f"{sum(one.is_new for one in done)} upgraded, {len(left)} left, of {counted(len(done), 'account')}"
        data = {"accounts": [asdict(one) for one in done]}
        if not left:
            return Outcome(data, [f"{counts[:1].upper()}{counts[1:]}."])
        hint = f"mend what each line says, then `migrator fleet upgrade {' '.join(left)}`"
        return Outcome(data, [f"{counts}."], ExitCode.ERROR, [Problem("stores_left", f"{counts}", hint)])

    return finish("fleet upgrade", shared, body)


def _values(accounts: Sequence[Account]) -> dict[str, Any]:
    return {"accounts": [account_values(account) for account in accounts]}


def _must_mean_all(names: Iterable[str]) -> None:
    """Refuse a chosen account for a command over all of them.

    Raises: InputError.
    """
    if (chosen := wiring.account()) is not None and not tuple(names):
        raise InputError(
            f"account {chosen} was chosen, and this is for all accounts",
            code="bad_options",
            hint=f"leave --account (MIGRATOR_ACCOUNT) out, or name it: `{chosen}` at the end",
        )


def _taken_back(account: Account, order: TurnOrder | None) -> list[str]:
    """Name the order that a hold took back, with its command.

    `order` is the one before.
    """
    if order is None or account.order is not None:
        return []
    options = {
        "--confirm": order.confirm,
        "--confirm-pauses": order.confirm_pauses,
        "--wave": order.wave,
        "--max-sims": order.max_sims,
        "--ref": order.ref or None,
    }
    words = [account.name, "--plan", order.plan]
    for option, value in options.items():
        words += [] if value is None else [option, str(value)]
    return [
        f"Its order to begin plan {order.plan} was taken back. `migrator fleet go {shlex.join(words)}` gives it again."
    ]


def _left(account: Account, place: str) -> list[str]:
    """Name what workers leave alone, with the command to order it."""
    try:
        return [one.words(account.name) for one in not_ordered(place, account)]
    except MigratorError as error:
        return [f"Its store cannot be read: {error.message}."]


def _at_work(account: Account) -> list[str]:
    return [] if account.worker is None else [f"Worker {account.worker} is at it, and ends its job first."]


@click.command("remove", epilog=CODES)
@click.argument("name")
@_BY
@global_options
@click.pass_obj
def remove(shared: Globals, /, *, name: str, by: str | None) -> int:
    """Take account NAME out of the register; its store stays.

    Commands and workers refuse it then. `fleet add` takes it up again.
    """

    def body() -> Outcome:
        schema = remove_account(register_place(shared.config), name, named_person(by, option="--by"))
        removal = (
            "An administrator who is sure that nobody needs its record any more removes that for good, after a "
            f"`pg_dump -n {schema}`: DROP SCHEMA {schema} CASCADE"
        )
        text = (f"Account {name} is registered no more. Its store, schema {schema}, is as it was.", removal)
        return Outcome({"account": name, "schema": schema}, text)

    return finish("fleet remove", shared, body)
