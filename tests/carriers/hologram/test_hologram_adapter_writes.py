"""The Hologram adapter changes the simulated Hologram: what is sent once, what again, and what is read from it."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from migrator.carriers.hologram.adapter import HologramTarget
from migrator.carriers.hologram.simulator import MixedClaims, ReplyEdition, Role
from migrator.carriers.pacing import Pacer
from migrator.carriers.simulation import Fault
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.units import Bytes
from migrator.core.plan.plan import DesiredState
from migrator.errors import (
    InputError,
    InsufficientBalance,
    NotAuthorised,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    Transient,
)
from migrator.ports import Claim, SetLimits, SetName, SetNames, SetState
from tests.carriers.hologram.hologram_target import (
    BASE_URL,
    LOST_WRITES,
    A,
    B,
    C,
    claim_of,
    claimed_fleet,
    every_device,
    failing,
    for_writes,
    ids,
    make_tag,
    simulator,
    with_target,
    writes,
)
from tests.support import run_virtual

# --- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", ReplyEdition)
def test_a_claim_activates_its_sims_and_says_which(edition: ReplyEdition) -> None:
    async def use(target: HologramTarget) -> Any:
        tag = await make_tag(target, "from-1nce")
        wanted = claim_of(carrier, A, B, tag_id=tag.tag_id, overage_limit_bytes=Bytes(1000), sms_limit=5)
        return await target.send(wanted), await target.devices_by_id(ids(carrier, A, B))

    carrier = simulator(claim_edition=edition)
    answered, links = with_target(carrier, use)
    assert answered.claimed == dict(zip((A, B), ids(carrier, A, B), strict=True))
    assert {(link.overage_limit_bytes, link.sms_limit, link.zone) for link in links} == {(1000, 5, "global")}
    assert {link.tags for link in links} == {frozenset({"from-1nce"})}
    assert dict(carrier.ledger.charges) == {A: 1, B: 1}


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_a_lost_claim_is_never_sent_again(fault: Fault) -> None:
    """It may have been paid for."""
    carrier = simulator(faults=for_writes(fault))
    error = failing(carrier, lambda target: target.send(claim_of(carrier, A)))
    assert isinstance(error, OutcomeUnknown)
    assert len(writes(carrier)) == 1


@pytest.mark.parametrize("fault", [Fault.TOO_MANY, Fault.TOO_MANY_SILENT])
def test_a_claim_refused_for_now_is_not_repeated_here(fault: Fault) -> None:
    """Nobody says that a 429 did nothing; whoever sends again looks first."""
    carrier = simulator(faults=for_writes(fault))
    error = failing(carrier, lambda target: target.send(claim_of(carrier, A)))
    assert isinstance(error, RateLimited)
    assert len(writes(carrier)) == 1


def test_a_claim_that_found_no_connection_is_not_repeated_here() -> None:
    requests = []

    def down(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        raise httpx.ConnectError("down")

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(down), base_url=BASE_URL) as http:
            target = HologramTarget(http, api_key="key", org_id=5, pacer=Pacer(100.0))
            await target.send(Claim([Iccid.parse(A)], org_id=5, data_plan_id=1, zone="global"))

    with pytest.raises(Transient):
        run_virtual(main)
    assert len(requests) == 1


def test_a_claim_may_take_minutes() -> None:
    carrier = simulator(latency_s=170.0)
    assert with_target(carrier, lambda target: target.send(claim_of(carrier, A))).claimed.keys() == {A}


@pytest.mark.parametrize("status", [200, 400, 409, 422])
def test_a_refused_claim_names_the_sims_it_was_refused_for(status: int) -> None:
    carrier = simulator(claim_failure_status=status)
    carrier.stock_foreign(["8944500000000008888"])
    error = failing(carrier, lambda target: target.send(claim_of(carrier, A, "8944500000000008888")))
    assert isinstance(error, Permanent)
    assert error.reasons == {"8944500000000008888": "SIM is already activated"}


def test_a_claim_that_skips_sims_without_a_word_claims_only_the_others() -> None:
    carrier = simulator(claim_policy=MixedClaims.SKIP_BAD)
    answered = with_target(carrier, lambda target: target.send(claim_of(carrier, A, "8944500000000008888")))
    assert set(answered.claimed) == {A}


@pytest.mark.parametrize("status", [200, 400, 402])
def test_a_claim_that_the_balance_does_not_cover_stops_the_run(status: int) -> None:
    carrier = simulator(balance=Decimal("1.50"), insufficient_status=status)
    error = failing(carrier, lambda target: target.send(claim_of(carrier, A, B)))
    assert isinstance(error, InsufficientBalance)
    assert error.halts_run


def test_a_claim_for_another_organization_never_leaves() -> None:
    carrier = simulator(other_org_visible=True)
    error = failing(carrier, lambda target: target.send(claim_of(carrier, A, org_id=carrier.other_org_id)))
    assert isinstance(error, InputError)
    assert carrier.ledger.entries == []


def test_a_claim_without_the_permission_is_told_with_the_role_it_needs() -> None:
    carrier = simulator(role=Role.EDITOR)
    error = failing(carrier, lambda target: target.send(claim_of(carrier, A)))
    assert isinstance(error, NotAuthorised)
    assert "activation" in error.hint


# --- changes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edition", "known"), [(ReplyEdition.REF_1, True), (ReplyEdition.REF_2, True), (ReplyEdition.REF_3, False)]
)
def test_a_state_change_is_a_job_that_may_say_what_it_did(edition: ReplyEdition, known: bool) -> None:  # noqa: FBT001 - a parameter of the test
    carrier = claimed_fleet(state_edition=edition)
    device_ids = ids(carrier, A, B)
    answered = with_target(carrier, lambda target: target.send(SetState(device_ids, DesiredState.PAUSE)))
    assert answered.job_id == "301"
    assert answered.modified == (frozenset(device_ids) if known else None)
    assert {carrier.sims[iccid].state for iccid in (A, B)} == {"PAUSED-PENDING-USER"}


def test_a_locked_device_is_warned_of_and_not_counted_as_changed() -> None:
    async def use(target: HologramTarget) -> Any:
        await target.send(SetState(ids(carrier, A), DesiredState.PAUSE))
        return await target.send(SetState(ids(carrier, A, B), DesiredState.LIVE))

    carrier = claimed_fleet(same_state_warned=False)
    answered = with_target(carrier, use)
    [locked] = ids(carrier, A)
    assert answered.modified == frozenset(ids(carrier, B))
    assert "locked" in answered.warnings[locked]


@pytest.mark.parametrize("edition", ReplyEdition)
def test_limits_are_set_and_minus_one_is_none(edition: ReplyEdition) -> None:
    async def use(target: HologramTarget) -> Any:
        await target.send(SetLimits(ids(carrier, A), Bytes(5000), 7))
        await target.send(SetLimits(ids(carrier, B), Bytes(-1), None))
        return await every_device(target)

    carrier = claimed_fleet(limits_edition=edition)
    limits = {link.iccid.digits: (link.overage_limit_bytes, link.sms_limit) for link in with_target(carrier, use)}
    assert (limits[A], limits[B]) == ((5000, 7), (-1, 100))


def test_one_device_is_named_exactly() -> None:
    carrier = claimed_fleet()
    [device_id] = ids(carrier, A)
    with_target(carrier, lambda target: target.send(SetName(device_id, "Pump \u00fc (7)")))
    assert carrier.sims[A].name == "Pump \u00fc (7)"
    assert writes(carrier)[0].body == {"name": "Pump \u00fc (7)"}
    assert carrier.ledger.forbidden == []


def test_several_devices_get_one_exact_name() -> None:
    carrier = claimed_fleet()
    with_target(carrier, lambda target: target.send(SetNames(ids(carrier, A, B), "Pump")))
    assert [carrier.sims[iccid].name for iccid in (A, B)] == ["Pump", "Pump"]
    assert carrier.sims[C].name != "Pump"


def test_bulk_names_without_the_feature_are_refused() -> None:
    carrier = claimed_fleet(features=frozenset())
    assert isinstance(failing(carrier, lambda target: target.send(SetNames(ids(carrier, A), "Pump"))), NotAuthorised)


def test_jobs_are_listed_or_not_ours_to_read() -> None:
    async def use(target: HologramTarget) -> Any:
        await target.send(SetState(ids(carrier, A), DesiredState.PAUSE))
        return await target.jobs()

    carrier = claimed_fleet()
    jobs = with_target(carrier, use)
    assert [(job.job_id, job.action, job.status) for job in jobs] == [("301", "pause", "in_progress")]
    assert with_target(claimed_fleet(jobs_forbidden=True), lambda target: target.jobs()) is None


@pytest.mark.parametrize("fault", LOST_WRITES)
def test_a_lost_change_is_not_sent_again_here_either(fault: Fault) -> None:
    carrier = claimed_fleet()
    carrier.faults = for_writes(fault)
    assert isinstance(failing(carrier, lambda target: target.send(SetName(ids(carrier, A)[0], "Pump"))), OutcomeUnknown)
    assert len(writes(carrier)) == 1


def test_a_change_refused_for_now_is_sent_again() -> None:
    carrier = claimed_fleet()
    carrier.faults = for_writes(Fault.TOO_MANY, Fault.TOO_MANY_SILENT)
    with_target(carrier, lambda target: target.send(SetName(ids(carrier, A)[0], "Pump")))
    assert (carrier.sims[A].name, len(writes(carrier))) == ("Pump", 3)
