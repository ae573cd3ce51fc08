"""Settings: the environment over `migrator.toml`, checked as a whole.

Secrets are fetched only when a carrier is needed.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from migrator.core.run.sources import SOURCES, KnownSource
from migrator.errors import InputError, Problem
from migrator.inputs.files.problems import closest, nearest, refusal
from migrator.inputs.files.text import small_text
from migrator.inputs.files.toml import parse_toml, read_toml
from migrator.inputs.files.toml_checks import Check, Findings, Unfit
from migrator.inputs.settings.account_names import ACCOUNT, account_of, variable_of
from migrator.inputs.settings.account_secrets import PLACES, account_secret
from migrator.inputs.settings.secrets import KEYRING_SERVICE, Secret, SecretSource
from migrator.inputs.settings.values import (
    as_text,
    base_url,
    duration_s,
    duration_within,
    one_of,
    parsed_duration,
    per_second,
    plain,
    rate_of,
    share,
    whole_number,
)

__all__ = [
    "HOLOGRAM_URL",
    "SECRET_NAMES",
    "HologramSettings",
    "OnenceSettings",
    "OnomondoSettings",
    "Secret",
    "Settings",
    "SourceSettings",
    "duration_s",
    "environment_of",
    "least_settings",
    "load_settings",
    "rate_of",
    "source_account",
]

CONFIG_FILE = Path("migrator.toml")
ONENCE_URL = "https://api.1nce.com/management-api"
ONOMONDO_URL = "https://api.onomondo.com"
HOLOGRAM_URL = "https://dashboard.hologram.io/api/1"
MOST_SIMS_PER_CLAIM = 2500
"""Most SIMs in one claim.

Source: Hologram, "Activate devices (bulk)": 2,500 SIMs per request. Read 2026-11-20.
"""
LARGEST_ID = 10**18
STATE = "MIGRATOR_STATE"
_UNSET = object()


@dataclass(frozen=True, slots=True)
class _Setting:
    """Setting with its variable, and its place in the file.

    The setting also has the parser of its text, and the default.
    """

    name: str
    section: str
    key: str
    parse: Callable[[str], Any]
    default: Any = None


@dataclass(frozen=True, slots=True)
class _SecretSetting:
    """Secret setting: its variable, and a key forbidden in the file."""

    name: str
    section: str
    key: str


LEAST_CLAIM_S, USUAL_CLAIM_S, MOST_CLAIM_S = 30.0, 180.0, 3600.0
"""Seconds that a claim may take: the bounds, and the default."""

_SETTINGS = (
    _Setting("MIGRATOR_SOURCE", "source", "carrier", one_of(*SOURCES), next(iter(SOURCES))),
    _Setting("ONENCE_BASE_URL", "onence", "base_url", base_url, ONENCE_URL),
    _Setting("ONENCE_API_VERSION", "onence", "api_version", one_of("auto", "v1", "v2"), "auto"),
    _Setting("ONENCE_CLIENT_ID", "onence", "client_id", plain),
    _Setting("ONENCE_MAX_RPS", "onence", "max_rps", per_second, 8.0),
    _Setting("ONENCE_MOST_DROPPED", "onence", "most_dropped", share, 0.05),
    _Setting("ONOMONDO_BASE_URL", "onomondo", "base_url", base_url, ONOMONDO_URL),
    _Setting("ONOMONDO_MAX_RPS", "onomondo", "max_rps", per_second, 10.0),
    _Setting("ONOMONDO_MOST_DROPPED", "onomondo", "most_dropped", share, 0.05),
    _Setting("HOLOGRAM_BASE_URL", "hologram", "base_url", base_url, HOLOGRAM_URL),
    _Setting("HOLOGRAM_ORG_ID", "hologram", "org_id", whole_number(least=1, most=LARGEST_ID - 1)),
    _Setting("HOLOGRAM_MAX_RPS", "hologram", "max_rps", per_second, 10.0),
    _Setting(STATE, "state", "url", plain, "sqlite:///migrator.db"),
    _Setting("MIGRATOR_SETTLE_TIMEOUT_S", "run", "settle_timeout_s", parsed_duration, 1800.0),
    _Setting("MIGRATOR_ABSENT_AFTER_S", "run", "absent_after_s", parsed_duration, 60.0),
    _Setting(
        "MIGRATOR_CLAIM_TIMEOUT_S",
        "run",
        "claim_timeout_s",
        duration_within(least_s=LEAST_CLAIM_S, most_s=MOST_CLAIM_S),
        USUAL_CLAIM_S,
    ),
    _Setting(
        "MIGRATOR_CLAIM_BATCH",
        "run",
        "claim_batch",
        whole_number(least=1, most=MOST_SIMS_PER_CLAIM),
        MOST_SIMS_PER_CLAIM,
    ),
    _Setting("MIGRATOR_BATCH", "run", "batch", whole_number(least=1, most=10_000), 500),
)
_SECRETS = (
    _SecretSetting("ONENCE_CLIENT_SECRET", "onence", "client_secret"),
    _SecretSetting("ONOMONDO_API_KEY", "onomondo", "api_key"),
    _SecretSetting("HOLOGRAM_API_KEY", "hologram", "api_key"),
)
SECRET_NAMES = tuple(secret.name for secret in _SECRETS)
"""Variables that hold the carriers' secrets."""

