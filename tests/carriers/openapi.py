"""An OpenAPI document as a judge of exchanges: is this request documented, is this reply?

The documents lie beside the checkout of those who develop this project, and nowhere else; see `documents`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from jsonschema import Draft4Validator, validators
from jsonschema.exceptions import ValidationError

__all__ = ["FOLDER", "Contract", "Exchange"]

FOLDER = Path(__file__).parents[3] / "shared" / "reference"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its reply. `path` is without the base URL's own."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    status: int
    reply: Any

    @classmethod
    def of(cls, request: httpx.Request, response: httpx.Response, base_path: str) -> "Exchange":
        """The exchange as it went over the wire."""
        sent, is_json = request.content, "json" in response.headers.get("content-type", "")
        return cls(
            request.method,
            request.url.path.removeprefix(base_path),
            dict(request.url.params),
            json.loads(sent) if sent else None,
            response.status_code,
            response.json() if is_json and response.content.strip() else response.text or None,
        )

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


class Contract:
    """One document. What it does not name, a request may not have; replies may have more than is named."""

    def __init__(self, path: Path) -> None:
        self._document = yaml.safe_load(path.read_text(encoding="utf-8"))
        self._paths = [
            (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)), operations)
            for template, operations in sorted(self._document["paths"].items(), key=lambda item: "{" in item[0])
        ]

    def knows(self, exchange: Exchange) -> bool:
        """Whether the document has this path and method."""
        return self._operation(exchange) is not None

    def wrong_with_request(self, exchange: Exchange) -> list[str]:
        """What the document does not allow about a request: parameters, then the body."""
        operation = self._operation(exchange)
        if operation is None:
            return [f"{exchange}: not in the document"]
        return [
            f"{exchange}: {words}" for words in (*self._query(exchange, operation), *self._body(exchange, operation))
        ]

    def wrong_with_reply(self, exchange: Exchange) -> list[str]:
        """What the document does not say of a reply: its status, then its JSON."""
        operation = self._operation(exchange) or {}
        answer = operation.get("responses", {}).get(str(exchange.status))
        if answer is None:
            return [f"{exchange}: this status is not in the document"]
        schema = self._json_schema(self._resolved(answer))
        return [] if schema is None else [f"{exchange}: {words}" for words in self._errors(schema, exchange.reply)]

    def _operation(self, exchange: Exchange) -> Mapping[str, Any] | None:
        for pattern, operations in self._paths:
            if pattern.fullmatch(exchange.path):
                operation = operations.get(exchange.method.lower())
                return None if operation is None else {"shared": operations.get("parameters", []), **operation}
        return None

    def _query(self, exchange: Exchange, operation: Mapping[str, Any]) -> Iterator[str]:
        named = [self._resolved(one) for one in (*operation["shared"], *operation.get("parameters", []))]
        known = {one["name"]: one.get("schema", {}) for one in named if one["in"] == "query"}
        for name, value in exchange.query.items():
            if name not in known:
                yield f"there is no parameter {name!r}"
            else:
                yield from self._errors(known[name], _typed(value, known[name]))

    def _body(self, exchange: Exchange, operation: Mapping[str, Any]) -> Iterator[str]:
        documented = operation.get("requestBody")
        schema = None if documented is None else self._json_schema(self._resolved(documented))
        if schema is None:
            if exchange.body is not None:
                yield "there is no body in the document"
            return
        yield from self._errors(schema, exchange.body)
        rows = exchange.body if isinstance(exchange.body, list) else [exchange.body]
        names = self._names(schema)
        yield from (f"there is no field {name!r}" for row in rows for name in row or () if names and name not in names)

    def _names(self, schema: Mapping[str, Any]) -> set[str]:
        """Every field that a schema names at its top, through references, lists and combinations."""
        schema = self._resolved(schema)
        found = set(schema.get("properties", ()))
        for part in [*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())]:
            found |= self._names(part)
        return found | (self._names(schema["items"]) if "items" in schema else set())

    def _errors(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        judged = _Validator({**schema, "components": self._document["components"]}).iter_errors(value)
        return [f"{'.'.join(map(str, error.absolute_path)) or 'value'}: {error.message[:200]}" for error in judged]

    def _resolved(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        while (reference := part.get("$ref")) is not None:
            part = self._document
            for name in reference.removeprefix("#/").split("/"):
                part = part[name]
        return part

    def _json_schema(self, holder: Mapping[str, Any]) -> Mapping[str, Any] | None:
        for content_type, content in holder.get("content", {}).items():
            if content_type.startswith("application/json") and "schema" in content:
                found: Mapping[str, Any] = content["schema"]
                return found
        return None


def _type(validator: Any, types: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """`type`, as this kind of document means it: with `nullable`, null is a value as well."""
    if instance is None and schema.get("nullable"):
        return iter(())
    errors: Iterator[ValidationError] = Draft4Validator.VALIDATORS["type"](validator, types, instance, schema)
    return errors


_Validator = validators.extend(Draft4Validator, {"type": _type})  # type: ignore[no-untyped-call]  # its stubs have no types


def _typed(value: str, schema: Mapping[str, Any]) -> Any:
    """A query's text as the type that its schema asks for, where it can be that."""
    return int(value) if schema.get("type") != "string" and re.fullmatch(r"-?\d+", value) else value
