"""Files that say what is sent and where to: nobody else may write them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.errors import InputError
from migrator.inputs.files.text import opened_text
from migrator.inputs.files.toml_checks import Unfit
from migrator.inputs.policy.file import read_policy
from migrator.inputs.settings.secrets import SecretSource
from migrator.inputs.settings.settings import load_settings

POLICY = 'policy_version = 1\n[claim]\ndata_plan_id = 1\nzone = "global"\n[[waves]]\nname = "all"\n'

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such rights")


def settings(path: Path) -> object:
    return load_settings({}, path)


def secret(path: Path) -> object:
    return SecretSource("HOLOGRAM_API_KEY", file=path).resolve()


READERS = [(settings, "[run]\nbatch = 7\n"), (read_policy, POLICY), (secret, "a-key\n")]


def written(folder: Path, text: str, mode: int) -> Path:
    path = folder / "it's mine.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(("read", "text"), READERS)
@pytest.mark.parametrize("mode", [0o664, 0o646, 0o620, 0o602, 0o777])
def test_a_file_that_others_may_write_is_refused(
    tmp_path: Path, read: Callable[[Path], object], text: str, mode: int
) -> None:
    path = written(tmp_path, text, mode)
    with pytest.raises((InputError, Unfit)) as caught:
        read(path)
    told: Exception = caught.value
    assert isinstance(told, InputError | Unfit)
    words, hint = (told.words, told.hint) if isinstance(told, Unfit) else (told.message, told.hint)
    assert str(path) in words
    assert f"mode {mode:04o}" in words
    assert "chmod go-w '" in hint
    path.chmod(mode & ~0o022)
    read(path)


@pytest.mark.parametrize(("read", "text"), READERS)
@pytest.mark.parametrize("mode", [0o400, 0o600, 0o644, 0o755])
def test_a_file_that_only_its_owner_may_write_is_read(
    tmp_path: Path, read: Callable[[Path], object], text: str, mode: int
) -> None:
    read(written(tmp_path, text, mode))


@pytest.mark.parametrize(("read", "text"), READERS)
def test_a_symlink_counts_as_what_it_leads_to(tmp_path: Path, read: Callable[[Path], object], text: str) -> None:
    path, link = written(tmp_path, text, 0o600), tmp_path / "link"
    link.symlink_to(path)
    tmp_path.chmod(0o777)  # the folder is not asked about, as ssh does not
    read(link)
    path.chmod(0o666)
    with pytest.raises((InputError, Unfit)):
        read(link)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize(("read", "text"), READERS)
def test_a_file_of_another_user_is_refused(tmp_path: Path, read: Callable[[Path], object], text: str) -> None:
    path = written(tmp_path, text, 0o600)
    os.chown(path, 12345, -1)
    with pytest.raises((InputError, Unfit), match="belongs to another user"):
        read(path)


def test_files_that_only_hold_data_are_read_whoever_may_write_them(tmp_path: Path) -> None:
    """A shared folder of pairs and pools is common; what comes of them is in the plan, and reviewed."""
    with opened_text(written(tmp_path, "1,2\n", 0o666)) as stream:
        assert stream.read() == "1,2\n"


def test_a_pipe_of_our_own_is_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, POLICY.encode())
    os.close(writer)
    try:
        read_policy(Path(f"/dev/fd/{reader}"))
    finally:
        os.close(reader)
