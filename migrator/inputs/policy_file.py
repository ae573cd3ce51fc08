"""The policy file: read, checked whole, and turned into the core's `Policy`."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from migrator.core.policy import Policy, Wave
from migrator.inputs.policy_sections import LATER_SECTIONS, LATER_WAVE_KEYS, REQUIRED, RULES, SECTIONS, WAVE
from migrator.inputs.problems import nearest, refusal, spelled
from migrator.inputs.toml_checks import Findings, found
from migrator.inputs.toml_files import KeyPath, TomlFile, parse_toml, read_toml

__all__ = ["LoadedPolicy", "parse_policy", "read_policy"]

VERSION = 1
_SECTION_WORDS = ("policy_version", *SECTIONS, "waves")


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy, its file and text; `canonical` is every value as JSON, defaults included, decimals as text."""

    name: str
    policy: Policy
    text: str
    canonical: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of `canonical`, hexadecimal: comments, order and ways to write a number do not change it."""
        return hashlib.sha256(json.dumps(self.canonical, sort_keys=True).encode()).hexdigest()


def read_policy(path: Path) -> LoadedPolicy:
    """Read a policy file.

    Raises: InputError, with every problem as "FILE:LINE: key: what was found, what is expected" and a hint.
    """
    return _loaded(read_toml(path))


def parse_policy(text: str, *, name: str) -> LoadedPolicy:
    """The policy that `text` holds; `name` stands for the file in messages. Raises: InputError, as `read_policy`."""
    return _loaded(parse_toml(text, name=name))


def _loaded(file: TomlFile) -> LoadedPolicy:
    findings = Findings(file)
    _check_top(file.data, findings)
    sections = {name: _section(name, file.data.get(name, {}), findings) for name in SECTIONS}
    waves = _waves(file.data["waves"], findings) if "waves" in file.data else None
    _check_rules(sections, findings)
    if findings.problems:
        raise refusal(findings.problems, what=file.name)
    records = {name: record(**sections[name]) for name, (record, _) in SECTIONS.items()}
    policy = Policy(**records)
    policy = policy if waves is None else replace(policy, waves=waves)
    canonical = {"policy_version": VERSION, **_spelled_out(policy)}
    return LoadedPolicy(file.name, policy, file.text, dict(sorted(canonical.items())))


def _check_top(data: Mapping[str, Any], findings: Findings) -> None:
    """The version, and that every section is one we know."""
    version = data.get("policy_version")
    if version is None:
        findings.add(("policy_version",), "missing_key", "missing", "begin the file with policy_version = 1")
    elif version != VERSION or not isinstance(version, int) or isinstance(version, bool):
        findings.add(("policy_version",), "bad_version", f"found {found(version)}, expected {VERSION}")
    for key in data:
        if key in LATER_SECTIONS:
            findings.add((key,), "not_supported", "not supported by this version", "remove it")
        elif key not in _SECTION_WORDS:
            findings.add((key,), "unknown_key", "unknown section or key", _where_else(key))


def _where_else(key: str) -> str:
    """A hint for a stray key: the section it belongs in, else the nearest word."""
    homes = [f"[{name}]" for name, (_, checks) in SECTIONS.items() if key in checks]
    return f"{key} belongs in {' or '.join(homes)}" if homes else nearest(key, _SECTION_WORDS)


def _section(name: str, table: Any, findings: Findings) -> dict[str, Any]:
    """The checked values of one section; those that are absent or wrong are left out."""
    checked = findings.table(table, (name,))
    if (name,) in findings.faulty:
        return {}
    findings.require(checked, (name,), REQUIRED.get(name, {}))
    return findings.values(checked, (name,), SECTIONS[name][1])


def _check_rules(sections: Mapping[str, Mapping[str, Any]], findings: Findings) -> None:
    """What cannot stand together, judged on values that have no problem of their own."""
    for rule in RULES:
        keys = (rule.at, *rule.others)
        if any((rule.section, key) in findings.faulty for key in keys):
            continue
        record = SECTIONS[rule.section][0]
        defaults = {field.name: field.default for field in fields(record)}
        value, *others = (sections[rule.section].get(key, defaults[key]) for key in keys)
        if rule.breaks(value, *others):
            shown = ["missing" if other is None else other for other in others]
            findings.add((rule.section, rule.at), "impossible", rule.words.format(*shown, at=value), rule.hint)


def _waves(value: Any, findings: Findings) -> tuple[Wave, ...]:
    """The waves in their order."""
    if not isinstance(value, list) or not value:
        hint = 'write [[waves]] with double brackets and name = "..." for each wave'
        findings.add(("waves",), "wrong_type", f"found {found(value)}, expected one or more [[waves]]", hint)
        return ()
    tables = [_wave(table, ("waves", number), findings) for number, table in enumerate(value)]
    _check_names([table.get("name") for table in tables], findings)
    for number in range(len(value) - 1):
        if isinstance(value[number], Mapping) and "count" not in value[number]:
            words = "missing: a wave without count takes all that is left, so only the last may lack it"
            hint = "add count = 10, or move this wave to the end"
            findings.add(("waves", number, "count"), "impossible", words, hint)
    return tuple(Wave(**table) for table in tables if "name" in table)


def _wave(table: Any, path: KeyPath, findings: Findings) -> dict[str, Any]:
    if not isinstance(table, Mapping):
        findings.add(path, "wrong_type", f"found {found(table)}, expected a wave", 'write [[waves]] and name = "..."')
        return {}
    for key in LATER_WAVE_KEYS.intersection(table):
        hint = f"remove it; a wave has {spelled(WAVE)}"
        findings.add((*path, key), "not_supported", "not supported by this version", hint)
    findings.require(table, path, {"name": '"rest"'})
    return findings.values({key: table[key] for key in table if key not in LATER_WAVE_KEYS}, path, WAVE)


def _check_names(names: Sequence[str | None], findings: Findings) -> None:
    """That no two waves share a name."""
    for number, name in enumerate(names):
        first = names.index(name)
        if name is not None and first < number:
            words = f'found "{name}", which is the name of waves[{first + 1}] too'
            findings.add(("waves", number, "name"), "impossible", words, "give each wave its own name")


def _spelled_out(value: Any) -> Any:
    """A record as JSON values with sorted keys; decimals as their shortest text, so that 5 and 5.00 are the same."""
    if is_dataclass(value) and not isinstance(value, type):
        names = sorted(field.name for field in fields(value))
        return {name: _spelled_out(getattr(value, name)) for name in names}
    if isinstance(value, Decimal):
        return f"{value.normalize() + 0:f}"
    if isinstance(value, tuple):
        return [_spelled_out(item) for item in value]
    return str(value) if isinstance(value, str) else value
