"""The built wheel, in a fresh environment of its own: what a user installs is what works."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]


@pytest.mark.slow
def test_the_wheel_runs_the_demo_from_a_fresh_environment(tmp_path: Path) -> None:
    """Nothing of this checkout is in its sight: migrations and plans must have come in the wheel."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=TOP,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "env")  # the pip of this checkout serves it
    python = tmp_path / "env" / "bin" / "python"
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    constraints = ["-c", str(TOP / "constraints.txt")]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile", *constraints, wheel],
        env=clean,
        check=True,
        timeout=300,
    )
    done = subprocess.run(
        [tmp_path / "env" / "bin" / "migrator", "--json", "demo", "--source", "onomondo", "--sims", "20"],
        cwd=tmp_path,
        env=clean,
        check=False,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"charged_more_than_once": []' in done.stdout
    policies = subprocess.run(
        [python, "-c", "import migrator, pathlib; print(*pathlib.Path(migrator.__file__).parent.glob('plans/*'))"],
        cwd=tmp_path,
        env=clean,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "default.toml" in policies.stdout
    assert "policy.schema.json" in policies.stdout
