"""A policy file is read exactly, with every default, and its fingerprint is of its content alone."""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from migrator.core.policy.policy import (
    Caps,
    ClaimPolicy,
    DataBasis,
    Gates,
    LimitsTiming,
    OnDuplicate,
    Policy,
    SmsBasis,
    StatusPolicy,
    StatusRule,
    Wave,
    WhenZero,
)
from migrator.errors import InputError
from migrator.inputs.policy.file import parse_policy, read_policy
from migrator.inputs.policy.notify import NOTIFY
from migrator.inputs.policy.sections import SECTIONS, WAVE, WHEN
from tests.inputs.policy.policy_api import CLAIM, MINIMAL, Writer

PLANS = Path(__file__).parents[3] / "plans"


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "policy.toml")


# --- what is read -------------------------------------------------------------------------------------------------


def test_policy_with_the_required_keys_alone_has_every_default(write: Writer) -> None:
    assert write.read(MINIMAL).policy == Policy(ClaimPolicy(2096, "global"))


def test_default_plan_spells_out_the_defaults() -> None:
    """Whoever starts from the file must get what the file says, key by key."""
    assert read_policy(PLANS / "default.toml").policy == Policy(
        ClaimPolicy(2096, "global"), StatusPolicy(disabled=StatusRule.SKIP)
    )


@pytest.mark.parametrize("plan", ["default", "cautious", "remaining-quota", "fixed-cap"])
def test_every_plan_that_ships_loads_and_explains_each_key(plan: str) -> None:
    loaded = read_policy(PLANS / f"{plan}.toml")
    assert loaded.policy.claim.zone == "global"
    assert [line for line in loaded.text.splitlines() if "=" in line and "#" not in line] == []


def test_the_default_plan_names_every_key_there_is() -> None:
    text = (PLANS / "default.toml").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:# )?(\w+) = ", text, re.MULTILINE))
    headed = set(re.findall(r"^(?:# )?\[+([\w.]+)\]+", text, re.MULTILINE))
    keys = {key for _, checks in SECTIONS.values() for key in checks} | set(WAVE) | set(WHEN) | set(NOTIFY)
    assert keys - named - {"max_failures_by_code"} == set()
    assert {*SECTIONS, "waves", "notify", "rule", "rule.when", "gates.max_failures_by_code"} - headed == set()


def test_the_default_plan_still_loads_with_all_that_is_off_in_it_turned_on(tmp_path: Path) -> None:
    """What stands behind a # must be right, too: it is what people turn on."""
    text = (PLANS / "default.toml").read_text(encoding="utf-8")
    text = re.sub(r"^# (\w+ = |\[)", r"\1", text, flags=re.MULTILINE)
    for clash in ("share = ", "fixed_mb = ", "monthly_cap_mb = ", "fixed = ", "data_quota_mb = "):
        text = re.sub(rf"^{clash}.*\n", "", text, flags=re.MULTILINE)
    for name in ("canary.txt", "pumps.txt"):
        (tmp_path / name).write_text("8988228000000000001\n", encoding="utf-8")
    loaded = parse_policy(text, name="default.toml", folder=tmp_path)
    policy = loaded.policy
    assert loaded.warnings == ()
    assert policy.waves[0].soak_s == 86_400
    assert policy.gates.max_failures_by_code == {"claimed_elsewhere": 0}
    (only,) = policy.rules
    assert only.gives == ("device_name.template", "status.disabled")


def test_a_bound_on_a_code_that_nothing_fails_with_is_warned_of_and_kept(write: Writer) -> None:
    """A guard that never fires is worse than none; the plans that were made with one still go on."""
    loaded = write.read(MINIMAL + "[gates.max_failures_by_code]\nclaim_refused = 1\nclaimed_elsewere = 0\nqqq = 2\n")
    assert loaded.policy.gates.max_failures_by_code == {"claim_refused": 1, "claimed_elsewere": 0, "qqq": 2}
    first, second = loaded.warnings
    assert ":7: gates.max_failures_by_code.claimed_elsewere: no SIM fails with this code" in first
    assert first.endswith('did you mean "claimed_elsewhere"?')
    assert ":8: " in second
    assert "name_refused" in second


