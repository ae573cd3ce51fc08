"""A bare `apply` is about the plan that this operator was shown last: one that came since is somebody else's."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.errors import StoreBusy
from migrator.store import Store
from migrator.store.plans.looks import Looks
from tests.cli.conftest import POLICY, Desk
from tests.cli.cutover.test_cutover import QUICK, alive, off

As = Callable[[str], None]


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> As:
    """Go on as another person."""

    def another(name: str) -> None:
        monkeypatch.setattr("getpass.getuser", lambda: name)

    another("ann")
    return another


def made(desk: Desk, mark: str) -> str:
    """A further plan of as many claims, of another policy."""
    policy = desk.write(f"{mark}.toml", POLICY.replace('zone = "global"', f'zone = "global"\ntag = "{mark}"'))
    ended = desk.json("plan", "create", "--policy", policy)
    assert ended.code == 0, ended.err
    return str(ended.data["plan_id"])


def charges(desk: Desk) -> int:
    return len(desk.rehearsal.hologram.ledger.charges)


def state(desk: Desk, plan_id: str) -> str:
    return str(desk.json("plan", "show", plan_id).data["state"])


def test_a_plan_that_somebody_else_made_since_is_not_carried_out_unnamed(desk: Desk, become: As) -> None:
    plan = desk.planned()
    assert desk.run("plan", "show", plan["plan_id"]).code == 0
    become("ben")
    newer = made(desk, "of-ben")
    become("ann")
    ended = desk.json("apply", "--confirm", str(plan["claims"]))
    (problem,) = ended.document["errors"]
    assert (ended.code, problem["code"], charges(desk)) == (2, "which_plan", 0)
    assert newer in problem["message"]
    assert plan["plan_id"] in problem["message"]
    assert f"migrator apply {newer}" in problem["hint"]
    assert desk.run("apply", plan["plan_id"], "--confirm", str(plan["claims"])).code == 0
    assert state(desk, newer) == "created"


@pytest.mark.parametrize(
    "look",
    [("plan", "show"), ("plan", "show", "{id}"), ("apply", "--dry-run"), ("plan", "approve", "--confirm", "{claims}")],
    ids=["show", "show by id", "dry run", "approve"],
)
def test_whoever_was_shown_the_newer_plan_need_not_name_it(desk: Desk, become: As, look: tuple[str, ...]) -> None:
    claims = str(desk.planned()["claims"])
    become("ben")
    newer = made(desk, "of-ben")
    become("ann")
    assert desk.run(*(word.format(id=newer, claims=claims) for word in look)).code == 0
    assert desk.run("apply", "--confirm", claims).code == 0
    assert state(desk, newer) == "finished"


@pytest.mark.parametrize("look", [("status",), ("plan", "list"), ("plan", "explain", "{iccid}")])
def test_a_look_at_something_else_is_none_at_the_plan(desk: Desk, become: As, look: tuple[str, ...]) -> None:
    claims = str(desk.planned()["claims"])
    become("ben")
    made(desk, "of-ben")
    become("ann")
    assert desk.run(*(word.format(iccid=desk.rehearsal.onence.fleet[0].iccid) for word in look)).code == 0
    assert desk.run("apply", "--confirm", claims).code == 2
    assert charges(desk) == 0


def test_a_look_back_at_an_older_plan_asks_which_one_is_meant(desk: Desk) -> None:
    plan = desk.planned()
    made(desk, "second")
    assert desk.run("plan", "show", plan["plan_id"]).code == 0
    assert desk.run("apply", "--confirm", str(plan["claims"])).code == 2
    assert charges(desk) == 0


def test_a_script_that_makes_a_plan_and_carries_it_out_goes_on_working(desk: Desk, become: As) -> None:
    """By one user, however many plans lie about."""
    claims = str(desk.planned()["claims"])
    become("cron")
    newer = made(desk, "of-cron")
    assert desk.json("--no-input", "apply", "--confirm", claims).code == 0
    assert state(desk, newer) == "finished"


def test_a_later_step_as_somebody_else_takes_the_only_open_plan_and_no_one_of_two(desk: Desk, become: As) -> None:
    """In a pipeline each step may be another user at another host."""
    claims = str(desk.planned()["claims"])
    become("step-2")
    assert desk.run("apply", "--confirm", claims, "--max-sims", "3").code == 6
    assert desk.run("apply").code == 0
    become("step-3")
    made(desk, "first")
    made(desk, "second")
    become("step-4")
    ended = desk.run("apply", "--confirm", "0")
    assert ended.code == 2
    assert "none was shown to step-4@" in ended.err


def test_a_begun_plan_goes_on_unnamed_whoever_asks(desk: Desk, become: As) -> None:
    plan = desk.planned()
    older = made(desk, "older")
    assert desk.run("apply", older, "--confirm", str(plan["claims"]), "--max-sims", "3").code == 6
    become("ben")
    assert desk.run("apply").code == 0


def test_what_somebody_else_began_is_not_gone_on_with_unnamed_by_who_was_shown_another(desk: Desk, become: As) -> None:
    """Its maker may have stopped it because it was wrong."""
    plan = desk.planned()
    become("ben")
    newer = made(desk, "of-ben")
    assert desk.run("apply", "--confirm", str(plan["claims"]), "--max-sims", "3").code == 6
    charged = charges(desk)
    become("ann")
    ended = desk.json("apply")
    assert (ended.code, charges(desk)) == (2, charged)
    assert newer in ended.document["errors"][0]["message"]
    assert desk.run("apply", newer).code == 0


def test_at_a_terminal_the_id_is_asked_for(desk: Desk, become: As, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = desk.planned()
    become("ben")
    newer = made(desk, "of-ben")
    become("ann")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer, code in (("p000", 2), (plan["plan_id"], 0)):
        monkeypatch.setattr("click.prompt", lambda *_args, answer=answer, **_options: answer)
        assert desk.run("apply", "--confirm", str(plan["claims"])).code == code
    assert (state(desk, plan["plan_id"]), state(desk, newer)) == ("finished", "created")


def test_a_look_that_cannot_be_kept_fails_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store may be busy, or not ours to write; then the plan has to be named."""
    plan = desk.planned()
    made(desk, "second")

    def busy(*_args: object) -> None:
        raise StoreBusy("somebody writes")

    monkeypatch.setattr(Looks, "note", busy)
    assert desk.run("plan", "show", plan["plan_id"]).code == 0
    assert desk.run("plan", "show").code == 0


