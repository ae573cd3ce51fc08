"""Templates of a handover: Jinja2 in its sandbox, rendered row by row.

A template sees the fields of a row as in the JSON lines, and `first`: true until something was written, for a line of
titles. An empty value prints nothing. The filters `csv` and `tojson` quote a value for CSV and for JSON.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from migrator.core.fleet.spelling import escaped, json_text
from migrator.errors import InputError
from migrator.reports.handover.formats import csv_value
from migrator.reports.handover.row import NEW, OLD, OWN, HandoverRow

__all__ = ["RowTemplate"]

_NAMES = ("handover_version", "first", "old", "new", *OWN)
_FIELDS = (*_NAMES, *(f"old.{name}" for name in OLD), *(f"new.{name}" for name in NEW))


class RowTemplate:
    """Template that is rendered once for each row.

    Args:
        source: the text of the template.
        name: the file's name in messages.
        suggest: hints at the nearest of the known names, given a wrong one.

    Raises: InputError, naming file and line, for a template that cannot be read.
    """

    def __init__(self, source: str, name: str, suggest: Callable[[str, Iterable[str]], str]) -> None:
        self._name = name
        self._suggest = suggest
        environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FunctionLoader(lambda asked: (source, name, None) if asked == name else None),
            undefined=_Unknown,
            autoescape=False,  # no page is made, and CSV and JSON have quoting of their own
            finalize=lambda value: "" if value is None else value,
            keep_trailing_newline=True,
        )
        environment.filters |= {"csv": _csv_cell, "tojson": _json}
        try:
            self._template = environment.get_template(name)
        except jinja2.TemplateSyntaxError as error:
            raise self._refusal(error.lineno, error.message or "not a template") from None
        except RecursionError:
            raise self._refusal(None, "too many things stand within each other") from None

    def lines(self, rows: Iterable[HandoverRow]) -> Iterator[str]:
        """Yield the text of each row.

        Rows that render to blanks are left out.

        Raises: InputError, naming file, line and, if a name is not known, the nearest one.
        """
        first = True
        for row in rows:
            text = self._rendered(row, first=first)
            if text and not text.isspace():
                yield text
                first = False

    def _rendered(self, row: HandoverRow, *, first: bool) -> str:
        try:
            return escaped(self._template.render(row.document(), first=first))
        except jinja2.UndefinedError as error:
            hint = self._suggest(error.name, _FIELDS) if isinstance(error, _UnknownName) else ""
            raise self._refusal(_line_of(error.__traceback__, self._name), str(error), hint) from None
        except Exception as error:  # noqa: BLE001 - whatever the operator's own text does
            words = f"{type(error).__name__}: {error}"
            raise self._refusal(_line_of(error.__traceback__, self._name), words) from None

    def _refusal(self, line: int | None, words: str, hint: str = "") -> InputError:
        place = self._name if line is None else f"{self._name}:{line}"
        return InputError(
            f"{place}: {words}",
            code="bad_template",
            hint=hint or "the page on handovers has templates that work; nothing was written",
        )


class _UnknownName(jinja2.UndefinedError):
    """Name in a template that a row does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no field {name!r}")
        self.name = name


class _Unknown(jinja2.StrictUndefined):
    """Undefined value that is refused by its whole name."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[jinja2.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        is_plain = hint is None and exc is jinja2.UndefinedError
        super().__init__(_whole(obj, name) if is_plain else hint, obj, name, _UnknownName if is_plain else exc)


def _whole(obj: Any, name: str | None) -> str:
    """Return a name with the part of the row before it."""
    if not isinstance(obj, Mapping):
        return str(name)
    return f"{'new' if 'device_id' in obj else 'old'}.{name}"


def _csv_cell(value: Any) -> str:
    """Return a value as one cell of a CSV, quoted where needed."""
    cell = io.StringIO()
    csv.writer(cell, lineterminator="").writerow([csv_value(_defined(value))])
    text = cell.getvalue()
    return "" if text == '""' else text


def _json(value: Any) -> str:
    return json_text(_defined(value))


def _defined(value: Any) -> Any:
    """Return a value that a row has.

    Raises: UndefinedError.
    """
    if isinstance(value, jinja2.Undefined):
        str(value)
    return value


def _line_of(trace: TracebackType | None, name: str) -> int | None:
    """Return the line of the template at which an error came up."""
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
