"""References: the change or ticket that something was done for."""

from migrator.errors import InputError

__all__ = ["LONGEST_REF", "ref_of"]

LONGEST_REF = 60


def ref_of(text: str | None, *, option: str = "--ref") -> str:
    """Return a reference as it is kept; "" for none.

    Args:
        text: as somebody wrote it, such as CHG0042.
        option: the option to write it with, for errors.

    Raises: InputError, for a text that is empty, too long, or cannot be seen.
    """
    if text is None:
        return ""
    ref = " ".join(text.split(" "))
    if not ref.strip() or len(ref) > LONGEST_REF or not ref.isprintable():
        words = f"{option} takes 1 to {LONGEST_REF} visible characters"
        raise InputError(words, code="bad_ref", hint=f"write the number of the change or ticket: {option} CHG0042")
    return ref.strip()
