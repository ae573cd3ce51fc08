"""Logins and tokens: POST /oauth/token, and checks of the Authorization header."""

import random
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from migrator.carriers.onence.simulator.behaviour import OnenceBehaviour
from migrator.carriers.onence.simulator.choices import BadBearer, BadLogin
from migrator.carriers.onence.simulator.messages import OnenceCall
from migrator.carriers.simulation.messages import Refused, SimulatedReply, json_reply

__all__ = ["TokenDesk"]

FORM = "application/x-www-form-urlencoded"
UNKNOWN_USER, WRONG_PASSWORD = "User does not exist.", "Incorrect username or password."


@dataclass(slots=True)
class Token:
    """Token that was handed out.

    `expires_at_s` is on the simulator's clock.
    """

    text: str = field(repr=False)
    expires_at_s: float
    calls: int = 0
    revoked: bool = False

    def may_be_reissued(self, behaviour: OnenceBehaviour, now_s: float) -> bool:
        """True if a login may hand out the token once more.

        The token must have a second left, and must not be known to be revoked, unless an option allows that.
        """
        return self.expires_at_s - now_s >= 1 and (behaviour.revoked_token_reissued or not self.revoked)


class TokenDesk:
    """Issuer of tokens for one pair of credentials.

    The issuer knows which tokens are good.
    """

    def __init__(self, *, seed: int, client_id: str, client_secret: str) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self._random = random.Random(f"tokens {seed}")
        self._tokens: dict[str, Token] = {}
        self._latest: Token | None = None

    def login(self, call: OnenceCall, behaviour: OnenceBehaviour, now_s: float) -> SimulatedReply:
        """Answer a token request (reference, section 2)."""
        self._check_body(call, behaviour)
        self._check_credentials(call, behaviour)
        token = self._token(behaviour, now_s)
        return json_reply(
            {
                "status_code": 200,
                "access_token": token.text,
                "token_type": "bearer",
                "expires_in": int(token.expires_at_s - now_s),
                "userId": "user",
                "scope": "all",
            },
            indent=2,
        )

    def refusal(
        self, call: OnenceCall, behaviour: OnenceBehaviour, *, now_s: float, now: datetime
    ) -> SimulatedReply | None:
        """Return the refusal of `call`, or None if its token is good.

        The call counts against the token's calls.
        """
        scheme, _, text = call.headers.get("authorization", "").partition(" ")
        token = self._tokens.get(text) if scheme.lower() == "bearer" else None
        if token is None:
            return _unauthorised(call, behaviour, now, "The token is invalid: Illegal base64 character 20")
        token.calls += 1
        if behaviour.token_revoked_after is not None and token.calls > behaviour.token_revoked_after:
            token.revoked = True
        if token.revoked or now_s >= token.expires_at_s:
            return _unauthorised(call, behaviour, now, "The token is expired")
        return None

    def _check_body(self, call: OnenceCall, behaviour: OnenceBehaviour) -> None:
        content_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type == "application/json":
            fields = call.body if isinstance(call.body, dict) else {}
        elif content_type == FORM and not behaviour.json_login_only:
            fields = dict(parse_qsl(call.raw_body.decode(errors="replace")))
        else:
            raise _refused("UnsupportedContentTypeError", "Content-Type not supported")
        if fields.get("grant_type") != "client_credentials":
            raise _refused("BodyValidationError", "Request body validation error: Missing attributes 'grant_type'")

    def _check_credentials(self, call: OnenceCall, behaviour: OnenceBehaviour) -> None:
        user, password = _basic(call.headers.get("authorization", ""))
        for name, value in (("username", user), ("password", password)):
            if not value:
                raise _refused("AuthValidationError", f"Auth header validation error: Missing attributes '{name}'")
        if (user, password) == (self.client_id, self.client_secret):
            return
        if behaviour.bad_login is BadLogin.EMPTY_401:
            raise Refused(SimulatedReply(401))
        code = "BadCredentials" if behaviour.bad_login is BadLogin.BAD_CREDENTIALS else "CognitoAuthenticationError"
        raise _refused(code, WRONG_PASSWORD if user == self.client_id else UNKNOWN_USER)

    def _token(self, behaviour: OnenceBehaviour, now_s: float) -> Token:
        """Return the present token if the options allow, else a new token."""
        latest = self._latest
        if latest is not None and behaviour.token_reissued and latest.may_be_reissued(behaviour, now_s):
            return latest
        length = behaviour.token_characters
        text = ("eyJpZHRva2Vu" + b64encode(self._random.randbytes(length)).decode())[: length - 1] + "="
        self._tokens = {text: token for text, token in self._tokens.items() if token.expires_at_s > now_s}
        self._latest = self._tokens[text] = Token(text, now_s + behaviour.token_life_s)
        return self._latest


def _basic(header: str) -> tuple[str, str]:
    """Return user and password of a Basic header; empty if missing."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def _refused(code: str, message: str) -> Refused:
    return Refused(json_reply({"statusCode": 400, "errorCode": code, "message": message}, 400, indent=2))


def _unauthorised(call: OnenceCall, behaviour: OnenceBehaviour, now: datetime, message: str) -> SimulatedReply:
    if behaviour.bad_bearer is BadBearer.EMPTY:
        return SimulatedReply(401)
    if behaviour.bad_bearer is BadBearer.GATEWAY:
        return json_reply({"message": "Unauthorized"}, 401)
    body: dict[str, Any] = {
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "status": 401,
        "error": "Unauthorized",
        "message": message,
        "path": f"/internal-global-api{call.path}",
    }
    return json_reply(body, 401)
