"""An older copy of the store does not know what was done since: it stops before it undoes that."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.cli.conftest import POLICY, Desk
from tests.cli.cutover.test_cutover import QUICK, alive, cut_over, paused

SIMS = 12


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk(sims=SIMS, onence=QUICK, epoch=datetime.now(UTC))


def kept(desk: Desk) -> None:
    """Keep a copy of the store as it is."""
    assert desk.run("state", "backup", "older.db").code == 0


def put_back(desk: Desk) -> None:
    """Put the copy in the place of the store."""
    for name in ("migrator.db", "migrator.db-wal", "migrator.db-shm"):
        (desk.folder / name).unlink(missing_ok=True)
    shutil.copy(desk.folder / "older.db", desk.folder / "migrator.db")


def taken_back(desk: Desk) -> int:
    """Cut over and roll back: the new SIMs are paused now. Returns: how many rest."""
    cut_over(desk)
    back = desk.json("rollback", "plan").data
    assert desk.run("rollback", "apply", "--confirm", str(back["count"])).code == 0
    assert paused(desk)
    return paused(desk)


def moved_on(desk: Desk) -> int:
    """Keep a copy with a plan that was not begun; carry it out, cut over and roll back; put the copy in place."""
    desk.planned()
    kept(desk)
    alive(desk, but=2)
    resting = taken_back(desk)
    put_back(desk)
    return resting


def writes(desk: Desk) -> int:
    return sum(entry.method != "GET" for entry in desk.rehearsal.hologram.ledger.entries)


def claimed(desk: Desk) -> int:
    return sum(link.device_id is not None for link in desk.rehearsal.hologram.sims.values())


def test_an_older_copy_does_not_wake_what_a_later_rollback_paused(desk: Desk) -> None:
    resting, before = moved_on(desk), writes(desk)
    refused = desk.run("apply", "--confirm", str(claimed(desk)))
    assert refused.code == 5
    assert f"--adopt-tagged {claimed(desk)}" in " ".join((refused.out + refused.err).split())
    assert (paused(desk), writes(desk)) == (resting, before)


def test_a_dry_run_of_an_older_copy_says_so_too(desk: Desk) -> None:
    moved_on(desk)
    assert desk.run("apply", "--dry-run").code == 5


@pytest.mark.parametrize("off_by", [-1, 1])
def test_another_number_than_there_are_takes_nobody_over(desk: Desk, off_by: int) -> None:
    resting, before = moved_on(desk), writes(desk)
    sims = claimed(desk)
    assert desk.run("apply", "--confirm", str(sims), "--adopt-tagged", str(sims + off_by)).code == 5
    assert (paused(desk), writes(desk)) == (resting, before)


def test_who_means_it_takes_them_over_and_claims_nothing(desk: Desk) -> None:
    resting = moved_on(desk)
    sims = claimed(desk)
    spent = desk.rehearsal.hologram.balance
    done = desk.run("apply", "--confirm", str(sims), "--adopt-tagged", str(sims))
    assert done.code in {0, 3}, done.err
    assert (claimed(desk), desk.rehearsal.hologram.balance) == (sims, spent)
    assert paused(desk) < resting


def test_a_plan_of_an_older_copy_asks_for_the_same_word(desk: Desk) -> None:
    """The copy is from before the plan, so that the plan itself finds the SIMs to be ours."""
    desk.paired()
    kept(desk)
    alive(desk, but=2)
    resting = taken_back(desk)
    put_back(desk)
    made = desk.json("plan", "create", "--policy", desk.write("policy.toml", POLICY)).data
    adopted = made["counts"]["ADOPT"]
    assert any(f"--adopt-tagged {adopted}" in words for words in made["warnings"])
    assert any("will be LIVE again" in words for words in made["warnings"])
    before = writes(desk)
    assert desk.run("apply").code == 5
    assert (paused(desk), writes(desk)) == (resting, before)
    assert desk.run("apply", "--adopt-tagged", str(adopted)).code in {0, 3}
    assert paused(desk) < resting


def test_what_was_taken_over_and_changed_once_is_known_from_then_on(desk: Desk) -> None:
    resting = moved_on(desk)
    sims = claimed(desk)
    assert desk.run("apply", "--confirm", str(sims), "--adopt-tagged", str(sims)).code in {0, 3}
    woken = resting - paused(desk)
    later = f'{POLICY}[data_limit]\nbasis = "fixed"\nfixed_mb = 7\n'
    assert desk.run("plan", "create", "--policy", desk.write("later.toml", later)).code == 0
    assert f"--adopt-tagged {sims - woken}`" in " ".join(desk.run("apply").err.split())
    assert desk.run("apply", "--adopt-tagged", str(sims - woken)).code in {0, 3}
    last = later.replace("7", "8")
    assert desk.run("plan", "create", "--policy", desk.write("last.toml", last)).code == 0
    assert desk.run("apply").code in {0, 3}
