"""`inventory`: the source fleet."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.app.files import check_destination, is_stdout, written
from migrator.cli.app.iccids import parsed_iccid
from migrator.cli.app.problem_log import problem_log
from migrator.cli.app.progress import watching
from migrator.core.fleet.secrets import shown_title
from migrator.core.fleet.sims import ONENCE, SourceSim, Unread
from migrator.core.fleet.units import counted, n_sims
from migrator.core.run.results import Dropped, ExitCode, PullResult
from migrator.core.run.sources import api_words
from migrator.errors import InputError, OtherSource, Problem
from migrator.files import as_csv
from migrator.inputs.inventory.columns import parse_choices
from migrator.inputs.inventory.dialects import MEGABYTES, PRESETS, dialect_of
from migrator.inputs.inventory.file import InventoryFile, opened_inventory
from migrator.inputs.settings.settings import Settings
from migrator.reports.formats.csv_file import spreadsheet_safe
from migrator.reports.model import moment
from migrator.workflows.import_inventory import Imported, import_inventory, listed_cutover
from migrator.workflows.pull import pull as pull_fleet
from migrator.workflows.site import Site, required_inventory

__all__ = ["export", "import_file", "pull", "show"]


SHORT = "compare with the number of SIMs in the portal; SIMs that are not in the list are in no plan"
PULL_CODES = "0 done, 2 settings, or too many SIMs gone, 3 not all of it could be read, 4 login refused, 7 resumable."


@click.command("pull", epilog=f"Exit codes: {PULL_CODES}")
@click.option("--quotas", is_flag=True, help="Also read of each SIM what the list lacks: a call or two per SIM.")
@click.option("--limits", is_flag=True, help='Also read the account\'s monthly caps (basis = "monthly_limit").')
@click.option("--replace", is_flag=True, help="Let the list leave out any number of SIMs that the inventory has now.")
@click.option("--new-login", is_flag=True, help="Let the login be a new one of the account that the inventory is of.")
@global_options
@click.pass_obj
def pull(shared: Globals, /, **options: bool) -> int:
    """Read the fleet of the source, such as 1NCE, into the store.

    The same command goes on after an interruption.

    A list that leaves out more than 5 % of the inventory in force, and more than 5 SIMs, is refused without --replace.
    A store has the SIMs of one carrier and account.
    """
    return finish("inventory pull", shared, lambda: _pull(shared, **options))


def _pull(shared: Globals, **options: bool) -> Outcome:
    chosen = wiring.settings(shared.config)
    place = shared.state or chosen.state
    try:
        chosen.source()  # missing settings are reported before a store is made
    except InputError:
        _refuse_files(chosen, place)
        raise
    with wiring.open_store(place, create=True) as store, watching(shared) as progress:
        pulled = pull_fleet(Site(store, chosen, progress), **options)
    lacks = chosen.carrier.asks_each and not options["quotas"] and pulled.lacks_limits
    return _pulled(chosen.carrier.name, pulled.result, pulled.summary, pulled.unread, lacks_limits=lacks)


def _refuse_files(chosen: Settings, place: str) -> None:
    """Refuse the SIMs of another source, or of a file.

    No login would help there.

    Raises: InputError.
    """
    try:
        with wiring.open_store(place) as store:
            wiring.must_be_asked(chosen, store)
    except OtherSource:
        raise
    except InputError:
        pass


def _pulled(
    source: str, result: PullResult, summary: Mapping[str, Any], unread: Unread | None, *, lacks_limits: bool
) -> Outcome:
    problems = [Problem("warning", words) for words in result.warnings]
    if result.falls_short:
        problems[-1].hint = SHORT  # the last warning is about the totals
    problems += _dropped(result.dropped, source)
    if lacks_limits:
        words = f"{source}'s list tells no data limit of any SIM: a plan by the SIMs' own limits cannot be made"
        hint = f"`inventory pull --quotas` reads each SIM's record, also its IMEI: about {result.sims} requests"
        problems.append(Problem("warning", words, hint))
    data = {
        "sims": result.sims,
        "listed": result.listed,
        "passes": result.passes,
        "unreadable": result.unreadable,
        "resumed": result.resumed,
        "settled": result.settled,
        "doubles": result.doubles,
        "falls_short": result.falls_short,
        "api_version": result.api_version,
        "quotas_read": result.quotas_read,
        "quotas_failed": result.quotas_failed,
        "dropped": asdict(result.dropped),
        "unknown_statuses": unread.statuses if unread else {},
        "unread_volumes": unread.volumes if unread else {},
        "inventory": dict(summary),
    }
    if not result.settled:
        off = "" if result.listed is None else f", {abs(result.listed - result.sims)} off"
        words = f"the list would not settle: {source} says {result.listed}, and {result.sims} were read{off}"
        hint = "SIMs are coming or going; run `migrator inventory pull` again. What was read is kept"
        problems.append(Problem("unsettled_list", words, hint))
        return Outcome(data, (), ExitCode.RESUMABLE, problems)
    if result.unreadable:
        words = f"{counted(result.unreadable, 'row')} without an ICCID that can be read, left out"
        problems.append(Problem("attention", words, "`migrator inventory show` lists them"))
    if result.quotas_failed:
        words = f"what remains could not be read for {n_sims(result.quotas_failed)}: it stays unknown, it is not zero"
        problems.append(Problem("attention", words, "run `migrator inventory pull --quotas` again"))
    unsaid = list(_unread(unread, source)) if unread else []
    problems += unsaid
    attention = bool(result.unreadable or result.quotas_failed or result.falls_short or unsaid)
    passes = "one pass" if result.passes == 1 else f"{result.passes} passes"
    text = f"{n_sims(result.sims)} in the inventory ({source} {api_words(result.api_version)}, read in {passes})."
    return Outcome(
        data, (text, _by_status(summary), NEXT), ExitCode.ATTENTION if attention else ExitCode.DONE, problems
    )


def _unread(unread: Unread, source: str) -> Iterator[Problem]:
    """Yield problems for words of the source that cannot be read."""
    if unread.statuses:
        words = {repr(word[:40]) if word else "none": sims for word, sims in unread.statuses.items()}
        yield _unknown_statuses(sum(words.values()), words, f"it may be new at {source}: ask there what it means")
    for name, words in unread.volumes.items():
        told = ", ".join(f"{word[:40]!r} ({sims})" for word, sims in words.items())
        problem = f"{n_sims(sum(words.values()))} whose {name} is no number; {source} says {told}"
        hint = 'basis = "total" blocks them; basis = "fixed" helps, or the volumes in a file: `inventory import`'
        yield Problem("attention", problem, hint)


def _unknown_statuses(sims: int, times: Mapping[str, int], hint: str) -> Problem:
    words = ", ".join(f"{word} ({count})" for word, count in times.items())
    return Problem(
        "attention", f"{n_sims(sims)} with a status that is not known: {words}", f"plans leave these SIMs alone; {hint}"
    )


def _dropped(dropped: Dropped, source: str) -> Iterator[Problem]:
    """Yield a warning about SIMs that only the inventory before had.

    Yields nothing where there are none.
    """
    if dropped.sims:
        words = f"the inventory before had SIMs that this one has not: {dropped}"
        hint = f"is this the right {source} account? Plans that act on these SIMs are stale; their pairs are kept"
        yield Problem("warning", words, hint)


NEXT = "Next: `migrator pair import FILE` or `migrator pair pool FILE`."


def _by_status(summary: Mapping[str, Any]) -> Any:
    return table("", ("status", "SIMs"), list(summary.get("statuses", {}).items()))


@click.command(
    "import", epilog="Exit codes: 0 done, 2 the file has problems (nothing was changed), 3 statuses unknown."
)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--column",
    "columns",
    metavar="FIELD=TITLE",
    multiple=True,
    help="Which column holds a field (iccid, status, label, ...), where titles and values do not tell.",
)
@click.option(
    "--source-name",
    metavar="NAME",
    help="The carrier whose SIMs these are, where it is not 1NCE. A store has the SIMs of one carrier.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="Words that a carrier's public documents tell; also its name, unless --source-name says another.",
)
@click.option(
    "--value",
    "values",
    metavar="FIELD:WORD=MEANING",
    multiple=True,
    help="What a word means: status:Suspended=disabled (enabled, expired, unknown), imei_lock:locked=yes.",
)
@click.option(
    "--megabyte",
    type=click.Choice(MEGABYTES),
    help="Bytes that the carrier means by 1 MB, where a column of limits is in MB or GB. Never guessed.",
)
@click.option("--replace", is_flag=True, help="Let the file leave out SIMs that the inventory has now.")
@click.option("--problems", metavar="FILE", type=click.Path(path_type=Path), help="Write every problem to FILE.")
@global_options
@click.pass_obj
def import_file(shared: Globals, /, **options: Any) -> int:
    """Read the fleet from FILE into the store, all or nothing.

    Use this where the source's API is not at hand, and for the SIMs of other carriers (--source-name, --preset); `-` is
    stdin. FILE is the portal's CSV (Export SIMs) or what `inventory export` wrote. PIN and PUK columns are dropped.
    """
    return finish("inventory import", shared, lambda: _import(shared, **options))


def _import(  # one argument per option
    shared: Globals,
    *,
    file: Path,
    columns: Sequence[str],
    source_name: str | None,
    preset: str | None,
    values: Sequence[str],
    megabyte: str | None,
    replace: bool,
    problems: Path | None,
) -> Outcome:
    chosen = parse_choices(columns)
    dialect = dialect_of(name=source_name, preset=preset, values=values, megabyte=megabyte)
    with ExitStack() as stack:
        opened = stack.enter_context(opened_inventory(file, chosen, dialect))  # what is no list of SIMs makes no store
        store = stack.enter_context(wiring.open_store(wiring.place_of(shared.state, shared.config), create=True))
        stack.enter_context(wiring.holding_lease(store))
        beside_store = store.beside("import-problems.txt")
        headline = opened.columns.told() if opened.columns else "our own export"
        log = stack.enter_context(problem_log(problems, beside_store, headline=f"read as: {headline}"))
        progress = stack.enter_context(watching(shared))
        clock = wiring.SystemClock()
        result = import_inventory(store, opened, clock=clock, note=log.note, progress=progress, replace=replace)
        return _imported(opened, result, store.inventory.summary(), _next(listed_cutover(store, opened)))


def _next(begun: str | None) -> str:
    """Return the next command, in words."""
    return (
        NEXT if begun is None else f"Next: `migrator cutover export {begun}`: what is off is proved, the rest listed."
    )


def _imported(file: InventoryFile, result: Imported, summary: Mapping[str, Any], next_step: str) -> Outcome:
    used = file.columns.used if file.columns else ()
    data = {
        "file": file.name,
        "source": summary["source"],
        "format": file.kind,
        "sims": result.sims,
        "repeated": result.repeated,
        "columns": {
            column.field: {"title": shown_title(column.title, quoted=False), "how": column.how} for column in used
        },
        "unused": list(file.unused_titles),
        "secret": list(file.secret_titles),
        "unknown_statuses": dict(file.statuses.times),
        "without_status": result.without_status,
        "without_quota": result.without_quota,
        "dropped": asdict(result.dropped),
        "inventory": dict(summary),
    }
    again = f" {counted(result.repeated, 'row')} said the same again." if result.repeated else ""
    whose = "" if file.dialect.name is None else f" of {file.dialect.name}"
    text: list[Any] = [f"{n_sims(result.sims)}{whose} in the inventory, from {file.name}.{again}"]
    if used:
        rows = [(column.field, shown_title(column.title, quoted=False), column.how) for column in used]
        rows += [("(not used)", title, "") for title in file.unused_titles]
        text.append(table("Please check what was read from where", ("field", "column", "found"), rows))
    text += [_by_status(summary), next_step]
    code = ExitCode.ATTENTION if result.without_status else ExitCode.DONE
    return Outcome(data, text, code, list(_import_warnings(file, result)))


def _import_warnings(file: InventoryFile, result: Imported) -> Iterator[Problem]:
    """Yield warnings about an import that is in force."""
    yield from _dropped(result.dropped, file.dialect.name or ONENCE)
    if result.without_status:
        hint = "is it another column? --column status=TITLE"
        yield _unknown_statuses(result.without_status, file.statuses.times, hint)
    if file.secret_titles:
        words = f"not read, as they hold secrets of the SIMs: {', '.join(file.secret_titles)}"
        yield Problem("warning", words, "keep that file as safe as a list of passwords")
    if file.fallback.replaced:
        words = f"{file.name} is not all UTF-8: read as Windows-1252: {counted(file.fallback.replaced, 'byte')}"
        yield Problem("warning", words, 'look at labels with accents, or export as "CSV UTF-8"')
    if result.rounded:
        words = f"the ICCID ends in zeros, as a spreadsheet leaves them: {', '.join(result.rounded[:10])}"
        yield Problem("warning", words, "compare it with the card")
    if result.without_quota:
        what = "data limit" if file.dialect.is_other else "booked data volume"
        words = f"{n_sims(result.without_quota)} without a {what}"
        hint = (
            OTHER_LIMIT
            if file.dialect.is_other
            else (
                'basis = "total" blocks them; `inventory pull` or basis = "fixed" helps, or a column of tariffs, as '
                '"500 MB, 250 SMS" without top-ups: --column data_quota_mb=TITLE --column sms_quota=TITLE'
            )
        )
        yield Problem("warning", words, hint)


OTHER_LIMIT = (
    'basis = "total" blocks them; basis = "fixed" helps, or the column of limits: --column data_limit_bytes=TITLE'
)
"""Remedy where a file of another carrier has no limits."""


@click.command("show", epilog="Exit codes: 0 done, 2 no inventory yet.")
@click.argument("iccid", required=False)
@global_options
@click.pass_obj
def show(shared: Globals, /, *, iccid: str | None) -> int:
    """Show the source fleet, or one SIM, as the store knows it."""
    return finish("inventory show", shared, lambda: _show(shared, iccid))


def _show(shared: Globals, iccid: str | None) -> Outcome:

    with wiring.store_of(shared.state, shared.config) as store:
        required_inventory(store)
        if iccid is not None:
            return _one(store, parsed_iccid(iccid))
        summary = store.inventory.summary()
        unreadable = [problem for problem, _ in store.inventory.unreadable()]
    summary |= {"taken_at": moment(summary["taken_at"]), "unreadable_rows": unreadable}
    rows = [
        ("SIMs", summary["count"]),
        ("from", _origin(summary)),
        ("rows left out", summary["unreadable"]),
        ("fingerprint", summary["fingerprint"]),
    ]
    if summary["open"] is not None:
        rows.append(
            ("not finished", f"a pull begun at {moment(summary['open']['started_at'])}: `inventory pull` again")
        )
    text = [table("Inventory", ("", ""), rows), _by_status(summary)]
    if unreadable:
        text.append(table("Rows without a readable ICCID", ("problem",), [(problem,) for problem in unreadable]))
    return Outcome(summary, text)


def _origin(summary: Mapping[str, Any]) -> str:
    """Return the source of the inventory, in words."""
    if summary["origin"] is not None:
        whose = "" if summary["source"] == ONENCE else f" of {summary['source']}"
        return f"import{whose} of {summary['origin']} at {summary['taken_at']}"
    return f"{summary['source']}'s {api_words(summary['api_version'])} at {summary['taken_at']}"


UNKNOWN_SIM = "`migrator inventory export -` lists all; a SIM that is new at the source needs `migrator inventory pull`"


def _one(store: Any, iccid: Any) -> Outcome:

    sim = store.inventory.find(iccid)
    if sim is None:
        raise InputError(f"{iccid} is not in the inventory", code="unknown_sim", hint=UNKNOWN_SIM)
    values = sim_values(sim)
    return Outcome(
        {"sim": values, "raw": store.inventory.raw(iccid)}, (table(str(sim.iccid), ("", ""), list(values.items())),)
    )


def sim_values(sim: SourceSim) -> dict[str, Any]:
    """Return a SIM as JSON values.

    The values stand in the order of the export's columns.
    """
    return {
        "iccid": sim.iccid.digits,
        "status": sim.status.value,
        "status_word": sim.status_word,
        "label": sim.label,
        "imsi": sim.imsi,
        "msisdn": sim.msisdn,
        "imei": sim.imei,
        "imei_lock": sim.imei_lock,
        "ip_address": sim.ip_address,
        "activated_at": sim.activated_at,
        "data_quota_mb": None if sim.data_quota_mb is None else f"{sim.data_quota_mb:f}",
        "sms_quota": None if sim.sms_quota is None else f"{sim.sms_quota:f}",
        "data_reading": sim.data_reading.value,
        "data_remaining_mb": None if sim.data_remaining_mb is None else f"{sim.data_remaining_mb:f}",
        "sms_reading": sim.sms_reading.value,
        "sms_remaining": None if sim.sms_remaining is None else f"{sim.sms_remaining:f}",
        "expires_at": sim.expires_at,
        "period_limit_bytes": None if sim.data_limit is None else sim.data_limit.volume,
        "limit_period": None if sim.data_limit is None else sim.data_limit.word,
        "tags": None if sim.tags is None else list(sim.tags),
    }


@click.command("export", epilog="Exit codes: 0 done, 2 no inventory or unwritable file.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), help="Default: by the file's name, else jsonl.")
@global_options
@click.pass_obj
def export(shared: Globals, /, *, file: Path, kind: str | None) -> int:
    """Write the inventory to FILE; `-` is stdout."""
    chosen = kind or ("csv" if file.suffix.lower() == ".csv" else "jsonl")
    return finish("inventory export", shared, lambda: _export(shared, file, chosen))


def _export(shared: Globals, file: Path, kind: str) -> Outcome:

    check_destination(shared, file)
    with wiring.store_of(shared.state, shared.config) as store:
        required_inventory(store)
        rows = (sim_values(sim) for sim in store.inventory.sims())
        lines = _csv_lines(rows) if kind == "csv" else (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        count = written(file, lines) - (kind == "csv")
    text = (f"{n_sims(count)} written to {file}.",)
    return Outcome({"file": str(file), "sims": count}, text, is_on_stdout=is_stdout(file))


def _csv_lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:

    def cells() -> Iterator[Iterable[str]]:
        for number, row in enumerate(rows):
            if not number:
                yield row
            yield [_cell(value) for value in row.values()]

    return as_csv(cells())


def _cell(value: Any) -> str:
    told = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
    return "" if told is None else spreadsheet_safe(told)
