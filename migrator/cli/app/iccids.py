"""ICCIDs on the command line."""

from migrator.core.fleet.iccid_text import RefusedIccid, read_iccid
from migrator.core.fleet.identifiers import Iccid
from migrator.errors import InputError

__all__ = ["parsed_iccid"]


def parsed_iccid(text: str) -> Iccid:
    """Return the ICCID of a text on the command line.

    Raises: InputError, if the text is no ICCID.
    """
    try:
        return read_iccid(text)
    except RefusedIccid as error:
        hint = error.hint or "give the digits as its carrier lists them"
        raise InputError(str(error), code=error.code, hint=hint) from error
