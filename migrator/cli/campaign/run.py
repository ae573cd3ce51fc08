"""`campaign run`: all that is due now, once or again and again."""

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options, say, table, warned
from migrator.cli.app.progress import watching
from migrator.cli.app.refs import ref_option
from migrator.cli.app.words import seconds_of
from migrator.core.plan.refs import ref_of
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Interrupted, MigratorError, Problem, StoreBusy
from migrator.workflows.campaign.notices import note_failed_call
from migrator.workflows.campaign.once import Ticked, run_once
from migrator.workflows.notices.stopped import telling_failure
from migrator.workflows.site import open_site

__all__ = ["run"]

CODES = (
    "0 all well, 2 input, 3 some SIMs need a person, 4 refused, 6 outside of the approval: nothing sent, 7 the next "
    "call goes on, 9 another run holds the store, 130 interrupted."
)


@click.command("run", epilog=f"Exit codes: {CODES}")
@click.option("--once", is_flag=True, help="Do what is due now, and end: for cron and other schedulers.")
@click.option("--every", metavar="DURATION", help="Do it again after so long, such as 15m, until interrupted.")
@ref_option
@global_options
@click.pass_obj
def run(shared: Globals, /, *, once: bool, every: str | None, ref: str | None) -> int:
    """Do all that is due now, within the standing approval.

    Takes files from the campaign's `intake`, reads both carriers, goes on with what was begun, claims, finds pairs,
    switches old SIMs off, and writes what changed. Killed anywhere, the next call goes on.
    """

    def body() -> Outcome:
        if once is (every is not None):
            raise InputError("say how often", code="bad_options", hint="add --once, or --every 15m")
        named = ref_of(ref)
        if every is None:
            return _outcome(_tick(shared, named))
        return _again(shared, seconds_of("--every", every), named)

    return finish("campaign run", shared, body)


def _tick(shared: Globals, ref: str) -> Ticked:
    with ExitStack() as opened:
        with telling_failure(shared.config, note_failed_call):
            site = opened.enter_context(open_site(shared.state, config=shared.config, warn=warned))
        progress = opened.enter_context(watching(shared))
        return run_once(replace(site, progress=progress), ref=ref)


def _again(shared: Globals, every_s: float, ref: str) -> Outcome:
    """Run ticks until interrupted, also past other runs."""
    while True:
        try:
            ticked = _tick(shared, ref)
        except Interrupted:
            raise
        except StoreBusy as error:
            say(f"another run holds the store: {error.message}")
        except MigratorError as error:
            say(f"this tick failed, and the next one goes on: {error.message}")
        else:
            say(f"tick {ticked.tick_no}: exit code {int(ticked.exit_code)}, {ticked.reason}")
        time.sleep(every_s)


def _outcome(ticked: Ticked) -> Outcome:
    data: dict[str, Any] = {
        "tick": ticked.tick_no,
        "reason": ticked.reason,
        "held": [{"exit_code": int(one.exit_code), "words": one.words, "hint": one.hint} for one in ticked.held],
        "told": dict(ticked.told),
    }
    rows = [(name.replace("_", " "), count) for name, count in ticked.told.items() if isinstance(count, int)]
    text: list[Any] = [f"Tick {ticked.tick_no}: {ticked.reason}.", table("", ("", ""), rows)]
    problems = [Problem(_word(one.exit_code), one.words, one.hint) for one in ticked.held]
    return Outcome(data, text, ticked.exit_code, problems)


def _word(code: ExitCode) -> str:
    return {ExitCode.ATTENTION: "attention", ExitCode.RESUMABLE: "waits"}.get(code, "stopped")
