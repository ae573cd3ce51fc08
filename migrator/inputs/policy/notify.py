"""`[[notify]]` of a policy file: who is told of what."""

import re
from collections.abc import Mapping
from typing import Any

from migrator.core.policy.outside import NoticeEvent, Receiver, ReceiverKind
from migrator.core.run.sources import SOURCES
from migrator.inputs.files.problems import nearest
from migrator.inputs.files.toml import KeyPath
from migrator.inputs.files.toml_checks import Described, Findings, Unfit, choice, flag, found, text, whole
from migrator.inputs.policy.sections import COMMAND

__all__ = ["FIELDS", "NOTIFY", "receivers_from"]

_NAME = r"[A-Z][A-Z0-9_]{0,99}"
_CARRIERS = rf"({'|'.join(source.prefix for source in SOURCES.values())}|HOLOGRAM)_"
_ADDRESS = r"[^\s@<>,;:\"()]+@[^\s@<>,;:\"()]+"
_HOST = r"[A-Za-z0-9.\-]{1,253}|[0-9a-fA-F:.]{2,45}"
_EVENTS = [event.value for event in NoticeEvent if event is not NoticeEvent.TEST]


def _secret_name(value: Any) -> str:
    """Read the name of a secret.

    What is written there may be the secret itself by mistake, and is never shown.
    """
    hint = "write the name of a variable, such as MIGRATOR_NOTIFY_URL, and put the secret there, or into NAME_FILE"
    if not isinstance(value, str) or not re.fullmatch(_NAME, value):
        raise Unfit("bad_name", "is no name of a secret (capitals, digits and _)", hint)
    if re.match(_CARRIERS, value):
        raise Unfit("bad_name", f"found {found(value)}, which is for the carrier alone", hint)
    return value


def _events(value: Any) -> tuple[NoticeEvent, ...]:
    if not isinstance(value, list) or not value:
        raise Unfit("wrong_type", f"found {found(value)}, expected a list of events", 'such as ["needs_attention"]')
    for one in value:
        if one not in _EVENTS:
            raise Unfit("bad_choice", f"found {found(one)}, expected events", nearest(str(one), _EVENTS))
    return tuple(event for event in NoticeEvent if event.value in value)


def _recipients(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise Unfit("wrong_type", f"found {found(value)}, expected a list of addresses", 'such as ["noc@example.com"]')
    return tuple(map(_address, value))


def _address(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or not re.fullmatch(_ADDRESS, value):
        raise Unfit("bad_address", f"found {found(value)}, expected a mail address", "such as noc@example.com")
    return value


def _host(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(_HOST, value):
        raise Unfit(
            "bad_address", f"found {found(value)}, expected a host", "such as smtp.example.com; `port` is a key"
        )
    return value


_SECRET_NAME = Described(_secret_name, {"type": "string", "pattern": rf"^(?!{_CARRIERS}){_NAME}$"})
_MAIL = Described(_address, {"type": "string", "pattern": rf"^{_ADDRESS}$"})

NOTIFY: Mapping[str, Described] = {
    "to": choice(ReceiverKind),
    "on": Described(_events, {"type": "array", "minItems": 1, "items": {"enum": _EVENTS}}),
    "detail": flag(),
    "url_from": _SECRET_NAME,
    "secret_from": _SECRET_NAME,
    "command": COMMAND,
    "server": Described(_host, {"type": "string", "pattern": f"^({_HOST})$"}),
    "port": whole(least=1, most=65_535),
    "from": _MAIL,
    "recipients": Described(_recipients, {"type": "array", "minItems": 1, "items": _MAIL.schema}),
    "user": text(),
    "password_from": _SECRET_NAME,
}
FIELDS = {"from": "sender"}
"""Keys with another name in the core."""

_ALL = {"to", "on", "detail"}
_MAY: Mapping[ReceiverKind, tuple[dict[str, str], set[str]]] = {
    ReceiverKind.WEBHOOK: ({"url_from": '"MIGRATOR_NOTIFY_URL"'}, {"secret_from"}),
    ReceiverKind.SLACK: ({"url_from": '"MIGRATOR_SLACK_URL"'}, set()),
    ReceiverKind.TEAMS: ({"url_from": '"MIGRATOR_TEAMS_URL"'}, set()),
    ReceiverKind.MAIL: (
        {"server": '"smtp.example.com"', "from": '"migrator@example.com"', "recipients": '["noc@example.com"]'},
        {"port", "user", "password_from"},
    ),
    ReceiverKind.COMMAND: ({"command": '["./tell.sh"]'}, set()),
}
"""Keys that a kind of receiver needs, and others it may have.

Those that it needs have an example.
"""


def receivers_from(value: Any, findings: Findings) -> tuple[Receiver, ...]:
    """Read the receivers in their order.

    Problems are noted.
    """
    if not isinstance(value, list) or not value:
        hint = 'write [[notify]] with double brackets and to = "..." for each receiver'
        findings.add(("notify",), "wrong_type", f"found {found(value)}, expected one or more [[notify]]", hint)
        return ()
    read = (_receiver(table, ("notify", number), findings) for number, table in enumerate(value))
    return tuple(one for one in read if one is not None)


def _receiver(table: Any, path: KeyPath, findings: Findings) -> Receiver | None:
    if not isinstance(table, Mapping):
        findings.add(path, "wrong_type", "found a value, expected a receiver", 'write [[notify]] and to = "..."')
        return None
    findings.require(table, path, {"to": '"webhook"'})
    values = findings.values(table, path, NOTIFY)
    kind = values.get("to")
    if kind is None:
        return None
    needs, may = _MAY[kind]
    findings.require(table, path, needs)
    for key in table:
        if key in NOTIFY and key not in {*_ALL, *needs, *may}:
            findings.add((*path, key), "impossible", f'has no meaning with to = "{kind}"', "remove it")
    if ("user" in table) is not ("password_from" in table) and kind is ReceiverKind.MAIL:
        findings.add(path, "impossible", "user and password_from stand together", "add the other one, or remove both")
    if any(faulty[: len(path)] == path for faulty in findings.faulty):
        return None
    return Receiver(**{FIELDS.get(key, key): one for key, one in values.items()})
