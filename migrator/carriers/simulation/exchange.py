"""Exchange with a simulated carrier, as a fault changes it."""

from collections.abc import Callable

from migrator.carriers.simulation.faults import Fault
from migrator.carriers.simulation.messages import SimulatedReply, html_reply, json_reply

__all__ = ["HANGS", "through"]

CUT_BEFORE = frozenset({Fault.LOSE_BEFORE, Fault.HANG_BEFORE})
CUT_AFTER = frozenset({Fault.LOSE_AFTER, Fault.HANG_AFTER})
HANGS = frozenset({Fault.HANG_BEFORE, Fault.HANG_AFTER})
"""Faults that end in a long silence."""

IN_TROUBLE = {"message": "Internal server error"}


def through(
    fault: Fault, answer: Callable[[], SimulatedReply], *, too_many: Callable[[bool], SimulatedReply], carrier: str
) -> SimulatedReply | None:
    """Return the answer as the fault changes it, or None.

    None means that the connection breaks.

    Args:
        answer: gives the carrier's answer, with all that it does.
        too_many: gives a 429, with Retry-After or without.
        carrier: the title of a page for people.
    """
    if fault in CUT_BEFORE:
        return None
    refused = _refused_by(fault, too_many)
    if refused is not None:
        return refused
    reply = answer()
    if fault in CUT_AFTER:
        return None
    if fault is Fault.SERVER_ERROR_AFTER:
        return json_reply(IN_TROUBLE, 502)
    return html_reply(200, carrier) if fault is Fault.HTML_OK else reply


def _refused_by(fault: Fault, too_many: Callable[[bool], SimulatedReply]) -> SimulatedReply | None:
    """Return the answer of a front end that stopped the request.

    The result is None for a fault that lets the request through.
    """
    if fault is Fault.SERVER_ERROR_BEFORE:
        return json_reply(IN_TROUBLE, 500)
    if fault is Fault.HTML:
        return html_reply(503, "503 Service Unavailable")
    if fault in {Fault.TOO_MANY, Fault.TOO_MANY_SILENT}:
        return too_many(fault is Fault.TOO_MANY)
    return None
