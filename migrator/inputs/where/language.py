"""Language of `--where`, which picks source SIMs.

The language has a grammar of its own. No code is ever evaluated.

::

    condition  :=  condition or condition  |  condition and condition  |  not condition  |  ( condition )
                |  value OP value             OP is one of ==  !=  <  <=  >  >=
                |  value [not] in ( literal, literal, ... )
                |  value [not] like "pattern"  * is any text, ? one character, [ab] one of some; case counts
                |  value is [not] none         whether the source, or the pairing, gave no such value
                |  flag                        a field that is true or false by itself
    value      :=  a field or a literal: "text", 'text', 12, -0.5, true, false

`and` binds closer than `or`, `not` closer than both. Words may be written in capitals. A literal text ends at its own
quote. A backslash is a plain character. Numbers are decimals and exact.

A missing value equals nothing, is in no list, is like no pattern, and is neither smaller nor larger than anything. So
`!=`, `not in` and `not like` hold for a missing value, and `is none` finds it. ICCIDs are equal with and without
their check digit. `<`, `>` and `like` use the digits as the source lists them.

`status` knows enabled, disabled, expired and unknown, and the source's own words for them. The status is the one that
a SIM is planned by: a SIM that our cutover switched off counts with its status before. Other texts, dates among them,
are compared character by character.
"""

import fnmatch
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn, TypeAlias

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from migrator.core.fleet.iccid_text import ZERO_REMEDY, RefusedIccid, may_be_rounded, read_iccid
from migrator.core.fleet.sims import Candidate, SourceStatus, source_status
from migrator.errors import InputError
from migrator.inputs.files.problems import nearest, spelled
from migrator.inputs.where.fields import FIELDS, TAKES, Field, Get, ValueKind

__all__ = ["LONGEST", "Where", "parse_selection"]

LONGEST = 4000
"""Most characters of an expression.

Long lists of ICCIDs belong in a file that a policy's rule or wave names.
"""

DEEPEST = 40
"""Most conditions within conditions.

The bound keeps an expression from using up the stack.
"""

Test: TypeAlias = Callable[[Candidate], bool]

_GRAMMAR = r"""
?start: any_of
?any_of: all_of (_OR all_of)*
?all_of: negated (_AND negated)*
?negated: _NOT negated -> none_of
        | condition
?condition: "(" any_of ")"
          | value OP value -> compared
          | value [NOT] _IN "(" value ("," value)* ")" -> listed
          | value [NOT] _LIKE value -> alike
          | value _IS [NOT] _NONE -> missing
          | value -> flag
?value: NAME | TEXT | NUMBER
OP: "==" | "!=" | "<=" | ">=" | "<" | ">"
_OR.2: /or\b/i
_AND.2: /and\b/i
_NOT.2: /not\b/i
NOT.2: /not\b/i
_IN.2: /in\b/i
_LIKE.2: /like\b/i
_IS.2: /is\b/i
_NONE.2: /none\b/i
NAME: /[A-Za-z_][A-Za-z_0-9]*/
TEXT: /"[^"]*"|'[^']*'/
NUMBER: /-?[0-9]+(\.[0-9]+)?/
%ignore /\s+/
"""


@dataclass(frozen=True, slots=True)
class Where:
    """Expression as written, with its test of a SIM.

    `fields` are the fields that the expression reads.
    """

    text: str
    selects: Test
    fields: frozenset[str] = frozenset(FIELDS)


def parse_selection(text: str) -> Where:
    """Read an expression.

    Raises: InputError, with the column of the error and what may stand there.
    """
    text = text.strip()
    if len(text) > LONGEST:
        hint = "name the SIMs in a file, and let a rule or a wave of the policy select by it"
        raise InputError(f"--where has {len(text)} characters, at most {LONGEST} are read", code="where", hint=hint)
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        _misspelled(text, error)
    selects = _test(tree, 0)
    words = tree.scan_values(lambda token: isinstance(token, Token) and token.type == "NAME")
    return Where(text, selects, frozenset(FIELDS.keys() & set(map(str, words))))


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", maybe_placeholders=True, propagate_positions=True)


# --- trouble ------------------------------------------------------------------------------------------------------


def _refuse(place: Token | int, problem: str, hint: str) -> NoReturn:
    at = place if isinstance(place, int) else place.start_pos or 0
    raise InputError(f"--where, column {at + 1}: {problem}", code="where", hint=hint)


