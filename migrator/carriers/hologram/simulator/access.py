"""Access rights: credentials, roles, organizations."""

import base64
import binascii
from collections.abc import Mapping

from starlette.datastructures import Headers

from migrator.carriers.hologram.simulator.choices import Operation, Role
from migrator.carriers.hologram.simulator.replies import NO_PERMISSION, Call, Refusal, refusal
from migrator.carriers.hologram.simulator.world import World

__all__ = ["key_in_headers", "permissions_of", "require", "require_org"]

ALL_PERMISSIONS = frozenset(
    ("org_management", "billing", "activation", "changeplan", "sbconfig", "sbtunnel", "deactivate", "billing_visible")
)
_PERMISSIONS: Mapping[Role, frozenset[str]] = {
    Role.ADMIN: ALL_PERMISSIONS,
    Role.MANAGER: frozenset({"activation", "changeplan", "billing_visible"}),
    Role.EDITOR: frozenset(),
    Role.VIEWER: frozenset(),
}
_OPERATIONS: Mapping[Role, frozenset[Operation]] = {
    Role.ADMIN: frozenset(Operation),
    Role.MANAGER: frozenset(Operation) - {Operation.BALANCE},
    Role.EDITOR: frozenset({Operation.READ, Operation.RENAME, Operation.TAGS}),
    Role.VIEWER: frozenset(),
}


def key_in_headers(headers: Headers) -> str | None:
    """Return the API key from the Authorization header, or None.

    The header is `Authorization: Basic base64("apikey:KEY")`.
    """
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    try:
        user, _, key = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return key if scheme.lower() == "basic" and user == "apikey" else None


def permissions_of(world: World) -> frozenset[str]:
    """Return the permissions that the record lists for the key's owner.

    The record is that of the organization.
    """
    listed = world.behaviour.permissions
    return _PERMISSIONS[world.behaviour.role] if listed is None else listed


def require(world: World, operation: Operation, permission: str | None = None) -> None:
    """Refuse an operation that the role or the permissions exclude.

    Raises: Refusal (403), where the role or the permissions do not cover the operation.
    """
    behaviour = world.behaviour
    allowed = operation in _OPERATIONS[behaviour.role] and operation not in behaviour.denied
    if not allowed or (permission is not None and permission not in permissions_of(world)):
        raise Refusal(refusal(403, NO_PERMISSION))


def require_org(world: World, call: Call, *, required: bool = False) -> int | None:
    """Return the organization that the query names, or None.

    None means that the query names no organization.

    Raises: Refusal: 403 for an organization that the key does not see, 400 where one is required and missing.
    """
    org_id = call.number("orgid")
    if org_id is None and required:
        raise Refusal(refusal(400, "orgid is required"))
    if org_id is not None and org_id not in world.visible_orgs():
        raise Refusal(refusal(403, NO_PERMISSION))
    return org_id
