"""Checks of the values in a TOML file.

A check returns the value as the core needs it, or reports the problem.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from migrator.errors import Problem
from migrator.inputs.files.problems import nearest
from migrator.inputs.files.toml import KeyPath, TomlFile

__all__ = ["Check", "Described", "Findings", "Unfit", "choice", "flag", "found", "number", "text", "whole"]

Check = Callable[[Any], Any]
"""Check that takes the value from TOML and returns the final value.

Raises: Unfit.
"""

LARGEST = Decimal(1_000_000_000_000)
MOST_DECIMALS = 9


class Unfit(Exception):
    """Value that a key cannot hold.

    The exception has the code of the problem, words on what was found and expected, and a hint.
    """

    def __init__(self, code: str, words: str, hint: str = "") -> None:
        super().__init__(words)
        self.code = code
        self.words = words
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Described:
    """Check of a value, with the accepted values as JSON Schema.

    The schema is for editors and is less exact than the check.
    """

    check: Check
    schema: Mapping[str, Any]

    def __call__(self, value: Any) -> Any:
        """Return the value as the core needs it.

        Raises: Unfit.
        """
        return self.check(value)


@dataclass(slots=True)
class Findings:
    """Problems of one file, with their places."""

    file: TomlFile
    faulty: set[KeyPath] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    _by_line: list[tuple[int, Problem]] = field(default_factory=list)

    def add(self, path: KeyPath, code: str, words: str, hint: str = "") -> None:
        """Note a problem at the line of `path`."""
        self.faulty.add(path)
        self._by_line.append((self.file.line(path), Problem(code, self._placed(path, words), hint)))

    def warn(self, path: KeyPath, words: str) -> None:
        """Note a value that is accepted but looks odd."""
        self.warnings.append(self._placed(path, words))

    def _placed(self, path: KeyPath, words: str) -> str:
        return f"{self.file.name}:{self.file.line(path)}: {_shown(path)}: {words}"

    def pass_on(self, path: KeyPath, problems: Iterable[Problem]) -> None:
        """Note the problems of a file that the value at `path` names."""
        self.faulty.add(path)
        self._by_line.extend((self.file.line(path), problem) for problem in problems)

    @property
    def problems(self) -> list[Problem]:
        """All problems, in the order of the file."""
        return [problem for _, problem in sorted(self._by_line, key=lambda entry: entry[0])]

    def table(self, value: Any, path: KeyPath) -> Mapping[str, Any]:
        """Return `value` if it is a table.

        Another value is noted as a problem, and the table counts as empty.
        """
        if isinstance(value, Mapping):
            return value
        name = ".".join(part for part in path if isinstance(part, str))
        expected = f"[{name}] once, with single brackets" if isinstance(value, list) else f"a section [{name}]"
        self.add(path, "wrong_type", f"found {'a list' if isinstance(value, list) else 'a value'}, expected {expected}")
        return {}

    def values(self, table: Mapping[str, Any], path: KeyPath, checks: Mapping[str, Check]) -> dict[str, Any]:
        """Return the checked values of the keys in `table`.

        Wrong values, and keys that are not in `checks`, are noted as problems and left out.
        """
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in checks:
                self.add((*path, key), "unknown_key", "unknown key", nearest(key, checks))
                continue
            try:
                values[key] = checks[key](value)
            except Unfit as error:
                self.add((*path, key), error.code, error.words, error.hint)
        return values

    def require(self, table: Mapping[str, Any], path: KeyPath, keys: Mapping[str, str]) -> None:
        """Note the keys that `table` lacks; `keys` gives an example of each."""
        for key in keys:
            if key not in table:
                self.add((*path, key), "missing_key", "missing, and it has no default", f"add {key} = {keys[key]}")


def _shown(path: KeyPath) -> str:
    """Write a path for people: items of an array count from 1."""
    shown = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path)
    return shown.removeprefix(".")


def found(value: Any) -> str:
    """Describe a value and its kind in words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value if len(value) <= 60 else value[:57] + "..."}"'  # noqa: PLR2004 - a message stays on one line
    if isinstance(value, list | Mapping):
        return "a list" if isinstance(value, list) else "a section"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a number past all bounds"  # it may have more digits than Python agrees to write
    return str(value)[:60] if isinstance(value, int | Decimal) else "a date or time"


