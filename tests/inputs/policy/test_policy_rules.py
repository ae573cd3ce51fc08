"""`[[rule]]` blocks and selections of a policy file: what they give, and what is refused."""

from decimal import Decimal
from pathlib import Path

import pytest

from migrator.core.fleet.sims import SourceStatus
from migrator.core.policy.policy import (
    CutoverPolicy,
    CutoverProof,
    DataBasis,
    NamePolicy,
    OldSim,
    OnDuplicate,
    Rule,
    SmsBasis,
    StatusRule,
    Wave,
    When,
    WhenZero,
)
from migrator.errors import InputError
from migrator.inputs.policy.file import parse_policy, stored_policy
from tests.builders import source_iccid
from tests.inputs.policy.policy_api import MINIMAL, Writer

LISTED = "8988228000000000001\n8988228000000000002\n"
RULE = '[[rule]]\nname = "pumps"\nwhen = { label = "pump-*" }\n'


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "policy.toml")


def listing(write: Writer, text: str = LISTED) -> None:
    (write.path.parent / "sims.txt").write_text(text, encoding="utf-8")


def rule(write: Writer, text: str) -> Rule:
    (only,) = write.read(MINIMAL + text).policy.rules
    return only


# --- what is read -------------------------------------------------------------------------------------------------


def test_each_condition_is_taken_over(write: Writer) -> None:
    listing(write)
    told = rule(
        write,
        """
        [[rule]]
        name = "old pumps"
        [rule.when]
        status = "disabled"
        label = "pump-*"
        iccids = "sims.txt"
        data_quota_mb_min = 0.5
        data_quota_mb_max = 500
        [rule.status]
        disabled = "skip"
        """,
    )
    keys = frozenset(source_iccid(number).key for number in (1, 2))
    assert told.name == "old pumps"
    assert told.when == When(SourceStatus.DISABLED, "pump-*", keys, None, Decimal("0.5"), Decimal(500))
    assert told.status.disabled is StatusRule.SKIP
    assert told.gives == ("status.disabled",)


def test_a_rule_overrides_key_by_key_and_keeps_the_rest_of_the_policy(write: Writer) -> None:
    """A rule that only changes the basis must not lose the maximum that guards the bill."""
    told = rule(
        write,
        '[data_limit]\nmaximum_mb = 50\n[sms_limit]\nmaximum = 3\n[name]\non_duplicate = "block"\n'
        + RULE
        + '[rule.data_limit]\nbasis = "remaining"\n[rule.sms_limit]\nbasis = "keep"\n'
        '[rule.device_name]\ntemplate = "pump {imsi}"\n',
    )
    assert (told.data_limit.basis, told.data_limit.maximum_mb) == (DataBasis.REMAINING, Decimal(50))
    assert (told.sms_limit.basis, told.sms_limit.maximum) == (SmsBasis.KEEP, 3)
    assert told.device_name == NamePolicy("pump {imsi}", on_duplicate=OnDuplicate.BLOCK)
    assert told.gives == ("data_limit.basis", "device_name.template", "sms_limit.basis")


def test_what_the_new_basis_has_no_use_for_is_not_inherited(write: Writer) -> None:
    base = '[data_limit]\nbasis = "fixed"\nfixed_mb = 5\nmaximum_mb = 9\nwhen_zero = "pause"\n'
    total = rule(write, base + RULE + '[rule.data_limit]\nbasis = "total"\n').data_limit
    open_ended = rule(write, base + RULE + '[rule.data_limit]\nbasis = "unlimited"\n').data_limit
    assert (total.fixed_mb, total.maximum_mb, total.when_zero) == (None, Decimal(9), WhenZero.PAUSE)
    assert (open_ended.fixed_mb, open_ended.maximum_mb, open_ended.when_zero) == (None, None, WhenZero.BLOCK)


def test_waves_select_and_rest(write: Writer) -> None:
    listing(write, "# canaries\niccid\n\n8988228000000000001  # bench\n'8988228000000000002\n8988228000000000001\n")
    waves = write.read(
        MINIMAL
        + """
        [[waves]]
        name = "bench"
        iccids = "sims.txt"
        soak = "1d"
        [[waves]]
        name = "pumps"
        label = "pump-?"
        share = 0.05
        soak = 90
        [[waves]]
        name = "rest"
        """
    ).policy.waves
    keys = frozenset(source_iccid(number).key for number in (1, 2))
    assert waves == (
        Wave("bench", iccids=keys, soak_s=86_400),
        Wave("pumps", share=Decimal("0.05"), label="pump-?", soak_s=90),
        Wave("rest"),
    )


