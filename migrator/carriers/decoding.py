"""Text from the bytes of a reply, and a flag for completeness."""

__all__ = ["text_of_bytes"]

BYTE_ORDER_MARK = "\ufeff"


def text_of_bytes(content: bytes, promised: str | None) -> tuple[str, bool]:
    """Return the text of the bytes, and True if all were readable.

    U+FFFD stands for bytes that were not readable. JSON is UTF-8 (RFC 8259, section 8.1), whatever a header says. So
    UTF-8 is tried first: bytes of another charset are hardly ever valid UTF-8 by chance. Bytes that are not UTF-8 are
    read as the header promises, if the header promises another charset.

    Args:
        content: the bytes, without compression.
        promised: the charset that the reply's header names; None if it names none.
    """
    for charset in filter(None, ("utf-8", promised)):
        try:
            return content.decode(charset).removeprefix(BYTE_ORDER_MARK), True
        except (LookupError, ValueError):  # no such charset, or bytes that are not in it
            continue
    return content.decode("utf-8", "replace").removeprefix(BYTE_ORDER_MARK), False
