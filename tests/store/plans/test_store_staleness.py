"""A plan is stale when what it used has changed, and not when anything else has."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from migrator.core.cutover.plan import CutoverAction, CutoverHeader, CutoverReason, CutoverRow, Direction
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import AccountLimits, DataLimit, Pair, QuotaReading, SourceSim, data_limit
from migrator.core.fleet.units import Bytes
from migrator.core.plan.basis import Uses
from migrator.core.plan.plan import Action, Change, Origin, Reason
from migrator.core.policy.policy import NamePolicy
from migrator.core.run.states import StepEvent, StepKind
from migrator.core.run.steps import RequestOutcome
from migrator.ports import Request
from migrator.store import Store
from migrator.store.tables.fleet import pairs
from tests.builders import ORG, pair, sim, source_iccid, target_iccid
from tests.store.store_kit import NOW, change, open_store, ordered, planned, pulled


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """SIMs 1 and 2 paired and planned; SIM 3 unpaired and blocked."""
    with open_store(tmp_path) as opened:
        pulled(opened, map(sim, (1, 2, 3)))
        opened.pairs.add(map(pair, (1, 2)), replace=False, now=NOW)
        blocked = change(3, Action.BLOCK, reason=Reason.NO_PAIRING, target_iccid=None)
        planned(opened, [change(1), change(2), blocked])
        yield opened


def test_a_plan_is_fresh_when_it_is_made(store: Store) -> None:
    assert store.plans.differences("p1") == []


def test_a_re_pull_that_finds_the_same_leaves_it_fresh(store: Store) -> None:
    pulled(store, map(sim, (3, 2, 1)))
    assert store.plans.differences("p1") == []


@pytest.mark.parametrize(
    "values",
    [
        {"data_quota_mb": Decimal("500.00")},
        {"data_quota_mb": Decimal("5E+2")},
        {"data_remaining_mb": Decimal(3), "data_reading": QuotaReading.READ},
        {"sms_remaining": Decimal(7), "sms_reading": QuotaReading.READ},
        {"imsi": "901405", "ip_address": "10.0.0.1", "expires_at": "2030"},
        {"status": "Activated"},
    ],
)
def test_what_the_plan_did_not_use_may_change(store: Store, values: dict[str, Any]) -> None:
    """Also when another SIM changed the inventory's fingerprint, so that every row is looked at."""
    pulled(store, [sim(1, **values), sim(2), sim(3, label="new")])
    assert [line.partition(":")[0] for line in store.plans.differences("p1")] == [source_iccid(3).digits]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"status": "Disabled"}, "its status was 'Enabled' and is 'Disabled'"),
        ({"label": "pump"}, "its label was 'unit 1' and is 'pump'"),
        ({"label": None}, "its label was 'unit 1' and is not told"),
        ({"data_quota_mb": Decimal("499.5")}, "its booked data volume was '500' and is '499.5'"),
        ({"data_quota_mb": None}, "its booked data volume was '500' and is not told"),
        ({"sms_quota": Decimal(0)}, "its booked SMS volume was '250' and is '0'"),
    ],
)
def test_what_the_plan_used_may_not(store: Store, values: dict[str, Any], told: str) -> None:
    pulled(store, [sim(1, **values), sim(2), sim(3)])
    assert store.plans.differences("p1") == [f"{source_iccid(1)}: {told}"]


def test_a_volume_that_the_plan_was_not_told_gave_no_value_and_may_be_told_later(tmp_path: Path) -> None:
    """An imported file may lack what a pull tells; the plan blocked such a SIM, or did not ask for its volume."""
    with open_store(tmp_path) as store:
        pulled(store, [sim(1, data_quota_mb=None, sms_quota=None), sim(2)])
        store.pairs.add(map(pair, (1, 2)), replace=False, now=NOW)
        unknown = {"status": "Enabled", "label": "unit 1", "data_quota_mb": None, "sms_quota": None}
        planned(store, [change(1, source=unknown), change(2)])
        pulled(store, [sim(1), sim(2)])
        assert store.plans.differences("p1") == []
        pulled(store, [sim(1, label="pump"), sim(2)])
        assert store.plans.differences("p1") == [f"{source_iccid(1)}: its label was 'unit 1' and is 'pump'"]


def test_a_status_that_nobody_knows_is_told_by_its_word(store: Store) -> None:
    pulled(store, [sim(1, status="Blocked"), sim(2), sim(3)])
    assert store.plans.differences("p1") == [f"{source_iccid(1)}: its status was 'Enabled' and is 'Blocked'"]


