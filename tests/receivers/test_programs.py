"""Programs of the operator: no shell, an end in time, a few words."""

import os
import sys
from pathlib import Path

from migrator.programs import MOST_OUTPUT
from migrator.receivers.command import ProgramEnd, run_program


def ran(script: str, *arguments: str, given: bytes = b"", timeout_s: float = 20.0) -> ProgramEnd:
    return run_program([sys.executable, "-c", script, *arguments], given, environ=os.environ, timeout_s=timeout_s)


def test_a_program_gets_its_arguments_as_they_are_and_the_input() -> None:
    script = "import sys; print(sys.argv[1:], sys.stdin.read()); sys.exit(3)"
    assert ran(script, "$HOME; ls *", given=b"{}") == ProgramEnd(3, "['$HOME; ls *'] {}")


def test_a_program_need_not_read_nor_say_anything() -> None:
    assert ran("pass", given=b"x" * 1_000_000) == ProgramEnd(0, "")


def test_the_first_line_is_told_without_control_characters_and_not_for_ever() -> None:
    assert ran(r"print('\n\n \x1b[2Jno\u202e way'); print('more')") == ProgramEnd(0, "\\x1b[2Jno\\u202e way")
    assert len(ran("print('x' * 9999)").words) == 200
    assert ran(f"import sys; sys.stdout.write('y' * {MOST_OUTPUT * 20})").code == 0


def test_words_on_the_error_output_count_too() -> None:
    assert ran("import sys; sys.exit('the window is closed')") == ProgramEnd(1, "the window is closed")


def test_a_program_that_is_not_there_has_no_answer() -> None:
    ended = run_program(["./no-such-program"], b"", environ={}, timeout_s=1.0)
    assert ended == ProgramEnd(None, "cannot be started: No such file or directory")


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path / 'pid'}; echo asking; wait"
    ended = run_program(["/bin/sh", "-c", script], b"", environ=os.environ, timeout_s=2.0)
    assert ended == ProgramEnd(None, "no answer within 2 s: asking")
    state = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
