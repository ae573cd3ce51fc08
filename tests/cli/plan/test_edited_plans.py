"""What is carried out is what was made, shown and approved: a plan that was edited since, in store or file, is not."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import POLICY, Desk
from tests.cli.cutover.test_cutover import QUICK, alive, off

LOOSE = POLICY + '[data_limit]\nbasis = "fixed"\nfixed_mb = 50\n'


def edit(*statements: str) -> None:
    """What somebody does who has the file and SQLite's shell."""
    with closing(sqlite3.connect("migrator.db", isolation_level=None)) as store:
        for statement in statements:
            assert store.execute(statement).rowcount > 0, statement


def writes(desk: Desk) -> int:
    return sum(entry.method != "GET" for entry in desk.rehearsal.hologram.ledger.entries)


EDITS = {
    "a limit in a line": "UPDATE changes SET document = replace(document, '\"overage_limit_bytes\":', "
    "'\"overage_limit_bytes\":9')",
    "which SIMs are claimed": "UPDATE changes SET action = 'SKIP' WHERE wave = 'canary'",
    "the wave of a SIM": "UPDATE changes SET wave = 'canary' WHERE wave = 'rest'",
    "why a SIM is left alone": "UPDATE changes SET reason = 'not_selected' WHERE wave = 'canary'",
    "a bound of the policy": "UPDATE plans SET policy_text = policy_text || '[gates]\nmax_failures = 9999\n'",
    "the policy's values": "UPDATE plans SET policy_json = replace(policy_json, 'max_failures', 'most_failures')",
    "the header's number of claims": 'UPDATE plans SET header = replace(header, \'"waves":["canary","rest"]\', '
    '\'"waves":["rest","canary"]\')',
    "the log's word": "DELETE FROM events WHERE kind = 'plan.made'",
    "the log's own hash": "UPDATE events SET detail = replace(detail, 'plan_sha256', 'plan_sha255') "
    "WHERE kind = 'plan.made'",
}


