"""Which target SIMs a plan put on our organization, and which it was to leave alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.core.plan.plan import Action, Reason
from migrator.core.run.states import StepEvent, StepKind
from migrator.store import Store
from tests.builders import target_iccid
from tests.store.store_kit import NOW, change, key, open_store, planned


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """SIM 1 is claimed, 2 is set aside by an operator, 3 is skipped, 4 too but was ours before, 5 is unpaired."""
    with open_store(tmp_path) as opened:
        changes = [
            change(1),
            change(2),
            change(3, Action.SKIP, reason=Reason.STATUS_SKIPPED),
            change(4, Action.SKIP, reason=Reason.STATUS_SKIPPED, before={"device_id": 7}),
            change(5, Action.BLOCK, reason=Reason.NO_PAIRING, target_iccid=None),
        ]
        planned(opened, changes)
        opened.journal.move("p1", StepKind.CLAIM, StepEvent.OPERATOR_SKIP, {key(2): ("", "")}, now=NOW)
        yield opened


def test_sims_that_the_plan_claims_or_that_were_ours_before_are_to_be_there(store: Store) -> None:
    assert set(store.expectations.put_there("p1")) == {target_iccid(1), target_iccid(4)}


def test_sims_that_the_plan_or_an_operator_left_alone_are_not(store: Store) -> None:
    assert set(store.expectations.left_alone("p1")) == {target_iccid(2), target_iccid(3)}
