"""References: short texts that can be seen."""

import pytest

from migrator.core.plan.refs import ref_of
from migrator.errors import InputError


def test_a_reference_is_kept_as_it_was_written() -> None:
    assert ref_of("CHG0042") == "CHG0042"
    assert ref_of("  INC 7/ä ") == "INC 7/ä"
    assert ref_of("x" * 60) == "x" * 60
    assert not ref_of(None)


@pytest.mark.parametrize("text", ["", "  ", "x" * 61, "a\nb", "a\x1b[31m", "a\u202eb"])
def test_what_could_not_be_read_later_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--ref takes 1 to 60 visible characters"):
        ref_of(text)