def choice(kind: type[StrEnum], *, but: StrEnum | None = None) -> Described:
    """Build the check for a word of an enumeration.

    Args:
        but: a word that nobody may choose.
    """
    words = [member.value for member in kind if member is not but]

    def check(value: Any) -> StrEnum:
        if not isinstance(value, str):
            raise Unfit("wrong_type", f"found {found(value)}, expected one of {_quoted(words)}")
        if value not in words:
            raise Unfit("bad_choice", f"found {found(value)}, expected one of {_quoted(words)}", nearest(value, words))
        return kind(value)

    return Described(check, {"enum": words})


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def flag() -> Described:
    """Build the check for true or false."""

    def check(value: Any) -> bool:
        if not isinstance(value, bool):
            raise Unfit("wrong_type", f"found {found(value)}, expected true or false", "without quotes")
        return value

    return Described(check, {"type": "boolean"})


def text(*, may_be_empty: bool = False) -> Described:
    """Build the check for text in quotes.

    Text of only white space counts as empty.
    """

    def check(value: Any) -> str:
        if not isinstance(value, str):
            hint = "put the value in quotes" if isinstance(value, int) and not isinstance(value, bool) else ""
            raise Unfit("wrong_type", f"found {found(value)}, expected text in quotes", hint)
        if not value.strip() and not (may_be_empty and not value):
            raise Unfit("out_of_range", f"found {found(value)}, expected text that is not blank")
        return value

    return Described(check, {"type": "string"} if may_be_empty else {"type": "string", "pattern": r"\S"})


def whole(*, least: int, most: int | None = None) -> Described:
    """Build the check for a whole number within bounds."""
    numeric = number(least=least, most=None if most is None else Decimal(most), what="a whole number")

    def check(value: Any) -> int:
        checked: Decimal = numeric(value)
        if isinstance(value, Decimal):
            raise Unfit("wrong_type", f"found {found(value)}, expected a whole number, without a point")
        return int(checked)

    return Described(check, {**numeric.schema, "type": "integer"})


def number(*, least: int = 0, most: Decimal | None = None, above: bool = False, what: str = "a number") -> Described:
    """Build the check for a finite number within bounds.

    The number has at most nine decimals.

    Args:
        least: the smallest value; with `above`, the value must be larger.
        most: the largest value; None is a bound that only a slip exceeds.
    """
    bounds = f"at least {least}" if most is None else f"from {least} to {most:f}"
    if above:
        bounds = f"above {least}" if most is None else f"above {least} and at most {most:f}"

    def check(value: Any) -> Decimal:
        plain = _decimal(value, what)
        too_small = plain < least or (above and plain == least)
        if too_small or (most is not None and plain > most):
            raise Unfit("out_of_range", f"found {found(value)}, expected {what} {bounds}")
        if plain > LARGEST:
            raise Unfit("out_of_range", f"found {found(value)}, expected at most {LARGEST}")
        if plain and _decimals(plain) > MOST_DECIMALS:
            raise Unfit("out_of_range", f"found {found(value)}, expected at most {MOST_DECIMALS} decimals")
        return plain

    largest = LARGEST if most is None else most
    bound = "exclusiveMinimum" if above else "minimum"
    return Described(check, {"type": "number", bound: least, "maximum": int(largest)})


def _decimal(value: Any, what: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Unfit("wrong_type", f"found {found(value)}, expected {what}")
    try:
        plain = Decimal(value)
    except InvalidOperation:
        raise Unfit("wrong_type", f"found {found(value)}, expected {what}") from None
    if isinstance(value, str):
        hint = "remove the quotes" if plain.is_finite() else ""
        raise Unfit("wrong_type", f"found {found(value)} in quotes, expected {what} without quotes", hint)
    if not plain.is_finite():
        raise Unfit("out_of_range", f"found {found(value)}, expected {what} that is finite")
    return plain


def _decimals(plain: Decimal) -> int:
    exponent = plain.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
