"""States, limits, names and tags of the simulated Hologram."""

from datetime import timedelta
from typing import Any

import anyio
import pytest

from migrator.carriers.hologram.simulator import HologramSimulator, ReplyEdition, SmsIncrease, TagRepeat
from tests.carriers.hologram.hologram_api import INSTANT, SIMS, A, Api, B, virtual, with_claimed, with_stock


@virtual
async def test_a_pause_is_pending_and_locked_until_it_settles() -> None:
    """Taken from the reference: success true, a job id, and nothing modified."""
    api = with_claimed(state_pending_s=(60, 60))
    await api.command("state", A, state="pause")
    assert api.sim.sims[A].state == "PAUSED-PENDING-USER"
    answer = await api.command("state", A, state="live")
    results = answer["data"]["valid_tasks"][0]["task_results"]
    assert (answer["success"], results["devices_modified"]) == (True, [])
    assert results["warnings"][0]["message"] == "SIM state is locked (PAUSED-PENDING-USER). Contact support"
    await anyio.sleep(60)
    assert (await api.link(A))["state"] == "PAUSED-USER"
    history = (await api.get(f"links/cellular/{api.sim.sims[A].link_id}/history"))["data"]
    assert [entry["newstate"] for entry in history] == ["PAUSED-USER", "PAUSED-PENDING-USER"]


@virtual
async def test_what_is_set_while_a_sim_is_pending_stays_when_it_settles() -> None:
    api = with_stock(claim_pending_s=(60, 60), limits_lag_s=10)
    await api.claim(A)
    await api.command("usagelimit", A, overagelimit=4_096)
    await api.http.put(f"devices/{api.sim.sims[A].device_id}", json={"name": "unit"})
    await anyio.sleep(60)
    link = api.sim.sims[A]
    assert (link.state, link.name, link.overage_limit) == ("LIVE", "unit", 4_096)


@virtual
async def test_a_stuck_sim_stays_pending_for_ever() -> None:
    api = with_stock(stuck=frozenset({A}), claim_pending_s=(10, 20))
    await api.claim(A, B)
    await anyio.sleep(timedelta(days=30).total_seconds())
    assert (api.sim.sims[A].state, api.sim.sims[B].state) == ("LIVE-PENDING", "LIVE")


@virtual
async def test_a_share_of_sims_is_stuck_whatever_the_order_of_claims() -> None:
    """Seeds are only of use when the draw depends on the SIM and not on who came first."""
    stuck = []
    for order in (SIMS, [*SIMS[1:], SIMS[0]]):
        api = with_stock(stuck_share=0.5)
        for iccid in order:
            await api.claim(iccid)
        await anyio.sleep(3_600)
        stuck.append({iccid for iccid in SIMS if api.sim.sims[iccid].state != "LIVE"})
    assert stuck[0] == stuck[1]
    assert 0 < len(stuck[0]) < len(SIMS)


@virtual
async def test_what_the_carrier_paused_the_api_cannot_resume() -> None:
    api = with_stock(paused_by_system=frozenset({A}), **INSTANT)
    await api.claim(A)
    assert (await api.link(A))["state"] == "PAUSED-SYS"
    answer = await api.command("state", A, state="live")
    assert answer["data"]["valid_tasks"][0]["task_results"]["devices_modified"] == []
    assert api.sim.sims[A].state == "PAUSED-SYS"


@virtual
async def test_batch_state_and_its_job_list_speak_every_edition() -> None:
    jobs = {}
    for edition in ReplyEdition:
        api = with_claimed(edition=edition, state_pending_s=(60, 60), job_status="odd word")
        await api.command("state", A, state="pause")
        data = (await api.command("state", A, state="pause"))["data"]
        results = data["valid_tasks"][0].get("task_results", {"warnings": [None]})
        jobs[edition] = (type(data["jobid"]), type(results["warnings"][0]))
        tasks = (await api.get("devices/batch/state", orgid=api.sim.org_id))["data"]["tasks"]
        assert str(tasks[0]["job_id"]) == str(data["jobid"])
        assert tasks[0]["status"] == "odd word"
    assert jobs == {
        ReplyEdition.REF_1: (str, str),
        ReplyEdition.REF_2: (str, dict),
        ReplyEdition.REF_3: (int, type(None)),
    }