def test_a_sim_that_is_gone_or_new_is_told(store: Store) -> None:
    pulled(store, map(sim, (1, 2, 4)))
    assert store.plans.differences("p1") == [
        f"{source_iccid(3)}: no longer in the inventory",
        f"{source_iccid(4)}: new in the inventory",
    ]


def test_a_sim_that_the_plan_was_told_to_leave_out_is_not_new(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, map(sim, (1, 2)))
        planned(store, [change(1, target_iccid=None)])
        pulled(store, [sim(1), sim(2, label="other")])
        assert store.plans.differences("p1") == []
        pulled(store, map(sim, (1, 2, 3)))
        assert store.plans.differences("p1") == [f"{source_iccid(3)}: new in the inventory"]


def test_another_pair_is_told(store: Store) -> None:
    store.pairs.add([Pair(source_iccid(1), target_iccid(9), "x")], replace=True, now=NOW)
    assert store.plans.differences("p1") == [f"{source_iccid(1)}: its pair was changed, to {target_iccid(9)}"]


def test_a_pair_for_a_sim_that_had_none_is_told(store: Store) -> None:
    store.pairs.add([pair(3)], replace=False, now=NOW)
    assert store.plans.differences("p1") == [f"{source_iccid(3)}: was paired since, with {target_iccid(3)}"]


def test_a_pair_that_is_gone_is_told(store: Store) -> None:
    with store._db.write() as connection:
        connection.execute(delete(pairs).where(pairs.c.source_key == source_iccid(2).key))
    assert store.plans.differences("p1") == [f"{source_iccid(2)}: its pair was removed"]


def test_a_pair_of_a_sim_that_the_plan_does_not_hold_is_no_matter(store: Store) -> None:
    store.pairs.add([pair(77)], replace=False, now=NOW)
    assert store.plans.differences("p1") == []


def test_twenty_differences_are_told_and_the_others_counted(store: Store) -> None:
    pulled(store, map(sim, range(1, 41)))
    told = store.plans.differences("p1")
    assert len(told) == 21
    assert told[0] == f"{source_iccid(4)}: new in the inventory"
    assert told[-1] == "and 17 more"


def test_an_empty_store_has_lost_every_sim(store: Store) -> None:
    with store._db.write() as connection:
        connection.exec_driver_sql("UPDATE snapshots SET state = 'replaced'")
    assert len(store.plans.differences("p1")) == 3


def test_what_becomes_of_a_sim_that_was_not_selected_is_no_matter(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, map(sim, (1, 2, 3)))
        store.pairs.add([pair(1)], replace=False, now=NOW)
        rest = [change(number, Action.SKIP, reason=Reason.NOT_SELECTED, target_iccid=None) for number in (2, 3)]
        planned(store, [change(1), *rest])
        store.pairs.add([pair(2)], replace=False, now=NOW)
        pulled(store, [sim(1), sim(2, label="other", status="Disabled")])
        assert store.plans.differences("p1") == []


def left(number: int, megabytes: int, sms: int, reading: QuotaReading = QuotaReading.READ) -> SourceSim:
    """A SIM of whose volumes this much is left."""
    return sim(
        number,
        data_reading=reading,
        data_remaining_mb=Decimal(megabytes),
        sms_reading=reading,
        sms_remaining=Decimal(sms),
    )


def of_what_is_left(number: int, *values: Any, **more: Any) -> Change:
    """A change that was made from 40 MB and 4 SMS, by the rule "tight"."""
    source = {"status": "Enabled", "label": f"unit {number}", "data_quota_mb": "500", "sms_quota": "250"}
    remaining = {"data_remaining_mb": "40", "sms_remaining": "4"}
    return change(number, *values, source=source | remaining, **({"rule": "tight"} | more))


@pytest.mark.parametrize(
    ("uses", "told"),
    [
        (Uses(), []),
        (Uses(data_remaining=frozenset({""})), []),
        (Uses(data_remaining=frozenset({"", "tight"})), ["its remaining data volume was '40' and is '39'"]),
        (Uses(sms_remaining=frozenset({"tight"})), ["its remaining SMS volume was '4' and is '3'"]),
    ],
)
def test_what_is_left_is_told_where_a_rule_used_it(tmp_path: Path, uses: Uses, told: list[str]) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [left(1, 40, 4), left(2, 40, 4), sim(3), left(4, 40, 4)])
        store.pairs.add(map(pair, (1, 2, 4)), replace=False, now=NOW)
        skipped = of_what_is_left(4, Action.SKIP, reason=Reason.STATUS_SKIPPED)
        blocked = change(3, Action.BLOCK, reason=Reason.QUOTA_NOT_READ, target_iccid=None, rule="tight")
        planned(store, [of_what_is_left(1), of_what_is_left(2), blocked, skipped])
        pulled(store, [left(1, 39, 3), left(2, 40, 4), left(3, 1, 1), left(4, 0, 0)])
        assert store.plans.differences("p1", uses) == [f"{source_iccid(1)}: {words}" for words in told]


