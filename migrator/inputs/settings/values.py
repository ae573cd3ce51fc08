"""Settings as text, from every source: parsed or refused.

A refusal does not repeat text that may hold a secret.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Address, ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from migrator.errors import InputError
from migrator.inputs.files.toml_checks import Unfit, found

__all__ = [
    "as_text",
    "base_url",
    "duration_s",
    "one_of",
    "parsed_duration",
    "per_second",
    "plain",
    "rate_of",
    "share",
    "whole_number",
]

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_S = 366 * 86_400
MOST_PER_SECOND = 10_000
LOOPBACK = IPv4Network("127.0.0.0/8")
_HOST = re.compile(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]+")


def as_text(value: Any) -> str:
    """Turn a TOML value into the text of an environment variable.

    Raises: Unfit.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return found(value)
    raise Unfit("wrong_type", f"found {found(value)}, expected text or a number")


def _seen(text: str) -> str:
    """Describe the text that was found, for a message.

    Numbers are shown. Other text is hidden, because people mix up variables and secrets.
    """
    return found(text) if re.fullmatch(r"[0-9.,+-]{1,12} ?[smhd]?", text) else f"text of {len(text)} characters"


def plain(text: str) -> str:
    """Accept any text."""
    return text


def one_of(*words: str) -> Callable[[str], str]:
    """Build the parser for one of some words.

    Upper and lower case make no difference.
    """

    def parse(text: str) -> str:
        if text.lower() not in words:
            raise Unfit("bad_choice", f"found {_seen(text)}, expected {' or '.join(words)}")
        return text.lower()

    return parse


def whole_number(*, least: int, most: int) -> Callable[[str], int]:
    """Build the parser for a whole number within bounds."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise Unfit("out_of_range", f"found {_seen(text)}, expected a whole number from {least} to {most}")
        return int(text)

    return parse


def per_second(text: str) -> float:
    """Read a rate above zero, in requests per second."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not 0 < float(text) <= MOST_PER_SECOND:
        raise Unfit("out_of_range", f"found {_seen(text)}, expected requests per second, above 0, such as 8 or 0.5")
    return float(text)


def share(text: str) -> float:
    """Read a part of a whole, from 0 to 1."""
    if not re.fullmatch(r"[0-9](\.[0-9]{1,9})?", text) or float(text) > 1:
        raise Unfit("out_of_range", f"found {_seen(text)}, expected a share from 0 to 1, such as 0.05")
    return float(text)


def rate_of(text: str) -> float:
    """Read requests per second from the command line.

    Raises: InputError.
    """
    try:
        return per_second(text.strip())
    except Unfit as error:
        raise InputError(error.words, code=error.code, hint="give a number such as 8 or 0.5, or auto") from None


def parsed_duration(text: str) -> float:
    """Read a duration, in seconds.

    Examples: "30m", "90s", "2h", "1d" or "45" (seconds).

    Raises: Unfit.
    """
    told = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([smhd]?)", text.strip().lower())
    seconds = float(told[1]) * SECONDS[told[2]] if told else LONGEST_S + 1
    if seconds > LONGEST_S:
        raise Unfit("bad_duration", f"found {_seen(text)}, expected a duration such as 90s, 30m, 2h or 1d")
    return seconds


def duration_within(*, least_s: float, most_s: float) -> Callable[[str], float]:
    """Build the parser for a duration within bounds, in seconds."""

    def parse(text: str) -> float:
        seconds = parsed_duration(text)
        if not least_s <= seconds <= most_s:
            raise Unfit("out_of_range", f"found {_seen(text)}, expected from {least_s:g}s to {most_s / 60:g}m")
        return seconds

    return parse


def duration_s(text: str) -> float:
    """Read a duration of at most a year, in seconds.

    Examples: "30m", "90s", "2h", "1d" or "45" (seconds).

    Raises: InputError.
    """
    try:
        return parsed_duration(text)
    except Unfit as error:
        raise InputError(error.words, code=error.code, hint="a number and s, m, h or d") from None


def base_url(text: str) -> str:
    """Read the address of an API, without a slash at its end.

    The address begins with https, or with http for this very machine. The error does not repeat the address, because
    people paste credentials into it.

    Raises: Unfit.
    """
    if not re.fullmatch(r"[!-~]+", text):
        raise _bad_url("it holds a blank or a character that no address has")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _bad_url("its host or port cannot be read") from None
    if port == 0:
        raise _bad_url("its port is 0")
    _check_parts(text, parts)
    return text.rstrip("/")


def _check_parts(text: str, parts: SplitResult) -> None:
    host = parts.hostname or ""
    if "@" in parts.netloc:
        raise _bad_url("it holds credentials", "remove them from the address; secrets have settings of their own")
    if "?" in text or "#" in text:
        raise _bad_url("it holds a query or a fragment")
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host):
        raise _bad_url("it does not begin with https:// and a host")
    if parts.scheme == "http" and not _is_loopback(host):
        raise _bad_url("http would send credentials in the clear", "write https://; http is for loopback only")


def _bad_url(words: str, hint: str = "such as https://api.example.com/v1, or http://127.0.0.1:8000") -> Unfit:
    return Unfit("bad_url", f"not an address to use: {words}", hint)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address in LOOPBACK or address == IPv6Address("::1")
