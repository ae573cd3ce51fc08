"""What is said at a terminal while a bar is shown there."""

import os
import pty
import subprocess
import sys
from contextlib import suppress

SAYS = """
import time
from migrator.cli.app.common import Globals, say
from migrator.cli.app.progress import watching
with watching(Globals()):
    time.sleep(0.3)  # the bar is drawn
    say("these words")
    time.sleep(0.3)
"""


def at_terminal(code: str) -> str:
    """What a terminal gets on stderr."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], stderr=theirs, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(theirs)
        heard = b""
        with suppress(OSError):  # that is how a terminal ends
            while some := os.read(ours, 4096):
                heard += some
        assert process.wait() == 0
    os.close(ours)
    return heard.decode()


def test_words_stand_above_the_bar_on_a_line_of_their_own() -> None:
    heard = at_terminal(SAYS)
    before, _, after = heard.partition("these words")
    assert "starting" in before
    assert before.endswith("\x1b[2K"), "the bar's line is cleared first"
    assert after.startswith("\r\n")
    assert "starting" in after
