"""JSON Schema of the policy file, for editors.

The schema is made from the same definitions that the tool checks a policy by. It has keys, types, words and bounds.
Only the tool reports values that cannot stand together, and problems in a file of ICCIDs.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from decimal import Decimal
from typing import Any

from migrator.core.policy.outside import Receiver
from migrator.core.policy.policy import Rule, Wave, When
from migrator.inputs.files.toml_checks import Described
from migrator.inputs.policy.notify import FIELDS, NOTIFY
from migrator.inputs.policy.sections import FIELD_OF, OPTIONAL, OVERRIDES, REQUIRED, RULE_NAME, SECTIONS, WAVE, WHEN

__all__ = ["policy_schema", "schema_text"]

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
"""Draft of JSON Schema that editors of TOML know."""


def schema_text() -> str:
    """Write the schema as shipped in `plans/policy.schema.json`."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


def policy_schema() -> Schema:
    """Build the schema of the whole file."""
    sections = {name: _section(name) for name in SECTIONS}
    properties = {
        "policy_version": {"const": 1, "description": "The version of this file's format."},
        **sections,
        "waves": {"type": "array", "minItems": 1, "items": _wave()},
        "rule": {"type": "array", "minItems": 1, "items": _rule()},
        "notify": {"type": "array", "minItems": 1, "items": _notify()},
    }
    return {
        "$schema": DRAFT,
        "title": "A policy of migrator",
        "description": "What should become of each SIM. plans/default.toml explains every key.",
        **_object(properties, required=("policy_version", *(name for name in REQUIRED if name not in OPTIONAL))),
    }


def _section(name: str) -> Schema:
    record, checks = SECTIONS[name]
    keys = _keys(record, checks)
    if name == "status":
        del keys["disabled"]["default"]  # plans that are there go by it; a new one wants it stated
    return {
        "description": _description(record),
        **_object(keys, required=tuple(REQUIRED.get(name, ()))),
    }


def _wave() -> Schema:
    keys = _keys(Wave, WAVE)
    both = {"required": ["count", "share"]}
    return {"description": _description(Wave), **_object(keys, required=("name",)), "not": both}


def _notify() -> Schema:
    keys = _keys(Receiver, NOTIFY, FIELDS)
    return {"description": _description(Receiver), **_object(keys, required=("to",))}


def _rule() -> Schema:
    overrides: dict[str, Schema] = {key: _override(section) for key, section in OVERRIDES.items()}
    when = {
        "description": "Selects SIMs: every condition given must hold.",
        **_object(_keys(When, WHEN)),
        "minProperties": 1,
    }
    return {
        "description": _description(Rule),
        **_object({"name": dict(RULE_NAME.schema), "when": when, **overrides}, required=("name", "when")),
        "anyOf": [{"required": [key]} for key in overrides],
    }


def _override(section: str) -> Schema:
    """Build the schema of a section in a rule.

    There are no defaults, because a rule takes absent values from the policy.
    """
    keys = {key: dict(check.schema) for key, check in SECTIONS[section][1].items()}
    return {"description": f"In place of what [{section}] says.", **_object(keys)}


def _keys(record: type[Any], checks: Mapping[str, Described], names: Mapping[str, str] = FIELD_OF) -> dict[str, Schema]:
    """Build the schema of each key, with the record's default.

    Only some keys have a default.
    """
    known = {field.name: field for field in fields(record)}
    return {key: {**check.schema, **_default(known[names.get(key, key)])} for key, check in checks.items()}


def _default(field: "Field[Any]") -> Schema:
    if field.default is MISSING or field.default is None:
        return {}
    default = field.default
    if isinstance(default, tuple):
        return {"default": [str(one) for one in default]} if default else {}
    if isinstance(default, Decimal | float):
        return {"default": int(default) if default == int(default) else float(default)}
    return {"default": str(default) if isinstance(default, str) else default}


def _object(properties: Mapping[str, Schema], *, required: tuple[str, ...] = ()) -> Schema:
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": dict(properties), **needed, "additionalProperties": False}


_SECTION = re.compile(r"(Args|Returns|Raises|Source)\b.*:")


def _description(record: type[Any]) -> str:
    """Return the first two paragraphs of a docstring, on one line."""
    paragraphs = (record.__doc__ or "").split("\n\n")
    prose = [one for one in paragraphs[:2] if not _SECTION.match(one.strip())]
    return " ".join(" ".join(prose).split())
