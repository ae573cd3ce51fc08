"""A policy that cannot be meant is refused as a whole, with every problem, its line and a hint."""

from pathlib import Path

import pytest

from tests.inputs.policy.policy_api import CLAIM, MINIMAL, Writer


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "policy.toml")


REFUSED = {
    "unknown key": (MINIMAL + "zoone = 1", "unknown_key", "5: claim.zoone: unknown key", 'did you mean "zone"?'),
    "unknown section": (MINIMAL + "[statusx]", "unknown_key", "5: statusx: unknown section", 'did you mean "status"?'),
    "key outside its section": (
        "policy_version = 1\nmax_sims = 5\n" + CLAIM,
        "unknown_key",
        "2: max_sims: unknown section or key",
        "max_sims belongs in [caps]",
    ),
    "text for a number": (
        MINIMAL.replace("2096", '"2096"'),
        "wrong_type",
        '3: claim.data_plan_id: found "2096" in quotes, expected a whole number without quotes',
        "remove the quotes",
    ),
    "list for a number": (
        MINIMAL + "[caps]\nmax_sims = [1]",
        "wrong_type",
        "found a list, expected a whole number",
        "",
    ),
    "words for a number": (
        MINIMAL + f'[caps]\nmax_sims = "{"many " * 50}"',
        "wrong_type",
        '...", expected a whole number',
        "",
    ),
    "number for a template": (
        MINIMAL + "[name]\ntemplate = 5",
        "wrong_type",
        "6: name.template: found 5",
        "fields: label",
    ),
    "wave that is no table": ("waves = [1]\n" + MINIMAL, "wrong_type", "1: waves[1]: found 1, expected a wave", ""),
    "boolean for a number": (
        MINIMAL.replace("2096", "true"),
        "wrong_type",
        "3: claim.data_plan_id: found true, expected a whole number",
        "",
    ),
    "fraction for a whole number": (
        MINIMAL.replace("2096", "2096.0"),
        "wrong_type",
        "3: claim.data_plan_id: found 2096.0, expected a whole number, without a point",
        "",
    ),
    "number for text": (
        MINIMAL.replace('"global"', "5"),
        "wrong_type",
        "4: claim.zone: found 5, expected text in quotes",
        "put the value in quotes",
    ),
    "date for text": (MINIMAL.replace('"global"', "2026-01-01"), "wrong_type", "4: claim.zone: found a date", ""),
    "blank zone": (MINIMAL.replace("global", " "), "out_of_range", '4: claim.zone: found " ", expected text', ""),
    "false for no tag": (MINIMAL + "tag = false", "wrong_type", "5: claim.tag: found false", 'write tag = ""'),
    "unknown word": (
        MINIMAL + '[status]\nenabled = "alive"',
        "bad_choice",
        '6: status.enabled: found "alive", expected one of "live", "pause", "skip", "block"',
        'did you mean "live"?',
    ),
    "not a number": (MINIMAL + "[caps]\nmax_spend_now = nan", "out_of_range", "6: caps.max_spend_now: found NaN", ""),
    "infinity": (
        MINIMAL + "[caps]\nmax_spend_now = inf",
        "out_of_range",
        "6: caps.max_spend_now: found Infinity, expected a number that is finite",
        "",
    ),
    "negative volume": (MINIMAL + "[data_limit]\nminimum_mb = -1", "out_of_range", "minimum_mb: found -1", ""),
    "absurd volume": (MINIMAL + "[data_limit]\nmaximum_mb = 1e99", "out_of_range", "maximum_mb: found 1E+99", ""),
    "endless decimals": (MINIMAL + "[gates]\nverified_share = 1e-99", "out_of_range", "at most 9 decimals", ""),
    "absurd hexadecimal": (
        MINIMAL.replace("2096", "0x" + "f" * 5000),
        "out_of_range",
        "3: claim.data_plan_id: found a number past all bounds",
        "",
    ),
    "share in percent": (
        MINIMAL + "[gates]\nverified_share = 99",
        "out_of_range",
        "6: gates.verified_share: found 99, expected a share (0.99 is 99 %) from 0 to 1",
        "",
    ),
    "rounding to nothing": (
        MINIMAL + "[data_limit]\nround_up_to_mb = 0",
        "out_of_range",
        "6: data_limit.round_up_to_mb: found 0, expected a number above 0",
        "",
    ),
    "rounding to more than there is": (
        MINIMAL + "[data_limit]\nround_up_to_mb = 1e30",
        "out_of_range",
        "6: data_limit.round_up_to_mb: found 1E+30, expected a number above 0 and at most 1000000000",
        "",
    ),
    "too many SMS": (
        MINIMAL + "[sms_limit]\nmaximum = 101",
        "out_of_range",
        "6: sms_limit.maximum: found 101, expected a whole number from 0 to 100",
        "",
    ),
    "negative SMS": (MINIMAL + "[sms_limit]\nmaximum = -1", "out_of_range", "sms_limit.maximum: found -1", ""),
    "fixed without a volume": (
        MINIMAL + '[data_limit]\nbasis = "fixed"',
        "impossible",
        '6: data_limit.basis: "fixed" needs fixed_mb, which is missing',
        "add fixed_mb = 50",
    ),
    "cap without monthly_limit": (
        MINIMAL + "[data_limit]\nmonthly_cap_mb = 5",
        "impossible",
        "6: data_limit.monthly_cap_mb: found 5, but basis is left out and does not use it",
        'write basis = "monthly_limit"',
    ),
    "volume without fixed": (
        MINIMAL + "[data_limit]\nfixed_mb = 5",
        "impossible",
        "6: data_limit.fixed_mb: found 5, but basis is left out and does not use it",
        'write basis = "fixed"',
    ),
    "minimum above maximum": (
        MINIMAL + "[data_limit]\nminimum_mb = 10\nmaximum_mb = 5.5",
        "impossible",
        "6: data_limit.minimum_mb: found 10, which is above maximum_mb = 5.5",
        "lower minimum_mb",
    ),
    "minimum on zero without a minimum": (
        MINIMAL + '[data_limit]\nwhen_zero = "minimum"',
        "impossible",
        '6: data_limit.when_zero: "minimum" needs a minimum_mb of a byte or more, and it is missing',
        "add minimum_mb = 1",
    ),
    "minimum on zero of zero": (
        MINIMAL + '[data_limit]\nminimum_mb = 0\nwhen_zero = "minimum"',
        "impossible",
        "minimum_mb of a byte or more, and it is 0",
        "add minimum_mb = 1",
    ),
    "minimum on zero of less than a byte": (
        MINIMAL + '[data_limit]\nminimum_mb = 0.0000005\nwhen_zero = "minimum"',
        "impossible",
        "minimum_mb of a byte or more, and it is 5E-7",
        "add minimum_mb = 1",
    ),
    "unlimited with a minimum": (
        MINIMAL + '[data_limit]\nbasis = "unlimited"\nminimum_mb = 1',
        "impossible",
        '7: data_limit.minimum_mb: has no meaning with basis = "unlimited"',
        "remove it",
    ),
    "unlimited with a maximum": (
        MINIMAL + '[data_limit]\nbasis = "unlimited"\nmaximum_mb = 1',
        "impossible",
        '7: data_limit.maximum_mb: has no meaning with basis = "unlimited"',
        "remove it",
    ),
    "unlimited with a rule for zero": (
        MINIMAL + '[data_limit]\nbasis = "unlimited"\nwhen_zero = "pause"',
        "impossible",
        '7: data_limit.when_zero: found "pause", which has no meaning with basis = "unlimited"',
        "remove it",
    ),
    "fixed without a count": (
        MINIMAL + '[sms_limit]\nbasis = "fixed"',
        "impossible",
        '6: sms_limit.basis: "fixed" needs the key fixed',
        "add fixed = 10",
    ),
    "count without fixed": (MINIMAL + "[sms_limit]\nfixed = 5", "impossible", "6: sms_limit.fixed: found 5", ""),
    "count above its maximum": (
        MINIMAL + '[sms_limit]\nbasis = "fixed"\nfixed = 50\nmaximum = 20',
        "impossible",
        "7: sms_limit.fixed: found 50, which is above maximum = 20",
        "lower fixed",
    ),
    "unknown field": (
        MINIMAL + '[name]\ntemplate = "{labels}"',
        "bad_template",
        "6: name.template: unknown field {labels}",
        'did you mean "label"?',
    ),
    "field without a name": (MINIMAL + '[name]\ntemplate = "{}"', "bad_template", "unknown field {}", ""),
    "field that reaches inside": (
        MINIMAL + '[name]\ntemplate = "{label.__class__}"',
        "bad_template",
        "unknown field {label.__class__}",
        "",
    ),
    "field with a format": (
        MINIMAL + '[name]\nwhen_missing = "{imsi:>99999999}"',
        "bad_template",
        "field {imsi} has a format",
        "write {imsi} alone",
    ),
    "brace left open": (MINIMAL + '[name]\ntemplate = "{label"', "bad_template", 'found "{label"', "{{ or }}"),
    "no name at all": (
        MINIMAL + '[name]\ntemplate = " "\nwhen_missing = ""',
        "impossible",
        "6: name.template: empty, and when_missing is empty too",
        "write when_missing",
    ),
    "no version": (CLAIM, "missing_key", "1: policy_version: missing", "begin the file with policy_version = 1"),
    "another version": (MINIMAL.replace("= 1", "= 2", 1), "bad_version", "1: policy_version: found 2, expected 1", ""),
    "true as a version": (MINIMAL.replace("= 1", "= true", 1), "bad_version", "found true, expected 1", ""),
    "no zone": (
        "policy_version = 1\n[claim]\ndata_plan_id = 1",
        "missing_key",
        "2: claim.zone: missing, and it has no default",
        'add zone = "global"',
    ),
    "section as a value": (
        "policy_version = 1\ncaps = 1\n" + CLAIM,
        "wrong_type",
        "2: caps: found a value, expected a section [caps]",
        "",
    ),
    "section in double brackets": (
        MINIMAL + "[[caps]]\nmax_sims = 1",
        "wrong_type",
        "5: caps: found a list, expected [caps] once, with single brackets",
        "",
    ),
    "waves in single brackets": (
        MINIMAL + '[waves]\nname = "a"',
        "wrong_type",
        "5: waves: found a section, expected one or more [[waves]]",
        "write [[waves]] with double brackets",
    ),
    "no waves": ("waves = []\n" + MINIMAL, "wrong_type", "1: waves: found a list, expected one or more [[waves]]", ""),
    "wave without a name": (MINIMAL + "[[waves]]\ncount = 1", "missing_key", "5: waves[1].name: missing", "add name"),
    "wave of nothing": (
        MINIMAL + '[[waves]]\nname = "a"\ncount = 0',
        "out_of_range",
        "7: waves[1].count: found 0, expected a whole number at least 1",
        "",
    ),
    "two waves of one name": (
        MINIMAL + '[[waves]]\nname = "a"\ncount = 1\n\n[[waves]]\nname = "a"',
        "impossible",
        '10: waves[2].name: found "a", which is the name of waves[1] too',
        "give each wave its own name",
    ),
    "wave of all that is left before another": (
        MINIMAL + '[[waves]]\nname = "a"\n[[waves]]\nname = "b"',
        "impossible",
        "5: waves[1].count: missing: a wave without count takes all that is left",
        "add count = 10",
    ),
    "two kinds of room": (
        MINIMAL + '[[waves]]\nname = "a"\ncount = 1\nshare = 0.5',
        "impossible",
        "8: waves[1].share: stands beside count",
        "remove one of the two",
    ),
    "share of nothing": (
        MINIMAL + '[[waves]]\nname = "a"\nshare = 0',
        "out_of_range",
        "7: waves[1].share: found 0, expected a share (0.1 is 10 %)",
        "",
    ),
    "soak in words": (
        MINIMAL + '[[waves]]\nname = "a"\nsoak = "a day"',
        "bad_duration",
        "7: waves[1].soak: found text of 5 characters, expected a duration such as 90s",
        "",
    ),
    "list of ICCIDs that is not there": (
        MINIMAL + '[[waves]]\nname = "a"\niccids = "none.txt"',
        "no_such_file",
        "none.txt does not exist",
        "check the path",
    ),
    "ICCIDs in the policy itself": (
        MINIMAL + '[[waves]]\nname = "a"\niccids = ["8988228000000000001"]',
        "wrong_type",
        "7: waves[1].iccids: found a list, expected text in quotes",
        "",
    ),
    "error code in words": (
        MINIMAL + '[gates.max_failures_by_code]\n"not found" = 1',
        "bad_code",
        '6: gates.max_failures_by_code.not found: found "not found", expected an error code',
        "migrator status",
    ),
    "bound of a code below zero": (
        MINIMAL + "[gates.max_failures_by_code]\nrefused = 1\nsim_claimed = -1",
        "out_of_range",
        "7: gates.max_failures_by_code.sim_claimed: found -1",
        "",
    ),
    "codes that are no section": (
        MINIMAL + "[gates]\nmax_failures_by_code = 3",
        "wrong_type",
        "6: gates.max_failures_by_code: found a value, expected a section [gates.max_failures_by_code]",
        "",
    ),
    "unknown key of approvals": (MINIMAL + "[approvals]\nby = 2", "unknown_key", "6: approvals.by", "required"),
    "unknown proof": (
        MINIMAL + '[cutover]\nrequire = "trffic"',
        "bad_choice",
        '6: cutover.require: found "trffic", expected one of "traffic", "verified"',
        'did you mean "traffic"?',
    ),
    "unknown word for the old SIM": (
        MINIMAL + '[cutover]\nold_sim = "silent"',
        "bad_choice",
        '6: cutover.old_sim: found "silent", expected one of "must_be_silent", "if_known", "not_asked"',
        "",
    ),
    "no time in which to be alive": (
        MINIMAL + '[cutover]\nalive_within = "0d"',
        "bad_duration",
        '6: cutover.alive_within: found "0d": no SIM could meet that',
        "such as 14d",
    ),
    "no seconds in which to be alive": (
        MINIMAL + "[cutover]\nalive_within = 0",
        "bad_duration",
        "6: cutover.alive_within: found 0: no SIM could meet that",
        "such as 14d",
    ),
    "limit of less than a byte": (
        MINIMAL + "[data_limit]\nmaximum_mb = 0.0000001",
        "impossible",
        "6: data_limit.maximum_mb: found 1E-7, which is less than a byte",
        "at least 0.000001",
    ),
    "unknown key of a wave": (
        MINIMAL + '[[waves]]\nname = "a"\ncuont = 1',
        "unknown_key",
        "7: waves[1].cuont",
        "count",
    ),
}