def _misspelled(text: str, error: UnexpectedInput) -> NoReturn:
    at = error.pos_in_stream
    hint = f"{_expected(error)}; fields: {spelled(FIELDS)}"
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        _refuse(len(text), "the expression ends too early" if text else "the expression is empty", hint)
    at = len(text) if at is None else at
    if isinstance(error, UnexpectedCharacters) and text[at : at + 1] in {"'", '"'}:
        _refuse(at, "this text has no closing quote", "end it with the quote that it begins with")
    if text[at : at + 1] == "=":
        _refuse(at, "a single = compares nothing", "write == for equal")
    word = re.match(r"\w+|.", text[at:], re.DOTALL)
    _refuse(at, f"{word.group() if word else ''!r} cannot stand here", hint)


_TERMINALS = {"NAME": "a field", "TEXT": "a text", "NUMBER": "a number", "OP": "== != < <= > >="}


def _expected(error: UnexpectedInput) -> str:
    """Write the words that the grammar accepts at the error."""
    names = getattr(error, "accepts", None) or getattr(error, "allowed", None) or getattr(error, "expected", ()) or ()
    words = {"LPAR": "(", "RPAR": ")", "COMMA": ",", "$END": "the end"} | _TERMINALS
    return f"expected {spelled(sorted({words.get(name, name.strip('_').lower()) for name in names}))}"


# --- from the tree to tests ---------------------------------------------------------------------------------------


def _test(node: Any, depth: int) -> Test:
    """Build the test of a condition."""
    if depth > DEEPEST:
        _refuse(node.meta.start_pos, f"more than {DEEPEST} conditions within each other", "write it flatter")
    if node.data in _JOINED:
        return _JOINED[node.data]([_test(child, depth + 1) for child in node.children])
    return _CONDITIONS[node.data](node)


def _any_of(tests: Sequence[Test]) -> Test:
    def test(candidate: Candidate) -> bool:
        for one in tests:  # noqa: SIM110 - runs for every SIM: a generator costs more than the tests
            if one(candidate):
                return True
        return False

    return test


def _all_of(tests: Sequence[Test]) -> Test:
    def test(candidate: Candidate) -> bool:
        for one in tests:  # noqa: SIM110 - as above
            if not one(candidate):
                return False
        return True

    return test


def _negated(test: Test) -> Test:
    return lambda candidate: not test(candidate)


_JOINED: Mapping[str, Callable[[Sequence[Test]], Test]] = {
    "any_of": _any_of,
    "all_of": _all_of,
    "none_of": lambda tests: _negated(tests[0]),
}

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _compared(node: Tree[Token]) -> Test:
    """Build the test of `left OP right`.

    At least one side is a field. A literal must have the kind of the field.
    """
    left, op, right = _tokens(node)
    if not _is_field(left) and not _is_field(right):
        _refuse(left, "two literals are compared", "one side must be a field: " + spelled(FIELDS))
    if not _is_field(left):
        left, right, op = right, left, op.update(value=_MIRRORED.get(op.value, op.value))
    mine = _field(left)
    if mine.kind is ValueKind.FLAG and op.value in _ORDERS:
        _refuse(op, f"{left.value} is true or false and has no order", "compare it with == or !=")
    in_order = op.value in _ORDERS
    get = mine.shown if in_order and mine.shown else mine.get
    if _is_field(right) and not _is_flag(right):
        return _two_fields(left, op, right)
    return _against(get, op.value, _literal(right, left, as_shown=in_order))


def _two_fields(left: Token, op: Token, right: Token) -> Test:
    mine, other = _field(left), _field(right)
    if mine.kind is not other.kind:
        _refuse(right, f"{right.value} cannot be compared with {left.value}", f"that is {TAKES[mine.kind]}")
    if op.value not in _ORDERS:
        get, get_other, is_wanted = mine.get, other.get, op.value == "=="
        return lambda candidate: ((value := get(candidate)) is not None and value == get_other(candidate)) is is_wanted
    shown, other_shown, holds = mine.shown or mine.get, other.shown or other.get, _ORDERS[op.value]
    return lambda candidate: (
        (value := shown(candidate)) is not None
        and (bound := other_shown(candidate)) is not None
        and holds(value, bound)
    )