@pytest.mark.share(2)
@pytest.mark.parametrize("statement", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("words", [("--confirm", "{claims}"), ("--dry-run",)], ids=["apply", "dry run"])
def test_a_plan_that_was_edited_in_the_store_is_not_carried_out(
    desk: Desk, statement: str, words: tuple[str, ...]
) -> None:
    claims = desk.planned()["claims"]
    edit(statement)
    ended = desk.json("apply", *(word.format(claims=claims) for word in words))
    (problem,) = ended.document["errors"]
    assert (ended.code, problem["code"]) == (5, "edited_plan")
    assert "migrator audit verify" in problem["hint"]
    assert writes(desk) == 0


OTHER_KEY = "UPDATE changes SET target_key = {} WHERE source_key = (SELECT max(source_key) FROM changes)"


@pytest.mark.parametrize("key", ["substr(target_key, 1, 9) || '9'", "substr(target_key, 1, 9)", "NULL"])
def test_a_target_that_is_known_by_another_number_than_its_line_tells_is_found(desk: Desk, key: str) -> None:
    """`apply` would call the pair another one; a dry run looks at the lines first."""
    desk.planned()
    edit(OTHER_KEY.format(key))
    ended = desk.json("apply", "--dry-run")
    assert (ended.code, ended.document["errors"][0]["code"]) == (5, "edited_plan")


def test_an_approved_plan_that_is_edited_afterwards_is_not_carried_out(desk: Desk) -> None:
    claims = desk.planned(LOOSE + "[approvals]\nrequired = 1\n")["claims"]
    assert desk.run("plan", "approve", "--as", "ann", "--confirm", str(claims)).code == 0
    edit(EDITS["a limit in a line"])
    ended = desk.run("apply", "--confirm", str(claims))
    assert ended.code == 5
    assert "changed in the store since it was made" in ended.err
    assert writes(desk) == 0


def test_a_plan_that_is_edited_half_way_is_not_gone_on_with(desk: Desk) -> None:
    claims = desk.planned()["claims"]
    assert desk.run("apply", "--confirm", str(claims), "--max-sims", "3").code == 6
    before = writes(desk)
    edit(EDITS["a bound of the policy"])
    assert desk.run("apply").code == 5
    assert writes(desk) == before


def test_an_edit_while_the_number_is_typed_is_found_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = desk.planned()["claims"]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def typed(*_args: object, **_options: object) -> int:
        edit(EDITS["a bound of the policy"])
        return int(claims)

    monkeypatch.setattr("click.prompt", typed)
    assert desk.run("apply").code == 5
    assert writes(desk) == 0


CUTOVER_EDITS = {
    "what becomes of a SIM": "UPDATE changes SET action = 'SWITCH_OFF' WHERE action = 'LEAVE_ON'",
    "the line of a SIM": "UPDATE changes SET document = replace(document, 'NO_TRAFFIC', 'QUALIFIES'), wave = 'x' "
    "WHERE position >= 0",
    "the header": 'UPDATE plans SET header = replace(header, \'"require":"traffic"\', \'"require":"verified"\')',
    "the log's word": "DELETE FROM events WHERE kind = 'switch.made'",
    "the migration's policy": "UPDATE plans SET policy_text = policy_text || '[gates]\nmax_failures = 9999\n'",
    "the migration's lines": "UPDATE changes SET document = replace(document, 'from-1nce', 'from-2nce')",
}


@pytest.mark.parametrize("statement", CUTOVER_EDITS.values(), ids=CUTOVER_EDITS)
@pytest.mark.parametrize("words", [("--confirm", "{count}"), ("--dry-run",)], ids=["apply", "dry run"])
def test_a_cutover_that_was_edited_in_the_store_is_not_carried_out(
    make_desk: Callable[..., Desk], statement: str, words: tuple[str, ...]
) -> None:
    desk = make_desk(sims=8, onence=QUICK, epoch=datetime.now(UTC))
    alive(desk, but=2)
    plan, before = desk.json("cutover", "plan").data, off(desk)
    edit(statement)
    ended = desk.json("cutover", "apply", *(word.format(count=plan["count"]) for word in words))
    assert (ended.code, ended.document["errors"][-1]["code"]) == (5, "edited_plan"), ended.err
    assert off(desk) == before


def test_a_rollback_that_was_edited_in_the_store_is_not_carried_out(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(sims=8, onence=QUICK, epoch=datetime.now(UTC))
    alive(desk)
    assert desk.run("cutover", "apply", "--confirm", str(desk.json("cutover", "plan").data["count"])).code == 0
    count, before = desk.json("rollback", "plan").data["count"], off(desk)
    edit("UPDATE changes SET wave = 'other' WHERE action = 'SWITCH_BACK'")
    assert desk.run("rollback", "apply", "--confirm", str(count)).code == 5
    assert off(desk) == before


def test_a_cutover_plan_file_that_was_edited_does_not_stand_for_the_stored_plan(make_desk: Callable[..., Desk]) -> None:
    """`cutover apply FILE` carries out what the store holds, so the file that people looked at must be just that."""
    desk = make_desk(sims=8, onence=QUICK, epoch=datetime.now(UTC))
    alive(desk, but=2)
    count = str(desk.json("cutover", "plan", "--out", "cutover.jsonl").data["count"])
    text = Path("cutover.jsonl").read_text(encoding="utf-8")
    before = off(desk)
    for edited in (text.replace("SWITCH_OFF", "LEAVE_ON", 3), text.rpartition("\n{")[0] + "\n", text + "{}\n"):
        Path("cutover.jsonl").write_text(edited, encoding="utf-8")
        ended = desk.json("cutover", "apply", "cutover.jsonl", "--confirm", count)
        assert (ended.code, ended.document["errors"][0]["code"]) == (2, "edited_plan")
    assert off(desk) == before
    Path("cutover.jsonl").write_text(text, encoding="utf-8")
    assert desk.run("cutover", "apply", "cutover.jsonl", "--confirm", count).code == 0
