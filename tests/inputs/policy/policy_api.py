"""What the tests of policy files share: the smallest policy, and a way to write one and read it back."""

from pathlib import Path

import pytest

from migrator.errors import InputError, Problem
from migrator.inputs.policy.file import LoadedPolicy, read_policy

__all__ = ["CLAIM", "MINIMAL", "Writer"]

CLAIM = '[claim]\ndata_plan_id = 2096\nzone = "global"\n'
MINIMAL = f"policy_version = 1\n{CLAIM}"


class Writer:
    """Writes a policy and reads it back."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, text: str | bytes) -> LoadedPolicy:
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_policy(self.path)

    def problems(self, text: str | bytes) -> list[Problem]:
        with pytest.raises(InputError) as refused:
            self.read(text)
        assert refused.value.exit_code == 2
        return list(refused.value.problems)

    def only(self, text: str | bytes) -> Problem:
        """The one problem, its message without the folder."""
        (problem,) = self.problems(text)
        return Problem(problem.code, problem.message.replace(f"{self.path.parent}/", ""), problem.hint)
