"""The evidence of a campaign: all its plans in one zip, which the same check takes, and finds tampering in."""

import json
import re
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from migrator.cli.app.root import run
from migrator.core.audit.campaign import OWNED, POLICY_TEXT
from migrator.core.cutover.plan import Direction
from migrator.core.run.results import ExitCode
from migrator.errors import InputError
from migrator.reports.evidence.check import UNLISTED, evidence_problems
from migrator.store.campaigns import campaigns as keeping
from migrator.store.log import note
from migrator.store.tables.campaigns import ticks
from migrator.workflows import evidence as gathering
from migrator.workflows.campaign.make import create_campaign, end_campaign, pause_campaign, resume_campaign
from migrator.workflows.cutover.apply import CutoverBounds, carry_out_cutover
from migrator.workflows.cutover.make import make_rollback
from migrator.workflows.evidence import gather, gather_campaign
from tests.reports.test_evidence import forged, line, replacing, without
from tests.worlds.campaigned import CampaignWorld
from tests.worlds.cutover_world import CutoverWorld
from tests.worlds.outside import SETTINGS, site_of

DAY_S = 86_400.0
Edit = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> CampaignWorld:
    """A campaign with two plans, a changed policy, a cutover, and a rollback; and another campaign before it."""
    world = CampaignWorld(tmp_path_factory.mktemp("world"), sims=14, seed=3)
    world.began(claims_per_day=3)
    world.wait(60)
    with site_of(world, world.outside) as site:
        end_campaign(site, by="ann")
        create_campaign(site, world.folder / "policy.toml", folder=world.folder / "campaign")
    world.approve("ann@desk")
    world.hand_in_pairs("all.csv", zip(world.on(), world.cards, strict=False))
    world.tick()
    world.write_policy(claims_per_day=4)
    world.approve("bob@desk")
    world.wait(DAY_S)
    world.tick()
    world.swap(next(old for old, card in world.pairs().items() if card in world.target.ledger.charges))
    for _ in range(2):
        world.tick()
        world.wait(3 * DAY_S)
    world.tick()
    with site_of(world, world.outside) as site:
        (cutover_id,) = site.store.cutovers.known(Direction.CUTOVER)
        migration = site.store.plans.header(site.store.cutovers.header(cutover_id).plan_id)
        back = make_rollback(site.store, migration, listed=None, waves=(), now=site.now())
        assert carry_out_cutover(site, back, CutoverBounds()).exit_code is ExitCode.DONE
    return world


@pytest.fixture(scope="module")
def plans(world: CampaignWorld) -> list[str]:
    with site_of(world, world.outside) as site:
        return site.store.campaigns.plans(site.store.campaigns.last())


@pytest.fixture(scope="module")
def whole(world: CampaignWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("whole") / "campaign.zip"
    with site_of(world, world.outside) as site:
        gather_campaign(site.store, file, now=site.now())
    return file


def rows(file: Path, name: str) -> list[Any]:
    with zipfile.ZipFile(file) as archive:
        return [json.loads(one) for one in archive.read(name).splitlines()]


def test_it_has_every_plan_and_all_that_is_told_over_them(whole: Path, plans: list[str], world: CampaignWorld) -> None:
    assert evidence_problems(whole)[1] == []
    assert len(plans) >= 2
    with zipfile.ZipFile(whole) as archive:
        names = archive.namelist()
    for plan_id in plans:
        for name in ("plan.jsonl", "policy.toml", "runs.jsonl", "requests.jsonl", "sims.jsonl"):
            assert f"plans/{plan_id}/{name}" in names
    assert names.count("events.jsonl") == 1
    assert not [name for name in names if name.endswith("/events.jsonl")]
    switches = [
        one
        for plan_id in plans
        if f"plans/{plan_id}/switches.jsonl" in names
        for one in rows(whole, f"plans/{plan_id}/switches.jsonl")
    ]
    assert sorted(one["direction"] for one in switches) == ["cutover", "rollback"]
    given = rows(whole, "approvals.jsonl")
    assert [one["approved_by"] for one in given] == ["ann@desk", "bob@desk"]
    policies = sorted(name for name in names if name.startswith("policies/"))
    assert [one["policy_sha256"][:12] for one in given] == [name[11:23] for name in policies]
    with zipfile.ZipFile(whole) as archive:
        texts = [archive.read(name).decode() for name in policies]
        assert [f"claims_per_day = {number}" in text for number, text in zip((3, 4), texts, strict=True)] == [True] * 2
        assert archive.read("policy.toml").decode() == texts[-1]
        assert json.loads(archive.read("report/campaign.json"))["lives"]["total"] == 14
        assert b"<html" in archive.read("report/campaign.html")
    with site_of(world, world.outside) as site:
        assert len(rows(whole, "ticks.jsonl")) == len(site.store.ticks.list())


def test_it_holds_no_secret(whole: Path, world: CampaignWorld) -> None:
    with zipfile.ZipFile(whole) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist()).decode()
    codes = [code for sim in world.target.sims.values() for code in (sim.pin, sim.puk)]
    assert all(codes)
    for word in (SETTINGS["HOLOGRAM_API_KEY"], *codes):
        assert not re.search(rf"\b{word}\b", content), word


