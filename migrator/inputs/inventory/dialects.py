"""Words and units of a carrier's file of SIMs.

A preset has what a carrier's public documents tell, each with its source. No document that we know of tells the columns
of a portal's export, so most presets have words for states alone. What is not told is never guessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from migrator.core.fleet.sims import ONENCE, SourceStatus
from migrator.core.fleet.units import BYTES_PER_MB
from migrator.errors import InputError, Problem
from migrator.inputs.files.problems import refusal, spelled
from migrator.inputs.inventory.titles import field_of_title, is_machine_title, plain
from migrator.inputs.inventory.volumes import without_unit

__all__ = ["MEGABYTES", "OF_ONENCE", "PRESETS", "STATUS_MEANINGS", "Dialect", "Preset", "dialect_of", "says_on"]

LONGEST_NAME = 40
MEGABYTES = ("1000000", "1048576")
"""Bytes that carriers mean by one MB."""

STATUS_MEANINGS: Mapping[str, str] = {
    "enabled": "Enabled",
    "disabled": "Disabled",
    "expired": "Expired",
    SourceStatus.UNKNOWN.value: SourceStatus.UNKNOWN.value,
}
"""Meanings of a word for a status, and the kept words.

The kept words are those of 1NCE's list. SIMs of unknown status are left alone.
"""
_FLAG_MEANINGS = {"yes": True, "no": False}

_LIMITS = frozenset(
    map(
        plain,
        (
            *("Data limit", "Data allowance", "Data cap", "Monthly data limit", "Monthly limit", "Data volume"),
            *("Datenlimit", "Datenvolumen", "Limite de données", "Límite de datos", "Limite dati", "Limite de dados"),
        ),
    )
)
_SAYS_ON = frozenset(map(plain, ("Activated", "Active", "Enabled", "Aktiv", "Aktiviert", "Activo", "Actif", "Attivo")))
"""Titles under which a yes says that the SIM may connect."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Words of one carrier, as its documents tell them.

    Args:
        name: the carrier's, for people.
        statuses: what its words for a SIM's state mean, by plain word.
        titles: fields of columns, by plain title.
    """

    name: str
    statuses: Mapping[str, str]
    titles: Mapping[str, str] = field(default_factory=dict)


def _preset(
    name: str, *, enabled: str = "", disabled: str = "", expired: str = "", titles: Mapping[str, str] | None = None
) -> Preset:
    told = (("Enabled", enabled), ("Disabled", disabled), ("Expired", expired))
    statuses = {plain(word): meant for meant, words in told for word in words.split(", ") if word}
    return Preset(name, statuses, {plain(title): to for title, to in (titles or {}).items()})


PRESETS: Mapping[str, Preset] = {
    # Source: docs.emnify.com/services/sim-lifecycle-management, "SIM states". Issued: not usable, never again after
    # another state; Suspended: blocked; Factory Test: can generate traffic; Deleted: for good. Read 2026-11-29.
    "emnify": _preset("emnify", enabled="Activated, Factory Test", disabled="Issued, Suspended", expired="Deleted"),
    # Source: developers.soracom.io/en/docs/air/subscriber-status, "Statuses", and support.soracom.io 58798135500697 (a
    # SIM that is Ready connects and becomes Active). Standby is left out: one page calls it disabled, the other lets it
    # connect. Read 2026-11-29.
    "soracom": _preset(
        "Soracom",
        enabled="Ready, Active, Active ONLINE, Active OFFLINE",
        disabled="Inactive, Suspended",
        expired="Terminated",
    ),
    # Source: docs.korewireless.com/en-us/api/products/supersim/sim-resource, "Status Values" (Super SIM). New was never
    # enabled; ready and active can connect; inactive is blocked. Scheduled is left out: the word says nothing of the
    # state that comes. Words of KORE's other products are left out, too. Read 2026-11-29.
    "kore": _preset("KORE", enabled="ready, active", disabled="new, inactive"),
    # Source: the vendor's page on SIMs (docs.onomondo.com): `activated` is the only status; `imei_lock` is an IMEI;
    # `data_limit.total` is in bytes. The portal's MB is left out: nobody tells its bytes. Read 2026-11-29.
    "onomondo": _preset(
        "Onomondo",
        titles={
            "activated": "status",
            "ipv4": "ip_address",
            "data_limit.total": "data_limit_bytes",
            "data_limit_total": "data_limit_bytes",
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """Words, titles and units of one file.

    Args:
        name: the carrier whose SIMs the file lists; None for 1NCE.
        statuses: what words for a status mean, by plain word, beside those that every file may use.
        flags: what words for a yes or no mean, by plain word.
        titles: fields of columns, by plain title.
        bytes_per_mb: bytes that this carrier means by one MB; None where nobody told.
    """

    name: str | None = None
    statuses: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    bytes_per_mb: int | None = BYTES_PER_MB

    @property
    def is_other(self) -> bool:
        """True if the SIMs are not 1NCE's.

        An unknown word is then an error: whoever knows the carrier can say what it means.
        """
        return self.name is not None

    def field_of(self, title: str) -> str | None:
        """Return the field that a title names, or None if unknown.

        A volume of another carrier is no lifetime volume in 1NCE's MB: it is a limit, and has a unit.
        """
        known = field_of_title(title)
        if not self.is_other or is_machine_title(title):
            return known
        if plain(title) in self.titles:
            return self.titles[plain(title)]
        if plain(without_unit(title)) in _LIMITS or known == "data_quota_mb":
            return "data_limit_bytes"
        return "status" if says_on(title) else known


OF_ONENCE = Dialect()
"""Files of 1NCE's portal, and exports of our own."""


