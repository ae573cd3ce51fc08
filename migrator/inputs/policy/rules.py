"""`[[rule]]` of a policy file: other values for a selection of SIMs."""

from collections.abc import Mapping
from typing import Any

from migrator.core.money.costs import DEFAULT_GROUP
from migrator.core.policy.policy import Rule, When
from migrator.inputs.files.problems import nearest
from migrator.inputs.files.toml import KeyPath
from migrator.inputs.files.toml_checks import Findings, Unfit, found
from migrator.inputs.policy.combinations import check_section, overridden
from migrator.inputs.policy.sections import OVERRIDES, RULE_NAME, SECTIONS, WHEN
from migrator.inputs.policy.waves import ListReader, check_names, listed

__all__ = ["rules_from"]

Sections = Mapping[str, Mapping[str, Any]]
"""Checked values of each section, without absent ones."""

_KEYS = ("name", "when", *OVERRIDES)
_TARIFF = "a rule changes status, limits and names; data plan, zone and tag are the same for every SIM of a plan"


def rules_from(value: Any, base: Sections, findings: Findings, read_list: ListReader) -> tuple[Rule, ...]:
    """Read the rules in their order.

    Problems are noted.

    Args:
        value: the value of `rule`.
        base: the policy's own sections, which rules override key by key.
        findings: where problems are noted.
        read_list: reads files of ICCIDs.
    """
    if not isinstance(value, list) or not value:
        hint = 'write [[rule]] with double brackets and name = "..." for each rule'
        findings.add(("rule",), "wrong_type", f"found {found(value)}, expected one or more [[rule]]", hint)
        return ()
    for number, table in enumerate(value):
        if not isinstance(table, Mapping):
            hint = 'write [[rule]] and name = "..."'
            findings.add(("rule", number), "wrong_type", f"found {found(table)}, expected a rule", hint)
    tables = [(("rule", number), table) for number, table in enumerate(value) if isinstance(table, Mapping)]
    names = [_name(table, path, findings) for path, table in tables]
    check_names(names, "rule", findings)
    return tuple(
        _rule(name or "", table, path, base, findings, read_list)
        for name, (path, table) in zip(names, tables, strict=True)
    )


def _rule(  # noqa: PLR0917 - handed through as they came
    name: str, table: Mapping[str, Any], path: KeyPath, base: Sections, findings: Findings, read_list: ListReader
) -> Rule:
    _check_keys(table, path, findings)
    when = _when(table.get("when"), path, findings, read_list)
    given = {key: _given(key, table[key], path, findings) for key in OVERRIDES if key in table}
    if not given:
        words = f"gives nothing: expected at least one of {', '.join(f'[rule.{key}]' for key in OVERRIDES)}"
        findings.add(path, "impossible", words, 'such as [rule.status] disabled = "skip"')
    sections = {key: _section(key, given.get(key, {}), base, path, findings) for key in OVERRIDES}
    gives = sorted(f"{key}.{part}" for key, values in given.items() for part in values)
    return Rule(name, when, **sections, gives=tuple(gives))


def _check_keys(table: Mapping[str, Any], path: KeyPath, findings: Findings) -> None:
    for key in table:
        if key == "claim" or (key in SECTIONS["claim"][1] and key not in _KEYS):
            findings.add((*path, key), "not_supported", "a rule cannot change the claim", _TARIFF)
        elif key not in _KEYS:
            findings.add((*path, key), "unknown_key", "unknown key", nearest(key, _KEYS))


def _name(table: Mapping[str, Any], path: KeyPath, findings: Findings) -> str | None:
    """Read the rule's own name."""
    findings.require(table, path, {"name": '"pumps"'})
    if isinstance(table.get("name"), Mapping):
        hint = "what its SIMs are called stands in [rule.device_name]"
        findings.add((*path, "name"), "wrong_type", "found a section, expected the rule's own name", hint)
        return None
    try:
        name = str(RULE_NAME(table["name"])) if "name" in table else None
    except Unfit as error:
        findings.add((*path, "name"), error.code, error.words, error.hint)
        return None
    if name == DEFAULT_GROUP:
        words = f'found "{name}", which is what SIMs without a rule are listed under'
        findings.add((*path, "name"), "impossible", words, "give the rule another name")
    return name


def _when(value: Any, path: KeyPath, findings: Findings, read_list: ListReader) -> When:
    """Read the selection of SIMs for the rule."""
    path = (*path, "when")
    hint = 'such as when = { status = "disabled", label = "pump-*" }'
    if value is None:
        findings.add(path, "missing_key", "missing: which SIMs is the rule for?", hint)
        return When()
    if not isinstance(value, Mapping):
        findings.add(path, "wrong_type", f"found {found(value)}, expected conditions", hint)
        return When()
    if not value:
        findings.add(path, "impossible", "found no condition: the rule would fit every SIM", hint)
    values = findings.values(value, path, WHEN)
    _check_volumes(values, path, findings)
    listed(values, path, findings, read_list)
    return When(**values)


def _check_volumes(values: Mapping[str, Any], path: KeyPath, findings: Findings) -> None:
    """Check that the conditions on the booked volume can hold together."""
    exact, least, most = (values.get(key) for key in ("data_quota_mb", "data_quota_mb_min", "data_quota_mb_max"))
    if exact is not None and (least is not None or most is not None):
        words = "stands beside a range: expected either this or data_quota_mb_min and data_quota_mb_max"
        findings.add((*path, "data_quota_mb"), "impossible", words, "remove one of the two")
    if least is not None and most is not None and least > most:
        words = f"found {least}, which is above data_quota_mb_max = {most}: no SIM would fit"
        findings.add((*path, "data_quota_mb_min"), "impossible", words, "lower it, or raise data_quota_mb_max")


def _given(key: str, table: Any, path: KeyPath, findings: Findings) -> dict[str, Any]:
    """Return the checked values that the rule gives for one section."""
    path = (*path, key)
    return findings.values(findings.table(table, path), path, SECTIONS[OVERRIDES[key]][1])


def _section(key: str, given: Mapping[str, Any], base: Sections, path: KeyPath, findings: Findings) -> Any:
    """Build the whole section that applies to the rule."""
    section = OVERRIDES[key]
    values = overridden(section, base[section], given)
    check_section(section, values, (*path, key), findings)
    return SECTIONS[section][0](**values)