@pytest.mark.parametrize("reading", [QuotaReading.NOT_READ, QuotaReading.FAILED])
def test_what_is_left_and_was_not_read_is_no_news(tmp_path: Path, reading: QuotaReading) -> None:
    uses = Uses(data_remaining=frozenset({"tight"}), sms_remaining=frozenset({"tight"}))
    with open_store(tmp_path) as store:
        store.pairs.add([pair(1)], replace=False, now=NOW)
        planned(store, [of_what_is_left(1)])
        pulled(store, [sim(1, data_reading=reading, sms_reading=reading)])
        assert store.plans.differences("p1", uses) == []
        pulled(store, [sim(1, data_reading=QuotaReading.NO_RECORD)])
        assert store.plans.differences("p1", uses) == [
            f"{source_iccid(1)}: its remaining data volume was '40' and is not told"
        ]


def by_its_limit(number: int, volume: str, **more: Any) -> Change:
    """A change that was made from a daily limit of the SIM's own."""
    limit = {"data_limit_bytes": volume, "data_limit_period": "daily"}
    source = {"status": "Enabled", "label": f"unit {number}", "data_quota_mb": "500", "sms_quota": "250"}
    return change(number, source=source | limit, **more)


@pytest.mark.parametrize(
    ("now", "reading", "told"),
    [
        (data_limit(Bytes(10**10), "daily"), QuotaReading.NO_RECORD, None),
        (None, QuotaReading.NOT_READ, None),
        (None, QuotaReading.FAILED, None),
        (None, QuotaReading.NO_RECORD, "and is not told"),
        (data_limit(Bytes(10**10 + 1), "daily"), QuotaReading.NOT_READ, "and is 10000000001 bytes daily"),
        (data_limit(Bytes(10**10), "monthly"), QuotaReading.NO_RECORD, "and is 10000000000 bytes monthly"),
    ],
)
def test_a_limit_of_a_sims_own_is_told_where_a_rule_used_it(
    tmp_path: Path, now: DataLimit | None, reading: QuotaReading, told: str | None
) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1, data_limit=data_limit(Bytes(10**10), "daily")), sim(2), sim(3)])
        store.pairs.add(map(pair, (1, 2, 3)), replace=False, now=NOW)
        planned(store, [by_its_limit(1, str(10**10)), change(2), by_its_limit(3, "7", rule="fixed")])
        pulled(store, [sim(1, data_limit=now, data_reading=reading), sim(2, data_limit=now), sim(3)])
        lines = [] if told is None else [f"{source_iccid(1)}: its data limit was {10**10} bytes daily {told}"]
        assert store.plans.differences("p1", Uses(data_limits=frozenset({""}))) == lines
        assert store.plans.differences("p1") == []