def test_gates_approvals_and_cutover_are_taken_over(write: Writer) -> None:
    policy = write.read(
        MINIMAL
        + "[gates]\nmin_sample = 7\n[gates.max_failures_by_code]\nrefused = 0\n[approvals]\nrequired = 2\n"
        + '[cutover]\nrequire = "verified"\nrest = "24h"\nverified_share = 0.9\n'
        + 'old_sim = "if_known"\nalive_within = "3d"\n'
    ).policy
    assert (policy.gates.min_sample, policy.gates.max_failures_by_code, policy.approvals) == (7, {"refused": 0}, 2)
    assert policy.cutover == CutoverPolicy(
        CutoverProof.VERIFIED, 86_400, Decimal("0.9"), old_sim=OldSim.IF_KNOWN, alive_within_s=259_200
    )


def test_cutover_asks_for_traffic_unless_told_otherwise(write: Writer) -> None:
    assert write.read(MINIMAL).policy.cutover == CutoverPolicy(CutoverProof.TRAFFIC, 0.0)


# --- files of ICCIDs ----------------------------------------------------------------------------------------------

BY_LIST = MINIMAL + '[[waves]]\nname = "bench"\niccids = "sims.txt"\n[[waves]]\nname = "rest"\n'


def test_fingerprint_is_of_the_listed_sims_and_not_of_how_they_are_written(write: Writer) -> None:
    """A plan gets stale when somebody adds a SIM to the list of a wave, and not when the lines are sorted."""
    listing(write)
    first = write.read(BY_LIST).fingerprint
    listing(write, "# again\n8988228000000000002\n8988228000000000001\n")
    assert write.read(BY_LIST).fingerprint == first
    listing(write, LISTED + "8988228000000000003\n")
    assert write.read(BY_LIST).fingerprint != first


def test_canonical_form_tells_a_list_by_its_size_and_hash(write: Writer) -> None:
    listing(write)
    told = write.read(BY_LIST).canonical["waves"][0]["iccids"]
    assert told["count"] == 2
    assert len(told["sha256"]) == 64


def test_the_text_kept_with_a_plan_is_read_without_the_list(write: Writer) -> None:
    """A resume must not hang on a file that somebody tidied away: each change carries its wave."""
    listing(write)
    loaded = write.read(BY_LIST)
    (write.path.parent / "sims.txt").unlink()
    policy = stored_policy(loaded.text, name="policy of a plan")
    assert [wave.name for wave in policy.waves] == ["bench", "rest"]
    assert policy.waves[0].iccids == frozenset()
    with pytest.raises(InputError, match=r"sims\.txt does not exist"):
        parse_policy(loaded.text, name="policy", folder=write.path.parent)


def test_bad_lines_of_a_list_are_all_told_with_their_file_and_line(write: Writer) -> None:
    listing(write, "8988228000000000001\n12345\n8.98822E+18\n898822800000000000x\n")
    problems = write.problems(BY_LIST + "zoone = 1\n")
    lists = [problem.message for problem in problems if "sims.txt" in problem.message]
    assert [message.rpartition("sims.txt:")[2].partition(":")[0] for message in lists] == ["2", "3", "4"]
    assert "as text" in next(problem.hint for problem in problems if "rounded" in problem.message)
    assert len(problems) == 4


def test_a_list_without_any_sim_is_refused(write: Writer) -> None:
    """An empty first wave would open the gate for everybody at once."""
    listing(write, "# none yet\n")
    assert write.only(BY_LIST).code == "empty_file"


# --- what is refused ----------------------------------------------------------------------------------------------

