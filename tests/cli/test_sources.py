"""The source is a choice: Onomondo goes the whole way, and a store has the SIMs of one carrier and account."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from migrator.carriers import http
from migrator.carriers.onomondo.simulator import OnomondoSimulator
from migrator.wiring.rehearsal.rehearsal import pool_of
from tests.cli.conftest import Desk, Ended

SIMS = 8
MEGABYTE = 1_048_576
POLICY = """\
policy_version = 1
[claim]
data_plan_id = 2096
zone = "global"
tag = "from-onomondo"
[status]
disabled = "pause"
[data_limit]
basis = "fixed"
fixed_mb = 100
[sms_limit]
basis = "keep"
[name]
when_missing = "onomondo-{source_iccid}"
[cutover]
rest = "0s"
"""


@pytest.fixture
def onomondo(make_desk: Callable[..., Desk]) -> Desk:
    """A desk whose old SIMs are Onomondo's. Nothing of 1NCE is set."""
    return make_desk(sims=SIMS, source="onomondo", epoch=datetime.now(UTC))


def old_carrier(desk: Desk) -> OnomondoSimulator:
    return cast("OnomondoSimulator", desk.rehearsal.source)


def refused(ended: Ended) -> dict[str, Any]:
    """The one error of a command that ended with exit 2."""
    assert ended.code == 2, ended.out
    (problem,) = ended.document["errors"]
    return dict(problem)


def live_in_their_units(desk: Desk) -> None:
    """Each new SIM had a session in the unit of its old one an hour ago, which is silent since yesterday."""
    olds = sorted(old_carrier(desk).fleet, key=lambda sim: sim.iccid)
    for old, card in zip(olds, pool_of(SIMS), strict=True):
        link = desk.rehearsal.hologram.sims[card]
        assert link.claimed_at is not None
        assert old.imei is not None
        link.claimed_at -= timedelta(hours=1)
        desk.rehearsal.hologram.add_session(card, link.claimed_at + timedelta(seconds=5), MEGABYTE, old.imei)
        old.silent_from = link.claimed_at.date() - timedelta(days=1)


@pytest.mark.loopback
def test_a_fleet_of_onomondo_goes_the_whole_way_and_nothing_speaks_of_1nce(onomondo: Desk) -> None:
    said: list[str] = []

    def run(*words: str) -> str:
        ended = onomondo.run(*words)
        assert ended.code == 0, ended.out + ended.err
        said.append(ended.out + ended.err)
        return ended.out

    fleet = old_carrier(onomondo).fleet
    on = [sim.iccid for sim in fleet if sim.activated]
    labels = {sim.iccid: sim.label for sim in fleet}
    assert "Onomondo login" in run("doctor")
    assert f"{SIMS} SIMs in the inventory (Onomondo API, read in one pass)." in run("inventory", "pull", "--quotas")
    run("inventory", "show")
    run("pair", "pool", onomondo.pool())
    run("plan", "create", "--policy", onomondo.write("policy.toml", POLICY))
    run("plan", "explain", on[0])
    run("apply", "--confirm", str(SIMS))
    live_in_their_units(onomondo)
    run("verify", "--source", "--traffic", "--old-silent")
    planned = onomondo.json("cutover", "plan").data
    assert (planned["count"], planned["source"], planned["by_hand"]) == (len(on), "Onomondo", False)
    run("cutover", "show")
    run("cutover", "apply", "--dry-run")
    run("cutover", "apply", "--confirm", str(len(on)))
    assert not [sim.iccid for sim in fleet if sim.activated]
    assert "old SIM at Onomondo" in run("show", on[0], "--live")
    run("rollback", "plan")
    run("rollback", "apply", "--confirm", str(len(on)))
    assert sorted(sim.iccid for sim in fleet if sim.activated) == sorted(on)
    assert {sim.iccid: sim.label for sim in fleet} == labels
    run("status")
    run("report", "--format", "md,json,html", "--out", "report")
    run("audit", "verify")
    pages = [path.read_text(encoding="utf-8") for path in Path("report").rglob("*.*") if path.suffix != ".csv"]
    assert [text for text in (*said, *pages) if "1NCE" in text] == []
    assert old_carrier(onomondo).ledger.forbidden == []
    key = old_carrier(onomondo).api_key
    kept = Path("migrator.db").read_bytes() + "".join(said).encode()
    assert key.encode() not in kept


