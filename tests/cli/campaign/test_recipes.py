"""The recipes for schedulers: each is read as its scheduler reads it, and its commands are run with every exit code."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from migrator.core.run.results import ExitCode
from migrator.wiring import SystemClock, holding_lease, open_store
from tests.cli.campaign.test_campaign import BOUNDS
from tests.cli.conftest import POLICY, Desk
from tests.golden.readme_text import TOP, column, resolved, spans

PAGE = (TOP / "docs" / "recipes.md").read_text(encoding="utf-8")
FOLDER = TOP / "docs" / "recipes"
FILES = sorted(file for file in FOLDER.iterdir() if file.is_file())
INSTALLED = "/opt/migrator/bin/migrator"
COMMAND = re.compile(rf"(?:{INSTALLED}|(?<![\w/-])migrator) ((?:--[a-z-]+ )*[a-z][^\n`;&|>\"'$#]*)")
CONTENT = {ExitCode.DONE, ExitCode.ATTENTION, ExitCode.RESUMABLE, ExitCode.BUSY, ExitCode.INTERRUPTED}
"""Exit codes with which nobody has to be called out of bed."""


@pytest.mark.parametrize("file", [TOP / "docs" / "recipes.md", *FILES], ids=lambda file: file.name)
def test_every_command_line_is_one_of_ours(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    lines = spans(text) if file.suffix == ".md" else text.splitlines()
    said = [match[1].strip() for line in lines for match in COMMAND.finditer(line)]
    for words in said:
        command = resolved(shlex.split(words))
        assert command is not None, words
        _, ctx, rest = command
        command[0].make_parser(ctx).parse_args([word for word in rest if word != "FILE"])


def found(pattern: str, text: str) -> str:
    """The only group of a pattern that is there."""
    match = re.search(pattern, text, re.MULTILINE)
    assert match is not None, pattern
    return match[1]


def calls() -> dict[str, list[str]]:
    """The words after `migrator` of the call in each recipe, as its scheduler takes them apart."""
    container = (FOLDER / "Containerfile").read_text()
    entry, command = (yaml.safe_load(found(rf"^{word} (.*)$", container)) for word in ("ENTRYPOINT", "CMD"))
    return {
        "systemd": shlex.split(unit("service")["Service"]["ExecStart"])[1:],
        "cron": shlex.split(found(rf"{INSTALLED} ([^>]*)", cron_line())),
        "container": [*entry, *command][1:],
        "kubernetes": shlex.split(found(r"^migrator ([^&]*)", kubernetes_script())),
        "airflow": airflow(lambda _code: None)["COMMAND"][1:],
        "actions": shlex.split(found(r"migrator (.*) \$\{REF", actions_step()["run"])),
    }


def test_all_recipes_make_the_same_call() -> None:
    assert set(map(tuple, calls().values())) == {("--no-input", "--quiet", "campaign", "run", "--once")}


def test_the_page_names_every_file_and_every_exit_code() -> None:
    team = (TOP / "docs" / "team.md").read_text(encoding="utf-8")
    assert {file.name for file in FILES} == set(re.findall(r"\(recipes/([\w.-]+)\)", PAGE + team))
    assert set(map(int, column(PAGE, "code"))) == set(map(int, ExitCode))


# --- systemd ------------------------------------------------------------------------------------------------------


def unit(kind: str) -> configparser.ConfigParser:
    """A unit's sections; of keys that stand several times the last."""
    read = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=", comment_prefixes="#")
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(FOLDER / f"migrator-campaign.{kind}", encoding="utf-8")
    return read


