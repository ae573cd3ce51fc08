"""A plan that pauses SIMs which are live now needs a word of its own: after a cutover, every old SIM looks disabled."""

from migrator.carriers.onence.simulator import SimStatus
from tests.cli.conftest import Desk


def replanned(desk: Desk) -> int:
    """Everything is migrated; then the old SIMs are off, and somebody plans once more. Returns: live SIMs to pause."""
    desk.applied()
    for sim in desk.rehearsal.onence.fleet:
        if sim.status == "Enabled":
            sim.status = SimStatus.DISABLED
    assert desk.run("inventory", "pull").code == 0
    created = desk.json("plan", "create", "--policy", "policy.toml")
    assert any("will be PAUSED" in words for words in created.data["warnings"])
    return live(desk)


def live(desk: Desk) -> int:
    return sum(link.state == "LIVE" for link in desk.rehearsal.hologram.sims.values())


def test_a_plan_after_a_cutover_pauses_nobody_by_accident(desk: Desk) -> None:
    pauses = replanned(desk)
    assert pauses
    refused = desk.json("apply")
    assert (refused.code, refused.document["errors"][0]["code"]) == (2, "confirm_pauses")
    assert desk.run("apply", "--confirm-pauses", str(pauses - 1)).code == 2
    assert live(desk) == pauses


def test_who_means_it_says_how_many(desk: Desk) -> None:
    pauses = replanned(desk)
    assert desk.run("apply", "--confirm-pauses", str(pauses)).code == 0
    assert live(desk) == 0


def test_a_wrong_number_of_claims_is_refused_on_a_resume_too(desk: Desk) -> None:
    plan = desk.planned()
    assert desk.run("apply", "--confirm", str(plan["claims"]), "--max-sims", "3").code == 6
    assert desk.run("apply", "--confirm", str(plan["claims"] - 1)).code == 2
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 0
