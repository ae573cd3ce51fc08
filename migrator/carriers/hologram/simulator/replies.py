"""Requests and replies as handlers see them.

Replies have the envelope of the reference's section 3.3.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import HTMLResponse, Response

from migrator.core.fleet.spelling import escaped

__all__ = ["NO_PERMISSION", "Call", "HologramReply", "Refusal", "html", "ok", "refusal"]

NO_PERMISSION = "No permissions to perform operation"
_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><hr>proxy</body></html>"


@dataclass(frozen=True, slots=True)
class Call:
    """Request in its parts.

    `path` is without the prefix /api/1, `shown_path` is as it arrived. `body` is an empty object where none was sent.
    `params` are the numbers and texts in the path.
    """

    method: str
    path: str
    shown_path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the call in the ledger."""
        return f"{self.method} {self.shown_path}"

    @property
    def is_preview(self) -> bool:
        """True if the call only asks for a preview."""
        return self.query.get("preview", "").lower() in {"1", "true"}

    def number(self, key: str) -> int | None:
        """Return a number from the query, or None if absent.

        Raises: Refusal, if the value is not a number.
        """
        return _number(key, self.query[key]) if key in self.query else None

    def numbers(self, key: str) -> list[int] | None:
        """Return comma-separated numbers from the query; None if absent.

        Raises: Refusal.
        """
        return [_number(key, part) for part in self.words(key) or []] if key in self.query else None

    def words(self, key: str) -> list[str] | None:
        """Return comma-separated texts from the query; None if absent."""
        return [part.strip() for part in self.query[key].split(",") if part.strip()] if key in self.query else None

    def body_number(self, key: str) -> int | None:
        """Return a whole number from the body, or None.

        None means that the value is absent or null.

        Raises: Refusal.
        """
        value = self.body.get(key)
        return None if value is None else _number(key, value)

    def body_numbers(self, key: str) -> list[int]:
        """Return a list of whole numbers from the body, without repetitions.

        Raises: Refusal, also if the list is absent or empty.
        """
        values = self.body.get(key)
        if not isinstance(values, list) or not values:
            raise Refusal(refusal(400, f"{key} is required"))
        return list(dict.fromkeys(_number(key, value) for value in values))


@dataclass(frozen=True, slots=True)
class HologramReply:
    """Reply of a handler.

    `payload` is JSON, or HTML where it is a text.
    """

    status: int
    payload: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """Return the reply in the form for the wire."""
        if isinstance(self.payload, str):
            return HTMLResponse(self.payload, self.status, dict(self.headers))
        text = json.dumps(self.payload, separators=(",", ":"), ensure_ascii=False)
        return Response(escaped(text), self.status, dict(self.headers), "application/json")


class Refusal(Exception):
    """Refusal by a handler, with the answer to send."""

    def __init__(self, reply: HologramReply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def ok(data: Any, **more: Any) -> HologramReply:
    """Return a 200 with `data` in the envelope."""
    return HologramReply(200, {"success": True, "data": data, **more})


def refusal(status: int, error: str, **more: Any) -> HologramReply:
    """Return an answer with `success` false."""
    return HologramReply(status, {"success": False, "error": error, **more})


def html(status: int, title: str, headers: Mapping[str, str] | None = None) -> HologramReply:
    """Return a page of a proxy that answers instead of the API."""
    return HologramReply(status, _PAGE.format(f"{status} {title}"), headers or {})


def _number(key: str, value: Any) -> int:
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    try:
        if isinstance(value, str) or (is_whole and not isinstance(value, bool)):
            return int(value)
    except ValueError:
        pass
    raise Refusal(refusal(400, f"{key} must be a number"))
