"""A secret of an account comes from a place of that account alone, and never gives itself away."""

import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest

from migrator.errors import InputError
from migrator.inputs.settings import account_secrets
from migrator.inputs.settings.account_names import account_of, at_account, with_account
from migrator.inputs.settings.settings import SECRET_NAMES, environment_of, load_settings
from tests.inputs.settings.settings_api import COMPLETE, KEY, PASSWORD, FakeKeyring

ACME = {"MIGRATOR_ACCOUNT": "acme", "ONENCE_CLIENT_ID": "810000", "HOLOGRAM_ORG_ID": "4711"}
WINDOWS = pytest.mark.skipif(os.name != "posix", reason="programs and file rights of POSIX")


def put(folder: Path, content: bytes | str, *, account: str = "acme", name: str = "onence_client_secret") -> Path:
    path = folder / "secrets" / account / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def in_folder(folder: Path) -> dict[str, str]:
    return ACME | {"MIGRATOR_SECRETS_DIR": str(folder / "secrets")}


def program(folder: Path, body: str) -> dict[str, str]:
    """The variable that names a program which does `body`."""
    (folder / "tell.py").write_text(f"import os, sys, time\naccount, name = sys.argv[-2:]\n{body}\n")
    return ACME | {"MIGRATOR_SECRETS_COMMAND": f"'{sys.executable}' tell.py --of"}


def secret_of(environ: Mapping[str, str]) -> str:
    return load_settings(environ, None).onence().client_secret.reveal()


def refusal(environ: Mapping[str, str]) -> InputError:
    with pytest.raises(InputError) as refused:
        load_settings(environ, None).onence()
    told = "".join(traceback.format_exception(refused.value)) + str([p.as_dict() for p in refused.value.problems])
    assert PASSWORD not in told
    assert KEY not in told
    assert "ONENCE_CLIENT_SECRET of account acme" in refused.value.message
    return refused.value


# --- where it comes from ------------------------------------------------------------------------------------------


@WINDOWS
def test_the_places_are_asked_one_after_the_other(folder: Path, keyring: FakeKeyring) -> None:
    environ = program(folder, "print('from the command', end='')") | in_folder(folder)
    (folder / "secrets").mkdir()
    assert secret_of(environ) == "from the command"
    keyring.entries["migrator/acme", "ONENCE_CLIENT_SECRET"] = "from the keyring\n"
    assert secret_of(environ) == "from the keyring"
    put(folder, "from the folder\n")
    assert secret_of(environ) == "from the folder"
    assert secret_of(environ | {"ONENCE_CLIENT_SECRET__ACME": " from the variable "}) == "from the variable"


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_every_secret_has_the_same_places(folder: Path, name: str) -> None:
    put(folder, KEY, name=name.lower())
    (source,) = [one for one in load_settings(in_folder(folder), None).secret_sources if one.name == name]
    secret = source.resolve()
    assert secret is not None
    assert secret.reveal() == KEY


@WINDOWS
def test_a_flat_folder_does_as_well(folder: Path) -> None:
    """`LoadCredential=acme.onence_client_secret:...`, or a Secret of Kubernetes: neither makes folders."""
    (folder / "secrets").mkdir()
    (folder / "secrets" / "acme.onence_client_secret").write_text("flat\n")
    (folder / "secrets" / "acme_onence_client_secret").write_text("of nobody")
    (folder / "secrets" / "acm.e.onence_client_secret").write_text("of nobody")
    assert secret_of(in_folder(folder)) == "flat"
    put(folder, "in a folder of its own")
    assert secret_of(in_folder(folder)) == "in a folder of its own"


def test_the_command_gets_account_and_name_and_no_shell(folder: Path) -> None:
    environ = program(folder, "print(sys.argv[1:], os.environ['TOKEN'])")
    environ |= {"TOKEN": "t", "MIGRATOR_SECRETS_COMMAND": environ["MIGRATOR_SECRETS_COMMAND"] + " '$(x);'"}
    assert secret_of(environ) == "['--of', '$(x);', 'acme', 'onence_client_secret'] t"


