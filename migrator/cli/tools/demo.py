"""`demo`: a migration and a week of a campaign on simulators.

The migration has a crash in the middle. The demo takes about a minute.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options
from migrator.cli.tools.demo_week import week_shown
from migrator.core.run.results import ExitCode
from migrator.core.run.sources import SOURCES
from migrator.errors import InputError, MigratorError
from migrator.files import private_folder
from migrator.wiring.rehearsal.rehearsal import Rehearsal
from migrator.wiring.sources import REGISTRY
from migrator.workflows.rehearsal.demo import demo_rehearsal, newest_cutover, newest_plan, source_rps

__all__ = ["demo"]

MARK = ".migrator-demo"
KILLED = -9

OF_WEEK = "1nce"
"""Source whose fleet the second part, a week of a campaign, moves."""


@click.command("demo", epilog="Exit codes: 0 done, 1 a step of the demo went wrong, 2 the folder is in use.")
@click.option("--dir", "folder", default="migrator-demo", show_default=True, type=click.Path(path_type=Path))
@click.option("--source", type=click.Choice(list(SOURCES)), default="1nce", show_default=True, help="The old carrier.")
@click.option("--sims", default=120, show_default=True, type=click.IntRange(20, 5000), help="SIMs in the old fleet.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same fleet.")
@global_options
@click.pass_obj
def demo(shared: Globals, /, *, folder: Path, source: str, sims: int, seed: int) -> int:
    """Run a migration and a week of a campaign on built-in simulators.

    The demo needs no keys, no network but loopback, and about a minute. Pulls an invented fleet of the source, pairs it
    from a pool, plans, applies, is killed half way, resumes, verifies, switches the first old SIMs off, and leaves a
    report to open. Then, for 1NCE, a campaign moves another fleet, day by day.
    """
    return finish("demo", shared, lambda: _demo(shared, folder, source, sims, seed))


def _demo(shared: Globals, folder: Path, source: str, sims: int, seed: int) -> Outcome:
    _prepare(folder)
    rehearsal = demo_rehearsal(folder, source, sims, seed)
    show = _Show(folder, _environment(rehearsal), quiet=shared.json or shared.events or shared.quiet)
    with rehearsal.running():
        plan_id = _steps(show, REGISTRY[source].pull_options)
        truth = dict(rehearsal.hologram.ledger.as_dict())
    twice = truth["charged_more_than_once"]
    if twice or truth["forbidden"]:
        raise MigratorError(f"the simulated carrier saw what must never happen: {twice} {truth['forbidden']}")
    charged = f"{Decimal(truth['charged']):.2f}"
    words = (
        f"\nHologram's own ledger: {truth['sims_charged']} SIMs charged {charged} in all, none of them twice, although "
        "the run was killed while a claim was under way."
    )
    show.say(words)
    report = folder / "reports" / plan_id
    data = {"plan_id": plan_id, "folder": str(folder), "report": str(report), "ledger": truth}
    if source != OF_WEEK:
        return Outcome(data, (_what_now(folder, report, source),))
    week, of_week = week_shown(folder, seed, show.say)
    return Outcome(data | {"week": week}, (of_week, _what_now(folder, report, source)))


def _what_now(folder: Path, report: Path, source: str) -> str:
    week = f"          {folder / 'week' / 'campaign' / 'report' / 'campaign.html'}\n" if source == OF_WEEK else ""
    served = "" if source == OF_WEEK else f" --source {source}"
    return (
        f"\nTo open:  {report / 'reconciliation.html'}\n"
        f"          {report / 'reconciliation.csv'}\n"
        f"{week}"
        f"To try:   migrator simulate serve{served} --pool-file pool.txt   (in one terminal; it prints exports)\n"
        "          migrator inventory pull                        (in another, with those exports)\n"
        f"          migrator --state sqlite:///{folder / 'migrator.db'} jobs list\n"
    )


def _prepare(folder: Path) -> None:
    """Make an empty folder with our mark.

    Raises: InputError, if the folder holds somebody else's work.
    """
    if folder.exists() and not (folder / MARK).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not an empty folder, nor an earlier demo", hint="choose another with --dir")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        private_folder(folder)
        (folder / MARK).touch()
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}", hint="choose another with --dir") from error


def _environment(rehearsal: Rehearsal) -> dict[str, str]:
    """Return the settings for the simulators.

    The user's settings for real carriers are left out.
    """
    prefix = SOURCES[rehearsal.carrier].prefix
    ours = (*(f"{source.prefix}_" for source in SOURCES.values()), "HOLOGRAM_", "MIGRATOR_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        **rehearsal.environment(),
        f"{prefix}_MAX_RPS": f"{source_rps(REGISTRY[rehearsal.carrier]):g}",
        "HOLOGRAM_MAX_RPS": "200",
        "MIGRATOR_ABSENT_AFTER_S": "2",
        "MIGRATOR_STATE": "sqlite:///migrator.db",
    }


@dataclass(frozen=True, slots=True)
class _Show:
    """Runner of the tool's own commands.

    Each command is shown with what it prints.
    """

    folder: Path
    environment: Mapping[str, str]
    quiet: bool

    def run(self, *words: str, expect: Sequence[int] = (0,), **variables: str) -> None:
        """Run one command.

        Raises: MigratorError, if the command ends otherwise than a demo should.
        """
        shown = " ".join(f"{name}={value}" for name, value in variables.items())
        if not self.quiet:
            click.secho(f"\n$ {shown + ' ' if shown else ''}migrator {' '.join(words)}", bold=True)
        done = subprocess.run(  # noqa: S603 - our own command, our own words
            [sys.executable, "-m", "migrator", *words],
            cwd=self.folder,
            env={**self.environment, **variables},
            stdout=subprocess.DEVNULL if self.quiet else None,
            stderr=subprocess.DEVNULL if self.quiet else None,
            check=False,
        )
        if done.returncode not in expect:
            raise MigratorError(f"`migrator {' '.join(words)}` ended with exit code {done.returncode}")

    def say(self, words: str) -> None:
        """Print a line of explanation."""
        if not self.quiet:
            click.secho(words, fg=None if "NO_COLOR" in os.environ else "cyan")


def _steps(show: _Show, pull_options: Sequence[str]) -> str:
    """Run the whole migration, and return the plan's id."""
    show.run("inventory", "pull", *pull_options)
    show.run("pair", "pool", "pool.txt")
    show.run("plan", "create", "--policy", "policy.toml")
    plan_id, claims = newest_plan(show.folder)
    show.run("apply", "--dry-run", expect=(ExitCode.DONE, ExitCode.ATTENTION))
    show.say("\nNow for real. The process will be killed (SIGKILL) when its first claim was answered, but not noted:")
    show.run("apply", "--confirm", str(claims), expect=(KILLED,), MIGRATOR_CRASH_AT="after_effect:claim:1")
    show.say("\nKilled. The same command resumes: it reads first what the dead process may have done.")
    show.run("apply", expect=(ExitCode.DONE, ExitCode.ATTENTION))
    show.run("verify", expect=(ExitCode.DONE, ExitCode.ATTENTION))
    show.say("\nThe new SIMs are in their units now, and live. The old ones of the first wave are switched off:")
    show.run("cutover", "plan")
    count = newest_cutover(show.folder)
    show.run(
        "cutover", "apply", "--wave", "canary", "--confirm", str(count), expect=(ExitCode.DONE, ExitCode.ATTENTION)
    )
    show.run("cutover", "show", "--action", "SWITCH_OFF", "--sims", "10")
    show.run("report")
    return plan_id