def test_plans_do_what_their_names_say() -> None:
    remaining = read_policy(PLANS / "remaining-quota.toml").policy
    fixed = read_policy(PLANS / "fixed-cap.toml").policy
    cautious = read_policy(PLANS / "cautious.toml").policy
    default = read_policy(PLANS / "default.toml").policy
    assert (remaining.data_limit.basis, remaining.sms_limit.basis) == (DataBasis.REMAINING, SmsBasis.REMAINING)
    assert (fixed.data_limit.basis, fixed.data_limit.fixed_mb) == (DataBasis.FIXED, Decimal(50))
    assert cautious.gates.verified_share > default.gates.verified_share
    assert cautious.caps.max_spend_now < default.caps.max_spend_now
    assert cautious.status.disabled is StatusRule.SKIP
    assert [wave.soak_s > 0 for wave in cautious.waves] == [True, True, True, False]


def test_every_key_is_taken_over(write: Writer) -> None:
    policy = write.read(
        """
        policy_version = 1
        [claim]
        data_plan_id = 7
        zone = "1"
        tag = "x y"
        limits = "after_claim"
        [status]
        enabled = "pause"
        disabled = "skip"
        expired = "block"
        [data_limit]
        basis = "remaining"
        minimum_mb = 0.5
        maximum_mb = 20
        round_up_to_mb = 0.25
        when_zero = "minimum"
        [sms_limit]
        basis = "fixed"
        fixed = 3
        maximum = 4
        [name]
        template = "{label} {imsi}"
        when_missing = "{target_iccid}{{}}"
        on_duplicate = "suffix"
        [[waves]]
        name = "one"
        count = 3
        [[waves]]
        name = "two"
        count = 4
        [gates]
        verified_share = 0.5
        max_failures = 0
        max_failure_share = 1
        [caps]
        max_sims = 9
        max_spend_now = 12.34
        """
    ).policy
    assert policy.claim == ClaimPolicy(7, "1", "x y", LimitsTiming.AFTER_CLAIM)
    status = policy.status
    assert (status.enabled, status.disabled, status.expired) == (StatusRule.PAUSE, StatusRule.SKIP, StatusRule.BLOCK)
    limit = policy.data_limit
    assert (limit.basis, limit.when_zero, limit.fixed_mb) == (DataBasis.REMAINING, WhenZero.MINIMUM, None)
    assert (limit.minimum_mb, limit.maximum_mb, limit.round_up_to_mb) == (Decimal("0.5"), Decimal(20), Decimal("0.25"))
    assert (policy.sms_limit.basis, policy.sms_limit.fixed, policy.sms_limit.maximum) == (SmsBasis.FIXED, 3, 4)
    assert (policy.name.template, policy.name.when_missing) == ("{label} {imsi}", "{target_iccid}{{}}")
    assert policy.name.on_duplicate is OnDuplicate.SUFFIX
    assert policy.waves == (Wave("one", 3), Wave("two", 4))
    assert policy.gates == Gates(Decimal("0.5"), 0, Decimal(1))
    assert policy.caps == Caps(9, Decimal("12.34"))


def test_empty_tag_is_no_tag(write: Writer) -> None:
    assert write.read(MINIMAL + 'tag = ""').policy.claim.tag is None


@pytest.mark.parametrize("basis", ["total", "remaining", "monthly_limit", "keep"])
def test_sms_basis_takes_every_word(write: Writer, basis: str) -> None:
    assert write.read(f'{MINIMAL}[sms_limit]\nbasis = "{basis}"').policy.sms_limit.basis == basis


