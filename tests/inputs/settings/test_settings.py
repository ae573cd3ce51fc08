"""Settings come from the environment or a file, are checked as a whole, and are missed only when needed."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from migrator.errors import InputError, Problem
from migrator.inputs.settings.settings import Settings, duration_s, load_settings
from tests.inputs.settings.settings_api import COMPLETE, KEY, PASSWORD


def config(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def refusal(environ: Mapping[str, str], path: Path | None = None) -> list[Problem]:
    with pytest.raises(InputError) as refused:
        load_settings(environ, path)
    assert refused.value.exit_code == 2
    return list(refused.value.problems)


# --- what holds ---------------------------------------------------------------------------------------------------


def test_defaults_are_the_documented_ones() -> None:
    settings = load_settings(COMPLETE, None)
    onence, hologram = settings.onence(), settings.hologram()
    assert onence.base_url == "https://api.1nce.com/management-api"
    assert (onence.api_version, onence.max_rps) == ("auto", 8)
    assert (hologram.base_url, hologram.max_rps) == ("https://dashboard.hologram.io/api/1", 10)
    assert (settings.state, settings.settle_timeout_s, settings.absent_after_s) == ("sqlite:///migrator.db", 1800, 60)
    assert (settings.claim_timeout_s, settings.claim_batch, settings.batch) == (180, 2500, 500)
    assert settings.warnings == ()


def test_every_variable_is_taken_over() -> None:
    settings = load_settings(
        COMPLETE
        | {
            "ONENCE_BASE_URL": "http://127.0.0.1:8001/management-api/",
            "ONENCE_API_VERSION": "V2",
            "ONENCE_MAX_RPS": "0.5",
            "HOLOGRAM_BASE_URL": "http://[::1]:8002/api/1",
            "HOLOGRAM_MAX_RPS": "20",
            "MIGRATOR_STATE": "postgresql://db/x",
            "MIGRATOR_SETTLE_TIMEOUT_S": "90",
            "MIGRATOR_ABSENT_AFTER_S": "2m",
            "MIGRATOR_CLAIM_BATCH": "100",
            "MIGRATOR_BATCH": "50",
        },
        None,
    )
    onence, hologram = settings.onence(), settings.hologram()
    assert (onence.base_url, onence.api_version) == ("http://127.0.0.1:8001/management-api", "v2")
    assert onence.client_id == "810000"
    assert (onence.client_secret.reveal(), onence.max_rps) == (PASSWORD, 0.5)
    assert (hologram.base_url, hologram.org_id, hologram.max_rps) == ("http://[::1]:8002/api/1", 4711, 20)
    assert hologram.api_key.reveal() == KEY
    assert (settings.state, settings.settle_timeout_s, settings.absent_after_s) == ("postgresql://db/x", 90, 120)
    assert (settings.claim_batch, settings.batch) == (100, 50)


ONOMONDO_KEY = "onok_invented-key-90aa"


def test_the_source_is_a_choice_and_the_others_settings_are_not_missed(folder: Path) -> None:
    assert load_settings({}, None).carrier.name == "1NCE"
    path = config(folder, '[source]\ncarrier = "onomondo"\n[onomondo]\nmax_rps = 3\napi_key_file = "key"\n')
    (folder / "key").write_text(ONOMONDO_KEY)
    settings = load_settings({}, path)
    source = settings.source()
    assert (settings.carrier.name, settings.source_rps, source.max_rps) == ("Onomondo", 3, 3)
    assert (settings.source_url, source.most_dropped) == ("https://api.onomondo.com", 0.05)
    assert load_settings(COMPLETE | {"MIGRATOR_SOURCE": "1NCE"}, path).source().max_rps == 8


def test_a_source_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    (problem,) = refusal({"MIGRATOR_SOURCE": "emnify"})
    assert (problem.code, problem.message) == (
        "bad_choice",
        "MIGRATOR_SOURCE: found text of 6 characters, expected 1nce or onomondo",
    )


def test_the_key_of_the_chosen_source_is_missed_when_it_is_needed() -> None:
    with pytest.raises(InputError, match="Onomondo cannot be reached yet: ONOMONDO_API_KEY is not set"):
        load_settings(COMPLETE | {"MIGRATOR_SOURCE": "onomondo"}, None).source()


def test_the_account_is_told_by_the_number_in_the_client_id_or_by_a_mark_of_the_key() -> None:
    def account(**given: str) -> str:
        return load_settings(COMPLETE | given, None).source().account

    assert account(ONENCE_CLIENT_ID="8100012345_migrator") == "account 8100012345"
    assert PASSWORD not in account(ONENCE_CLIENT_ID=PASSWORD)  # in the wrong variable
    mark = account(MIGRATOR_SOURCE="onomondo", ONOMONDO_API_KEY=ONOMONDO_KEY)
    assert mark != account(MIGRATOR_SOURCE="onomondo", ONOMONDO_API_KEY=f"{ONOMONDO_KEY}x")
    assert len(mark) == len("key ") + 8


FILE = """
[onence]
base_url = "https://one.example/api"
api_version = "v1"
client_id = 820000
max_rps = 4
[hologram]
base_url = "https://two.example"
org_id = 12
max_rps = 2.5
[state]
url = "sqlite:///other.db"
[run]
settle_timeout_s = "1h"
absent_after_s = 90
claim_batch = 10
batch = 20
"""


def from_file(settings: Settings) -> tuple[object, ...]:
    onence, hologram = settings.onence(), settings.hologram()
    return (
        (onence.base_url, onence.api_version, onence.client_id, onence.max_rps),
        (hologram.base_url, hologram.org_id, hologram.max_rps),
        (settings.state, settings.settle_timeout_s, settings.absent_after_s, settings.claim_batch, settings.batch),
    )


SECRETS = {name: COMPLETE[name] for name in ("ONENCE_CLIENT_SECRET", "HOLOGRAM_API_KEY")}


def test_every_key_of_the_file_is_taken_over(folder: Path) -> None:
    assert from_file(load_settings(SECRETS, config(folder, FILE))) == (
        ("https://one.example/api", "v1", "820000", 4),
        ("https://two.example", 12, 2.5),
        ("sqlite:///other.db", 3600, 90, 10, 20),
    )


def test_file_here_is_found_and_one_that_was_named_must_exist(folder: Path) -> None:
    (folder / "migrator.toml").write_text("[run]\nbatch = 7\n")
    assert load_settings({}, None).batch == 7
    (problem,) = refusal({}, folder / "elsewhere.toml")
    assert "elsewhere.toml does not exist" in problem.message


def test_environment_goes_before_the_file(folder: Path) -> None:
    path = config(folder, FILE)
    settings = load_settings(COMPLETE | {"MIGRATOR_BATCH": "9", "ONENCE_API_VERSION": "v2"}, path)
    assert (settings.batch, settings.onence().api_version, settings.hologram().org_id) == (9, "v2", 4711)


def test_variable_that_is_set_but_empty_is_not_set(folder: Path) -> None:
    """Container files often hand such variables on."""
    settings = load_settings(SECRETS | {"MIGRATOR_BATCH": "", "HOLOGRAM_API_KEY_FILE": " "}, config(folder, FILE))
    assert (settings.batch, settings.hologram().api_key.reveal()) == (20, KEY)


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "words", "hint"),
    [
        ("[onence]\nmax_rsp = 5", "unknown_key", ":2: onence.max_rsp: unknown key", 'did you mean "max_rps"?'),
        ("\n[hologramm]", "unknown_key", ":2: hologramm: unknown section", 'did you mean "hologram"?'),
        ("[run]\nbatch = true", "wrong_type", ":2: run.batch: found true", ""),
        ("[run]\nbatch = 1.5", "out_of_range", ':2: run.batch: found "1.5", expected a whole number', ""),
        ("[state]\nurl = ''", "out_of_range", ":2: state.url", "fill it in"),
        ("state = 5", "wrong_type", ":1: state: found a value, expected a section [state]", ""),
        ("[onence\n", "syntax", ":1: not valid TOML", ""),
        (
            f'[onence]\nclient_secret = "{PASSWORD}"',
            "secret_in_file",
            ":2: onence.client_secret: secrets do not belong in this file",
            "set ONENCE_CLIENT_SECRET, or ONENCE_CLIENT_SECRET_FILE, or run: keyring set migrator ONENCE_CLIENT_SECRET",
        ),
        (f'[hologram]\napi_key = "{KEY}"', "secret_in_file", ":2: hologram.api_key: secrets", "set HOLOGRAM_API_KEY"),
    ],
    ids=["key", "section", "boolean", "fraction", "empty", "no section", "syntax", "client secret", "API key"],
)
def test_problem_in_the_file_is_told_with_its_line(folder: Path, text: str, code: str, words: str, hint: str) -> None:
    (problem,) = refusal({}, config(folder, text))
    assert problem.code == code
    assert f"config.toml{words}" in problem.message
    assert hint in problem.hint
    assert KEY not in problem.message + problem.hint
    assert PASSWORD not in problem.message + problem.hint


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ONENCE_API_VERSION", "v3", "expected auto or v1 or v2"),
        ("ONENCE_MAX_RPS", "0", "above 0"),
        ("ONENCE_MAX_RPS", "nan", "above 0"),
        ("HOLOGRAM_MAX_RPS", "-1", "above 0"),
        ("HOLOGRAM_MAX_RPS", "1e9", "above 0"),
        ("HOLOGRAM_ORG_ID", "0", "whole number from 1"),
        ("HOLOGRAM_ORG_ID", "1_0", "whole number from 1"),
        ("HOLOGRAM_ORG_ID", "\u0661", "whole number from 1"),
        ("MIGRATOR_CLAIM_BATCH", "2501", 'found "2501", expected a whole number from 1 to 2500'),
        ("MIGRATOR_CLAIM_BATCH", "0", "expected a whole number from 1 to 2500"),
        ("MIGRATOR_BATCH", "0", "expected a whole number from 1"),
        ("MIGRATOR_SETTLE_TIMEOUT_S", "soon", "expected a duration such as"),
        ("MIGRATOR_ABSENT_AFTER_S", "-5", "expected a duration such as"),
    ],
)
def test_value_out_of_bounds_is_refused_with_its_variable(name: str, value: str, words: str) -> None:
    (problem,) = refusal({name: value})
    assert problem.message.startswith(f"{name}: ")
    assert words in problem.message


def test_every_problem_of_file_and_environment_is_told_at_once(folder: Path) -> None:
    path = config(folder, "[run]\nbatch = 0\nx = 1\n")
    codes = [problem.code for problem in refusal({"ONENCE_MAX_RPS": "x", "MIGRATOR_CLAIM_BATCH": "x"}, path)]
    assert codes == ["out_of_range", "unknown_key", "out_of_range", "out_of_range"]


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com",
        "https://api.example.com:8443/a/b",
        "http://localhost:8000",
        "http://LOCALHOST:8000/x",
        "http://127.0.0.1",
        "http://127.9.9.9:1/x",
        "http://[::1]:8000",
    ],
)
def test_https_anywhere_and_http_on_loopback_are_taken(url: str) -> None:
    assert load_settings(COMPLETE | {"HOLOGRAM_BASE_URL": f"{url}/"}, None).hologram().base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://128.0.0.1",
        "http://0.0.0.0:8000",
        "http://[::2]",
        "http://[::ffff:10.0.0.1]",
        "http://localhost@example.com",
        "http://localhost\\@example.com",
        f"https://user:{PASSWORD}@example.com",
        f"https://example.com/?key={PASSWORD}",
        f"https://example.com/#{PASSWORD}",
        "https://example.com/?",
        "https://exa mple.com",
        "https://example.com:99999",
        "https://example.com:0",
        "https://[::1",
        "https:///path",
        "ftp://example.com",
        "example.com",
        PASSWORD,
    ],
)
@pytest.mark.parametrize("name", ["ONENCE_BASE_URL", "HOLOGRAM_BASE_URL"])
def test_other_addresses_are_refused_without_being_repeated(name: str, url: str) -> None:
    """Credentials go to this address, and people paste credentials into it."""
    (problem,) = refusal({name: url})
    assert (problem.code, problem.message.startswith(f"{name}: not an address to use")) == ("bad_url", True)
    assert PASSWORD not in problem.message + problem.hint


# --- what is missing ----------------------------------------------------------------------------------------------


def test_nothing_is_missed_before_it_is_needed() -> None:
    assert load_settings({}, None).batch == 500


@pytest.mark.parametrize(
    ("carrier", "names"),
    [("onence", ["ONENCE_CLIENT_ID", "ONENCE_CLIENT_SECRET"]), ("hologram", ["HOLOGRAM_API_KEY", "HOLOGRAM_ORG_ID"])],
)
def test_all_that_is_missing_for_a_carrier_is_named_at_once(carrier: str, names: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        getattr(load_settings({}, None), carrier)()
    assert [problem.code for problem in refused.value.problems] == ["missing_setting"] * 2
    assert all(name in refused.value.message for name in names)
    assert all(name in problem.hint for name, problem in zip(names, refused.value.problems, strict=True))


def test_what_one_carrier_lacks_does_not_stop_the_other() -> None:
    settings = load_settings({name: COMPLETE[name] for name in ("ONENCE_CLIENT_ID", "ONENCE_CLIENT_SECRET")}, None)
    assert settings.onence().client_id == "810000"
    with pytest.raises(InputError, match="HOLOGRAM_API_KEY is not set"):
        settings.hologram()


def test_mistyped_variable_is_pointed_out_where_the_right_one_is_missing() -> None:
    settings = load_settings({"HOLOGRAM_APIKEY": KEY, "HOLOGRAM_ORG_ID": "1"}, None)
    with pytest.raises(InputError) as refused:
        settings.hologram()
    assert "HOLOGRAM_APIKEY is set: is that a typing error?" in refused.value.hint
    assert KEY not in refused.value.hint


# --- durations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45", 45), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400), ("1.5h", 5400), (" 5 M ", 300), ("0", 0)],
)
def test_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5", "5 weeks", "1e3", "inf", "nan", "400d", "1h30m", "\u0665", "9" * 400])
def test_other_durations_are_refused_with_examples(text: str) -> None:
    with pytest.raises(InputError, match="expected a duration such as 90s, 30m, 2h or 1d"):
        duration_s(text)


@pytest.mark.parametrize("told", ["29s", "61m", "0"])
def test_the_time_for_a_claim_has_bounds(told: str) -> None:
    with pytest.raises(InputError, match=r"MIGRATOR_CLAIM_TIMEOUT_S: found .*, expected from 30s to 60m"):
        load_settings(COMPLETE | {"MIGRATOR_CLAIM_TIMEOUT_S": told}, None)


def test_a_short_time_for_a_claim_is_warned_of() -> None:
    settings = load_settings(COMPLETE | {"MIGRATOR_CLAIM_TIMEOUT_S": "2m"}, None)
    assert settings.claim_timeout_s == 120
    assert [words.partition(":")[0] for words in settings.warnings] == [
        "MIGRATOR_CLAIM_TIMEOUT_S is 120 s, below the usual 180 s"
    ]
