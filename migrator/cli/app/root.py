"""Command tree, by name.

The module of a command is imported only when that command is called.
"""

import importlib
import json
import os
from collections.abc import Mapping, Sequence

import click

from migrator.cli.app.common import Globals, global_options
from migrator.errors import Problem
from migrator.version import VERSION

__all__ = ["LazyGroup", "root", "run"]

Entry = tuple[str, str]
"""Module below `migrator.cli` with the command's attribute, and the help line."""

COMMANDS: Mapping[str, Entry | Mapping[str, Entry]] = {
    "demo": ("tools.demo:demo", "Run a migration and a week of a campaign on simulators: no keys, no network."),
    "simulate": {"serve": ("tools.simulate:serve", "Serve both simulated carriers on loopback.")},
    "doctor": ("tools.doctor:doctor", "Check that everything is in place: logins, rights, plans, balance, disk."),
    "inventory": {
        "pull": ("inventory:pull", "Read the source fleet into the store; resumes where it stopped."),
        "import": ("inventory:import_file", "Read the fleet from a file instead: a portal's CSV, or our own export."),
        "show": ("inventory:show", "Show what the store knows of the source fleet."),
        "export": ("inventory:export", "Write the inventory as JSON Lines or CSV."),
    },
    "pair": {
        "import": (
            "pair_import:import_file",
            "Read pairs of old and new SIMs from a file, also as technicians write it.",
        ),
        "pool": ("pair:pool", "Deal new SIMs from a list or ranges to unpaired source SIMs."),
        "identity": ("pair:identity", "Pair every SIM with itself, where ICCIDs stay."),
        "discover": ("discover:discover_pairs", "Find which old SIM each new SIM replaced, by the IMEI."),
        "correct": ("correct:correct", "Give units the cards that are really in them, also after the claim."),
        "check": ("pair:check", "Show which SIMs are paired, which are not, and why."),
        "export": ("pair:export", "Write the pairs as CSV."),
    },
    "stock": {
        "import": ("stock:import_file", "Take cards of a file into stock: their units are not known yet."),
        "claim": ("stock:claim", "Claim cards of the stock, whose unit nobody knows yet."),
        "list": ("stock:show", "Show the cards in stock, and where each one stands."),
    },
    "swap": ("swap:swap_unit", "Swap one unit on the bench: pair, claim, set up, read back."),
    "plan": {
        "create": ("plan.plan:create", "Make a plan from inventory, pairs and policy."),
        "list": ("plan.plan:list_plans", "List the plans of this store."),
        "show": ("plan.plan:show", "Show one plan: counts, money, calls, warnings, SIMs."),
        "explain": ("plan.explain:explain", "Show why a plan gives one SIM its values."),
        "diff": ("plan.diff:diff", "Show the differences between two plans, SIM by SIM."),
        "approve": ("plan.approve:approve", "Record that somebody approved a plan."),
        "export": ("plan.plan:export", "Write a plan as JSON Lines for review."),
    },
    "apply": ("apply.apply:apply", "Carry a plan out, or go on with it: the same command resumes."),
    "run": {
        "pause": ("apply.run:pause", "Pause the run of a plan."),
        "resume": ("apply.run:resume", "Let a paused or aborted plan go on."),
        "abort": ("apply.run:abort", "End the run of a plan after the request in flight."),
        "rate": ("apply.run:rate", "Set the most requests per second, or go back to the settings."),
    },
    "status": ("apply.status:status", "Show the progress of a plan."),
    "retry": ("apply.retry_skip:retry", "Let the next apply read failed SIMs and try again."),
    "skip": ("apply.retry_skip:skip", "Skip SIMs: nothing more is sent for them."),
    "jobs": {
        "list": ("apply.jobs:list_jobs", "List runs and requests, with the carrier's job ids."),
        "show": ("apply.jobs:show", "Show one request or carrier job, SIM by SIM."),
    },
    "show": ("show:show", "Tell the story of one unit: both SIMs, its life, why it is silent, what is next."),
    "verify": ("verify.verify:verify", "Read every SIM of a plan again and compare."),
    "report": ("tools.report:report", "Write the reconciliation as HTML, JSON, CSV and Markdown."),
    "retire": {
        "list": ("retire:list_cards", "List cards that only deactivation stops charging."),
    },
    "serve": ("serve:serve", "Show the migration in a browser, read-only, with /metrics."),
    "cutover": {
        "plan": ("cutover.cutover:plan", "Plan which old SIMs go off, which stay on, and why."),
        "apply": (
            "cutover.cutover:apply",
            "Switch old SIMs off and prove it; the same command resumes.",
        ),
        "export": ("cutover.export:export", "List what to switch off by hand, where a carrier has no API here."),
        "show": ("cutover.cutover:show", "Show one cutover or rollback plan, its progress, and what it costs."),
    },
    "rollback": {
        "plan": ("cutover.rollback:plan", "Plan which units can go back to their old SIM."),
        "apply": ("cutover.rollback:apply", "Switch the old SIMs on, prove it, then pause the new ones."),
    },
    "handover": {
        "export": ("handover:export", "Write old and new identifiers of each unit, or what changed."),
        "check": ("handover:check", "Find your own records that still hold old ICCIDs."),
    },
    "notify": {
        "test": ("notify:test", "Send a test to each receiver of a policy, and tell what came."),
        "deliver": ("notify:deliver", "Deliver what waits in the outbox, for cron."),
        "list": ("notify:show", "List notices, and what became of each."),
    },
    "campaign": {
        "create": ("campaign.campaign:create", "Make a campaign of a policy with bounds."),
        "approve": ("campaign.campaign:approve", "Approve the bounds of the campaign's policy."),
        "run": ("campaign.run:run", "Do all that is due now, within the approval: one line for cron."),
        "status": ("campaign.status:status", "Show how far the campaign is, and what it may still do."),
        "pause": ("campaign.campaign:pause", "Send nothing until somebody resumes the campaign."),
        "resume": ("campaign.campaign:resume", "Let the campaign go on."),
        "retry": ("campaign.campaign:retry", "Let refused SIMs go again."),
        "end": ("campaign.campaign:end", "End the campaign for good."),
        "report": ("campaign.report:report", "Write the report over all plans: where every SIM is, what is next."),
        "exceptions": ("campaign.report:exceptions", "List every SIM that a person must look after, with advice."),
    },
    "fleet": {
        "init": ("fleet.manage:init", "Make the register of accounts in a database, or bring it up to date."),
        "add": ("fleet.manage:add", "Register an account, with its source, customer and organization."),
        "list": ("fleet.look:list_accounts", "List all accounts, their sum, and the workers."),
        "show": ("fleet.look:show", "Show one account: how it stands, who works on it, what was done."),
        "go": ("fleet.manage:go", "Let a worker take an account now, or begin a plan of it."),
        "hold": ("fleet.manage:hold", "Let no worker take an account."),
        "upgrade": ("fleet.manage:upgrade", "Bring the stores of accounts up to date, after a new version."),
        "remove": ("fleet.manage:remove", "Take an account out of the register; its store stays."),
        "report": ("fleet.report:report", "Write a page over all accounts: a line each, one total."),
    },
    "work": ("work.work:work", "Take the accounts of a team in turn, beside other workers."),
    "advance": ("work.advance:advance_account", "Bring the account as far as it goes now, for cron and workers."),
    "audit": {
        "log": ("tools.audit:log", "Show the log: every event in order."),
        "verify": ("tools.audit:verify", "Check the log, or an evidence file."),
    },
    "state": {
        "info": ("tools.state:info", "Show the store: place, schema, contents."),
        "upgrade": ("tools.state:upgrade", "Bring the store's schema up to date (a backup first)."),
        "copy": ("tools.state:copy", "Move the store from a file into PostgreSQL, or back."),
        "backup": ("tools.state:backup", "Copy the store into a new file, also while a run is at work."),
    },
}

