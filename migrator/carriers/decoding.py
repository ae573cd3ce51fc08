"""The text of a reply's bytes, and whether it is all that was sent."""

__all__ = ["text_of_bytes"]

BYTE_ORDER_MARK = "\ufeff"


def text_of_bytes(content: bytes, promised: str | None) -> tuple[str, bool]:
    """The text, and whether every byte of it could be read; U+FFFD stands for what could not.

    JSON is UTF-8 (RFC 8259, section 8.1), whatever a header says of it: bytes that are no other charset's letters by
    chance are tried as that first. What is no UTF-8 is read as the header promises, if it promises something else.

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
