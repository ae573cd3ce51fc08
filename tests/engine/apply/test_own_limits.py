"""Plans by the limits that SIMs have at Onomondo: byte for byte where monthly, else by the policy's word alone."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migrator.core.plan.plan import Change, PlanHeader
from migrator.core.run.results import ExitCode
from migrator.errors import InputError
from migrator.workflows.plans.changes_since import changes_since
from tests.worlds.onomondo_world import OWN_WORDS, OnomondoWorld
from tests.worlds.world import POLICY as OF_ONENCE

POLICY = OF_ONENCE.replace("[status]", f"{OWN_WORDS}[status]")
KEEP = '[sms_limit]\nbasis = "keep"\n'
PERIODS = ("monthly", "daily", "hourly", "yearly")


def world_by(folder: Path, policy: str, **asked: Any) -> OnomondoWorld:
    """A fleet that is pulled whole and paired, and whose limits are of every period."""
    world = OnomondoWorld(folder, sims=8, policy_text=POLICY.replace("[status]", f"{policy}[status]"))
    for number, sim in enumerate(world.source.fleet):
        sim.limit_bytes, sim.limit_type = 500_001 + number, PERIODS[number % 4]
    world.pull(quotas=True, **asked)
    world.pair()
    return world


def changes(world: OnomondoWorld, header: PlanHeader) -> dict[str, Change]:
    with world.store() as store:
        return {change.source_iccid.digits: change for change in store.plans.changes(header.plan_id)}


def test_without_a_word_monthly_limits_go_over_to_the_byte_and_others_wait_for_a_person(tmp_path: Path) -> None:
    world = world_by(tmp_path, KEEP)
    planned = changes(world, header := world.plan())
    blocked = {iccid for iccid, change in planned.items() if change.reason == "limit_period"}
    assert blocked == {sim.iccid for sim in world.source.fleet if sim.limit_type != "monthly"}
    assert header.claims == 2
    assert world.apply_until_quiet().exit_code is ExitCode.ATTENTION
    limits = {new: world.target.sims[new].overage_limit for new in world.ours()}
    olds = world._olds()
    assert {olds[new]: limit for new, limit in limits.items()} == {
        sim.iccid: sim.limit_bytes for sim in world.source.fleet if sim.limit_type == "monthly"
    }


def test_a_choice_for_other_periods_is_said_with_each_sim_and_of_all(tmp_path: Path) -> None:
    world = world_by(tmp_path, f'[data_limit]\nbasis = "data_limit"\nother_periods = "thirty_days"\n{KEEP}')
    planned = changes(world, header := world.plan())
    for sim in world.source.fleet:
        change, times = planned[sim.iccid], {"monthly": 1, "daily": 30, "hourly": 720}.get(sim.limit_type)
        assert change.overage_limit_bytes == (None if times is None else sim.limit_bytes * times)
        assert ("assumes" in change.detail) == (times in {30, 720})
    assert Counter(change.action.value for change in planned.values()) == {"CLAIM": 6, "BLOCK": 2}
    assert any("not for a month: 4" in words for words in header.summary["warnings"])


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("", '[sms_limit] basis = "total" needs a booked SMS volume'),
        (f'[data_limit]\nbasis = "total"\n{KEEP}', '[data_limit] basis = "total" needs a booked data volume'),
        (f'[data_limit]\nbasis = "remaining"\n{KEEP}', '[data_limit] basis = "remaining" needs what is left'),
        (f'[data_limit]\nbasis = "monthly_limit"\n{KEEP}', '[data_limit] basis = "monthly_limit" needs a monthly'),
        ('[sms_limit]\nbasis = "monthly_limit"\n', '[sms_limit] basis = "monthly_limit" needs a monthly SMS cap'),
    ],
)
def test_a_basis_that_onomondo_does_not_have_makes_no_plan(tmp_path: Path, policy: str, words: str) -> None:
    world = world_by(tmp_path, policy)
    with pytest.raises(InputError) as caught:
        world.plan()
    assert words in caught.value.message
    assert "Onomondo tells none" in caught.value.message
    assert "write" in caught.value.hint
    assert '"total"' not in caught.value.hint  # nobody is sent to what the source lacks, too


def test_a_basis_that_the_source_lacks_is_refused_at_its_line_and_a_default_is_called_one(tmp_path: Path) -> None:
    rule = '[[rule]]\nname = "odd"\nwhen = { status = "enabled" }\n[rule.data_limit]\nbasis = "total"\n'
    world = OnomondoWorld(tmp_path, sims=4, policy_text=f"{POLICY}[data_limit]\nmaximum_mb = 900\n{rule}")
    world.pull()
    world.pair()
    with pytest.raises(InputError) as caught:
        world.plan()
    section, ruled, sms = (problem.message for problem in caught.value.problems)
    unsaid = '(no basis is set, which means "total" here)'
    lines = world.policy_text.splitlines()
    assert section.startswith(f'policy.toml:{lines.index("[data_limit]") + 1}: [data_limit] basis = "total" needs')
    assert ruled.startswith(f"policy.toml:{len(lines)}: rule 'odd': [rule.data_limit] basis = \"total\" needs")
    assert sms.startswith('policy.toml: [sms_limit] basis = "total" needs')  # no line has that section
    assert [words.endswith(unsaid) for words in (section, ruled, sms)] == [True, False, True]


def test_limits_that_no_list_tells_and_nobody_read_make_no_plan(tmp_path: Path) -> None:
    world = OnomondoWorld(tmp_path, sims=4, policy_text=POLICY.replace("[status]", f"{KEEP}[status]"))
    world.pull()
    world.pair()
    with pytest.raises(InputError, match="needs a booked data volume") as caught:
        world.plan()
    assert "inventory pull --quotas" in caught.value.hint


def test_a_plan_is_stale_once_a_limit_is_another_and_not_for_a_pull_that_reads_none(tmp_path: Path) -> None:
    world = world_by(tmp_path, KEEP)
    plan_id = world.plan().plan_id
    world.pull()
    assert since(world, plan_id) == []
    monthly = next(sim for sim in world.source.fleet if sim.limit_type == "monthly")
    monthly.limit_bytes += 1
    world.pull(quotas=True)
    (line,) = since(world, plan_id)
    assert f"its data limit was {monthly.limit_bytes - 1} bytes monthly and is {monthly.limit_bytes} bytes" in line


def since(world: OnomondoWorld, plan_id: str) -> list[str]:
    """What changed since a plan was made."""
    with world.store() as store:
        header = store.plans.header(plan_id)
        return list(changes_since(store, replace(header, summary={**header.summary, "policy_file": None})).changed)