FORGERIES: dict[str, tuple[dict[str, Edit | None], str]] = {
    "an approval was dropped": ({"approvals.jsonl": without(0)}, "approvals.jsonl"),
    "all approvals were dropped": ({"approvals.jsonl": None}, "approvals.jsonl"),
    "an approval is somebody else's": ({"approvals.jsonl": line(0, approved_by="eve")}, "approvals.jsonl"),
    "an approval is of another day": ({"approvals.jsonl": line(0, approved_s=1.0)}, "approvals.jsonl"),
    "the policy as it was read": ({"policy.json": lambda _: b"{}\n"}, "policy.json"),
    "the policy of now": ({"policy.toml": replacing("claims_per_day = 4", "claims_per_day = 9")}, "policy.toml"),
    "the campaign's hash": ({"campaign.json": line(0, policy_sha256="0" * 64)}, "campaign.json"),
    "the campaign's name": ({"campaign.json": line(0, name="another")}, "another campaign"),
    "the campaign's state": ({"campaign.json": line(0, state="ended")}, "state in campaign.json is ended"),
    "who made it": ({"campaign.json": line(0, created_by="eve")}, "created_by in campaign.json is eve"),
    "when it was made": ({"campaign.json": line(0, created_at="2020-01-01T00:00:00Z")}, "created_at in campaign.json"),
    "its approval's time": ({"campaign.json": line(0, approved_at="2020-01-01T00:00:00Z")}, "approved_at in campaign"),
    "its approval": ({"campaign.json": line(0, approved_at=None)}, "approved_at in campaign.json is None"),
    "its end": ({"campaign.json": line(0, ended_at="2030-01-01T00:00:00Z")}, "ended_at in campaign.json"),
    "the head of the log": ({"events.jsonl": lambda data: b"".join(data.splitlines(keepends=True)[:-1])}, "the head"),
    "an unknown member": ({"plans/notes.txt": lambda _: b"all is well"}, "plans/notes.txt is no part"),
    "a plan without a log's word": ({"plans/p0/plan.jsonl": lambda _: b"{}\n"}, "plans/p0/: the log does not tell"),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_with_a_mended_manifest_what_was_changed_over_the_plans_is_found(
    what: str, whole: Path, tmp_path: Path
) -> None:
    edits, named = FORGERIES[what]
    found = evidence_problems(forged(whole, tmp_path, edits))[1]
    assert [words for words in found if named in words], found


def test_a_former_policy_cannot_be_changed(whole: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(whole) as archive:
        first = min(name for name in archive.namelist() if name.startswith("policies/"))
    found = evidence_problems(forged(whole, tmp_path, {first: lambda data: data + b"# agreed\n"}))[1]
    assert found == [f"{first} is not the policy that the log tells"]
    found = evidence_problems(forged(whole, tmp_path, {first: None}))[1]
    assert found == [f"{first} is not the policy that the log tells"]


def test_a_policy_that_nobody_approved_cannot_be_added(whole: Path, tmp_path: Path) -> None:
    added = "policies/9-deadbeef0000.toml"
    found = evidence_problems(forged(whole, tmp_path, {added: lambda _: b"policy_version = 1\n"}))[1]
    assert found == [f"{added}: the log does not tell such a policy"]


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("plan.jsonl", line(0, claims=1)),
        ("policy.toml", lambda data: data + b"# agreed\n"),
        ("requests.jsonl", without(0)),
        ("requests.jsonl", line(0, body={})),
    ],
)
def test_each_plan_is_compared_with_the_log(
    name: str, edit: Edit, whole: Path, plans: list[str], tmp_path: Path
) -> None:
    for plan_id in plans[:2]:
        found = evidence_problems(forged(whole, tmp_path, {f"plans/{plan_id}/{name}": edit}))[1]
        assert [words for words in found if plan_id in words], found