def test_where_nobody_knows_the_login_name_a_plan_among_others_is_named(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nobody)
    claims = str(desk.planned()["claims"])
    newer = made(desk, "second")
    assert desk.run("apply", "--confirm", claims).code == 2
    assert desk.run("apply", newer, "--confirm", claims).code == 0


def test_every_next_step_names_the_plan(desk: Desk) -> None:
    desk.paired()
    told = desk.run("plan", "create", "--policy", desk.write("policy.toml", POLICY)).out
    plan_id = desk.json("plan", "show").data["plan_id"]
    claims = desk.json("plan", "show").data["claims"]
    for out in (told, desk.run("status").out):
        assert f"`migrator apply {plan_id} --dry-run`" in out
        assert f"`migrator apply {plan_id} --confirm {claims}`" in out
    desk.run("apply", "--confirm", str(claims), "--max-sims", "3")
    assert f"Next: `migrator apply {plan_id}`" in desk.run("status").out
    assert f"Next: `migrator report {plan_id}`" in desk.run("apply").out


def test_a_bare_cutover_or_rollback_is_the_one_that_was_shown_last(make_desk: Callable[..., Desk], become: As) -> None:
    desk = make_desk(sims=8, onence=QUICK, epoch=datetime.now(UTC))
    alive(desk)
    first = desk.json("cutover", "plan").data
    become("ben")
    newer = desk.json("cutover", "plan", "--waves", "2").data
    become("ann")
    before, count = off(desk), str(first["count"])
    ended = desk.json("cutover", "apply", "--confirm", count)
    (problem,) = ended.document["errors"]
    assert (ended.code, problem["code"], off(desk)) == (2, "which_plan", before)
    assert f"migrator cutover apply {newer['switch_id']}" in problem["hint"]
    assert (
        f"`migrator cutover apply {newer['switch_id']} --confirm {count}`"
        in desk.run("cutover", "plan", "--waves", "2").out
    )
    become("cy")
    assert desk.run("cutover", "apply", "--confirm", count).code == 2
    assert desk.run("cutover", "show").code == 0
    assert desk.run("cutover", "apply", "--confirm", count).code == 0
    become("ben")
    back = desk.json("rollback", "plan").data
    become("ann")
    desk.run("rollback", "plan", "--waves", "1")
    become("ben")
    assert desk.run("rollback", "apply", "--confirm", str(back["count"])).code == 2
    assert off(desk) != before


def test_a_look_is_kept_once_for_each_person_and_kind(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 's.db'}", now=0.0) as store:
        store.looks.note("ann@a", "plan", "p1", 1.0)
        store.looks.note("ann@a", "plan", "p2", 2.0)
        store.looks.note("ben@a", "plan", "p3", 3.0)
        store.looks.note("ann@a", "cutover", "c1", 4.0)
        assert [store.looks.last(who, "plan") for who in ("ann@a", "ben@a", "cy@a")][2] is None
        look = store.looks.last("ann@a", "plan")
    assert look is not None
    assert (look.named, look.seen_at) == ("p2", 2.0)
