"""`doctor`: checks before a migration begins."""

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.errors import Problem
from migrator.workflows.doctor import CheckResult, examined

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
    return _told(examined(chosen, shared.state or chosen.state))


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