def test_systemd_takes_the_codes_that_need_nobody_for_success() -> None:
    codes = set(map(int, unit("service")["Service"]["SuccessExitStatus"].split()))
    assert codes | {0} == {int(code) for code in CONTENT}
    assert unit("service")["Service"]["Type"] == "oneshot"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_reads_both_units_without_a_word(tmp_path: Path) -> None:
    program = tmp_path / "migrator"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    units = []
    for kind in ("service", "timer"):
        units.append(tmp_path / f"migrator-campaign.{kind}")
        text = (FOLDER / units[-1].name).read_text().replace(INSTALLED, str(program))
        units[-1].write_text(text)
    ended = subprocess.run(["systemd-analyze", "verify", *units], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


# --- what a shell runs --------------------------------------------------------------------------------------------


def cron_line() -> str:
    """What cron hands to the shell."""
    (line,) = [line for line in (FOLDER / "crontab").read_text().splitlines() if line.startswith("*/")]
    assert "%" not in line  # cron makes a new line of it
    return line.split(maxsplit=5)[5]


def kubernetes() -> tuple[dict[str, Any], dict[str, Any]]:
    """The volume claim and the CronJob."""
    volume, job = yaml.safe_load_all((FOLDER / "kubernetes-cronjob.yaml").read_text())
    return volume, job


def pod() -> dict[str, Any]:
    """The pod of the CronJob."""
    spec: dict[str, Any] = kubernetes()[1]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def kubernetes_script() -> str:
    """What the container's shell runs."""
    script: str = pod()["containers"][0]["args"][0]
    return script


def actions_step() -> dict[str, Any]:
    """The only step of the workflow."""
    (step,) = yaml.safe_load((FOLDER / "github-actions.yml").read_text())["jobs"]["call"]["steps"]
    assert step["shell"] == "bash"
    return dict(step)


SHELLS: dict[str, tuple[list[str], Callable[[], str]]] = {
    "cron": (["bash", "-c"], cron_line),
    "kubernetes": (["bash", "-c"], kubernetes_script),
    "actions": (["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c"], lambda: actions_step()["run"]),
}


def shelled(name: str, folder: Path, program: Path) -> subprocess.CompletedProcess[str]:
    """Run the words of a recipe, with our program in the place of the installed one."""
    shell, script = SHELLS[name]
    settings = folder / "settings"
    settings.touch()
    words = script().replace(INSTALLED, str(program)).replace("/etc/migrator/settings", str(settings))
    words = words.replace("/var/lib/migrator", str(folder))
    environ = os.environ | {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "REF": "CHG0042",
    }
    return subprocess.run([*shell, words], cwd=folder, env=environ, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_passes_on_what_a_person_must_look_at(name: str, tmp_path: Path) -> None:
    (tmp_path / "campaign" / "report").mkdir(parents=True)
    (tmp_path / "campaign" / "report" / "campaign.md").write_text("# The migration\n")
    program = tmp_path / "bin" / "migrator"
    program.parent.mkdir()
    for code in ExitCode:
        program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\nexit {int(code)}\n')
        program.chmod(0o755)
        ended = shelled(name, tmp_path, program)
        assert ended.returncode == (0 if code in CONTENT else code), (code, ended.stderr)
        if code not in CONTENT:
            assert str(int(code)) in ended.stdout + ended.stderr
    words = (tmp_path / "words").read_text().split()
    assert words[:5] == ["--no-input", "--quiet", "campaign", "run", "--once"]
    assert words[5:] == (["--ref", "CHG0042"] if name == "actions" else [])


def test_cron_mails_only_what_a_person_must_look_at(tmp_path: Path) -> None:
    program = tmp_path / "migrator"
    for code, is_mailed in ((0, False), (3, False), (6, True)):
        program.write_text(f"#!/bin/sh\necho 'the reason' >&2\nexit {code}\n")
        program.chmod(0o755)
        ended = shelled("cron", tmp_path, program)
        assert bool(ended.stdout) is is_mailed
        assert ("the reason" in ended.stdout) is is_mailed


@pytest.mark.loopback
@pytest.mark.slow
def test_the_real_tool_ends_as_the_recipes_expect(make_desk: Callable[..., Desk]) -> None:
    """Through the shell of GitHub Actions, the strictest one."""
    desk = make_desk(sims=4)
    desk.paired()
    program = desk.folder / "bin" / "migrator"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m migrator "$@"\n')
    program.chmod(0o755)
    bounds = BOUNDS.replace("approvals = 2", "approvals = 1")
    desk.write("policy.toml", POLICY + bounds + 'quiet_hours = "00:00-23:59"\n')
    assert desk.run("campaign", "create", "--policy", "policy.toml").code == 0
    assert shelled("actions", desk.folder, program).returncode == ExitCode.HALTED  # nobody approved it
    assert desk.run("campaign", "approve").code == 0
    waits = shelled("actions", desk.folder, program)
    assert (waits.returncode, "exit code 7" in waits.stdout) == (0, True)  # quiet hours, but for one minute of the day
    desk.write("policy.toml", POLICY + bounds)
    assert desk.run("campaign", "approve").code == 0
    with held(desk.folder):
        busy = shelled("actions", desk.folder, program)
    assert (busy.returncode, "exit code 9" in busy.stdout) == (0, True)
    assert not desk.rehearsal.hologram.ledger.charges
    done = shelled("actions", desk.folder, program)
    assert (done.returncode, done.stdout) == (0, done.stdout)
    assert desk.rehearsal.hologram.ledger.charges
    assert (desk.folder / "summary.md").read_text().endswith((desk.folder / "campaign/report/campaign.md").read_text())


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the store as a run does."""
    with open_store(f"sqlite:///{folder / 'migrator.db'}") as store, holding_lease(store, clock=SystemClock()):
        yield


# --- the others ---------------------------------------------------------------------------------------------------


def test_kubernetes_calls_one_at_a_time_and_tries_nothing_again() -> None:
    volume, job = kubernetes()
    assert (volume["kind"], job["apiVersion"], job["kind"]) == ("PersistentVolumeClaim", "batch/v1", "CronJob")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert job["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert pod()["restartPolicy"] == "Never"
    container = pod()["containers"][0]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    volumes = {one["name"]: one for one in pod()["volumes"]}
    assert mounts.keys() == volumes.keys()
    assert volumes["work"]["persistentVolumeClaim"]["claimName"] == volume["metadata"]["name"]
    assert mounts["work"] == container["workingDir"]
    values = {one["name"]: one["value"] for one in container["env"]}
    assert values["HOLOGRAM_API_KEY_FILE"].startswith(mounts["secrets"] + "/")
    assert values["ONENCE_CLIENT_SECRET_FILE"].startswith(mounts["secrets"] + "/")
    assert not {"HOLOGRAM_API_KEY", "ONENCE_CLIENT_SECRET"} & values.keys()


def test_actions_keep_the_store_and_run_one_at_a_time() -> None:
    workflow = yaml.safe_load((FOLDER / "github-actions.yml").read_text())
    assert "self-hosted" in workflow["jobs"]["call"]["runs-on"]
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}  # YAML 1.1 takes `on` for a yes
    environ = actions_step()["env"]
    assert all(environ[name].startswith("${{ secrets.") for name in ("HOLOGRAM_API_KEY", "ONENCE_CLIENT_SECRET"))


class Skip(Exception):
    """In the place of AirflowSkipException."""


class Fail(Exception):
    """In the place of AirflowFailException."""


class Again(Exception):
    """In the place of AirflowException."""


def airflow(run: Callable[[list[str]], Any]) -> dict[str, Any]:
    """The names of the DAG's file, with the little of Airflow that it uses; its call goes to `run`."""
    decorators, exceptions = ModuleType("airflow.decorators"), ModuleType("airflow.exceptions")
    vars(decorators).update(dag=lambda **_settings: lambda made: made, task=lambda made: made)
    vars(exceptions).update(AirflowException=Again, AirflowFailException=Fail, AirflowSkipException=Skip)
    names: dict[str, Any] = {"__name__": "airflow_dag"}
    modules = {"airflow": ModuleType("airflow"), "airflow.decorators": decorators, "airflow.exceptions": exceptions}
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
        patch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, run(command) or 0))
        exec(compile((FOLDER / "airflow_dag.py").read_text(), "airflow_dag.py", "exec"), names)  # noqa: S102 - our own file
    return names


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        (ExitCode.DONE, None),
        (ExitCode.ATTENTION, None),
        (ExitCode.RESUMABLE, Skip),
        (ExitCode.BUSY, Skip),
        (ExitCode.INTERRUPTED, Skip),
        (ExitCode.HALTED, Fail),
        (ExitCode.INPUT, Fail),
        (ExitCode.REFUSED, Fail),
        (ExitCode.STALE, Fail),
        (ExitCode.ERROR, Again),
        (-9, Again),
    ],
)
def test_airflow_skips_fails_or_tries_again(code: int, becomes: type[Exception] | None) -> None:
    if becomes is None:
        airflow(lambda _command: int(code))
        return
    with pytest.raises(becomes):
        airflow(lambda _command: int(code))
