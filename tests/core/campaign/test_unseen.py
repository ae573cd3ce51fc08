"""Cards that wait for their swap: claimed, or perhaps claimed, and never seen."""

import pytest

from migrator.core.campaign.life import ExceptionCode, LifeStage, SimLife

BEFORE, SINCE = 5.0, 9.0


@pytest.mark.parametrize(
    ("stage", "code", "claimed_s", "alive_s", "is_unseen"),
    [
        (LifeStage.CLAIMED_SILENT, None, BEFORE, None, True),
        (LifeStage.CLAIMED_SILENT, None, None, None, True),
        (LifeStage.EXCEPTION, ExceptionCode.SILENT, BEFORE, None, True),
        (LifeStage.EXCEPTION, ExceptionCode.IN_DOUBT, None, None, True),
        (LifeStage.EXCEPTION, ExceptionCode.MISMATCH, BEFORE, None, True),
        (LifeStage.EXCEPTION, ExceptionCode.OTHER_UNIT, BEFORE, SINCE, False),
        (LifeStage.EXCEPTION, ExceptionCode.IN_DOUBT, BEFORE, SINCE, False),
        (LifeStage.EXCEPTION, ExceptionCode.REFUSED, None, None, False),
        (LifeStage.WAITING, None, None, None, False),
        (LifeStage.STAGED, None, BEFORE, None, False),
        (LifeStage.ALIVE, None, BEFORE, SINCE, False),
        (LifeStage.CUT_OVER, None, BEFORE, None, False),
    ],
)
def test_a_card_is_unseen_from_its_claim_to_its_first_life(
    stage: LifeStage, code: ExceptionCode | None, claimed_s: float | None, alive_s: float | None, *, is_unseen: bool
) -> None:
    life = SimLife("8988", "8944", stage, code, claimed_s=claimed_s, alive_s=alive_s)
    assert life.is_unseen is is_unseen
