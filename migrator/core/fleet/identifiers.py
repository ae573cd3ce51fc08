"""Identifiers of SIMs and modems: parsed once, compared safely.

ICCIDs arrive with and without their check digit (1NCE lists 19 digits without it, labels and modems show 20) and
never fit a float. So ICCIDs are strings here, and two ICCIDs are equal when their canonical keys are equal.
"""

from dataclasses import dataclass, field
from typing import Self

from migrator.core.fleet.records import record
from migrator.core.fleet.secrets import shown

__all__ = [
    "ICCID_LONGEST",
    "ICCID_SHORTEST",
    "LONGEST_GROUP",
    "Eid",
    "Iccid",
    "Imei",
    "NotAnIdentifier",
    "TwoNumbers",
    "canonical",
    "luhn_digit",
]

ICCID_SHORTEST, ICCID_LONGEST = 18, 22
BODY_LONGEST = 19
"""Most digits of an ICCID without its check digit.

Source: ITU-T E.118; both carriers list it so.
"""
LONGEST_GROUP, LONGEST_PRINTED = 10, 20
"""Most digits in a group, and in all groups of an ICCID.

Cards show an ICCID in groups of digits.
"""
_IN_GROUPS = frozenset("0123456789fF \u00a0\u2009\u202f")  # a tab or line break parts two values
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")  # to the digit sum of twice the digit


class NotAnIdentifier(ValueError):
    """Text that is not a valid identifier of its kind.

    The message gives the reason.
    """


class TwoNumbers(NotAnIdentifier):
    """ICCID with another number beside it, and only white space between."""


def luhn_digit(body: str) -> str:
    """Return the check digit that completes `body` (ISO/IEC 7812-1, Annex B)."""
    codes = body.encode("ascii")  # summed as character codes: a fleet has millions to check
    total = sum(codes[-2::-2]) + sum(codes[::-2].translate(_DOUBLED)) - ord("0") * len(codes)
    return str(-total % 10)


def canonical(digits: str) -> str:
    """Return the key of an ICCID.

    The key is the digits without right Luhn digits at their end, down to the shortest ICCID.

    Digits are stripped as long as the last digit is right, and not just once. Only so are equal ICCIDs always found
    equal: one 19-digit body in ten ends, by chance, in the right Luhn digit of its first 18 digits. Such a body must
    still equal its own 20-digit form.
    """
    codes = digits.encode("ascii")
    while len(codes) > ICCID_SHORTEST and _ends_in_its_luhn_digit(codes):
        codes = codes[:-1]
    return digits[: len(codes)]


def _ends_in_its_luhn_digit(codes: bytes) -> bool:
    """True if the last character code is the right Luhn digit.

    The Luhn digit is that of the codes before. This test takes half the time of `luhn_digit`.
    """
    return (sum(codes[::-2]) + sum(codes[-2::-2].translate(_DOUBLED)) - ord("0") * len(codes)) % 10 == 0


