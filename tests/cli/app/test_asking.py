"""Who can be asked at the terminal."""

import io
import sys
from collections.abc import Callable

import pytest

from migrator.cli.app.asking import asking, can_ask
from migrator.cli.app.common import Globals
from tests.cli.conftest import Desk


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stdin", [None, closed()])
def test_nobody_is_asked_where_standard_input_is_closed(
    monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO | None
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    assert not can_ask(Globals())
    assert asking(Globals()) is None


def test_apply_needs_no_standard_input_where_the_number_is_confirmed(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(sims=8)
    claims = desk.planned()["claims"]
    monkeypatch.setattr(sys, "stdin", None)  # as a service manager, or `<&-`, leaves it
    refused = desk.run("apply")
    assert (refused.code, f"--confirm {claims}" in refused.err) == (2, True)
    assert desk.run("apply", "--confirm", str(claims)).code == 0
