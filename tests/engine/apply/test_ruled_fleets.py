"""Policies with rules and selecting waves, carried out against the simulated carrier on a virtual clock."""

from pathlib import Path

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.core.plan.plan import Action
from migrator.core.run.results import ExitCode
from tests.worlds.world import POLICY, World

WAVES = """
[[waves]]
name = "dx"
label = "DX-*"
share = 0.1
[[waves]]
name = "tenth"
share = 0.1
[[waves]]
name = "rest"
"""
RULES = """
[[rule]]
name = "disabled ones"
when = { status = "disabled" }
[rule.status]
disabled = "pause"
[rule.data_limit]
basis = "fixed"
fixed_mb = 0.000001
[[rule]]
name = "large"
when = { data_quota_mb_min = 1000 }
[rule.data_limit]
maximum_mb = 700.5
[rule.sms_limit]
maximum = 5
[[rule]]
name = "labelled"
when = { label = "Unit*" }
[rule.device_name]
template = "{label} was {source_iccid}"
on_duplicate = "suffix"
"""
RULED = POLICY.replace('\n[[waves]]\nname = "all"\n', WAVES) + RULES


@pytest.fixture
def world(tmp_path: Path) -> World:
    quick = HologramBehaviour(claim_pending_s=(0, 0), state_pending_s=(0, 0))
    return World(tmp_path, sims=60, behaviour=quick, policy_text=RULED)


def test_every_sim_ends_as_its_rule_says_and_planning_again_changes_nothing(world: World) -> None:
    header = world.ready()
    with world.store() as store:
        changes = list(store.plans.changes(header.plan_id))
    assert {change.rule for change in changes} >= {"", "disabled ones", "large", "labelled"}
    assert len(changes) == world.sims == sum(header.counts.values())
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    world.check_fulfilled()
    again = world.plan()
    assert {action for action, sims in again.counts.items() if sims} <= {Action.NO_OP.value, Action.SKIP.value}


def test_waves_are_claimed_in_their_order_whatever_selects_them(world: World) -> None:
    header = world.ready()
    world.apply_until_quiet()
    with world.store() as store:
        wave_of = {
            str(change.target_iccid): change.wave
            for change in store.plans.changes(header.plan_id)
            if change.action is Action.CLAIM
        }
    sent = [[wave_of[iccid] for iccid in iccids] for _, iccids in world.claims_sent()]
    assert sent == sorted(sent, key=lambda waves: header.waves.index(waves[0] or ""))
    assert all(len(set(waves)) == 1 for waves in sent)