def test_a_plan_that_was_taken_out_is_found(whole: Path, plans: list[str], tmp_path: Path) -> None:
    """Also where manifest and list of plans were mended."""
    file = tmp_path / "short.zip"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(file, "w") as new:
        manifest = json.loads(old.read("manifest.json"))
        manifest["plans"].remove(plans[0])
        for name in old.namelist():
            if name.startswith(f"plans/{plans[0]}/"):
                del manifest["members"][name]
            elif name != "manifest.json":
                new.writestr(name, old.read(name))
        new.writestr("manifest.json", json.dumps(manifest))
    words = f"plans/{plans[0]}/ is missing: the log tells that the plan is one of the campaign"
    assert evidence_problems(file)[1] == [words]
    assert "the manifest is not the one that was noted" in evidence_problems(file, manifest_sha256="0" * 64)[1]


def test_without_a_mended_manifest_any_change_is_found(whole: Path, tmp_path: Path) -> None:
    for name in ("ticks.jsonl", "report/campaign.json", "campaign.json"):
        found = evidence_problems(forged(whole, tmp_path, {name: lambda data: data + b"\n"}, mended=False))[1]
        assert f"{name} is not what was written" in found


def test_the_evidence_of_one_plan_of_it_is_as_before(world: CampaignWorld, plans: list[str], tmp_path: Path) -> None:
    with site_of(world, world.outside) as site:
        gather(site.store, plans[0], tmp_path / "one.zip", now=0.0)
    manifest, found = evidence_problems(tmp_path / "one.zip")
    assert (manifest["plan_id"], found) == (plans[0], [])


def test_it_is_of_one_moment_though_the_store_is_in_use(
    world: CampaignWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[None] = []
    true_tick = gathering._tick

    def slow_tick(one: Any) -> Any:
        if not moved:
            moved.append(None)
            site.store.campaigns.retry(["x"], "bob", 6.0)
        return true_tick(one)

    monkeypatch.setattr(gathering, "_tick", slow_tick)
    with site_of(world, world.outside) as site:
        _, head = gather_campaign(site.store, tmp_path / "campaign.zip", now=0.0)
        assert head == site.store.audit.head()
    assert moved
    assert evidence_problems(tmp_path / "campaign.zip", head=head)[1] == []


def test_it_is_written_line_by_line(world: CampaignWorld, tmp_path: Path) -> None:
    """Memory grows neither with the calls nor with the log."""
    with site_of(world, world.outside) as site:
        site.store.backup(tmp_path / "state.db")
    most = []
    with CutoverWorld(tmp_path).store() as store:
        number, words = store.campaigns.last().campaign_no, json.dumps({"words": "x" * 2_000})
        told = {"campaign_no": number, "began_at": 0.0, "reason": "", "told": words}
        for _ in range(2):
            tracemalloc.start()
            try:
                gather_campaign(store, tmp_path / "campaign.zip", now=0.0)
                most.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
            with store._db.write() as connection:
                connection.execute(insert(ticks), [told] * 8_000)
    assert most[1] - most[0] < 8_000_000, "16 MB were written"


def test_a_store_without_a_campaign_says_so(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=2, seed=3)
    with site_of(world) as site, pytest.raises(InputError, match="no campaign"):
        gather_campaign(site.store, tmp_path / "campaign.zip", now=0.0)
    assert not (tmp_path / "campaign.zip").exists()


def test_the_evidence_of_an_earlier_campaign_is_had_by_its_name(tmp_path: Path) -> None:
    world, file = CampaignWorld(tmp_path, sims=6, seed=3), tmp_path / "campaign.zip"
    plans = []
    world.began(claims_per_day=3)
    for number in range(2):
        if number:
            with site_of(world, world.outside) as site:
                create_campaign(site, tmp_path / "policy.toml", folder=tmp_path / "campaign")
            world.approve("ann@desk")
        units = list(zip(world.on(), world.cards, strict=False))
        world.hand_in_pairs(f"{number}.csv", units[3 * number : 3 * number + 3])
        world.tick()
        with site_of(world, world.outside) as site:
            campaign = site.store.campaigns.required()
            plans.append(site.store.campaigns.plans(campaign))
            site.store.campaigns.end(campaign, "ann", site.now())
        world.wait(DAY_S)
    with site_of(world, world.outside) as site:
        for number, made in enumerate(plans, 1):
            gather_campaign(site.store, file, now=site.now(), campaign=str(number))
            manifest, found = evidence_problems(file)
            assert (manifest["campaign"]["campaign_no"], manifest["plans"], found) == (number, made, [])
        with pytest.raises(InputError, match="'policy' is the name or number of 2 campaigns") as several:
            gather_campaign(site.store, file, now=site.now(), campaign="policy")
        assert several.value.problems[0].hint.startswith("1 is policy, made 20")
        with pytest.raises(InputError, match="no campaign 'other'") as missing:
            gather_campaign(site.store, file, now=site.now(), campaign="other")
        assert "; 2 is policy, made 20" in missing.value.problems[0].hint


def test_nothing_in_it_can_stop_the_check(whole: Path, plans: list[str], tmp_path: Path) -> None:
    names = [
        "campaign.json",
        "approvals.jsonl",
        "policy.json",
        "policy.toml",
        "events.jsonl",
        f"plans/{plans[0]}/plan.jsonl",
    ]
    for name in names:
        for odd in (b"[]\n", b"{}\n", b"null\n", b'{"kind":"campaign.made","detail":[]}\n', b"\xff\n"):
            file = forged(whole, tmp_path, {name: lambda data, odd=odd: odd + data})  # type: ignore[misc]
            assert evidence_problems(file)[1], (name, odd)
        assert evidence_problems(forged(whole, tmp_path, {name: None}))[1], name


@pytest.mark.parametrize("values", [{"campaign": []}, {"campaign": {"name": "x"}}, {"plans": {}}, {"plans": [1, None]}])
def test_a_manifest_of_odd_values_is_a_finding(values: dict[str, Any], whole: Path, tmp_path: Path) -> None:
    file = tmp_path / "odd.zip"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, json.dumps(json.loads(data) | values) if name == "manifest.json" else data)
    found = evidence_problems(file)[1]
    assert bool(found) is ("campaign" in values), "the folders say themselves which plans there are"