def test_no_account_gets_a_secret_of_another_or_of_none(folder: Path, keyring: FakeKeyring) -> None:
    put(folder, PASSWORD, account="other")
    keyring.entries["migrator", "ONENCE_CLIENT_SECRET"] = PASSWORD
    keyring.entries["migrator/other", "ONENCE_CLIENT_SECRET"] = PASSWORD
    (folder / "file").write_text(PASSWORD)
    others = {"ONENCE_CLIENT_SECRET": PASSWORD, "ONENCE_CLIENT_SECRET__OTHER": PASSWORD}
    for environ in (others, {"ONENCE_CLIENT_SECRET_FILE": str(folder / "file")}):
        error = refusal(in_folder(folder) | environ)
        assert error.code == "missing_setting"
        assert "set ONENCE_CLIENT_SECRET__ACME, or write it into MIGRATOR_SECRETS_DIR/acme/onence_client_secret" in (
            error.hint
        )


def test_without_an_account_no_place_of_an_account_is_looked_at(folder: Path) -> None:
    put(folder, PASSWORD)
    environ = in_folder(folder) | {"MIGRATOR_ACCOUNT": "", "ONENCE_CLIENT_SECRET__ACME": PASSWORD}
    environ["MIGRATOR_SECRETS_COMMAND"] = "no-such-program"
    with pytest.raises(InputError, match="ONENCE_CLIENT_SECRET is not set"):
        load_settings(environ, None).onence()
    assert secret_of(environ | {"ONENCE_CLIENT_SECRET": KEY}) == KEY


def test_a_carriers_other_settings_may_be_an_accounts_own() -> None:
    own = {"HOLOGRAM_ORG_ID__ACME": "12", "ONENCE_CLIENT_ID__ACME": "9_x", "HOLOGRAM_MAX_RPS__OTHER": "1"}
    environ = ACME | own | {"ONENCE_CLIENT_SECRET__ACME": PASSWORD, "HOLOGRAM_API_KEY__ACME": KEY}
    settings = load_settings(environ, None)
    assert (settings.onence().client_id, settings.hologram().org_id, settings.hologram().max_rps) == ("9_x", 12, 10)
    other = load_settings(environ | {"MIGRATOR_ACCOUNT": "other", "HOLOGRAM_API_KEY__OTHER": KEY}, None)
    assert (other.hologram().org_id, other.hologram().max_rps) == (4711, 1)


# --- what cannot be used ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is empty"), (b" \n\n", "is empty"), (f"{KEY}\n{PASSWORD}\n".encode(), "has several lines")],
    ids=["empty", "blank", "two lines"],
)
def test_a_file_that_is_no_secret_is_named(folder: Path, content: bytes, words: str) -> None:
    path = put(folder, content)
    error = refusal(in_folder(folder))
    assert f"{path} {words}" in error.message


def test_a_file_that_is_no_text_is_named(folder: Path) -> None:
    path = put(folder, b"\xff\xfe\xff")
    assert f"{path}: not text in UTF-8" in refusal(in_folder(folder)).message.replace(f"{path}:1:", f"{path}:")


def test_a_folder_in_place_of_a_file_is_named(folder: Path) -> None:
    path = put(folder, "") / "more"
    path.parent.unlink()
    path.mkdir(parents=True)
    assert f"{path.parent} is a directory" in refusal(in_folder(folder)).message


@WINDOWS
def test_a_file_that_others_may_write_is_refused_as_any_other_file_of_a_secret(folder: Path) -> None:
    path = put(folder, PASSWORD)
    path.chmod(0o620)
    error = refusal(in_folder(folder))
    assert error.code == "writable_by_others"
    assert f"{path} may be written by others" in error.message


def test_a_folder_of_secrets_that_is_none_is_named(folder: Path) -> None:
    error = refusal(in_folder(folder))
    assert f"MIGRATOR_SECRETS_DIR names {folder / 'secrets'}, which is no folder" in error.message


