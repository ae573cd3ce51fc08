"""Labels that are no plain text, on their way through pull, plan, cutover and rollback."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.onence.simulator.choices import LabelForm
from migrator.carriers.simulation import InProcessTransport
from migrator.core.plan.plan import Action, Reason
from migrator.core.run.results import ExitCode
from migrator.engine.run.context import Hooks
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.odd_labels import CUT_EMOJI
from tests.worlds.world import POLICY, World

VERSIONS = ["v1", "v2"]


def migrated(folder: Path, labels: dict[int, Any], **values: Any) -> CutoverWorld:
    """A migrated fleet of eight; some SIMs got these labels right after, by their place in the cutover's order."""
    world = CutoverWorld(folder, sims=values.pop("sims", 8), **values)
    world.migrated()
    meant = sorted(world.meant(world.cutover_plan()))
    for nth, label in labels.items():
        sim = world.source.fleet.find(meant[nth])
        assert sim is not None
        sim.label = label
    world.before = world.values()
    return world


@pytest.mark.parametrize("version", VERSIONS)
def test_a_label_that_is_cut_inside_an_emoji_goes_out_as_it_came(tmp_path: Path, version: Any) -> None:
    world = migrated(tmp_path, {0: CUT_EMOJI}, api_version=version)
    world.cutover_plan()
    assert world.cut_over().exit_code is ExitCode.DONE
    world.check_values()
    world.rollback_plan()
    assert world.roll_back().exit_code is ExitCode.DONE
    world.check_values()


# --- what was not read whole is not written back ------------------------------------------------------------------

UNREADABLE = [form for form in LabelForm if form is not LabelForm.OMITTED]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", list(LabelForm))
def test_a_label_that_is_not_told_as_it_is_leaves_the_sim_on(tmp_path: Path, version: Any, form: LabelForm) -> None:
    world = migrated(tmp_path, {0: "Zähler 7"}, api_version=version)
    world.pull()
    doomed = min(world.meant(header := world.cutover_plan()))
    world.source.behaviour = replace(world.source.behaviour, single_labels={doomed: form})
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION, result
    assert dict(result.aside) == {"label_unreadable": 1}
    assert world.meant(header) - world.off() == {doomed}
    world.check_values()


@pytest.mark.parametrize("form", list(LabelForm))
def test_a_label_that_is_not_told_as_it_is_is_not_written_back_in_a_rollback(tmp_path: Path, form: LabelForm) -> None:
    world = migrated(tmp_path, {0: "Zähler 7"})
    world.pull()
    doomed = min(world.meant(world.cutover_plan()))
    assert world.cut_over().exit_code is ExitCode.DONE
    world.rollback_plan()
    world.source.behaviour = replace(world.source.behaviour, single_labels={doomed: form})
    assert dict(world.roll_back().aside) == {"label_unreadable": 1}
    assert doomed in world.off()
    assert world.target.sims[world.pairs()[doomed]].state == "LIVE"
    world.check_values()


@pytest.mark.parametrize("form", [LabelForm.OBJECT, LabelForm.NUMBER, LabelForm.BROKEN])
def test_a_label_that_neither_read_tells_as_it_is_leaves_the_sim_on(tmp_path: Path, form: LabelForm) -> None:
    """The inventory is no help here: it holds what could not be read either."""
    world = migrated(tmp_path, {0: "Zähler 7"})
    doomed = min(world.meant(world.cutover_plan()))
    odd = {doomed: form}
    world.source.behaviour = replace(world.source.behaviour, single_labels=odd, listed_labels=odd)
    world.pull()
    assert dict(world.cut_over().aside) == {"label_unreadable": 1}
    world.check_values()


def test_a_label_that_was_changed_since_the_pull_goes_out_as_it_is_now(tmp_path: Path) -> None:
    world = migrated(tmp_path, {0: "renamed today"})
    world.cutover_plan()
    assert world.cut_over().exit_code is ExitCode.DONE
    world.check_values()


def test_a_label_that_was_removed_needs_a_pull_that_says_so(tmp_path: Path) -> None:
    """1NCE leaves out what a SIM does not have, and what it forgets to tell: only the list can confirm it."""
    world = migrated(tmp_path, {0: None})
    doomed = min(world.meant(world.cutover_plan()))
    assert dict(world.cut_over().aside) == {"label_unreadable": 1}
    assert doomed not in world.off()
    world.pull()
    world.cutover_plan()
    assert world.cut_over().exit_code is ExitCode.DONE
    assert doomed in world.off()
    world.check_values()


def test_a_label_that_truly_holds_the_replacement_character_goes_out_as_it_is(tmp_path: Path) -> None:
    world = migrated(tmp_path, {0: "Z\ufffdhler"})
    world.pull()
    world.cutover_plan()
    assert world.cut_over().exit_code is ExitCode.DONE
    world.check_values()


@pytest.mark.parametrize("form", [LabelForm.OBJECT, LabelForm.NUMBER])
def test_a_list_that_tells_no_text_vouches_for_no_label(tmp_path: Path, form: LabelForm) -> None:
    """The SIM has no label, and its own record tells one that is U+FFFD and nothing else."""
    world = migrated(tmp_path, {0: ""})
    doomed = min(world.meant(world.cutover_plan()))
    world.source.behaviour = replace(
        world.source.behaviour, single_labels={doomed: LabelForm.REPLACED}, listed_labels={doomed: form}
    )
    world.pull()
    assert dict(world.cut_over().aside) == {"label_unreadable": 1}
    assert doomed not in world.off()
    world.check_values()