@virtual
async def test_a_device_that_is_not_ours_is_left_out_with_a_warning() -> None:
    sim = HologramSimulator()
    sim.stock_foreign([A])
    answer = await Api(sim).command("state", A, state="pause")
    assert answer["data"]["valid_tasks"][0]["task_results"]["devices_modified"] == []
    assert sim.sims[A].state == "LIVE"


@pytest.mark.parametrize(
    ("increase", "success", "warned", "limit"),
    [
        (SmsIncrease.IGNORE, True, 1, 100),
        (SmsIncrease.REFUSE, False, 0, 100),
        (SmsIncrease.ALLOW, True, 0, -1),
    ],
)
@virtual
async def test_an_sms_limit_without_a_contract(
    *, increase: SmsIncrease, success: bool, warned: int, limit: int
) -> None:
    api = with_claimed(sms_increase=increase)
    answer = await api.command("usagelimit", A, smslimit=-1, overagelimit=4_096)
    assert answer["success"] is success
    assert len(answer.get("data", {}).get("warnings", [])) == warned
    assert api.sim.sims[A].sms_limit == limit
    assert api.sim.sims[A].overage_limit == (4_096 if success else -1)


@virtual
async def test_limits_can_take_their_time() -> None:
    api = with_claimed(limits_lag_s=40)
    answer = await api.command("usagelimit", A, overagelimit=4_096)
    assert answer["data"]["newoveragelimit"] == 4_096
    await anyio.sleep(39)
    assert (await api.link(A))["overagelimit"] == -1
    await anyio.sleep(1)
    assert (await api.link(A))["overagelimit"] == api.sim.sims[A].overage_limit == 4_096


@virtual
async def test_limits_of_pending_sims_can_be_locked() -> None:
    api = with_stock(limits_locked_while_pending=True, claim_pending_s=(60, 60))
    await api.claim(A)
    answer = await api.command("usagelimit", A, overagelimit=4_096)
    assert (answer["data"]["devices_modified"], len(answer["data"]["warnings"])) == ([], 1)
    assert api.sim.sims[A].overage_limit == -1


@virtual
async def test_a_limit_command_may_answer_with_a_job_only() -> None:
    api = with_claimed(limits_edition=ReplyEdition.REF_3)
    assert (await api.command("usagelimit", A, overagelimit=1))["data"]["valid_tasks"] == [{}]
    assert api.sim.sims[A].overage_limit == 1


@virtual
async def test_names_are_set_exactly_or_cut_without_a_word() -> None:
    api = with_claimed(max_name=8)
    reply = await api.http.put(f"devices/{api.sim.sims[A].device_id}", json={"name": "sensor-unit-42"})
    assert (reply.json()["data"]["name"], api.sim.sims[A].name) == ("sensor-u", "sensor-u")


@pytest.mark.parametrize(
    ("options", "space", "name"),
    [({"skipPostfix": True}, True, "unit"), ({}, True, f"unit ({A[-5:]})"), ({}, False, f"unit({A[-5:]})")],
)
@virtual
async def test_bulk_rename_appends_the_end_of_the_iccid_unless_told_not_to(
    *, options: dict[str, Any], space: bool, name: str
) -> None:
    api = with_claimed(suffix_space=space)
    body = {"prefix": "unit", "deviceids": [api.sim.sims[A].device_id], **options}
    assert (await api.http.post("devices/names", json=body)).json() == {"success": True}
    assert api.sim.sims[A].name == name
    assert api.sim.sims[B].name != name


@virtual
async def test_bulk_rename_needs_its_feature() -> None:
    api = with_claimed(features=frozenset())
    body = {"prefix": "unit", "deviceids": [api.sim.sims[A].device_id]}
    assert (await api.http.post("devices/names", json=body)).status_code == 403