GROUP_HELP = {
    "simulate": "Simulated carriers for rehearsals.",
    "inventory": "The source fleet.",
    "pair": "Pairs: the new SIM for each old one.",
    "stock": "Cards that are claimed before anybody knows their unit.",
    "run": "Steer a run from another terminal.",
    "plan": "Plans: make, review, export.",
    "jobs": "Requests that were sent, and their results.",
    "handover": "The result, for the systems that hold ICCIDs.",
    "notify": "Notices to people and systems: webhook, Slack, Teams, mail, command.",
    "audit": "The audit log.",
    "campaign": "A migration of months: one approval, one call a day, one report over all plans.",
    "fleet": "The accounts of a team, in PostgreSQL.",
    "retire": "Cards that nobody needs, and that are billed.",
    "cutover": "Switch the old SIMs off.",
    "rollback": "Back to the old SIMs.",
    "state": "The state store.",
}


class LazyGroup(click.Group):
    """Group whose commands are imported when they are called.

    The help of the group needs no import.
    """

    def __init__(self, entries: Mapping[str, Entry | Mapping[str, Entry]], **attrs: object) -> None:
        super().__init__(**attrs)  # type: ignore[arg-type]  # click's own keyword arguments, passed through
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the table's order, the order of work."""
        del ctx
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command of this name."""
        del ctx
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        if isinstance(entry, Mapping):
            return LazyGroup(entry, name=cmd_name, help=GROUP_HELP[cmd_name], no_args_is_help=True)
        module, attribute = entry[0].split(":")
        command: click.Command = getattr(importlib.import_module(f"migrator.cli.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name.

        Raises: UsageError, with the known name that looks most like the wrong one.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from migrator.inputs.files.problems import closest

            close = closest(args[0], self.entries)
            if close is None:
                raise
            raise click.UsageError(f"{error.message} Did you mean '{close}'?", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, from the table alone."""
        del ctx
        rows = [
            (name, GROUP_HELP[name] if isinstance(entry, Mapping) else entry[1]) for name, entry in self.entries.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


BROKEN_PIPE = 141
"""Exit code that a shell shows for a program ended by SIGPIPE."""

EPILOG = (
    "Exit codes: 0 done, 1 unexpected error, 2 usage or input, 3 done but some SIMs need attention, 4 credentials or "
    "permission refused, 5 plan stale or used, 6 stopped by a gate or a cap, 7 stopped and resumable, 9 another run "
    "holds the store, 130 interrupted."
)


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    name="migrator",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
    no_args_is_help=True,
)
@global_options
@click.version_option(VERSION, prog_name="migrator")
def root() -> None:
    """Move a fleet of IoT SIMs from 1NCE or Onomondo to Hologram.

    The way: inventory pull, pair, plan create, plan show, apply --dry-run, apply, verify, report.
    `migrator demo` shows all of it on simulators.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line, and return the exit code.

    Usage errors keep the JSON envelope, too.
    """
    wants_json = "--json" in arguments or "--events" in arguments
    try:
        code = root.main(args=list(arguments), prog_name="migrator", standalone_mode=False, obj=Globals())
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        _usage_error(error, wants_json=wants_json)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader left; nothing more to say to it
        return BROKEN_PIPE
    return code if isinstance(code, int) else 0


def _usage_error(error: click.ClickException, *, wants_json: bool) -> None:
    """Print a usage error on stderr, and the envelope if wanted."""
    hint = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"see `{error.ctx.command_path} --help`"
    click.echo(f"error: {error.format_message()}" + (f"\n  {hint}" if hint else ""), err=True)
    if wants_json:
        problem = Problem("usage", error.format_message(), hint).as_dict()
        envelope = {
            "result_version": 1,
            "command": "",
            "status": "error",
            "exit_code": 2,
            "data": {},
            "errors": [problem],
        }
        click.echo(json.dumps(envelope))