_OF_ACCOUNTS = tuple(setting.name for setting in _SETTINGS if setting.section not in {"state", "run"})
"""Settings that each account may have for itself."""

_NAMES = {
    *(setting.name for setting in (*_SETTINGS, *_SECRETS)),
    *(f"{secret.name}_FILE" for secret in _SECRETS),
    *(ACCOUNT, *PLACES),
}
_PREFIXES = (*(f"{source.prefix}_" for source in SOURCES.values()), "HOLOGRAM_", "MIGRATOR_")


@dataclass(frozen=True, slots=True)
class OnenceSettings:
    """Settings to reach 1NCE.

    `api_version` is auto, v1 or v2. `max_rps` is requests per second. `most_dropped` is the share of the inventory that
    a pull may drop without a question.
    """

    own_url: ClassVar[str] = ONENCE_URL

    base_url: str
    api_version: str
    client_id: str
    client_secret: Secret
    max_rps: float
    most_dropped: float

    @property
    def account(self) -> str:
        """Account that the login is of.

        A client id begins with the account's number and an underscore; where it does not, a mark of it stands for the
        account.
        """
        return _account_of_client(self.client_id)


@dataclass(frozen=True, slots=True)
class OnomondoSettings:
    """Settings to reach Onomondo.

    `max_rps` is requests per second. `most_dropped` is the share of the inventory that a pull may drop without a
    question.
    """

    own_url: ClassVar[str] = ONOMONDO_URL

    base_url: str
    api_key: Secret
    max_rps: float
    most_dropped: float

    @property
    def account(self) -> str:
        """Mark of the key, as no call tells the account."""
        return f"key {_mark(self.api_key.reveal())}"


def source_account(carrier: str, customer: str) -> str | None:
    """Return the account at the source that a customer's login is of.

    None where only the login itself tells it.

    Args:
        carrier: key of the source.
        customer: its customer, as the register has it.
    """
    return _account_of_client(customer) if carrier == "1nce" else None


def _account_of_client(client_id: str) -> str:
    told = re.fullmatch(r"([0-9]{1,18})_.+", client_id)
    return f"account {told[1]}" if told else f"client {_mark(client_id)}"


def _mark(text: str) -> str:
    """Return what tells two texts apart, and can be kept.

    The text cannot be made of it: 32 bits are left of its digest.
    """
    return hashlib.sha256(f"migrator {text}".encode()).hexdigest()[:8]


SourceSettings: TypeAlias = OnenceSettings | OnomondoSettings


