"""What the 1NCE adapter makes of usage by day."""

from datetime import date
from itertools import islice
from typing import Any

import pytest

from migrator.carriers.onence import wire
from migrator.carriers.onence.adapter import OnenceSource
from migrator.carriers.onence.simulator import ExpiredSims, SimStatus, UsageCall
from migrator.core.fleet.identifiers import Iccid
from tests.carriers.onence.onence_source import SIM, UNKNOWN_SIM, of_one, simulator, with_source

FIRST, LAST = date(2026, 11, 10), date(2026, 11, 20)
NOTHING = {"volume": "0", "volume_tx": "0", "volume_rx": "0"}
LITTLE = {"volume": "0.014598999999999997", "volume_tx": "0.008", "volume_rx": "0.006598999999999997"}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_every_day_that_was_asked_for_is_told_and_the_sum_is_not(version: str) -> None:
    days = with_source(of_one(), lambda source: source.used_days(SIM, FIRST, LAST), api_version=version)
    assert days is not None
    assert min(days) == FIRST
    assert len(days) == (max(days) - FIRST).days + 1


def test_a_sim_that_gets_no_usable_answer_is_unknown_and_not_silent() -> None:
    ask = with_source(simulator(), lambda source: source.used_days(UNKNOWN_SIM, FIRST, LAST))
    gone = of_one(status=SimStatus.EXPIRED)
    gone.behaviour = type(gone.behaviour)(expired=ExpiredSims.UNREADABLE)
    assert (ask, with_source(gone, lambda source: source.used_days(SIM, FIRST, LAST))) == (None, None)


def test_the_version_that_has_usage_is_asked_alone_from_then_on() -> None:
    """One request a SIM: to ask v2 each time would double what a fleet costs."""
    carrier = simulator(usage_call=UsageCall.V1_ONLY)
    ours = [Iccid.parse(sim.iccid) for sim in islice(carrier.fleet, 4)]

    async def of_all(source: OnenceSource) -> list[Any]:
        return [await source.used_days(iccid, FIRST, LAST) for iccid in ours]

    assert None not in with_source(carrier, of_all, api_version="v2")
    asked = [entry.path.split("/")[1] for entry in carrier.ledger.entries if entry.path.endswith("/usage")]
    assert asked == ["v2", "v1", "v1", "v1", "v1"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"date": "2026-11-10", "data": NOTHING, "sms": NOTHING}, {FIRST: False}),
        ({"date": "2026-11-10T00:00:00.000Z", "data": LITTLE, "sms": NOTHING}, {FIRST: True}),
        ({"date": "2026-11-10", "data": NOTHING, "sms": {"volume": "1"}}, {FIRST: True}),
        ({"date": "2026-11-10", "data": {"volume": "?"}, "sms": NOTHING}, {}),
        ({"date": "2026-11-10"}, {}),
        ({"date": "TOTAL", "data": LITTLE, "sms": NOTHING}, {}),
        ("TOTAL", {}),
    ],
)
def test_a_day_is_silent_only_where_every_volume_says_so(row: Any, expected: dict[date, bool]) -> None:
    assert wire.used_days({"stats": [row]}) == expected


@pytest.mark.parametrize("body", [None, [], {}, {"stats": None}])
def test_what_is_no_usage_is_told_as_such(body: Any) -> None:
    assert wire.used_days(body) is None


# --- sessions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_word_for_a_session_is_told_in_either_shape(version: str) -> None:
    def word(**values: Any) -> str | None:
        return with_source(of_one(**values), lambda source: source.session(SIM), api_version=version)

    assert word(imei="8600000000000104") == "ATTACHED"
    assert word(imei="8600000000000104", silent_from=FIRST) == "OFFLINE"  # another SIM is in its unit
    assert word(imei=None) == "OFFLINE"


def test_a_session_that_nobody_tells_is_none() -> None:
    assert with_source(simulator(), lambda source: source.session(UNKNOWN_SIM)) is None
    assert wire.session_word([]) is wire.session_word({}) is None