def test_a_store_of_1nce_is_not_asked_about_at_onomondo(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(sims=SIMS)
    plan = desk.applied()
    desk.run("cutover", "plan", "--require", "verified", "--accept-silent-units", "--old-sim", "not_asked")
    assert "SIMs of 1NCE, account 8100012345" in desk.run("doctor").out
    monkeypatch.setenv("MIGRATOR_SOURCE", "onomondo")
    monkeypatch.setenv("ONOMONDO_API_KEY", "onok_invented")
    monkeypatch.setenv("ONOMONDO_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(http, "ATTEMPTS", 1)  # nobody listens there, and doctor would wait half a minute for it
    for words in (
        ("inventory", "pull"),
        ("cutover", "plan"),
        ("cutover", "apply", "--confirm", "1"),
        ("cutover", "export"),
        ("rollback", "plan"),
        ("verify", "--source"),
        ("pair", "discover", "--live"),
        ("show", pool_of(1)[0], "--live"),
    ):
        problem = refused(desk.json(*words))
        assert problem["code"] == "other_source", words
        assert "1NCE's, and the settings choose Onomondo" in problem["message"]
        assert "MIGRATOR_SOURCE=1nce" in problem["hint"]
    assert desk.run("plan", "show", plan["plan_id"]).code == 0  # what needs no carrier goes on
    assert "the settings choose Onomondo" in desk.run("doctor").err


def test_another_account_of_the_same_carrier_is_refused_until_its_login_is_said_to_be_new(
    onomondo: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert onomondo.run("inventory", "pull").code == 0
    first, other = old_carrier(onomondo).api_key, "onok_another-key-of-the-account"
    old_carrier(onomondo).api_key = other
    monkeypatch.setenv("ONOMONDO_API_KEY", other)
    before = len(old_carrier(onomondo).ledger.entries)
    some = old_carrier(onomondo).fleet[0].iccid
    for words in (("inventory", "pull"), ("show", some, "--live")):
        problem = refused(onomondo.json(*words))
        assert problem["code"] == "other_account"
        assert "--new-login" in problem["hint"]
        assert other not in str(problem)
    assert len(old_carrier(onomondo).ledger.entries) == before
    assert onomondo.run("inventory", "pull", "--new-login").code == 0
    assert onomondo.run("inventory", "pull").code == 0
    monkeypatch.setenv("ONOMONDO_API_KEY", first)
    assert refused(onomondo.json("inventory", "pull"))["code"] == "other_account"


def test_a_new_login_of_another_account_does_not_take_the_store_over(
    onomondo: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert onomondo.run("inventory", "pull").code == 0
    fleet = old_carrier(onomondo).fleet
    for sim in list(fleet):
        fleet.remove(sim)
    for _ in range(SIMS):
        fleet.insert_newcomer()
    monkeypatch.setenv("ONOMONDO_API_KEY", "onok_of-another-account")
    old_carrier(onomondo).api_key = "onok_of-another-account"
    assert refused(onomondo.json("inventory", "pull", "--new-login"))["code"] == "inventory_shrinks"
    assert refused(onomondo.json("inventory", "pull"))["code"] == "other_account"


def test_a_file_of_onomondos_portal_stays_with_a_person_until_the_settings_choose_its_api(onomondo: Desk) -> None:
    rows = (f"{sim.iccid},{str(sim.activated).lower()}\n" for sim in old_carrier(onomondo).fleet)
    file = onomondo.write("fleet.csv", "iccid,activated\n" + "".join(rows))
    assert onomondo.run("inventory", "import", file, "--preset", "onomondo").code == 0
    with pytest.MonkeyPatch.context() as without:
        without.setenv("MIGRATOR_SOURCE", "1nce")
        without.setenv("ONENCE_CLIENT_ID", "invented")
        without.setenv("ONENCE_CLIENT_SECRET", "invented")
        problem = refused(onomondo.json("inventory", "pull"))
        assert (problem["code"], "from a file" in problem["message"]) == ("other_source", True)
        assert "MIGRATOR_SOURCE=onomondo" in problem["hint"]
        assert refused(onomondo.json("cutover", "export"))["code"] != "has_api"
    assert refused(onomondo.json("cutover", "export"))["code"] == "has_api"
    assert onomondo.run("inventory", "pull").code == 0
    assert "Onomondo's API" in onomondo.run("inventory", "show").out


def test_a_policy_without_tag_or_name_is_refused_as_their_defaults_speak_of_1nce(onomondo: Desk) -> None:
    """Both stay on the SIMs, and a name is changed SIM by SIM."""
    assert onomondo.run("inventory", "pull").code == 0
    assert onomondo.run("pair", "pool", onomondo.pool()).code == 0
    silent = POLICY.replace("tag =", "# tag =").replace("when_missing", "# ")
    ended = onomondo.json("plan", "create", "--policy", onomondo.write("silent.toml", silent))
    tag, name = ended.document["errors"]
    assert (ended.code, tag["code"], name["code"]) == (2, "default_of_1nce", "default_of_1nce")
    assert "[claim] tag is not set" in tag["message"]
    assert tag["hint"] == 'write tag = "from-onomondo", or "" for none'
    assert name["hint"] == 'write when_missing = "onomondo-{source_iccid}"'
    said = POLICY.replace("from-onomondo", "from-1nce")
    warnings = onomondo.json("plan", "create", "--policy", onomondo.write("said.toml", said)).data["warnings"]
    assert "[claim] tag of the policy speak of 1NCE, and these SIMs are Onomondo's: set them" in warnings


def test_a_pull_that_reads_no_limits_says_so_and_what_reads_them(onomondo: Desk) -> None:
    ended = onomondo.json("inventory", "pull")
    (warning,) = ended.document["errors"]
    assert ended.code == 0
    assert "Onomondo's list tells no data limit of any SIM" in warning["message"]
    assert f"`inventory pull --quotas` reads each SIM's record, also its IMEI: about {SIMS} requests" in warning["hint"]
    assert onomondo.json("inventory", "pull", "--quotas").document["errors"] == []
