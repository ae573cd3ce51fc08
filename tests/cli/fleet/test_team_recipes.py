"""The recipes for workers: each is read as its runtime reads it, and workers of all make the same call."""

import configparser
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.golden.readme_text import TOP

FOLDER = TOP / "docs" / "recipes"
INSTALLED = "/opt/migrator/bin/migrator"
CALL = ["--no-input", "work", "--slots", "4"]
GRACE_S = 300
"""What each runtime must wait for after a stop: a claim may take three minutes."""


def unit() -> configparser.SectionProxy:
    """The service; of keys that stand several times the last."""
    read = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=", comment_prefixes="#")
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(FOLDER / "migrator-work.service", encoding="utf-8")
    return read["Service"]


def compose() -> dict[str, Any]:
    """The services by name."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    return found


def deployment() -> dict[str, Any]:
    """The pod of the Deployment."""
    _, made = yaml.safe_load_all((FOLDER / "kubernetes-workers.yaml").read_text())
    assert made["spec"]["replicas"] > 1
    pod: dict[str, Any] = made["spec"]["template"]["spec"]
    return pod


def run_by_shell(words: list[str], folder: Path, **environ: str) -> tuple[str, list[str]]:
    """Run the words of a recipe, a program of ours in the place of the tool. Returns: its password, its words."""
    program = folder / "bin" / "migrator"
    program.parent.mkdir(exist_ok=True)
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$PGPASSWORD" "$@"\n')
    program.chmod(0o755)
    placed = [word.replace(INSTALLED, str(program)).replace("/run/secrets", str(folder)) for word in words]
    told = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", **environ}
    said = subprocess.run(placed, env=told, check=True, capture_output=True, text=True).stdout.splitlines()
    return said[0], said[1:]


def test_systemd_hands_the_password_over_and_calls_the_worker(tmp_path: Path) -> None:
    (tmp_path / "database").write_text("pass word\n")
    called = run_by_shell(shlex.split(unit()["ExecStart"]), tmp_path, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert called == ("pass word", CALL)
    assert unit()["TimeoutStopSec"] == f"{GRACE_S // 60}min"
    assert unit()["KillMode"] == "mixed", "the worker alone is told to stop, and tells its processes"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_reads_the_unit_without_a_word(tmp_path: Path) -> None:
    place = tmp_path / "migrator-work.service"
    place.write_text((FOLDER / place.name).read_text())
    ended = subprocess.run(["systemd-analyze", "verify", place], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


def test_compose_runs_two_workers_beside_a_database_that_stays(tmp_path: Path) -> None:
    (tmp_path / "accounts").mkdir()
    (tmp_path / "accounts" / "database-password").write_text("secret\n")
    services = compose()
    worker = services["worker"]
    entry = [word.replace("$$", "$") for word in worker["entrypoint"]]  # as compose does
    assert run_by_shell([*entry, *worker["command"]], tmp_path) == ("secret", CALL)
    assert (worker["deploy"]["replicas"], worker["stop_grace_period"]) == (2, f"{GRACE_S // 60}m")
    assert worker["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert "database:/var/lib/postgresql/data" in services["database"]["volumes"]
    assert all(port.startswith("127.0.0.1:") for port in services["page"]["ports"]), "TLS belongs in front of it"


def composes() -> bool:
    """True where `docker compose` is there."""
    words = ["docker", "compose", "version"]
    return shutil.which("docker") is not None and not subprocess.run(words, check=False, capture_output=True).returncode


@pytest.mark.skipif(not composes(), reason="no `docker compose` on this machine")
def test_compose_reads_its_file_and_starts_it_where_containers_can_run(tmp_path: Path) -> None:
    file = FOLDER / "compose.yaml"
    words = ["docker", "compose", "-f", str(file), "config", "-q"]
    read = subprocess.run(words, check=False, capture_output=True, text=True)
    assert (read.returncode, read.stderr) == (0, "")
    if subprocess.run(["docker", "image", "inspect", "migrator"], check=False, capture_output=True).returncode:
        pytest.skip("there is no image `migrator` here, or no daemon")
    place = tmp_path / "compose.yaml"
    place.write_text(file.read_text())
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "database-password").write_text("secret")
    own = ["docker", "compose", "-f", str(place)]
    try:
        subprocess.run([*own, "up", "-d", "--wait", "database"], check=True, timeout=120)
        subprocess.run([*own, "run", "--rm", "migrator", "fleet", "init"], check=True, timeout=120)
        subprocess.run([*own, "run", "--rm", "migrator", "work", "--once"], check=True, timeout=120)
    finally:
        subprocess.run([*own, "down", "--volumes"], check=False, timeout=120)


def test_kubernetes_moves_a_worker_without_haste() -> None:
    pod = deployment()
    (container,) = pod["containers"]
    assert container["command"] == ["migrator", *CALL]
    assert pod["terminationGracePeriodSeconds"] == GRACE_S
    assert pod["securityContext"]["runAsNonRoot"] is True
    told = {one["name"]: one for one in container["env"]}
    assert "value" not in told["PGPASSWORD"], "a password does not stand in the manifest"
    mounted = {one["mountPath"]: one for one in container["volumeMounts"]}
    assert mounted[told["MIGRATOR_SECRETS_DIR"]["value"]]["readOnly"] is True
