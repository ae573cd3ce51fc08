"""A secret comes from a variable, a file or the keyring, and never gives itself away."""

import copy
import dataclasses
import json
import sys
import traceback
from pathlib import Path

import pytest

from migrator.errors import InputError
from migrator.inputs.settings.settings import Secret, load_settings
from tests.inputs.settings.settings_api import COMPLETE, KEY, PASSWORD, FakeKeyring


def test_secret_shows_as_stars_in_every_way_of_printing_it() -> None:
    settings = load_settings(COMPLETE, None)
    hologram = settings.hologram()
    secret = hologram.api_key
    shown = f"{secret} {secret!r} {secret!s:>20} {hologram} {settings} {[secret]} %s" % secret
    assert KEY not in shown + repr(copy.deepcopy(settings)) + repr(dataclasses.asdict(hologram))
    assert "***" in shown
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_equal_secrets_are_equal_and_nothing_else_is() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret(PASSWORD)
    assert Secret(KEY) != KEY
    assert len({Secret(KEY), Secret(KEY), KEY}) == 2


def test_store_url_with_a_password_is_not_shown() -> None:
    assert PASSWORD not in repr(load_settings({"MIGRATOR_STATE": f"postgresql://u:{PASSWORD}@db/x"}, None))


def test_secret_put_into_the_wrong_variable_is_not_repeated() -> None:
    """The key and the organization stand side by side in every set-up guide."""
    with pytest.raises(InputError) as refused:
        load_settings({"HOLOGRAM_ORG_ID": KEY, "ONENCE_API_VERSION": KEY, "MIGRATOR_SETTLE_TIMEOUT_S": KEY}, None)
    told = "".join(traceback.format_exception(refused.value)) + str([p.as_dict() for p in refused.value.problems])
    assert KEY not in told


def test_secret_is_the_first_line_of_its_file(folder: Path) -> None:
    (folder / "key").write_bytes(b"\xef\xbb\xbf  " + KEY.encode() + b" \r\nsecond line\n")
    environ = {"HOLOGRAM_API_KEY_FILE": str(folder / "key"), "HOLOGRAM_ORG_ID": "1"}
    assert load_settings(environ, None).hologram().api_key.reveal() == KEY


def test_file_of_a_secret_may_be_named_in_the_configuration_beside_it(folder: Path) -> None:
    """It is looked for beside the configuration, wherever the tool is started."""
    path = folder / "etc" / "config.toml"
    path.parent.mkdir()
    path.write_text('[hologram]\norg_id = 1\napi_key_file = "key"\n')
    (path.parent / "key").write_text(KEY)
    assert load_settings({}, path).hologram().api_key.reveal() == KEY
    assert load_settings({"HOLOGRAM_API_KEY": "other"}, path).hologram().api_key.reveal() == "other"


def test_secret_given_as_value_and_as_file_is_refused(folder: Path) -> None:
    settings = load_settings(COMPLETE | {"HOLOGRAM_API_KEY_FILE": str(folder / "none")}, None)
    with pytest.raises(InputError, match="HOLOGRAM_API_KEY and HOLOGRAM_API_KEY_FILE are both set") as refused:
        settings.hologram()
    assert KEY not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "does not exist"), (b"", "is empty"), (b"\nlater", "is empty"), (b"\xff\xfe\xff", "not text in UTF-8")],
    ids=["missing", "empty", "first line empty", "binary"],
)
def test_file_of_a_secret_that_cannot_be_used_is_named_with_its_variable(
    folder: Path, content: bytes | None, words: str
) -> None:
    path = folder / "secret"
    if content is not None:
        path.write_bytes(content)
    environ = {"ONENCE_CLIENT_ID": "8", "ONENCE_CLIENT_SECRET_FILE": str(path)}
    with pytest.raises(InputError) as refused:
        load_settings(environ, None).onence()
    assert "ONENCE_CLIENT_SECRET_FILE: " in refused.value.message
    assert str(path) in refused.value.message
    assert words in refused.value.message


def test_keyring_is_asked_last(keyring: FakeKeyring) -> None:
    keyring.entries["migrator", "HOLOGRAM_API_KEY"] = f"{KEY}\n"
    assert load_settings({"HOLOGRAM_ORG_ID": "1"}, None).hologram().api_key.reveal() == KEY
    keyring.asked.clear()
    load_settings(COMPLETE, None).hologram()
    load_settings({}, None)
    assert keyring.asked == []


def test_tool_works_without_the_optional_keyring_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(InputError, match="HOLOGRAM_API_KEY is not set"):
        load_settings({"HOLOGRAM_ORG_ID": "1"}, None).hologram()


@pytest.mark.parametrize(
    ("failure", "words"),
    [("NoKeyringError", "HOLOGRAM_API_KEY is not set"), ("KeyringLocked", "keyring cannot be read (KeyringLocked)")],
)
def test_keyring_that_fails_is_told_apart_from_none(keyring: FakeKeyring, failure: str, words: str) -> None:
    keyring.failure = failure
    with pytest.raises(InputError) as refused:
        load_settings({"HOLOGRAM_ORG_ID": "1"}, None).hologram()
    assert words in refused.value.message