def test_decimals_are_exact(write: Writer) -> None:
    """A float would make 0.1 something a little larger."""
    assert write.read(f"{MINIMAL}[gates]\nmax_failure_share = 0.1").policy.gates.max_failure_share == Decimal("0.1")


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.encode("utf-16"),
    ],
    ids=["byte order mark", "CRLF", "UTF-16"],
)
def test_policy_saved_by_any_editor_reads_the_same(write: Writer, encode: Callable[[str], bytes]) -> None:
    assert write.read(encode(MINIMAL)).policy == write.read(MINIMAL).policy


def test_text_kept_with_a_plan_reads_as_the_file_did(write: Writer) -> None:
    """A resume carries out the policy that the plan was made with, whatever became of the file."""
    loaded = write.read("\ufeff" + MINIMAL.replace("\n", "\r\n"))
    again = parse_policy(loaded.text, name="policy of a plan")
    assert (again.policy, again.fingerprint) == (loaded.policy, loaded.fingerprint)


def test_text_that_is_no_policy_is_refused_under_its_name() -> None:
    with pytest.raises(InputError, match=r"^policy of a plan:1: policy_version: missing"):
        parse_policy(CLAIM, name="policy of a plan")


# --- the fingerprint ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "same",
    [
        f"# a word\n{MINIMAL}# and another\n",
        'policy_version = 1\nclaim = { zone = "global", data_plan_id = 2_096 }\n',
        f"{MINIMAL}[caps]\nmax_spend_now = 5e3\n[gates]\nverified_share = 0.990\n",
        f'{MINIMAL}tag = "from-1nce"\n[[waves]]\nname = "canary"\ncount = 10\n[[waves]]\nname = "rest"\n',
    ],
    ids=["comments", "order and layout", "ways to write a number", "defaults written out"],
)
def test_fingerprint_is_of_the_content_alone(write: Writer, same: str) -> None:
    assert write.read(same).fingerprint == write.read(MINIMAL).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        MINIMAL.replace("2096", "2097"),
        MINIMAL + 'tag = ""\n',
        f"{MINIMAL}[caps]\nmax_spend_now = 5000.01\n",
        f'{MINIMAL}[[waves]]\nname = "rest"\n',
    ],
    ids=["data plan", "tag", "a cent", "waves"],
)
def test_fingerprint_changes_with_any_value(write: Writer, other: str) -> None:
    assert write.read(other).fingerprint != write.read(MINIMAL).fingerprint


def test_canonical_form_is_plain_sorted_and_complete(write: Writer) -> None:
    canonical = write.read(MINIMAL).canonical
    assert list(canonical) == sorted(canonical)
    assert set(canonical) == {*Policy.__dataclass_fields__, "policy_version"} - {"campaign", "database_users"}
    caps = {"max_sims": 100000, "max_spend_now": "5000", "scope": "organization", "without_price": "go_on"}
    assert canonical["caps"] == caps
    assert canonical["data_limit"]["fixed_mb"] is None


def test_a_policy_without_a_stated_monthly_cap_has_the_fingerprint_that_it_always_had(write: Writer) -> None:
    assert "monthly_cap_mb" not in write.read(MINIMAL).canonical["data_limit"]
    stated = MINIMAL + '[data_limit]\nbasis = "monthly_limit"\nmonthly_cap_mb = 16\n'
    assert write.read(stated).canonical["data_limit"]["monthly_cap_mb"] == "16"


def test_keys_of_limits_and_tags_that_are_not_given_leave_the_fingerprint_as_it_always_was(write: Writer) -> None:
    """A campaign's standing approval is bound to it. Without `basis` it is that of the former default."""
    loaded = write.read(MINIMAL)
    assert loaded.canonical["data_limit"]["basis"] == "total"
    assert loaded.fingerprint == write.read(MINIMAL + '[data_limit]\nbasis = "total"\n').fingerprint
    assert not {"tags", "most_tags", "other_periods"} & {*loaded.canonical["claim"], *loaded.canonical["data_limit"]}
    more = write.read(MINIMAL + 'tags = "copy"\n[data_limit]\nother_periods = "thirty_days"\n').canonical
    assert (more["claim"]["tags"], more["data_limit"]["other_periods"]) == ("copy", "thirty_days")
