"""Policy file, checked whole and turned into the core's `Policy`."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from migrator.core.policy.policy import DataBasis, Policy
from migrator.core.run.gates import FAILURE_CODES
from migrator.inputs.files.problems import nearest, refusal
from migrator.inputs.files.toml import KeyPath, TomlFile, key_lines, parse_toml, read_toml
from migrator.inputs.files.toml_checks import Findings, Unfit, found
from migrator.inputs.policy.combinations import check_section
from migrator.inputs.policy.iccids import read_iccids
from migrator.inputs.policy.notify import receivers_from
from migrator.inputs.policy.rules import rules_from
from migrator.inputs.policy.sections import CODE_BOUND, FIELD_OF, OPTIONAL, REQUIRED, SECTIONS, checked_code
from migrator.inputs.policy.waves import waves_from

__all__ = ["LoadedPolicy", "parse_policy", "read_policy", "stored_policy"]

VERSION = 1
_NEWER = (
    "status_before",
    "switched_off_by_us",
    "monthly_cap_mb",
    "campaign",
    "ahead_s",
    "other_periods",
    "tags",
    "most_tags",
    "database_users",
)
"""Keys that older policies do not have.

Such a key is left out of `canonical` where it is None, so that the fingerprint of an older policy stays the
same.
"""
_UNSAID = {"basis": DataBasis.TOTAL.value}
"""Values that stand in `canonical` for a key that is not given.

