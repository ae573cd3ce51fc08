"""Steering: what is done next follows from enumerations, and never from the text of a code."""

import ast
from pathlib import Path

import pytest

from tests.structure.steering import Names, places, steered


def test_nothing_is_decided_by_the_text_of_a_code() -> None:
    found = list(steered())
    assert not found, "ask `step.doubt`, an error's class, or another enumeration"


@pytest.mark.parametrize(
    "source",
    [
        "if step.code == 'unproven': pass",
        "if UNPROVEN != step.code: pass",
        "if step.code in {UNPROVEN, LOCKED}: pass",
        "NAMED = {'a'}\nif step.code not in NAMED: pass",
        "code = step.code\nif code == ALREADY: pass",
        "if (was := step.code) in KNOWN: pass",
        "if (step.state, step.code) == (FAILED, ALREADY): pass",
        "if error.code == Unforeseen.code: pass",
        "if code_of(item) == Unforeseen.code: pass",
        "if error.code.startswith('login'): pass",
        "found = counts.get((state, code, 'x'))",
        "TABLE = {'unproven': 1}\npatience = TABLE[step.code]",
        "found = select(steps).where(steps.c.code.in_(('a', 'b')))",
        "match step.code:\n    case 'unproven':\n        pass",
    ],
)
def test_a_text_that_decides_is_found(source: str) -> None:
    tree = ast.parse(source)
    assert list(places(Path("core/x.py"), tree, Names({"Doubt"}).learn(tree)))


@pytest.mark.parametrize(
    "source",
    [
        "if finding.code is Code.PENDING: pass",
        "WANTED = frozenset({Code.PENDING, Code.LATE})\nif finding.code in WANTED: pass",
        "OF = {Kind.TAG: frozenset({Code.PENDING})}\nif finding.code in OF[kind]: pass",
        "found = select(steps).where(steps.c.code == Doubt.LOCKED)",
        "match finding.code:\n    case Code.PENDING:\n        pass",
        "if step.doubt is Doubt.LOCKED: pass",
        "print(error.code)",
        "MAY: tuple[Doubt, ...] = tuple(x for x in y)\nfound = select(steps).where(steps.c.code.in_(MAY))",
        "found = select(steps).where(steps.c.code.in_(sorted(chosen)))",
        "if failures.by_code.get(code, 0) > most: pass",
    ],
)
def test_an_enumeration_may_decide(source: str) -> None:
    tree = ast.parse(source)
    assert not list(places(Path("core/x.py"), tree, Names({"Doubt", "Code", "Kind"}).learn(tree)))


@pytest.mark.parametrize("source", ["x = error.code == 'confirm'", "if 'no_store' != problem.code: pass"])
def test_what_renders_for_people_tells_no_error_apart_by_its_text(source: str) -> None:
    assert list(places(Path("cli/x.py"), ast.parse(source), Names()))


@pytest.mark.parametrize(
    "source", ["WORDS = {'a': 'b'}\nx = WORDS.get(problem.code, 'error')", "x = WORDS[error.code]"]
)
def test_what_renders_for_people_looks_words_up_by_a_code(source: str) -> None:
    assert not list(places(Path("cli/x.py"), ast.parse(source), Names()))