@pytest.mark.parametrize("form", [LabelForm.OBJECT, LabelForm.BROKEN])
def test_a_label_that_cannot_be_read_after_the_order_is_told(tmp_path: Path, form: LabelForm) -> None:
    world = migrated(tmp_path, {0: "Zähler 7"})
    world.pull()
    first = min(world.meant(world.cutover_plan()))

    def spoil(_kind: object) -> None:
        world.source.behaviour = replace(world.source.behaviour, single_labels={first: form})

    result = world.cut_over(hooks=Hooks(after_outcome=spoil))
    assert result.exit_code is ExitCode.ATTENTION, result
    assert dict(result.changed) == {"label_unreadable": 1}
    world.check_values()


@pytest.mark.parametrize("label", ["Zähler", None])
@pytest.mark.parametrize("form", UNREADABLE)
def test_a_label_that_the_list_does_not_tell_as_it_is_is_warned_of_and_names_nothing(
    tmp_path: Path, form: LabelForm, label: str | None
) -> None:
    world = World(tmp_path, sims=4)
    odd = next(sim for sim in world.source.fleet if sim.status == "Enabled")
    odd.label = label
    world.source.behaviour = replace(world.source.behaviour, listed_labels={odd.iccid: form})
    (warning,) = world.pull().warnings
    assert "could not be read whole: 1" in warning
    assert odd.iccid in warning
    world.pair()
    header = world.plan()
    with world.store() as store:
        (change,) = [one for one in store.plans.changes(header.plan_id) if one.source_iccid.digits == odd.iccid]
    assert (change.action, change.reason, change.name) == (Action.BLOCK, Reason.LABEL_UNREADABLE, None)


def test_names_that_are_not_made_of_the_label_do_not_mind_it(tmp_path: Path) -> None:
    world = World(tmp_path, sims=4, policy_text=f'{POLICY}[name]\ntemplate = "{{source_iccid}}"\n')
    odd = next(sim for sim in world.source.fleet if sim.status == "Enabled")
    odd.label = CUT_EMOJI
    world.ready()
    assert world.apply_until_quiet().exit_code is ExitCode.DONE
    world.check_fulfilled()


# --- what nobody foresaw ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_defect_that_one_sim_brings_to_light_stops_no_other(tmp_path: Path, version: Any) -> None:
    world = migrated(tmp_path, {}, api_version=version)
    header = world.cutover_plan()
    meant = sorted(world.meant(header))
    world.defective = {meant[1]}
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION, result
    assert world.off() >= set(meant) - world.defective
    assert meant[1] not in world.off()
    assert dict(result.failed) == {"unexpected": 1}


def test_a_defect_that_one_sim_brings_to_light_stops_no_other_on_the_way_back(tmp_path: Path) -> None:
    world = migrated(tmp_path, {})
    header = world.cutover_plan()
    meant = world.meant(header)
    world.cut_over()
    world.rollback_plan()
    world.defective = {max(meant)}
    result = world.roll_back()
    assert result.exit_code is ExitCode.ATTENTION, result
    assert world.off() & meant == world.defective
    assert world.paused() & meant == meant - world.defective


def test_where_a_defect_shows_itself_is_told_and_not_what_it_says(tmp_path: Path) -> None:
    world = migrated(tmp_path, {})
    header = world.cutover_plan()
    world.defective = {min(world.meant(header))}
    world.cut_over()
    with world.store() as store:
        (told,) = {
            step.message
            for item in store.cutovers.all_items(header.cutover_id)
            for step in item.steps.values()
            if step.code == "unexpected"
        }
    assert "ArithmeticError in cutover_world.py, line " in told
    assert "brings to light" not in told


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_defect_while_a_sim_is_read_stops_no_other(tmp_path: Path, side: str) -> None:
    world = migrated(tmp_path, {}, behaviour=HologramBehaviour(imei_shown=False))
    meant = world.meant(world.cutover_plan())
    doomed = min(sim.iccid for sim in world.source.fleet if sim.iccid in meant and sim.imei)
    link_id = world.target.sims[world.pairs()[doomed]].link_id
    world.defective_reads = {doomed if side == "old" else f"linkid={link_id}"}
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION, result
    assert dict(result.aside) == {"unexpected": 1}
    assert doomed not in world.off()
    assert world.off() >= meant - {doomed}


class OneDefect(World):
    """A world in which the naming of one SIM meets an error below our client that nobody foresaw."""

    def http(self, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
        return World.http(self, transport or Defective(self.target))


class Defective(InProcessTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT" and b"doomed" in request.content:
            raise ArithmeticError("a defect that this SIM brings to light")
        return await super().handle_async_request(request)


def test_a_defect_while_one_sim_is_named_stops_no_other(tmp_path: Path) -> None:
    world = OneDefect(tmp_path, sims=6)
    doomed = next(sim for sim in world.source.fleet if sim.status == "Enabled")
    doomed.label = "doomed"
    world.ready()
    result = world.apply_until_quiet()
    assert result.exit_code is ExitCode.ATTENTION, result
    assert dict(result.failed) == {"unexpected": 1}
    assert result.verdicts["mismatch"] == 1
    world.check()


def test_a_record_that_is_never_this_sims_puts_it_aside(tmp_path: Path) -> None:
    """As where a gateway mixes answers up: once is weather, time after time is this SIM's trouble."""
    world = migrated(tmp_path, {})
    meant = sorted(world.meant(world.cutover_plan()))
    world.source.behaviour = replace(world.source.behaviour, single_reads_of_others=frozenset({meant[0]}))
    result = world.cut_over()
    assert result.exit_code is ExitCode.ATTENTION, result
    assert dict(result.aside) == {"unreadable_at_source": 1}
    assert meant[0] not in world.off()
    assert world.off() >= set(meant[1:])