@record
class Iccid:
    """ICCID of one SIM profile.

    Two ICCIDs are equal when one is the other plus its right Luhn digit. An ICCID is shown as it was given.
    """

    digits: str = field(compare=False)
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 18 to 22 digits.

        Groups of digits and the filler F of a raw modem read-out are allowed.

        Raises: NotAnIdentifier, with the reason in words; TwoNumbers, where the groups are not those of one ICCID.
        """
        digits = text if text.isdigit() else _joined(text)
        if digits[-1:] in {"F", "f"}:
            digits = digits[:-1]
        if not (digits.isascii() and digits.isdigit()):
            raise NotAnIdentifier(f"{shown(text)} is not an ICCID: only digits may stand in it")
        if not ICCID_SHORTEST <= len(digits) <= ICCID_LONGEST:
            raise NotAnIdentifier(
                f"{shown(text)} is not an ICCID: {len(digits)} digits, expected {ICCID_SHORTEST} to {ICCID_LONGEST}"
            )
        return cls(digits, canonical(digits))

    @property
    def has_right_check_digit(self) -> bool:
        """True if the last digit is the Luhn digit of the rest.

        By chance this is true for one bare body in ten.
        """
        if len(self.digits) > ICCID_SHORTEST:  # then it is not in the key
            return len(self.key) < len(self.digits)
        return luhn_digit(self.digits[:-1]) == self.digits[-1]

    @property
    def body(self) -> str:
        """Digits without check digit.

        Up to 19 digits are a body, as carriers list them. The last of 20 or more is left out if it is the right check
        digit.
        """
        is_printed = len(self.digits) > BODY_LONGEST and self.has_right_check_digit
        return self.digits[:-1] if is_printed else self.digits

    @property
    def with_check_digit(self) -> str | None:
        """Digits as a card shows them, with check digit.

        None for 20 or more digits whose last is not the right check digit: nobody knows what that digit is.
        """
        if len(self.digits) <= BODY_LONGEST:
            return self.digits + luhn_digit(self.digits)
        return self.digits if self.has_right_check_digit else None

    def __str__(self) -> str:
        return self.digits


@dataclass(frozen=True, slots=True)
class Eid:
    """EID of an eUICC chip, which holds profiles.

    An EID has 32 digits (GSMA SGP.02, section 2.2.2).
    """

    digits: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 32 digits. Raises: NotAnIdentifier."""
        return cls(_digits(text, "EID", shortest=32, longest=32))

    @property
    def has_right_check_digits(self) -> bool:
        """True if the last two digits are right.

        Then the whole number leaves 1 when divided by 97.

        Source: GSMA SGP.02, section 2.2.2 (ISO 7064, Mod 97-10).
        """
        return int(self.digits) % 97 == 1

    def __str__(self) -> str:
        return self.digits


@dataclass(frozen=True, slots=True)
class Imei:
    """IMEI of modem hardware.

    1NCE gives the 16-digit IMEISV under the name `imei`, sometimes with a trailing f.
    """

    digits: str = field(compare=False)
    body: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an IMEI (15 digits), an IMEISV (16) or a body (14).

        Raises: NotAnIdentifier.
        """
        digits = _digits(text.strip().rstrip("fF"), "IMEI", shortest=14, longest=16)
        return cls(digits, digits[:14])

    @property
    def imei(self) -> str:
        """IMEI of 15 digits, with a computed check digit.

        Its parts are type allocation code, serial number and check digit (3GPP TS 23.003).
        """
        return self.body + luhn_digit(self.body)


def _digits(text: str, what: str, *, shortest: int, longest: int) -> str:
    digits = "".join(text.split())
    if not (digits.isascii() and digits.isdigit() and shortest <= len(digits) <= longest):
        expected = str(shortest) if shortest == longest else f"{shortest} to {longest}"
        raise NotAnIdentifier(f"{shown(text)} is not an {what}: expected {expected} digits")
    return digits


def _joined(text: str) -> str:
    """Return the digits of an ICCID that is written in groups.

    The groups have one length, but for the last group, and for 89 alone in front.

    Raises: TwoNumbers, for any other groups: a running number beside an ICCID would make a longer ICCID of both.
    """
    groups = text.split()
    digits = "".join(groups)
    bare = digits.rstrip("fF")
    if len(groups) > 1 and bare.isdigit() and ICCID_SHORTEST <= len(bare) < 2 * ICCID_SHORTEST:
        lengths = [len(group) for group in groups[groups[0] == "89" :]]
        is_even = max(lengths) == lengths[0] <= LONGEST_GROUP and set(lengths[:-1]) <= {lengths[0]}
        is_one = is_even and len(bare) <= LONGEST_PRINTED and bare.startswith("89")
        if not (is_one and _IN_GROUPS.issuperset(text.strip())):
            raise TwoNumbers(f"{shown(text)} is not an ICCID: two numbers stand there, with white space between them")
    return digits
