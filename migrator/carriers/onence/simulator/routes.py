"""Routes from paths to handlers, and the versions of the API."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from migrator.carriers.onence.simulator import reads, writes
from migrator.carriers.onence.simulator.account import CustomerAccount
from migrator.carriers.onence.simulator.choices import V1Retired
from migrator.carriers.onence.simulator.listing import SimList
from migrator.carriers.onence.simulator.messages import OnenceCall, refusal
from migrator.carriers.simulation.messages import Refused, SimulatedReply, html_reply, json_reply

__all__ = ["Routes"]

Handler = Callable[..., SimulatedReply]
BOTH, V1 = ("v1", "v2"), ("v1",)


@dataclass(frozen=True, slots=True)
class Route:
    """Line of the table of calls.

    `pattern` matches what follows the version; its groups are the handler's further arguments.
    """

    method: str
    pattern: re.Pattern[str]
    versions: tuple[str, ...]
    handler: Handler


def _route(method: str, pattern: str, versions: tuple[str, ...], handler: Handler) -> Route:
    return Route(method, re.compile(pattern), versions, handler)


class Routes:
    """Table of calls, tried from the top."""

    def __init__(self) -> None:
        one = r"/sims/([^/]+)"
        self._routes = (
            _route("GET", r"/sims", BOTH, SimList().page),
            _route("GET", rf"{one}/quota/(data|sms)", BOTH, reads.quota),
            _route("GET", r"/sims/limits", V1, reads.limits),
            _route("GET", r"/sims/(data|sms\w+)/limits", V1, reads.selectable_limits),
            _route("GET", one, BOTH, reads.single),
            _route("GET", rf"{one}/usage", BOTH, reads.usage_rows),
            _route("GET", rf"{one}/status", BOTH, reads.connectivity),
            _route("PUT", one, BOTH, writes.update_one),
            _route("POST", r"/sims", V1, writes.update_many),
            _route("POST", r"/sims/(?:limits|topup|autoTopup|extension|simTransfer)", V1, writes.never_called),
            _route("POST", rf"{one}/(?:reset|topup|sms)", BOTH, writes.never_called),
            _route("DELETE", rf"{one}/sms/[^/]+", BOTH, writes.never_called),
        )

    def answer(self, account: CustomerAccount, call: OnenceCall) -> SimulatedReply:
        """Return the carrier's answer to a call that was let in."""
        try:
            return self._absent_version(account, call) or self._matching(account, call)
        except Refused as refused:
            return refused.reply

    def _matching(self, account: CustomerAccount, call: OnenceCall) -> SimulatedReply:
        version, rest = call.version, call.path[1 + len(call.version) :]
        for route in self._routes:
            match = route.pattern.fullmatch(rest)
            if match and route.method == call.method and version in route.versions:
                return route.handler(account, call, *match.groups())
        return refusal(call, 404, "Element not found") if version == "v2" else html_reply(404, "404 Not Found")

    def _absent_version(self, account: CustomerAccount, call: OnenceCall) -> SimulatedReply | None:
        if call.version == "v1" and account.behaviour.v1_retired is not V1Retired.NO:
            gone = account.behaviour.v1_retired is V1Retired.GONE
            return json_reply({"message": "Gone"}, 410) if gone else html_reply(404, "404 Not Found")
        if call.version == "v2" and not account.behaviour.v2_available:
            return html_reply(404, "404 Not Found")
        return None
