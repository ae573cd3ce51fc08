"""`plan diff`: differences of two plans, SIM by SIM.

The use of memory does not grow with the plans.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, printable, table
from migrator.cli.app.files import check_destination, is_stdout, written
from migrator.core.fleet.units import n_sims
from migrator.core.plan.diff import DiffTally, SimDifference, Values, compared, header_differences
from migrator.core.plan.document import header_document
from migrator.core.run.results import ExitCode
from migrator.errors import Problem
from migrator.workflows.lookups.plans import ReadPlan, read_plan

__all__ = ["diff"]

SHOWN = 50
LONGEST_VALUE = 60


@click.command("diff", epilog="Exit codes: 0 done, 2 no such plan or file, 3 they differ and --exit-code was given.")
@click.argument("first")
@click.argument("second")
@click.option("--all", "show_all", is_flag=True, help=f"List every SIM that differs, not just the first {SHOWN}.")
@click.option("--out", type=click.Path(path_type=Path, allow_dash=True), help="Every difference as JSON Lines.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 if the plans differ.")
@global_options
@click.pass_obj
def diff(shared: Globals, /, *, first: str, second: str, show_all: bool, out: Path | None, exit_code: bool) -> int:
    """Compare plan FIRST with plan SECOND, SIM by SIM.

    Each is an id or an exported file, in any mixture. Tells which SIMs were added, removed or changed with every value
    before and after, and what their headers and policies say differently.
    """
    return finish("plan diff", shared, lambda: _diff(shared, (first, second), out, show_all, exit_code))


def _diff(shared: Globals, names: tuple[str, str], out: Path | None, show_all: bool, exit_code: bool) -> Outcome:
    if out is not None:
        check_destination(shared, out)
    tally = DiffTally()
    shown: list[SimDifference] = []
    with ExitStack() as closing:
        before, after = _sides(shared, names, closing)
        header = _header_differences(before, after)
        found = tally.counting(compared(before.lines(), after.lines()))
        as_text = not (shared.json or shared.events or is_stdout(out))
        noted = _noting(found, shown, show_all=show_all, as_text=as_text)
        if out is None:
            for _ in noted:
                pass
        else:
            written(out, (json.dumps(one.as_dict(), ensure_ascii=False) + "\n" for one in noted))
    outcome = _told(before, after, header, tally, shown, is_listed=show_all)
    is_on_stdout = is_stdout(out)
    if exit_code and (header or tally.kinds):
        problem = Problem("attention", "the plans differ")
        return Outcome(outcome.data, outcome.text, ExitCode.ATTENTION, (problem,), is_on_stdout)
    return Outcome(outcome.data, outcome.text, is_on_stdout=is_on_stdout)


def _noting(
    found: Iterable[SimDifference], shown: list[SimDifference], *, show_all: bool, as_text: bool
) -> Iterator[SimDifference]:
    """Pass differences through, and keep or show them.

    The first differences are kept to be shown later, or all are shown as they come.
    """
    for difference in found:
        if show_all and as_text:
            click.echo(_line(difference))
        elif show_all or len(shown) < SHOWN:
            shown.append(difference)
        yield difference


def _sides(shared: Globals, names: tuple[str, str], closing: ExitStack) -> tuple[ReadPlan, ReadPlan]:
    """Return both plans.

    The store is opened only if one of them is not a file. The policy of a file is then looked for in the store.
    """
    if all(Path(name).is_file() for name in names):
        return read_plan(None, names[0]), read_plan(None, names[1])
    store = closing.enter_context(wiring.store_of(shared.state, shared.config))
    return read_plan(store, names[0]), read_plan(store, names[1])


def _header_differences(before: ReadPlan, after: ReadPlan) -> dict[str, tuple[Any, Any]]:

    found = dict(header_differences(header_document(before.header), header_document(after.header)))
    if before.policy is not None and after.policy is not None:
        policies = header_differences(before.policy, after.policy)
        found |= {f"policy.{name}": values for name, values in policies.items()}
    return found


def _told(
    before: ReadPlan, after: ReadPlan, header: Values, tally: DiffTally, shown: list[SimDifference], *, is_listed: bool
) -> Outcome:
    count = sum(tally.kinds.values())
    data = {
        "before": before.header.plan_id,
        "after": after.header.plan_id,
        "is_same": not (header or count),
        "header": {name: {"before": was, "after": now} for name, (was, now) in header.items()},
        "kinds": dict(sorted(tally.kinds.items())),
        "fields": dict(sorted(tally.fields.items())),
        "actions": dict(sorted(tally.actions.items())),
        "differing": count,
        "sims": [difference.as_dict() for difference in shown],
    }
    title = f"From plan {before.header.plan_id} to plan {after.header.plan_id}"
    if data["is_same"]:
        return Outcome(data, (f"{title}: no differences.",))
    text: list[Any] = [f"{title}: {n_sims(count)} with differences."]
    if header:
        rows = [(name, _brief(was), _brief(now)) for name, (was, now) in header.items()]
        text.append(table("Of the plan as a whole", ("value", "before", "after"), rows))
    for words, counts in (("SIMs", tally.kinds), ("Actions", tally.actions), ("Values", tally.fields)):
        if counts:
            text.append(table(words, ("", "SIMs"), sorted(counts.items())))
    text += [_line(difference) for difference in shown]
    if count > len(shown) and not is_listed:
        text.append(f"... and {count - len(shown)} more; --all lists them, --out FILE writes them.")
    return Outcome(data, text)


def _line(difference: SimDifference) -> str:
    """Return a SIM on one line.

    A SIM that only one plan holds is shown with the values that say what it was planned for.
    """
    names = difference.fields if difference.kind == "changed" else ("action", "reason", "target_iccid", "name")
    told = [
        f"{name} {_brief(values[0])} -> {_brief(values[1])}"
        for name in names
        if (values := difference.fields.get(name)) is not None
    ]
    return f"{difference.kind.value} {difference.source_iccid}: {'; '.join(told)}"


def _brief(value: Any) -> str:
    """Return a value as JSON, cut short; `--json` and `--out` have all."""
    text = "nothing" if value is None else printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