def _against(get: Get, op: str, bound: Any) -> Test:
    if op == "==":
        return lambda candidate: bool(get(candidate) == bound)
    if op == "!=":
        return lambda candidate: bool(get(candidate) != bound)
    holds = _ORDERS[op]
    return lambda candidate: (value := get(candidate)) is not None and holds(value, bound)


def _listed(node: Tree[Token]) -> Test:
    name, negation, *listed = _tokens(node)
    get = _field(name).get
    values = frozenset(_literal(token, name) for token in listed)
    if negation is not None:
        return lambda candidate: get(candidate) not in values
    return lambda candidate: get(candidate) in values


def _alike(node: Tree[Token]) -> Test:
    name, negation, pattern = _tokens(node)
    field = _field(name)
    if field.kind in {ValueKind.NUMBER, ValueKind.FLAG}:
        _refuse(name, f"{name.value} is no text", f"compare it with {TAKES[field.kind]}")
    if pattern.type != "TEXT":
        _refuse(pattern, "a pattern is a text in quotes", 'as in label like "pump-*"')
    get = field.shown or field.get
    matches = re.compile(fnmatch.translate(pattern.value[1:-1])).match
    is_wanted = negation is None
    return lambda candidate: ((value := get(candidate)) is not None and matches(value) is not None) is is_wanted


def _missing(node: Tree[Token]) -> Test:
    name, negation = _tokens(node)
    get, is_wanted = _field(name).get, negation is None
    return lambda candidate: (get(candidate) is None) is is_wanted


def _flag(node: Tree[Token]) -> Test:
    (name,) = _tokens(node)
    field = _field(name)
    if field.kind is not ValueKind.FLAG:
        _refuse(name, f"{name.value} alone is no condition", f"compare it with {TAKES[field.kind]}")
    return lambda candidate: field.get(candidate) is True


_CONDITIONS: Mapping[str, Callable[[Tree[Token]], Test]] = {
    "compared": _compared,
    "listed": _listed,
    "alike": _alike,
    "missing": _missing,
    "flag": _flag,
}


# --- fields and literals ------------------------------------------------------------------------------------------


def _tokens(node: Tree[Token]) -> list[Any]:
    """Return the tokens of a condition; None for an absent `not`."""
    return list(node.children)


def _is_flag(token: Token) -> bool:
    return token.type == "NAME" and token.value.lower() in {"true", "false"}


def _is_field(token: Token) -> bool:
    return token.type == "NAME" and not _is_flag(token)


def _field(token: Token) -> Field:
    if not _is_field(token):
        _refuse(token, f"{token.value} is no field", f"known here: {spelled(FIELDS)}")
    if token.value not in FIELDS:
        hint = nearest(token.value, FIELDS)
        known = "" if hint.startswith("known") else f" Known here: {spelled(FIELDS)}"
        _refuse(token, f"there is no field {token.value!r}", hint + known)
    return FIELDS[token.value]


def _literal(token: Token, name: Token, *, as_shown: bool = False) -> Any:
    """Turn a literal into the value to compare with this field.

    Raises: InputError, if the field cannot be compared with the literal.
    """
    kind = _field(name).kind
    if kind is ValueKind.FLAG and _is_flag(token):
        return token.value.lower() == "true"
    if kind is ValueKind.NUMBER and token.type == "NUMBER":
        return Decimal(token.value)
    if token.type == "TEXT" and kind in {ValueKind.TEXT, ValueKind.ICCID, ValueKind.STATUS}:
        return _text(token, kind, as_shown=as_shown)
    _refuse(token, f"{token.value} cannot be compared with {name.value}", f"{name.value} takes {TAKES[kind]}")


def _text(token: Token, kind: ValueKind, *, as_shown: bool) -> str:
    text = str(token.value[1:-1])
    if kind is ValueKind.STATUS:
        status = source_status(text)
        if status is SourceStatus.UNKNOWN and text.strip().lower() != SourceStatus.UNKNOWN:
            _refuse(token, f"{text!r} is no status", nearest(text, [status.value for status in SourceStatus]))
        return status
    if kind is ValueKind.ICCID and not as_shown:
        try:
            iccid = read_iccid(text)
        except RefusedIccid as error:
            _refuse(token, str(error), error.hint or 'write all of it, or compare a part: iccid like "8988*"')
        if may_be_rounded(text, iccid):
            _refuse(token, f"{iccid} ends in zeros, as a spreadsheet rounds an ICCID", ZERO_REMEDY)
        return iccid.key
    return text
