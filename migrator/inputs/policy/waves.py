"""`[[waves]]` of a policy file."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from migrator.core.policy.policy import Wave
from migrator.errors import InputError
from migrator.inputs.files.toml import KeyPath
from migrator.inputs.files.toml_checks import Findings, found
from migrator.inputs.policy.iccids import BadLines
from migrator.inputs.policy.sections import FIELD_OF, WAVE

__all__ = ["ListReader", "check_names", "listed", "waves_from"]

ListReader = Callable[[str], frozenset[str]]
"""Reader of a file of ICCIDs, by its name in the policy.

Gives the keys of the ICCIDs.

Raises: InputError.
"""

_LIMITING = ("count", "share", "label", "iccids")


def waves_from(value: Any, findings: Findings, read_list: ListReader) -> tuple[Wave, ...]:
    """Read the waves in their order.

    Problems are noted.
    """
    if not isinstance(value, list) or not value:
        hint = 'write [[waves]] with double brackets and name = "..." for each wave'
        findings.add(("waves",), "wrong_type", f"found {found(value)}, expected one or more [[waves]]", hint)
        return ()
    tables = [_wave(table, ("waves", number), findings, read_list) for number, table in enumerate(value)]
    check_names([table.get("name") for table in tables], "waves", findings)
    for number, table in enumerate(value[:-1]):
        if isinstance(table, Mapping) and not any(key in table for key in _LIMITING):
            words = "missing: a wave without count takes all that is left, so only the last may lack it"
            hint = "add count = 10 (or share, label or iccids), or move this wave to the end"
            findings.add(("waves", number, "count"), "impossible", words, hint)
    return tuple(Wave(**table) for table in tables if "name" in table)


def _wave(table: Any, path: KeyPath, findings: Findings, read_list: ListReader) -> dict[str, Any]:
    if not isinstance(table, Mapping):
        findings.add(path, "wrong_type", f"found {found(table)}, expected a wave", 'write [[waves]] and name = "..."')
        return {}
    findings.require(table, path, {"name": '"rest"'})
    values = findings.values(table, path, WAVE)
    if "count" in table and "share" in table:
        words = "stands beside count: a wave has room for a number of SIMs or for a share of them"
        findings.add((*path, "share"), "impossible", words, "remove one of the two")
    listed(values, path, findings, read_list)
    return {FIELD_OF.get(key, key): value for key, value in values.items()}


def listed(values: dict[str, Any], path: KeyPath, findings: Findings, read_list: ListReader) -> None:
    """Replace the file name under `iccids` by the file's ICCIDs.

    Problems with the file are noted.
    """
    if "iccids" not in values:
        return
    try:
        values["iccids"] = read_list(values["iccids"])
    except BadLines as error:
        del values["iccids"]
        findings.pass_on((*path, "iccids"), error.problems)
    except InputError as error:
        del values["iccids"]
        findings.add((*path, "iccids"), error.code, error.message, error.hint)


def check_names(names: Sequence[str | None], what: str, findings: Findings) -> None:
    """Note items of the array `what` that share a name."""
    for number, name in enumerate(names):
        first = names.index(name)
        if name is not None and first < number:
            words = f'found "{name}", which is the name of {what}[{first + 1}] too'
            hint = f"give each {what.removesuffix('s')} its own name"
            findings.add((what, number, "name"), "impossible", words, hint)