def says_on(title: str) -> bool:
    """True if a yes under this title means on."""
    return plain(title) in _SAYS_ON


def dialect_of(
    *, name: str | None = None, preset: str | None = None, values: Sequence[str] = (), megabyte: str | None = None
) -> Dialect:
    """Return the dialect that options name.

    Args:
        name: of `--source-name`; None for the preset's, or for 1NCE.
        preset: of `--preset`, a key of `PRESETS`.
        values: of `--value`, each FIELD:WORD=MEANING.
        megabyte: of `--megabyte`, one of `MEGABYTES`.

    Raises: InputError, with every problem.
    """
    chosen = None if preset is None else PRESETS[preset]
    statuses, flags = _meanings(values)
    known = _name(name) if name is not None else None if chosen is None else chosen.name
    if known is not None and plain(known) == plain(ONENCE):
        known = None
    if known is None:
        if megabyte is not None or chosen is not None:
            option = "--preset" if chosen is not None else "--megabyte"
            words = f"{option} is for another carrier's file, and this one is 1NCE's"
            raise InputError(words, code="source_name", hint="name the carrier: --source-name NAME")
        return Dialect(None, statuses, flags)
    told = {} if chosen is None else chosen.statuses
    titles = {} if chosen is None else chosen.titles
    return Dialect(known, {**told, **statuses}, flags, titles, None if megabyte is None else int(megabyte))


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        words = f"--source-name: a carrier's name has 1 to {LONGEST_NAME} visible characters"
        raise InputError(words, code="source_name", hint="write it as people say it, such as Onomondo")
    return name


def _meanings(texts: Sequence[str]) -> tuple[dict[str, str], dict[str, bool]]:
    """Read the words and meanings of `--value`.

    Raises: InputError, with every problem.
    """
    statuses, flags = dict[str, str](), dict[str, bool]()
    problems = []
    for text in texts:
        name, _, rest = text.partition(":")
        word, equals, meaning = rest.rpartition("=")
        name, meaning = name.strip().lower(), meaning.strip().lower()
        meanings = {"status": tuple(STATUS_MEANINGS), "imei_lock": tuple(_FLAG_MEANINGS)}.get(name)
        if not equals or meanings is None:
            words = f"--value {text}: expected status:WORD=MEANING or imei_lock:WORD=MEANING"
            problems.append(Problem("bad_value_option", words, "as --value status:Suspended=disabled"))
        elif meaning not in meanings:
            words = f"--value {text}: {meaning!r} is no meaning of {name}"
            problems.append(Problem("bad_value_option", words, f"expected {spelled(meanings)}"))
        elif name == "status":
            statuses[plain(word)] = STATUS_MEANINGS[meaning]
        else:
            flags[plain(word)] = _FLAG_MEANINGS[meaning]
    if problems:
        raise refusal(problems, what="--value")
    return statuses, flags
