"""`audit`: the log of all actions, and its checks."""

from collections import deque
from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.core.audit.campaign import POLICY_TEXT
from migrator.core.audit.chain import event_document
from migrator.core.fleet.units import counted
from migrator.core.run.results import ExitCode
from migrator.errors import Problem
from migrator.reports.evidence.check import CAMPAIGN_RESTING, RESTING, UNLISTED, evidence_problems
from migrator.reports.model import moment
from migrator.workflows.journal.audit import store_problems

__all__ = ["log", "verify"]


@click.command("log", epilog="Exit codes: 0 done, 2 no store.")
@click.argument("plan", required=False)
@click.option(
    "--kind", metavar="KIND", help="Only events of this kind, such as request.sent, or of a kind such as run."
)
@click.option("--last", type=click.IntRange(1), default=50, show_default=True, help="How many, counted from the end.")
@global_options
@click.pass_obj
def log(shared: Globals, /, *, plan: str | None, kind: str | None, last: int) -> int:
    """List what was done, event after event.

    Events are of PLAN only, if it is named.
    """
    return finish("audit log", shared, lambda: _log(shared, plan, kind, last))


def _log(shared: Globals, plan: str | None, kind: str | None, last: int) -> Outcome:

    with wiring.store_of(shared.state, shared.config) as store:
        wanted = (
            event
            for event in store.audit.events()
            if (plan is None or event.plan_id == plan) and (kind is None or f"{event.kind}.".startswith(f"{kind}."))
        )
        shown, head = deque(wanted, maxlen=last), store.audit.head()
    rows = [
        (event.seq, moment(event.at), event.plan_id, event.kind, _brief(event.detail), event.digest[:12])
        for event in shown
    ]
    text: list[Any] = [table("", ("", "at", "plan", "event", "detail", "digest"), rows), f"Head: {head}"]
    return Outcome({"head": head, "events": [event_document(event) for event in shown]}, text)


def _brief(detail: Any) -> str:
    return ", ".join(f"{key} {value}" for key, value in detail.items() if not str(key).endswith(_LONG))


_LONG = ("sha256", POLICY_TEXT)


@click.command("verify", epilog="Exit codes: 0 it holds, 2 no store or no evidence file, 3 something was changed.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--head", metavar="DIGEST", help="A head that was noted before, which the log must still hold.")
@click.option("--manifest", metavar="DIGEST", help="The manifest of FILE as it was noted when FILE was written.")
@global_options
@click.pass_obj
def verify(shared: Globals, /, *, file: Path | None, head: str | None, manifest: str | None) -> int:
    """Check the store's log, journal and plans against each other.

    With FILE, an evidence zip, check that file instead, without any store.
    """
    return finish("audit verify", shared, lambda: _evidence(file, head, manifest) if file else _store(shared, head))


def _store(shared: Globals, head: str | None) -> Outcome:

    with wiring.store_of(shared.state, shared.config) as store:
        found, newest = store_problems(store, head=head)
        open_to_edits = store.audit.not_held
    data = {"head": newest, "problems": found, "not_held": list(open_to_edits)}
    return _told("The log", data, found, f"It does not hold {'; '.join(open_to_edits)}.")


def _evidence(file: Path, head: str | None, noted: str | None) -> Outcome:

    manifest, found = evidence_problems(file, head=head, manifest_sha256=noted)
    data = {
        "plan_id": manifest.get("plan_id"),
        "head": manifest.get("head"),
        "manifest_sha256": manifest.get("sha256"),
        "problems": found,
    }
    campaign = manifest.get("campaign")
    rests: tuple[str, ...] = RESTING if campaign is None else CAMPAIGN_RESTING
    if manifest.get("log_lists_plans") is False:
        rests = (*rests, UNLISTED)
    data["rests_on_manifest"] = list(rests)
    resting = "" if noted else f"Only the manifest holds {'; '.join(rests)}: give it as --manifest, as it was noted."
    if campaign is None:
        return _told(f"The evidence of plan {manifest.get('plan_id', '?')}", data, found, resting)
    data |= {"campaign": campaign, "plans": manifest.get("plans")}
    name = campaign.get("name", "?") if isinstance(campaign, dict) else "?"
    return _told(f"The evidence of campaign {name}", data, found, resting)


def _told(what: str, data: dict[str, Any], found: list[str], resting: str = "") -> Outcome:
    if not found:
        noted = f", manifest: {data['manifest_sha256']}" if "manifest_sha256" in data else ""
        return Outcome(data, [f"{what} holds. Head: {data['head']}{noted}", *filter(None, [resting])])
    problems = [Problem("audit", words) for words in found]
    return Outcome(data, [f"{what} does not hold: {counted(len(found), 'problem')}."], ExitCode.ATTENTION, problems)
