"""The policy's JSON Schema: up to date, true to every policy that ships, and no kinder than the tool is.

`UPDATE_GOLDEN=1 make test` rewrites `plans/policy.schema.json`.
"""

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from migrator.inputs.policy.file import parse_policy
from migrator.inputs.policy.schema import policy_schema, schema_text
from tests.inputs.policy.policy_api import MINIMAL
from tests.inputs.policy.test_policy_refusals import REFUSED
from tests.inputs.policy.test_policy_rules import REFUSED as REFUSED_RULES

PLANS = Path(__file__).parents[2] / "plans"
SHIPPED = PLANS / "policy.schema.json"
Draft7Validator: Any = pytest.importorskip("jsonschema").Draft7Validator
VALIDATOR = Draft7Validator(policy_schema())

BEYOND_A_SCHEMA = {
    "fraction for a whole number",  # to a schema, 2096.0 is whole
    "not a number",  # and nan a number like any other
    "endless decimals",
    "list of ICCIDs that is not there",
}


def is_valid(text: str) -> bool:
    data: dict[str, Any] = tomllib.loads(text)
    return bool(VALIDATOR.is_valid(data))


def test_the_schema_on_file_is_the_one_that_the_checks_make() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        SHIPPED.write_text(schema_text(), encoding="utf-8")
    assert SHIPPED.read_text(encoding="utf-8") == schema_text(), "if it is meant: UPDATE_GOLDEN=1, then review the diff"


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(policy_schema())


@pytest.mark.parametrize("plan", sorted(PLANS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_policy_that_ships_fits_the_schema_and_names_it(plan: Path) -> None:
    text = plan.read_text(encoding="utf-8")
    assert is_valid(text)
    assert text.startswith(f"#:schema {SHIPPED.name}\n")


@pytest.mark.parametrize(
    "text",
    [
        MINIMAL + 'tag = ""',
        MINIMAL + '[[waves]]\nname = "a"\nshare = 0.5\nsoak = 90\n[[waves]]\nname = "b"\nlabel = "x*"',
        MINIMAL + "[gates]\nverified_share = 1\n[gates.max_failures_by_code]\nrefused = 0",
        MINIMAL + '[cutover]\nrest = "24h"\nalive_within = "0.5h"\nold_sim = "if_known"\n[approvals]\nrequired = 2',
        MINIMAL + '[name]\ntemplate = "{{ {label} }} {imsi}"',
        MINIMAL
        + '[[rule]]\nname = "a"\nwhen = { status = "expired" }\n[rule.data_limit]\nfixed_mb = 0.5\nbasis = "fixed"',
    ],
)
def test_what_the_tool_takes_the_schema_takes_too(text: str) -> None:
    """An editor that underlines a good policy is worse than none."""
    parse_policy(text, name="policy")
    assert is_valid(text)


BAD = {
    **{name: case[:2] for name, case in REFUSED.items()},
    **{name: (MINIMAL + case[0], case[1]) for name, case in REFUSED_RULES.items()},
}


TOLD_BY_A_SCHEMA = [
    name
    for name, (_, code) in BAD.items()
    if code != "impossible" and name != "absurd hexadecimal"  # too long a number for jsonschema to write into its words
]


@pytest.mark.parametrize("name", TOLD_BY_A_SCHEMA)
def test_what_the_tool_refuses_by_keys_types_and_bounds_the_schema_refuses_too(name: str) -> None:
    assert is_valid(BAD[name][0]) == (name in BEYOND_A_SCHEMA)


@pytest.mark.parametrize("name", ["two kinds of room", "rule for every SIM", "rule that gives nothing"])
def test_combinations_that_a_schema_can_tell_it_tells(name: str) -> None:
    assert not is_valid(BAD[name][0])
