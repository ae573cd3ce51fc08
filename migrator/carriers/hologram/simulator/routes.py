"""Routes from calls to handlers.

An unknown call is answered as by the real service: no such method.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.routing import compile_path

from migrator.carriers.hologram.simulator import account, claims, commands, forbidden, naming, reads
from migrator.carriers.hologram.simulator.replies import Call, HologramReply, refusal
from migrator.carriers.hologram.simulator.world import World

__all__ = ["answer"]

Handler = Callable[[World, Call], HologramReply]

_TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/users/me", account.get_me),
    ("GET", "/organizations", account.list_organizations),
    ("GET", "/organizations/{org_id:int}", account.get_organization),
    ("GET", "/organizations/{org_id:int}/balance", account.get_balance),
    ("POST", "/organizations/{org_id:int}/balance", forbidden.add_funds),
    ("GET", "/plans", account.list_plans),
    ("GET", "/plans/{plan_id:int}", account.get_plan),
    ("GET", "/devices", reads.list_devices),
    ("GET", "/devices/count", reads.count_devices),
    ("GET", "/devices/{device_id:int}", reads.get_device),
    ("PUT", "/devices/{device_id:int}", naming.rename_device),
    ("DELETE", "/devices/{device_id:int}", forbidden.delete_device),
    ("POST", "/devices/names", naming.rename_devices),
    ("POST", "/devices/batch/state", commands.batch_state),
    ("GET", "/devices/batch/state", commands.list_jobs),
    ("POST", "/devices/batch/usagelimit", commands.batch_usage_limit),
    ("POST", "/devices/transfer", forbidden.transfer),
    ("POST", "/devices/changeplan", forbidden.change_plan),
    ("GET", "/devices/tags", naming.list_tags),
    ("POST", "/devices/tags", naming.create_tag),
    ("DELETE", "/devices/tags/{tag_id:int}", forbidden.delete_tag),
    ("POST", "/devices/tags/{tag_id:int}/link", naming.link_tag),
    ("POST", "/devices/tags/{tag_id:int}/unlink", naming.unlink_tag),
    ("GET", "/links/cellular", reads.list_links),
    ("POST", "/links/cellular/bulkclaim", claims.bulk_claim),
    ("POST", "/links/cellular/sim_{iccid:str}/claim", claims.single_claim),
    ("GET", "/links/cellular/{link_id:int}", reads.get_link),
    ("GET", "/links/cellular/{link_id:int}/history", reads.link_history),
    ("GET", "/usage/data", reads.list_sessions),
)


@dataclass(frozen=True, slots=True)
class _Route:
    """Line of the table, ready to match."""

    method: str
    pattern: re.Pattern[str]
    readers: Mapping[str, Any]
    handler: Handler


def _compiled(method: str, path: str, handler: Handler) -> _Route:
    pattern, _, readers = compile_path(path)
    return _Route(method, pattern, readers, handler)


_ROUTES = tuple(_compiled(*line) for line in _TABLE)


def answer(world: World, call: Call) -> HologramReply:
    """Return the answer of the handler that matches the call.

    Raises: Refusal.
    """
    for route in _ROUTES:
        if route.method == call.method and (match := route.pattern.match(call.path)):
            params = {key: route.readers[key].convert(text) for key, text in match.groupdict().items()}
            return route.handler(world, replace(call, params=params))
    return refusal(404, "API method does not exist")