@dataclass(frozen=True, slots=True)
class HologramSettings:
    """Settings to reach Hologram.

    `max_rps` is the ceiling of the adaptive rate, in requests per second.
    """

    base_url: str
    api_key: Secret
    org_id: int
    max_rps: float


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings except those of the carriers.

    `source` and `hologram` give the carriers' settings on request.

    Args:
        carrier: the source that was chosen.
        state: the URL of the state store; not shown, since a database's URL may hold a password.
        account: the account in the store that was chosen; None for a store of one account.
        settle_timeout_s: how long `apply` waits for SIMs that are only pending.
        absent_after_s: how long after a lost claim a SIM that is not there counts as absent.
        claim_timeout_s: how long a claim may take: its answer is waited for, and what stays unanswered may go on.
        claim_batch: SIMs in one claim, never above 2,500.
        batch: devices in one bulk change.
    """

    carrier: KnownSource
    state: str = field(repr=False)
    settle_timeout_s: float
    absent_after_s: float
    claim_timeout_s: float
    claim_batch: int
    batch: int
    _values: Mapping[str, Any] = field(repr=False)
    _secrets: Mapping[str, SecretSource] = field(repr=False)
    _strays: tuple[str, ...] = field(default=(), repr=False)
    account: str | None = None
    _given: frozenset[str] = field(default=frozenset(), repr=False)

    def bound_to(self, values: Mapping[str, Any], place: str) -> "Settings":
        """Return the settings with values that belong to the account.

        Args:
            values: by the name of the setting.
            place: who says so, for errors.

        Raises: InputError, where this machine says something else.
        """
        problems = [
            Problem(
                "account_bound",
                f"{name} is {self._values[name]} here, and account {self.account} has {value} in {place}",
                f"unset {name} and {variable_of(name, self.account or '')}, or its key in {CONFIG_FILE}; if {place} is "
                f"wrong, a person with the right to it runs "
                f"`migrator fleet remove {self.account}` and adds it anew",
            )
            for name, value in values.items()
            if name in self._given and self._values[name] != value
        ]
        if problems:
            raise refusal(problems, what=f"the settings for account {self.account}")
        merged = {**self._values, **values}
        return replace(self, _values=merged, carrier=SOURCES[merged["MIGRATOR_SOURCE"]])

    @property
    def secret_sources(self) -> tuple[SecretSource, ...]:
        """Sources of the carriers' secrets; nothing is opened."""
        return tuple(self._secrets.values())

    def source(self) -> SourceSettings:
        """Return the settings for the source that was chosen.

        Raises: InputError, naming everything that is missing or cannot be read.
        """
        by_key: Mapping[str, Callable[[], SourceSettings]] = {"1nce": self.onence, "onomondo": self.onomondo}
        return by_key[self.carrier.key]()

    def onence(self) -> OnenceSettings:
        """Return the settings for 1NCE.

        Raises: InputError, naming everything that is missing or cannot be read.
        """
        values = self._required("1NCE", "ONENCE_CLIENT_ID", "ONENCE_CLIENT_SECRET")
        return OnenceSettings(
            base_url=self._values["ONENCE_BASE_URL"],
            api_version=self._values["ONENCE_API_VERSION"],
            client_id=values["ONENCE_CLIENT_ID"],
            client_secret=values["ONENCE_CLIENT_SECRET"],
            max_rps=self._values["ONENCE_MAX_RPS"],
            most_dropped=self._values["ONENCE_MOST_DROPPED"],
        )

    def onomondo(self) -> OnomondoSettings:
        """Return the settings for Onomondo.

        Raises: InputError, naming everything that is missing or cannot be read.
        """
        values = self._required("Onomondo", "ONOMONDO_API_KEY")
        return OnomondoSettings(
            base_url=self._values["ONOMONDO_BASE_URL"],
            api_key=values["ONOMONDO_API_KEY"],
            max_rps=self._values["ONOMONDO_MAX_RPS"],
            most_dropped=self._values["ONOMONDO_MOST_DROPPED"],
        )

    def hologram(self) -> HologramSettings:
        """Return the settings for Hologram.

        Raises: InputError, naming everything that is missing or cannot be read.
        """
        values = self._required("Hologram", "HOLOGRAM_API_KEY", "HOLOGRAM_ORG_ID")
        return HologramSettings(
            base_url=self._values["HOLOGRAM_BASE_URL"],
            api_key=values["HOLOGRAM_API_KEY"],
            org_id=values["HOLOGRAM_ORG_ID"],
            max_rps=self._values["HOLOGRAM_MAX_RPS"],
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Words about values that are allowed and may do harm."""
        if self.claim_timeout_s >= USUAL_CLAIM_S:
            return ()
        words = f"MIGRATOR_CLAIM_TIMEOUT_S is {self.claim_timeout_s:g} s, below the usual {USUAL_CLAIM_S:g} s"
        return (f"{words}: a claim that Hologram carries out later than that may be sent again while it is under way",)

    def base_url(self, name: str) -> str:
        """Return a carrier's address, by the name of its setting."""
        url: str = self._values[name]
        return url

    def max_rps(self, name: str) -> float:
        """Return a carrier's requests per second, by the name of the setting.

        No credentials are needed.
        """
        return float(self._values[name])

    @property
    def source_rps(self) -> float:
        """Requests per second that may go to the source."""
        return self.max_rps(f"{self.carrier.prefix}_MAX_RPS")

    @property
    def source_url(self) -> str:
        """Address of the source."""
        return self.base_url(f"{self.carrier.prefix}_BASE_URL")

    def _required(self, carrier: str, *names: str) -> dict[str, Any]:
        """Return the values of `names`.

        Raises: InputError, naming every value that is missing.
        """
        values: dict[str, Any] = {}
        problems = []
        for name in names:
            try:
                values[name] = self._secrets[name].resolve() if name in self._secrets else self._values[name]
            except Unfit as error:
                problems.append(Problem(error.code, error.words, error.hint))
            else:
                if values[name] is None:
                    called = self._secrets[name].called if name in self._secrets else name
                    problems.append(Problem("missing_setting", f"{called} is not set", self._how_to_set(name)))
        if problems:
            headline = f"{carrier} cannot be reached yet: {'; '.join(problem.message for problem in problems)}"
            raise InputError(headline, code=problems[0].code, hint=problems[0].hint, problems=tuple(problems))
        return values

    def _how_to_set(self, name: str) -> str:
        secret = self._secrets.get(name)
        stray = closest(name if secret is None else secret.variable, self._strays)
        typo = f"{stray} is set: is that a typing error? " if stray else ""
        if secret is not None:
            return f"{typo}{secret.how_to_set()}"
        return f"{typo}set {name}, or its key in {CONFIG_FILE}"


def load_settings(environ: Mapping[str, str], config_path: Path | None) -> Settings:
    """Read the settings.

    A variable that is set but empty counts as not set. For an account, its own variables go before those for all.

    Args:
        environ: the environment; its MIGRATOR_ACCOUNT names the account.
        config_path: the configuration file, which must exist; None takes `migrator.toml` here, if there is one.

    Raises: InputError, with every problem at once; not for missing credentials, see `Settings.onence`.
    """
    given = {name: value.strip() for name, value in environ.items() if value.strip()}
    account = account_of(given)
    own = {} if account is None else {variable_of(name, account): name for name in _OF_ACCOUNTS}
    given |= {name: given[variable] for variable, name in own.items() if variable in given}
    if config_path is None and CONFIG_FILE.exists():
        config_path = CONFIG_FILE
    defaults = {setting.name: setting.default for setting in _SETTINGS}
    values: dict[str, Any] = dict.fromkeys(defaults, _UNSET)
    secret_files: dict[str, Path] = {}
    problems: list[Problem] = []
    if config_path is not None:
        problems += _read_config(config_path, values, secret_files)
    problems += _read_environment(given, values)
    if problems:
        raise refusal(problems, what="the settings")
    set_here = frozenset(name for name, value in values.items() if value is not _UNSET)
    values = {name: value if name in set_here else defaults[name] for name, value in values.items()}
    strays = sorted(name for name in given if name.startswith(_PREFIXES) and name not in {*_NAMES, *own})
    made = _settings(values, account, given, environ, secret_files)
    return replace(made, _strays=tuple(strays), _given=set_here)


def least_settings(environ: Mapping[str, str], config_path: Path | None) -> Settings:
    """Return what can be known where the settings cannot be used.

    That is the address of the store, the account, and where the environment has secrets; all else is the default. It is
    enough to open the store and to tell somebody.

    Args:
        environ: as for `load_settings`.
        config_path: as for `load_settings`; what is wrong in the file stays unheard.

    Raises: InputError, where nobody can tell which store is meant.
    """
    given = {name: value.strip() for name, value in environ.items() if value.strip()}
    values = {setting.name: setting.default for setting in _SETTINGS}
    if config_path is None and CONFIG_FILE.exists():
        config_path = CONFIG_FILE
    if STATE in given:
        values[STATE] = given[STATE]
    elif config_path is not None:
        values[STATE] = _state_in(small_text(config_path)) or values[STATE]
    return _settings(values, account_of(given), given, environ, {})


_HEADER = re.compile(r"^[ \t]*\[+[ \t]*[\"']?([^\]\"'.\s]*)", re.MULTILINE)
_SECTION = re.compile(r"^[ \t]*\[state\][^\n]*\n(?:(?![ \t]*\[)[^\n]*\n?)*", re.MULTILINE)
_NAMED = re.compile(r"^[ \t\[]*[\"']?state\b", re.MULTILINE)


def _state_in(text: str) -> str | None:
    """Return the store's address from a settings file with a fault.

    None where it has none.

    Raises: InputError, where the file may have one that cannot be read: a section or key of no known name may be it,
        misspelled.
    """
    unclear = InputError("the address of the store cannot be read")
    known = {setting.section for setting in _SETTINGS}
    try:
        data = parse_toml(text, name="the file").data
        headers = list(data)
    except InputError:
        headers, section = _HEADER.findall(text), _SECTION.search(text)
        if section is None and _NAMED.search(text) is not None:
            raise
        data = parse_toml("" if section is None else section[0], name="the file").data
    state = data.get("state", {})
    if not known.issuperset(headers) or headers.count("state") > 1:
        raise unclear
    if not isinstance(state, Mapping) or not {"url"}.issuperset(state) or not isinstance(state.get("url", ""), str):
        raise unclear
    return state.get("url")


def _settings(
    values: Mapping[str, Any],
    account: str | None,
    given: Mapping[str, str],
    environ: Mapping[str, str],
    secret_files: Mapping[str, Path],
) -> Settings:
    """Return settings of checked values, by name.

    Args:
        values: of all settings.
        account: the account that was chosen.
        given: the variables that are set.
        environ: the whole environment.
        secret_files: files with secrets that the settings file names, by the secret's name.
    """
    return Settings(
        carrier=SOURCES[values["MIGRATOR_SOURCE"]],
        state=values[STATE],
        settle_timeout_s=values["MIGRATOR_SETTLE_TIMEOUT_S"],
        absent_after_s=values["MIGRATOR_ABSENT_AFTER_S"],
        claim_timeout_s=values["MIGRATOR_CLAIM_TIMEOUT_S"],
        claim_batch=values["MIGRATOR_CLAIM_BATCH"],
        batch=values["MIGRATOR_BATCH"],
        _values=values,
        _secrets={
            secret.name: _source(secret.name, given, secret_files)
            if account is None
            else account_secret(secret.name, account, given, environ)
            for secret in _SECRETS
        },
        account=account,
    )


def environment_of(account: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what is of no use to an account.

    That is what other accounts have for themselves, and secrets that name no account.

    Args:
        account: its name.
        environ: the environment of this process.
    """
    of_accounts, shared = {*_OF_ACCOUNTS, *SECRET_NAMES}, {*SECRET_NAMES, *(f"{name}_FILE" for name in SECRET_NAMES)}

    def is_needed(name: str) -> bool:
        setting, _, whose = name.partition("__")
        return name not in shared and (not whose or setting not in of_accounts or whose == account.upper())

    return {name: value for name, value in environ.items() if is_needed(name)}


def _source(name: str, given: Mapping[str, str], files: Mapping[str, Path]) -> SecretSource:
    value, file = given.get(name), given.get(f"{name}_FILE")
    return SecretSource(name, Secret(value) if value else None, Path(file) if file else None, files.get(name))


def _read_environment(given: Mapping[str, str], values: dict[str, Any]) -> list[Problem]:
    """Put the variables' values into `values`.

    Returns: the problems with the variables.
    """
    problems = []
    for setting in _SETTINGS:
        if setting.name in given:
            try:
                values[setting.name] = setting.parse(given[setting.name])
            except Unfit as error:
                problems.append(Problem(error.code, f"{setting.name}: {error.words}", error.hint))
    return problems


def _read_config(path: Path, values: dict[str, Any], secret_files: dict[str, Path]) -> list[Problem]:
    """Put the file's values into `values` and `secret_files`.

    Returns: the problems with the file.
    """
    file = read_toml(path)
    findings = Findings(file)
    sections = {setting.section: _config_checks(setting.section) for setting in _SETTINGS}
    for name in file.data:
        if name not in sections:
            findings.add((name,), "unknown_key", "unknown section or key", nearest(name, sections))
    for name, checks in sections.items():
        found = findings.values(findings.table(file.data.get(name, {}), (name,)), (name,), checks)
        values.update({s.name: found[s.key] for s in _SETTINGS if s.section == name and s.key in found})
        files = {s.name: found[f"{s.key}_file"] for s in _SECRETS if s.section == name and f"{s.key}_file" in found}
        secret_files.update({secret: path.parent / named for secret, named in files.items()})
    return findings.problems


def _config_checks(section: str) -> dict[str, Check]:
    """Build the checks of one section's keys.

    A secret's own key has a check too, so that its refusal can name the right place.
    """
    checks: dict[str, Check] = {s.key: _from_text(s.parse) for s in _SETTINGS if s.section == section}
    for secret in _SECRETS:
        if secret.section == section:
            checks[secret.key] = _refused_secret(secret.name)
            checks[f"{secret.key}_file"] = _from_text(plain)
    return checks


def _from_text(parse: Callable[[str], Any]) -> Check:
    def check(value: Any) -> Any:
        text = as_text(value)
        if not text:
            raise Unfit("out_of_range", 'found "", expected a value', "fill it in, or remove the line")
        return parse(text)

    return check


def _refused_secret(name: str) -> Check:
    def check(_: Any) -> Any:
        hint = f"remove it from the file and set {name}, or {name}_FILE, or run: keyring set {KEYRING_SERVICE} {name}"
        raise Unfit("secret_in_file", "secrets do not belong in this file", hint)

    return check