GIVES = '[rule.status]\nenabled = "pause"\n'
REFUSED = {
    "rule without a name": (
        '[[rule]]\nwhen = { label = "a" }\n' + GIVES,
        "missing_key",
        "5: rule[1].name: missing",
        'add name = "pumps"',
    ),
    "two rules of one name": (
        RULE + GIVES + RULE + GIVES,
        "impossible",
        '11: rule[2].name: found "pumps", which is the name of rule[1] too',
        "give each rule its own name",
    ),
    "rule in single brackets": (
        '[rule]\nname = "a"',
        "wrong_type",
        "5: rule: found a section, expected one or more [[rule]]",
        "write [[rule]] with double brackets",
    ),
    "rule without a selection": (
        '[[rule]]\nname = "a"\n' + GIVES,
        "missing_key",
        "5: rule[1].when: missing",
        "such as when",
    ),
    "rule for every SIM": (
        '[[rule]]\nname = "a"\nwhen = {}\n' + GIVES,
        "impossible",
        "7: rule[1].when: found no condition",
        "such as when",
    ),
    "selection in words": (
        '[[rule]]\nname = "a"\nwhen = "disabled"\n' + GIVES,
        "wrong_type",
        '7: rule[1].when: found "disabled", expected conditions',
        "such as when",
    ),
    "unknown condition": (
        '[[rule]]\nname = "a"\nwhen = { labell = "a" }\n' + GIVES,
        "unknown_key",
        "7: rule[1].when.labell: unknown key",
        'did you mean "label"?',
    ),
    "status that nobody acts on": (
        '[[rule]]\nname = "a"\nwhen = { status = "unknown" }\n' + GIVES,
        "bad_choice",
        'expected one of "enabled", "disabled", "expired"',
        "",
    ),
    "volume and range": (
        '[[rule]]\nname = "a"\nwhen = { data_quota_mb = 500, data_quota_mb_max = 600 }\n' + GIVES,
        "impossible",
        "7: rule[1].when.data_quota_mb: stands beside a range",
        "remove one of the two",
    ),
    "range that holds nothing": (
        '[[rule]]\nname = "a"\nwhen = { data_quota_mb_min = 5, data_quota_mb_max = 4 }\n' + GIVES,
        "impossible",
        "7: rule[1].when.data_quota_mb_min: found 5, which is above data_quota_mb_max = 4",
        "",
    ),
    "rule that gives nothing": (RULE, "impossible", "5: rule[1]: gives nothing", "[rule.status]"),
    "rule with another tariff": (
        RULE + GIVES + "[rule.claim]\ndata_plan_id = 1",
        "not_supported",
        "10: rule[1].claim: a rule cannot change the claim",
        "the same for every SIM of a plan",
    ),
    "rule with another tag": (
        RULE + 'tag = "pumps"\n' + GIVES,
        "not_supported",
        "8: rule[1].tag: a rule cannot change the claim",
        "the same for every SIM of a plan",
    ),
    "names of devices under name": (
        '[[rule]]\nwhen = { label = "a" }\n[rule.name]\ntemplate = "x"\n[rule.status]\nenabled = "pause"\n',
        "wrong_type",
        "7: rule[1].name: found a section, expected the rule's own name",
        "[rule.device_name]",
    ),
    "unknown section of a rule": (
        RULE + GIVES + "[rule.data_limits]\n",
        "unknown_key",
        "10: rule[1].data_limits: unknown key",
        'did you mean "data_limit"?',
    ),
    "unknown key of an override": (
        RULE + "[rule.data_limit]\nmaximun_mb = 5\n",
        "unknown_key",
        "9: rule[1].data_limit.maximun_mb: unknown key",
        'did you mean "maximum_mb"?',
    ),
    "fixed without a volume": (
        RULE + '[rule.data_limit]\nbasis = "fixed"\n',
        "impossible",
        '9: rule[1].data_limit.basis: "fixed" needs fixed_mb',
        "add fixed_mb = 50",
    ),
    "volume that the inherited basis does not use": (
        RULE + "[rule.data_limit]\nfixed_mb = 5\n",
        "impossible",
        "9: rule[1].data_limit.fixed_mb: found 5, but basis is left out",
        'write basis = "fixed"',
    ),
    "maximum below the inherited minimum": (
        "[data_limit]\nminimum_mb = 10\n" + RULE + "[rule.data_limit]\nmaximum_mb = 5\n",
        "impossible",
        "10: rule[1].data_limit.minimum_mb: found 10, which is above maximum_mb = 5",
        "lower minimum_mb",
    ),
}


@pytest.mark.parametrize(("text", "code", "words", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_problem_of_a_rule_is_told_with_its_line_and_a_hint(
    write: Writer, text: str, code: str, words: str, hint: str
) -> None:
    problem = write.only(MINIMAL + text)
    assert problem.code == code
    assert problem.message.startswith("policy.toml:")
    assert words in problem.message
    assert hint in problem.hint


def test_a_problem_of_the_policy_is_not_told_again_for_each_rule(write: Writer) -> None:
    problem = write.only(f'{MINIMAL}[data_limit]\nbasis = "fixed"\n{RULE}{GIVES}')
    assert "policy.toml:6: data_limit.basis" in problem.message