@pytest.mark.parametrize(
    ("repeat", "status", "tags"), [(TagRepeat.REFUSE, 400, 1), (TagRepeat.REUSE, 200, 1), (TagRepeat.CREATE, 200, 2)]
)
@virtual
async def test_a_tag_of_a_name_that_exists(repeat: TagRepeat, status: int, tags: int) -> None:
    api = with_stock(tag_repeat=repeat)
    for _ in range(2):
        reply = await api.http.post("devices/tags", params={"orgid": api.sim.org_id}, json={"name": "field"})
    assert reply.status_code == status
    assert len((await api.get("devices/tags", orgid=api.sim.org_id))["data"]["tags"]) == tags


@virtual
async def test_a_claim_brings_its_tag_along() -> None:
    api = with_stock(tags_edition=ReplyEdition.REF_1)
    tag = (await api.http.post("devices/tags", params={"orgid": api.sim.org_id}, json={"name": "field"})).json()
    await api.claim(A, tagid=tag["data"][0]["id"])
    assert api.sim.sims[A].tags == {"field"}


@virtual
async def test_the_older_editions_want_the_organization_in_the_query() -> None:
    for edition, status in ((ReplyEdition.REF_1, 400), (ReplyEdition.REF_2, 400), (ReplyEdition.REF_3, 200)):
        api = with_claimed(edition=edition)
        body = {"deviceids": [api.sim.sims[A].device_id], "state": "pause", "overagelimit": 1}
        for path in ("devices/batch/state", "devices/batch/usagelimit"):
            assert (await api.http.post(path, json=body)).status_code == status


@pytest.mark.parametrize("body", [{}, {"overagelimit": -2}, {"overagelimit": "much"}, {"overagelimit": 1.5}])
@virtual
async def test_a_limit_that_makes_no_sense_is_refused(body: dict[str, Any]) -> None:
    api = with_claimed()
    assert (await api.command("usagelimit", A, **body))["success"] is False
    assert api.sim.sims[A].overage_limit == -1


@virtual
async def test_more_devices_than_one_call_takes_are_refused() -> None:
    api = with_claimed(max_devices=2)
    assert (await api.command("state", *SIMS[:3], state="pause"))["success"] is False
    assert (await api.command("state", *SIMS[:2], state="pause"))["success"] is True


@pytest.mark.parametrize(("warned", "modified"), [(True, 0), (False, 1)])
@virtual
async def test_asking_for_the_state_a_sim_has_changes_nothing(*, warned: bool, modified: int) -> None:
    api = with_claimed(same_state_warned=warned)
    answer = await api.command("state", A, state="live")
    assert len(answer["data"]["valid_tasks"][0]["task_results"]["devices_modified"]) == modified
    assert api.sim.sims[A].state == "LIVE"


@virtual
async def test_a_preview_of_names_renames_nobody_and_unlinking_a_tag_takes_it_off() -> None:
    api = with_claimed()
    body = {"prefix": "unit", "deviceids": [api.sim.sims[A].device_id]}
    preview = (await api.http.post("devices/names", json=body, params={"preview": 1})).json()
    assert preview["data"] == [f"unit ({A[-5:]})"]
    assert api.sim.sims[A].name != preview["data"][0]
    new = {"name": "field", "deviceids": body["deviceids"]}
    tag = (await api.http.post("devices/tags", params={"orgid": api.sim.org_id}, json=new)).json()["data"]["tags"][0]
    await api.http.post(f"devices/tags/{tag['id']}/unlink", json={"deviceids": body["deviceids"]})
    assert api.sim.sims[A].tags == frozenset()


@virtual
async def test_deleting_a_tag_takes_it_off_and_is_remembered() -> None:
    api = with_claimed()
    device_ids = [api.sim.sims[A].device_id]
    body = {"name": "field", "deviceids": device_ids}
    tag = (await api.http.post("devices/tags", params={"orgid": api.sim.org_id}, json=body)).json()["data"]["tags"][0]
    assert tag["deviceids"] == device_ids
    await api.http.delete(f"devices/tags/{tag['id']}")
    assert api.sim.sims[A].tags == frozenset()
    assert len(api.sim.ledger.forbidden) == 1
