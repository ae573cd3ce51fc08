"""`doctor`: checks before a migration begins."""

from contextlib import suppress

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.engine.run.context import Stopper
from migrator.errors import MigratorError, NoStore, Problem
from migrator.inputs.settings.settings import Settings
from migrator.workflows.doctor import CheckResult, carriers, disk, patience, whose_sims

__all__ = ["doctor"]

CODES = (
    "0 all is in place, 2 a setting is missing, 4 login, right or certificate refused, 7 a carrier cannot be reached"
)


@click.command("doctor", epilog=f"Exit codes: {CODES}.")
@global_options
@click.pass_obj
def doctor(shared: Globals, /) -> int:
    """Check settings, logins, rights, data plans with zones, balance and disk.

    Reads only.
    """
    return finish("doctor", shared, lambda: _doctor(shared))


def _doctor(shared: Globals) -> Outcome:

    chosen = wiring.settings(shared.config)
    state = shared.state or chosen.state
    findings = _asked(chosen, asks_source=not _is_of_file(chosen, state)) + patience(chosen)
    try:
        findings.append(disk(state))
        findings += _of_store(chosen, state)
    except MigratorError as error:
        findings.append(CheckResult("store", error.message, error.hint, error.exit_code))
    return _told(findings)


def _is_of_file(chosen: Settings, state: str) -> bool:
    """True if the SIMs of the store are those of a file."""
    with suppress(MigratorError), wiring.open_store(state) as store:  # what is wrong with it is told below
        return not wiring.is_asked(chosen, store)
    return False


def _asked(chosen: Settings, *, asks_source: bool) -> list[CheckResult]:

    async def body(stopper: Stopper) -> list[CheckResult]:
        findings = []
        async for finding in carriers(chosen, stopper, asks_source=asks_source):
            stopper.check()
            findings.append(finding)
        return findings

    return wiring.run_async(body)


def _of_store(chosen: Settings, state: str) -> list[CheckResult]:
    """Return the schema of a store and whose SIMs it has.

    Nothing is returned if there is no store.

    Raises: InputError, if the SIMs are those of another source or account than the settings choose.
    """
    try:
        with wiring.open_store(state) as store:
            info, whose = store.info(), whose_sims(chosen, store)
    except NoStore:
        return []
    return [CheckResult("schema", f"{info['schema']}, lineage {info['lineage']}"), *whose]


def _told(findings: list[CheckResult]) -> Outcome:
    rows = [(one.what, one.word, one.told) for one in findings]
    data = {
        "checks": [
            {"check": one.what, "result": one.word, "told": one.told, "hint": one.hint, "exit_code": one.exit_code}
            for one in findings
        ]
    }
    bad = [one for one in findings if one.exit_code]
    problems = [
        Problem("error" if one.exit_code else "warning", f"{one.what}: {one.told}", one.hint)
        for one in findings
        if one.hint
    ]
    text = [table("", ("check", "", "what was found"), rows)]
    if not bad:
        return Outcome(data, [*text, "Everything is in place."], 0, problems)
    return Outcome(data, text, bad[0].exit_code, problems)
