"""Ends of a run: who hears of which."""

from datetime import date

import pytest

from migrator.core.campaign.notices import end_notices
from migrator.core.policy.outside import NoticeEvent, Receiver, ReceiverKind
from migrator.core.run.results import ExitCode

RECEIVER = Receiver(to=ReceiverKind.SLACK)
STOPPED = (ExitCode.ERROR, ExitCode.INPUT, ExitCode.REFUSED, ExitCode.STALE, ExitCode.HALTED, ExitCode.RESUMABLE)


@pytest.mark.parametrize("exit_code", list(ExitCode))
def test_all_ends_but_good_ones_interrupts_and_another_run_are_told(exit_code: ExitCode) -> None:
    found = end_notices("p7", exit_code, {"reason": "why"}, cause="why", day=date(2026, 11, 30), to=(RECEIVER,))
    events = [one.event for one in found]
    if exit_code in STOPPED:
        assert events == [NoticeEvent.STOPPED]
    else:
        assert events == ([NoticeEvent.NEEDS_ATTENTION] if exit_code is ExitCode.ATTENTION else [])