def test_a_campaign_that_an_older_version_began_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its log tells neither its plans nor the text of its first policy."""

    def as_before(connection: Any, at: float, kind: str, plan_id: str | None, detail: dict[str, Any]) -> None:
        if kind != OWNED:
            note(connection, at, kind, plan_id, {key: one for key, one in detail.items() if key != POLICY_TEXT})

    world = CampaignWorld(tmp_path, sims=14, seed=3)
    with monkeypatch.context() as older:
        older.setattr(keeping, "note", as_before)
        world.began(claims_per_day=3)
        world.hand_in_pairs("all.csv", zip(world.on(), world.cards, strict=False))
        world.tick()
    world.write_policy(claims_per_day=4)
    world.approve("ann@desk")
    world.wait(DAY_S)
    world.tick()
    with site_of(world, world.outside) as site:
        gather_campaign(site.store, tmp_path / "campaign.zip", now=site.now())
    manifest, found = evidence_problems(tmp_path / "campaign.zip")
    assert (len(manifest["plans"]), found) == (2, [])
    assert manifest["log_lists_plans"] is False
    assert run(["audit", "verify", str(tmp_path / "campaign.zip")]) == ExitCode.DONE
    assert UNLISTED in " ".join(capsys.readouterr().out.split())


def test_every_standing_of_a_campaign_holds_and_no_other(tmp_path: Path) -> None:
    """Two people must approve; a changed policy needs both again, and a pause outlives it."""
    world, file = CampaignWorld(tmp_path, sims=2, seed=3), tmp_path / "campaign.zip"

    def assert_told(state: str, *, is_approved: bool) -> None:
        with site_of(world, world.outside) as site:
            gather_campaign(site.store, file, now=site.now())
        (row,) = rows(file, "campaign.json")
        assert (row["state"], row["approved_at"] is not None) == (state, is_approved)
        assert evidence_problems(file)[1] == []
        for other in {"made", "approved", "paused", "ended"} - {state}:
            found = evidence_problems(forged(file, tmp_path, {"campaign.json": line(0, state=other)}))[1]
            assert found == [f"state in campaign.json is {other}, and the log tells {state}"]
        world.wait(60)

    world.began(approve=False, claims_per_day="500\napprovals = 2")
    assert_told("made", is_approved=False)
    world.approve("ann@desk")
    world.approve("ANN@desk")
    assert_told("made", is_approved=False)
    world.approve("bob@desk")
    world.wait(60)
    world.approve("cem@desk")
    assert_told("approved", is_approved=True)
    world.write_policy(claims_per_day="1\napprovals = 2")
    world.approve("ann@desk")
    assert_told("made", is_approved=False)
    world.write_policy(claims_per_day="500\napprovals = 2")
    world.approve("bob@desk")
    assert_told("made", is_approved=False)
    with site_of(world, world.outside) as site:
        pause_campaign(site, by="ann")
    world.approve("ann@desk")
    assert_told("paused", is_approved=True)
    with site_of(world, world.outside) as site:
        resume_campaign(site, by="ann")
    assert_told("approved", is_approved=True)
    with site_of(world, world.outside) as site:
        end_campaign(site, by="ann")
    assert_told("ended", is_approved=True)
