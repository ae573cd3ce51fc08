"""`campaign report` and `campaign exceptions`: the fleet over all plans."""

from pathlib import Path
from typing import Any

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.app.files import check_destination, is_stdout, refuse_unwritable, with_evidence, written
from migrator.core.campaign.life import ExceptionCode, LifeStage
from migrator.core.fleet.units import counted
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Problem
from migrator.reports.campaign.documents import schema_text
from migrator.wiring import SystemClock
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.campaign.report import WrittenFleet, campaign_exceptions, campaign_report
from migrator.workflows.evidence import evidence_of, gather_campaign
from migrator.workflows.site import open_site

__all__ = ["exceptions", "report"]

FORMATS = ("html", "json", "csv", "md")
STDOUT = Path("-")


@click.command("report", epilog="Exit codes: 0 written, 2 no store or unwritable place.")
@click.option("--format", "formats", default=",".join(FORMATS), show_default=True, help="Some of html, json, csv, md.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports/campaign"), help="The folder.")
@click.option(
    "--evidence",
    metavar="FILE.zip",
    type=click.Path(path_type=Path),
    help="Also write the campaign with all its plans and the log into one zip that `audit verify` checks.",
)
@click.option("--campaign", metavar="NAME", help="Whose evidence, by name or number [the open one, or the last one].")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of campaign.json, and do nothing else.")
@global_options
@click.pass_obj
def report(shared: Globals, /, *, schema: bool, **asked: Any) -> int:
    """Write the report over all plans.

    Where every SIM is, and what to do next: funnel, burn-down with a forecast, idle money, exceptions by code, plans
    and runs, and money beside the caps. The HTML page is one file that needs no network. Reads the store only.
    """
    return finish("campaign report", shared, _schema if schema else lambda: _report(shared, **asked))


def _schema() -> Outcome:
    click.echo(schema_text(), nl=False)
    return Outcome({}, is_on_stdout=True)


def _report(shared: Globals, *, formats: str, out: Path, evidence: Path | None, campaign: str | None) -> Outcome:
    wanted = list(dict.fromkeys(word.strip().lower() for word in formats.split(",") if word.strip()))
    if not wanted or set(wanted) - set(FORMATS):
        raise InputError(f"--format {formats!r}: choose some of {', '.join(FORMATS)}", code="bad_format")
    if evidence is None and campaign is not None:
        words = "--campaign says whose evidence is written; the report is over all plans of the store"
        raise InputError(words, code="bad_options", hint="add --evidence FILE.zip")
    if evidence is not None:
        refuse_unwritable(evidence)
    with open_site(shared.state, config=shared.config) as site, collecting_rarely():
        if evidence is not None:
            evidence_of(site.store, campaign)  # it is there
        outcome = _told(campaign_report(site, wanted, out))
        if evidence is None:
            return outcome
        digest, head = gather_campaign(site.store, evidence, now=SystemClock().now().timestamp(), campaign=campaign)
        return with_evidence(outcome, evidence, manifest_sha256=digest, head=head)


def _told(told: WrittenFleet) -> Outcome:
    counts = told.counts
    rows = [(stage.value, f"{counts.of(stage):,}") for stage in LifeStage if stage is not LifeStage.IN_STOCK]
    text: list[Any] = [
        told.headline,
        table("The fleet", ("stage", "SIMs"), [*rows, ("sum", f"{counts.total:,}")]),
        f"{told.idle[:1].upper()}{told.idle[1:]}.",
        f"Next: {told.steps[0]}",
        *(f"wrote {path}" for path in told.files),
    ]
    data = {
        "headline": told.headline,
        "lives": counts.as_dict(),
        "next": list(told.steps),
        "files": [str(path) for path in told.files],
    }
    return Outcome(data, text)


@click.command("exceptions", epilog="Exit codes: 0 none, 2 no store or unwritable place, 3 somebody must look.")
@click.option("--code", type=click.Choice([code.value for code in ExceptionCode]), help="Only this code.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True, help="Form.")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True), help="Where they go [stdout].")
@global_options
@click.pass_obj
def exceptions(shared: Globals, /, *, code: str | None, form: str, out: Path | None) -> int:
    """List every SIM that a person must look after.

    Each has its code and what to do. Reads the store only. A row also has status, label and IMEI of the old SIM as
    first seen, and what differs now.
    """
    return finish("campaign exceptions", shared, lambda: _exceptions(shared, code, form, out or STDOUT))


def _exceptions(shared: Globals, code: str | None, form: str, out: Path) -> Outcome:
    check_destination(shared, out)
    chosen = None if code is None else ExceptionCode(code)
    with open_site(shared.state, config=shared.config) as site:
        now = SystemClock().now().timestamp()
        lines = campaign_exceptions(site, form=form, code=chosen, now=now)
        written(out, lines)
        counts = site.store.lives.counts(now)
    count = counts.exceptions if chosen is None else counts.codes.get(chosen, 0)
    is_piped = is_stdout(out)
    words = f"{counted(count, 'SIM')} to look after" + ("" if is_piped else f": {out}")
    problems = (Problem("exceptions", words),) if count and is_piped else ()
    return Outcome(
        {"exceptions": count, "file": None if is_piped else str(out)},
        [] if is_piped else [words],
        ExitCode.ATTENTION if count else ExitCode.DONE,
        problems,
        is_piped,
    )