def test_a_variable_with_several_lines_is_refused() -> None:
    error = refusal(ACME | {"ONENCE_CLIENT_SECRET__ACME": f"{KEY}\n{PASSWORD}"})
    assert "ONENCE_CLIENT_SECRET__ACME has several lines" in error.message


def test_an_entry_of_the_keyring_with_several_lines_is_refused(keyring: FakeKeyring) -> None:
    keyring.entries["migrator/acme", "ONENCE_CLIENT_SECRET"] = f"{KEY}\n{PASSWORD}"
    assert "the entry migrator/acme of the keyring has several lines" in refusal(ACME).message


def test_a_locked_keyring_is_told_with_the_account(keyring: FakeKeyring) -> None:
    keyring.failure = "KeyringLocked"
    assert "keyring cannot be read (KeyringLocked)" in refusal(ACME).message


@WINDOWS
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("pass", "is empty"),
        (f"print({KEY!r}); print({PASSWORD!r})", "has several lines"),
        (f"print({PASSWORD!r}); print({KEY!r}, file=sys.stderr); sys.exit(3)", "ended with exit code 3"),
        (f"print({PASSWORD!r}, flush=True); time.sleep(60)", "did not end within 0.3 s"),
        (f"print({PASSWORD!r} * 10000)", "prints 65536 bytes or more"),
        ("sys.stdout.buffer.write(b'\\xff')", "prints no text in UTF-8"),
    ],
)
def test_a_command_that_prints_no_secret_is_refused_without_its_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    if "within" in words:
        monkeypatch.setattr(account_secrets, "COMMAND_S", 0.3)
    error = refusal(program(folder, body))
    assert f"the command of MIGRATOR_SECRETS_COMMAND {words}" in error.message


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-program-here", "cannot be started: No such file"),
        ("'half", "quotation mark"),
        ("''", "names no program"),
    ],
)
def test_a_command_that_cannot_be_started_is_named_without_its_arguments(command: str, words: str) -> None:
    error = refusal(ACME | {"MIGRATOR_SECRETS_COMMAND": command})
    assert words in error.message


# --- which account ------------------------------------------------------------------------------------------------


def test_the_option_goes_before_the_variable() -> None:
    environ = {"MIGRATOR_ACCOUNT": " acme "}
    assert account_of(with_account({})) is None
    assert account_of(with_account(environ)) == "acme"
    with at_account("other"), at_account(None):
        assert account_of(with_account(environ)) == "other"
    assert account_of(with_account(environ)) == "acme"


@pytest.mark.parametrize("name", ["Acme", "1nce", "a-b", "../etc", "a" * 41, "ä", "a\nb", KEY])
def test_what_is_no_name_of_an_account_is_refused_and_not_repeated(name: str) -> None:
    with at_account(name), pytest.raises(InputError, match="--account: a text of") as refused:
        with_account({})
    assert name not in refused.value.message.removeprefix("--account: a text")
    with pytest.raises(InputError, match="MIGRATOR_ACCOUNT: a text of"):
        load_settings(COMPLETE | {"MIGRATOR_ACCOUNT": name}, None)


def test_the_process_of_an_account_gets_nothing_of_another_one() -> None:
    given = {
        "HOME": "/root",
        "MIGRATOR_SECRETS_DIR": "/run/secrets",
        "HOLOGRAM_MAX_RPS": "5",
        "HOLOGRAM_API_KEY__ACME": "its own",
        "ONENCE_CLIENT_ID__ACME": "8100012345_x",
        "SOME__THING": "of no carrier",
    }
    others = {
        "HOLOGRAM_API_KEY": "of no account",
        "HOLOGRAM_API_KEY_FILE": "/etc/key",
        "HOLOGRAM_API_KEY__ACME_2": "of another",
        "ONENCE_CLIENT_SECRET__BOLT": "of another",
        "HOLOGRAM_ORG_ID__BOLT": "4711",
    }
    assert environment_of("acme", {**given, **others}) == given
