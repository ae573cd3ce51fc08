"""The public library: its names, and the script of its page, run on the simulators."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import migrator
from migrator import Bounds, apply, open_site, pair_pool, plan, pull, verify
from migrator.carriers.hologram.simulator import HologramBehaviour, HologramSimulator
from migrator.carriers.onence.simulator import OnenceBehaviour, OnenceSimulator
from migrator.core.run.results import ExitCode
from migrator.errors import InputError
from migrator.wiring.rehearsal.rehearsal import Rehearsal, pool_of

TOP = Path(migrator.__file__).parents[1]
PAGE = TOP / "docs" / "library.md"
SIMS = 12


@pytest.fixture
def rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rehearsal]:
    """Both carriers on loopback, named in the environment; the working folder has a pool and the policies."""
    quick = HologramBehaviour(claim_pending_s=(0, 0), state_pending_s=(0, 0))
    carriers = Rehearsal(
        OnenceSimulator(seed=5, sims=SIMS, behaviour=OnenceBehaviour(rate_limit=None)),
        HologramSimulator(seed=5, behaviour=quick),
    )
    iccids = pool_of(SIMS)
    carriers.hologram.stock(iccids)
    (tmp_path / "pool.txt").write_text("\n".join(iccids))
    shutil.copy(TOP / "plans" / "default.toml", tmp_path / "policy.toml")
    monkeypatch.chdir(tmp_path)
    with carriers.running():
        for name, value in carriers.environment().items():
            monkeypatch.setenv(name, value)
        for name, value in {"ONENCE_MAX_RPS": "500", "HOLOGRAM_MAX_RPS": "500", "MIGRATOR_ABSENT_AFTER_S": "1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("migrator.wiring.START_RPS", 500.0)
        monkeypatch.setattr("migrator.engine.apply.settle._at_work_s", lambda _ctx: 1.0)
        for part in ("converge", "settle"):  # the carriers here are quick
            monkeypatch.setattr(f"migrator.engine.apply.{part}.FIRST_PAUSE_S", 0.2)
        yield carriers


def test_every_public_name_is_there() -> None:
    assert all(getattr(migrator, name) is not None for name in migrator.__all__)
    assert set(migrator.__all__) <= set(dir(migrator))
    with pytest.raises(AttributeError, match="no attribute 'switch_off_all'"):
        _ = migrator.switch_off_all


def test_the_page_lists_every_function() -> None:
    functions = {name for name in migrator.__all__ if name[0].islower()}
    assert functions == set(re.findall(r"^\| `(\w+)\(", PAGE.read_text(), flags=re.MULTILINE))


def test_the_script_of_the_page_moves_a_fleet(
    rehearsal: Rehearsal, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    exec(compile(script, str(PAGE), "exec"), {})  # noqa: S102 - the page's own example
    claims, end, verdicts = capsys.readouterr().out.splitlines()
    charged = len(rehearsal.hologram.ledger.charges)
    assert claims.endswith(f"claims {charged} SIMs")
    assert charged > 0
    assert end.startswith(("DONE every SIM of the plan is verified", "ATTENTION"))
    assert f"'ok': {charged}" in verdicts
    assert {path.suffix for path in (tmp_path / "reports").iterdir()} == {".html", ".json", ".csv", ".md"}


def test_a_plan_is_not_carried_out_without_its_number(rehearsal: Rehearsal) -> None:
    with open_site("sqlite:///migrator.db", create=True) as site:
        pull(site)
        pair_pool(site, "pool.txt")
        made = plan(site, "policy.toml")
        for given in (None, made.claims + 1):
            with pytest.raises(InputError) as caught:
                apply(site, made.plan_id, confirm=given)
            assert caught.value.code == "confirm"
        assert rehearsal.hologram.ledger.charges == {}
        result = apply(site, made.plan_id, confirm=made.claims, bounds=Bounds(max_sims=3))
        assert result.exit_code is ExitCode.HALTED
        assert len(rehearsal.hologram.ledger.charges) == 3
        assert verify(site, made.plan_id)["ok"] == 3