def test_a_volume_that_a_rule_asked_for_is_an_answer_also_where_none_was_told(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.pairs.add([pair(1), pair(2)], replace=False, now=NOW)
        unknown = {"status": "Enabled", "label": "unit 1", "data_quota_mb": None, "sms_quota": None}
        planned(store, [change(1, source=unknown), change(2, source=unknown | {"label": "unit 2"}, rule="first")])
        pulled(store, [sim(1), sim(2)])
        assert store.plans.differences("p1") == []
        assert store.plans.differences("p1", Uses(booked_data=frozenset({""}))) == [
            f"{source_iccid(1)}: its booked data volume was not told and is '500'"
        ]


def test_the_origin_of_a_plan_is_the_last_one(store: Store) -> None:
    assert store.plans.origin("p1") is None
    for origin in (Origin("/a/policy.toml"), Origin("/b/policy.toml", AccountLimits(Decimal("0.50"), None))):
        store.plans.note_origin("p1", origin)
        assert store.plans.origin("p1") == origin


EVERY_FIELD = NamePolicy("a {ip_address} {label} {source_iccid} {target_iccid}")
WITH_EVERY_FIELD = f"a 3 unit 1 {source_iccid(1)} {target_iccid(1)}"


@pytest.mark.parametrize(
    ("names", "values", "name", "doubtful"),
    [
        (EVERY_FIELD, {"ip_address": "3"}, WITH_EVERY_FIELD, 0),
        (EVERY_FIELD, {"ip_address": "4"}, WITH_EVERY_FIELD, 1),
        (NamePolicy("{imsi}{{}} {msisdn}"), {"imsi": "1", "msisdn": "2"}, "1{} 2", 0),
        (NamePolicy("{imsi}", "{ip_address}"), {"ip_address": "3"}, "3", 0),
        (NamePolicy("{imsi}", "{ip_address}"), {"imsi": "2", "ip_address": "3"}, "3", 1),
        (NamePolicy("{imsi}", "{ip_address}"), {"imsi": " ", "ip_address": "3"}, "3", 1),
        (NamePolicy("{imsi}"), {"imsi": "1"}, "1 (000000000001)", 1),
    ],
)
def test_only_names_that_are_not_plainly_the_same_are_looked_into(
    tmp_path: Path, names: NamePolicy, values: dict[str, str], name: str, doubtful: int
) -> None:
    with open_store(tmp_path) as store:
        pulled(store, [sim(1, **values), sim(2, **values)])
        planned(store, [change(1, name=name), change(2, name=name, rule="other"), change(3, name=name)])
        found = [one.source_iccid for one in store.plans.doubtful_names("p1", "", names)]
        assert found == [source_iccid(1)] * doubtful


def test_sims_that_have_no_name_for_their_names_sake_are_looked_into(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pulled(store, map(sim, (1, 2, 3)))
        reasons = (Reason.NAME_EMPTY, Reason.NAME_DUPLICATE, Reason.NO_PAIRING)
        blocked = [change(number, Action.BLOCK, reason=reason) for number, reason in enumerate(reasons, 1)]
        planned(store, blocked)
        found = list(store.plans.doubtful_names("p1", "", NamePolicy("{ip_address}", "{label}")))
        assert found == blocked[:2]


# --- SIMs that a cutover of ours switched off ---------------------------------------------------------------------


def test_a_plan_that_took_our_own_cutover_for_somebodys_is_stale(store: Store) -> None:
    """An earlier version planned a SIM that our cutover had switched off as a disabled one, and so paused it."""
    pulled(store, [sim(1, status="Disabled"), sim(2), sim(3)])
    as_disabled = replace(change(1), source={**change(1).source, "status": "Disabled"})
    switched_off(store, source_iccid(1))
    planned(store, [as_disabled, change(2), change(3)], plan_id="p2")
    told = [line for line in store.plans.differences("p2") if "status" in line]
    assert told == [f"{source_iccid(1)}: its status was 'Disabled' and is 'Disabled' (enabled before our cutover)"]


def test_one_that_plans_it_by_its_status_before_is_fresh_until_a_rollback(store: Store) -> None:
    pulled(store, [sim(1, status="Disabled"), sim(2), sim(3)])
    source = {**change(1).source, "status": "Disabled", "status_before": "enabled"}
    switched_off(store, source_iccid(1))
    planned(store, [replace(change(1), source=source), change(2), change(3)], plan_id="p2")
    told = [line for line in store.plans.differences("p2") if "status" in line]
    assert told == []
    switched_off(store, source_iccid(1), Direction.ROLLBACK)
    told = [line for line in store.plans.differences("p2") if "status" in line]
    assert told == [f"{source_iccid(1)}: its status was 'Disabled' (enabled before our cutover) and is 'Disabled'"]


def switched_off(store: Store, iccid: Iccid, direction: Direction = Direction.CUTOVER) -> None:
    """A cutover of plan p1, or a rollback, was seen to switch this SIM."""
    at = NOW + (1 if direction is Direction.CUTOVER else 2)
    row = CutoverRow(iccid, target_iccid(1), CutoverAction.SWITCH_OFF, CutoverReason.QUALIFIES, wave="all")
    header = CutoverHeader(direction.value, direction, "p1", store.lineage, ORG, None, 0.0, 1, {}, ("all",), "f")
    store.cutovers.add(header, [row], at)
    run_id = store.journal.start_run(header.cutover_id, "me", at)
    sent = Request("PUT", "/v1/sims/1", {})
    request_id = ordered(store, run_id, StepKind.SOURCE, {iccid.key: {"status": "Enabled"}}, sent=sent, now=at)
    store.journal.answered(request_id, RequestOutcome.ACCEPTED, now=at)
    store.journal.move(header.cutover_id, StepKind.SOURCE, StepEvent.CONFIRMED, {iccid.key: ("", "")}, now=at)