@pytest.mark.parametrize(("text", "code", "words", "hint"), REFUSED.values(), ids=REFUSED.keys())
def test_problem_is_told_with_its_line_and_a_hint(write: Writer, text: str, code: str, words: str, hint: str) -> None:
    problem = write.only(text)
    assert problem.code == code
    assert problem.message.startswith("policy.toml:")
    assert words in problem.message
    assert hint in problem.hint


def test_every_problem_is_told_at_once_in_the_order_of_the_file(write: Writer) -> None:
    problems = write.problems(
        'zone = "x"\n[claim]\ndata_plan_id = "1"\n[gates]\nverified_share = 2\nmax_failures = 1.5\n'
        '[data_limit]\nbasis = "fixd"\nfixed_mb = 5\n[[waves]]\n[[waves]]\nname = ""\n'
    )
    lines = [int(problem.message.removeprefix(f"{write.path}:").partition(":")[0]) for problem in problems]
    assert lines == [1, 1, 2, 3, 5, 6, 8, 10, 10, 12]


def test_combination_is_not_blamed_on_a_key_that_has_its_own_problem(write: Writer) -> None:
    """With the basis mistyped nobody can know whether fixed_mb fits it."""
    problem = write.only(f'{MINIMAL}[data_limit]\nbasis = "fixd"\nfixed_mb = 5')
    assert "data_limit.basis" in problem.message
