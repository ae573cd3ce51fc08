"""Access to the pages: our own names, and the token.

Source: RFC 6750, bearer tokens; OWASP, "DNS rebinding": a page of a stranger may ask a server on loopback under the
stranger's own name, so that only our own names are answered where no token is asked for. Read 2026-11-29.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from migrator.errors import InputError
from migrator.inputs.files.text import opened_text
from migrator.inputs.settings.secrets import Secret

__all__ = ["COOKIE", "Access", "read_token"]

COOKIE = "migrator_session"
SESSION_S = 12 * 3600
SHORTEST_TOKEN, LONGEST_TOKEN = 24, 512
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def read_token(path: Path) -> Secret:
    """Read the token, alone on the first line of its file.

    Raises: InputError, naming the file and the remedy.
    """
    with opened_text(path, decides=True, is_secret=True) as text:
        token = text.readline(LONGEST_TOKEN + 2).strip()
    if not SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN or not token.isascii() or not token.isprintable():
        raise InputError(
            f"{path}: the first line is no token: {SHORTEST_TOKEN} to {LONGEST_TOKEN} visible ASCII characters",
            code="bad_token",
            hint=f"(umask 077; openssl rand -hex 32 > {path})",
        )
    return Secret(token)


@dataclass(frozen=True, slots=True)
class Access:
    """Names and token by which the pages are given.

    Args:
        host: the address that was listened at.
        token: None where everybody on this machine may look.
    """

    host: str = "127.0.0.1"
    token: Secret | None = None

    def is_our_name(self, hosts: Sequence[str]) -> bool:
        """True if the `Host` headers of a request name us.

        With a token every name will do: a proxy, or a stranger's page, has to know the token.
        """
        if self.token is not None:
            return True
        return len(hosts) == 1 and _name(hosts[0]) in LOOPBACK | {_name(self.host)}

    def is_open(self) -> bool:
        """True if no token is asked for."""
        return self.token is None

    def is_token(self, given: str) -> bool:
        """Compare a token with ours, in the same time whatever is given."""
        return self.token is not None and hmac.compare_digest(_digest(given), _digest(self.token.reveal()))

    def session(self, now: float) -> str:
        """Return the value of a new cookie: its end, and our seal."""
        ends = str(int(now) + SESSION_S)
        return f"{ends}.{self._seal(ends)}"

    def is_session(self, cookie: str, now: float) -> bool:
        """True if a cookie is ours, and its time is not over."""
        ends, _, seal = cookie.partition(".")
        is_ours = hmac.compare_digest(_digest(seal), _digest(self._seal(ends)))
        return is_ours and ends.isdecimal() and now < int(ends)

    def _seal(self, ends: str) -> str:
        """Seal a time with the token.

        Another token ends every session.
        """
        key = b"" if self.token is None else self.token.reveal().encode()
        return hmac.new(key, b"session " + ends.encode(), hashlib.sha256).hexdigest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _name(host: str) -> str:
    """Return the name of a `Host` header without its port."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[: host.find("]") + 1]
    return host if host.count(":") > 1 else host.partition(":")[0]