Older policies have them as the default, and their fingerprint stays the same.
"""
_SECTION_WORDS = ("policy_version", *SECTIONS, "waves", "rule", "notify")


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """Policy, with its file and text.

    `canonical` is every value as JSON, defaults included, decimals as text. For a file of ICCIDs, `canonical` has the
    number of ICCIDs and the SHA-256 of the sorted ICCIDs; `lists` has their keys. `warnings` are messages about values
    that are accepted but look odd, each with its line. `says_disabled`: whether `[status]` states `disabled`.
    """

    name: str
    policy: Policy
    text: str
    canonical: Mapping[str, Any]
    lists: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    says_disabled: bool = True

    @property
    def fingerprint(self) -> str:
        """SHA-256 of `canonical`, hexadecimal.

        Comments, order and ways to write a number do not change the fingerprint.
        """
        return _hashed(self.canonical)

    def place(self, *path: str | int) -> str:
        """Return "FILE:LINE" of a value, or of the table that lacks it.

        Where the file has neither, it is the file alone.
        """
        lines = key_lines(self.text)
        known = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)
        return self.name if known is None else f"{self.name}:{known}"

    def says(self, *path: str | int) -> bool:
        """True if the file itself has this key."""
        return path in key_lines(self.text)

    def fingerprint_among(self, known: Mapping[str, Any]) -> str:
        """Return the fingerprint that an older version of this tool gave.

        That version knew only the keys in `known`. A newer key that has its default value does not make another policy.

        Args:
            known: a policy's content, as `canonical` was then.
        """
        usual = _spelled_out(Policy(self.policy.claim))

        def is_known(value: Any, *path: str) -> bool:
            then, now = known, usual
            for name in path[:-1]:
                then, now = then.get(name, {}), now.get(name, {})
            return path[-1] in then or value != now.get(path[-1])

        return _hashed(
            {
                name: {key: value[key] for key in value if is_known(value[key], name, key)}
                if name in SECTIONS and name in known and isinstance(value, Mapping)
                else value
                for name, value in self.canonical.items()
                if is_known(value, name)
            }
        )


def _hashed(canonical: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()


def read_policy(path: Path) -> LoadedPolicy:
    """Read a policy file and the files of ICCIDs that it names.

    The paths of these files begin in the policy's own folder.

    Raises: InputError, with every problem as "FILE:LINE: key: what was found, what is expected" and a hint.
    """
    return _loaded(read_toml(path), path.parent)


def parse_policy(text: str, *, name: str, folder: Path | None = None) -> LoadedPolicy:
    """Read the policy in `text`, ready to plan with.

    Args:
        text: TOML.
        name: stands for the file in messages.
        folder: the folder of the files of ICCIDs that the policy names; None is the working directory.

    Raises: InputError, as `read_policy`.
    """
    return _loaded(parse_toml(text, name=name), folder or Path())


def stored_policy(text: str, *, name: str) -> Policy:
    """Read the policy of an existing plan, to carry the plan out.

    Files of ICCIDs are not read, and select nothing. A plan names the wave and the rule of every SIM, so the selection
    is not needed again.

    Raises: InputError.
    """
    return _loaded(parse_toml(text, name=name), None).policy


def _loaded(file: TomlFile, folder: Path | None) -> LoadedPolicy:
    """Build the policy.

    Without a folder, the files of ICCIDs are not read.
    """
    lists: dict[Path, frozenset[str]] = {}

    def read_list(named: str) -> frozenset[str]:
        if folder is None:
            return frozenset()
        path = folder / named
        if path not in lists:
            lists[path] = read_iccids(path)
        return lists[path]

    findings = Findings(file)
    _check_top(file.data, findings)
    sections = {
        name: _section(name, file.data.get(name, {}), findings)
        for name in SECTIONS
        if name in file.data or name not in OPTIONAL
    }
    for name, values in sections.items():
        check_section(name, values, (name,), findings)
    arrays: dict[str, Any] = {}
    if "waves" in file.data:
        arrays["waves"] = waves_from(file.data["waves"], findings, read_list)
    if "rule" in file.data:
        arrays["rules"] = rules_from(file.data["rule"], sections, findings, read_list)
    if "notify" in file.data:
        arrays["notify"] = receivers_from(file.data["notify"], findings)
    if findings.problems:
        raise refusal(findings.problems, what=file.name)
    policy = replace(_policy(sections), **arrays)
    canonical = {"policy_version": VERSION, **_spelled_out(policy)}
    return LoadedPolicy(
        file.name,
        policy,
        file.text,
        dict(sorted(canonical.items())),
        lists,
        tuple(findings.warnings),
        says_disabled="disabled" in file.data.get("status", {}),
    )


def _policy(sections: Mapping[str, Mapping[str, Any]]) -> Policy:
    """Build the policy without its own waves and rules."""
    records = {
        name: record(**{FIELD_OF.get(key, key): value for key, value in sections[name].items()})
        for name, (record, _) in SECTIONS.items()
        if name in sections
    }
    asked = records.pop("approvals")
    return Policy(**records, approvals=asked.required, database_users=asked.database_users)


def _check_top(data: Mapping[str, Any], findings: Findings) -> None:
    """Check the version, and that every section is known."""
    version = data.get("policy_version")
    if version is None:
        findings.add(("policy_version",), "missing_key", "missing", "begin the file with policy_version = 1")
    elif version != VERSION or not isinstance(version, int) or isinstance(version, bool):
        findings.add(("policy_version",), "bad_version", f"found {found(version)}, expected {VERSION}")
    for key in data:
        if key not in _SECTION_WORDS:
            findings.add((key,), "unknown_key", "unknown section or key", _where_else(key))


def _where_else(key: str) -> str:
    """Write a hint for an unknown key at the top.

    The hint names the section of the key, else the nearest word.
    """
    homes = [f"[{name}]" for name, (_, checks) in SECTIONS.items() if key in checks]
    return f"{key} belongs in {' or '.join(homes)}" if homes else nearest(key, _SECTION_WORDS)


def _section(name: str, table: Any, findings: Findings) -> dict[str, Any]:
    """Return the checked values of one section.

    Absent and wrong values are left out.
    """
    checked = findings.table(table, (name,))
    if (name,) in findings.faulty:
        return {}
    findings.require(checked, (name,), REQUIRED.get(name, {}))
    values = findings.values(checked, (name,), SECTIONS[name][1])
    if "max_failures_by_code" in values:
        values["max_failures_by_code"] = _by_code(values["max_failures_by_code"], findings)
    return values


def _by_code(table: Any, findings: Findings) -> dict[str, int]:
    """Read `[gates.max_failures_by_code]`: a bound for each error code."""
    path: KeyPath = ("gates", "max_failures_by_code")
    bounds: dict[str, int] = {}
    for code, bound in findings.table(table, path).items():
        try:
            bounds[checked_code(code)] = CODE_BOUND(bound)
            if code not in FAILURE_CODES:
                words = (
                    f"no SIM fails with this code, so the bound stops nothing: {nearest(code, sorted(FAILURE_CODES))}"
                )
                findings.warn((*path, code), words)
        except Unfit as error:
            findings.add((*path, code), error.code, error.words, error.hint)
    return bounds


def _spelled_out(value: Any) -> Any:
    """Turn a record into JSON values with sorted keys.

    Decimals become their shortest text, so that 5 and 5.00 are the same.
    """
    if is_dataclass(value) and not isinstance(value, type):
        names = sorted(field.name for field in fields(value))
        told = {name: getattr(value, name) for name in names}
        kept = {name: one for name, one in told.items() if one is not None or name not in _NEWER}
        return {name: _spelled_out(_UNSAID.get(name) if one is None else one) for name, one in kept.items()}
    if isinstance(value, Decimal):
        return f"{value.normalize() + 0:f}"
    if isinstance(value, tuple):
        return [_spelled_out(item) for item in value]
    if isinstance(value, frozenset):
        digest = hashlib.sha256("".join(f"{key}\n" for key in sorted(value)).encode()).hexdigest()
        return {"count": len(value), "sha256": digest}
    if isinstance(value, Mapping):
        return {key: value[key] for key in sorted(value)}
    return str(value) if isinstance(value, str | date) else value
