"""Known titles and words of an exported inventory, in several languages.

Source: the reference's section on the portal's export: titles on screen are known in English, those of the file are
not, and the portal speaks several languages. Other columns are found by their content, or chosen by hand.
"""

import re
import unicodedata
from collections.abc import Mapping

__all__ = [
    "CHOICES",
    "FIELDS",
    "KNOWN_TITLES",
    "STATUS_WORDS",
    "field_of_title",
    "is_machine_title",
    "is_secret_title",
    "plain",
    "titles_of",
]

_TITLES: Mapping[str, tuple[str, ...]] = {
    "iccid": ("ICCID", "ICC ID", "ICC", "SIM ICCID", "ICCID (19 digits)", "SIM-Kartennummer", "Kartennummer"),
    "status": ("Status", "SIM Status", "State", "Zustand", "Kartenstatus", "Statut", "Estado", "Stato", "État"),
    "status_word": ("status_word",),
    "label": ("Label", "SIM Label", "Bezeichnung", "Beschriftung", "Étiquette", "Etiqueta", "Etichetta", "Rótulo"),
    "imsi": ("IMSI",),
    "msisdn": ("MSISDN", "Phone number", "Rufnummer", "Telefonnummer"),
    "imei": ("IMEI", "IMEI(SV)", "IMEISV"),
    "imei_lock": ("IMEI Lock", "IMEI-Sperre", "IMEI-Bindung", "Verrouillage IMEI", "Bloqueo IMEI", "Blocco IMEI"),
    "ip_address": ("IP Address", "IP", "IPv4", "IP-Adresse", "Adresse IP", "Dirección IP", "Indirizzo IP"),
    "activated_at": (
        "Activated at",
        "Activation date",
        "Aktivierungsdatum",
        "Date d'activation",
        "Fecha de activación",
    ),
    "data_quota_mb": (
        "data_quota_mb",
        "current_quota",
        "Data quota",
        "Data quota (MB)",
        "Booked data volume",
        "Booked data volume (MB)",
        "Gebuchtes Datenvolumen",
        "Gebuchtes Datenvolumen (MB)",
        "Datenkontingent",
        "Datenkontingent (MB)",
    ),
    "sms_quota": (
        "sms_quota",
        "current_quota_SMS",
        "SMS quota",
        "Booked SMS volume",
        "Gebuchtes SMS-Volumen",
        "SMS-Kontingent",
    ),
    "data_reading": ("data_reading",),
    "data_remaining_mb": ("data_remaining_mb",),
    "sms_reading": ("sms_reading",),
    "sms_remaining": ("sms_remaining",),
    "expires_at": ("expires_at", "Expiry date", "Expiration date", "Ablaufdatum", "Date d'expiration"),
    "period_limit_bytes": ("period_limit_bytes",),
    "limit_period": ("limit_period",),
    "tags": ("tags",),
}

FIELDS = tuple(_TITLES)
"""Fields of a SIM that a column may hold.

The order is that of the export.
"""

CHOICES = (*FIELDS, "data_limit_bytes")
"""Fields that a column may be chosen for.

The limit in bytes becomes the volume in MB of 1,048,576 bytes.
"""

_HARMLESS = (
    *("ICCID with Luhn", "ICCID (20 digits)", "ICCID (Luhn)", "Session", "Sitzung", "Extendable", "Verlängerbar"),
    *("SIM Type", "SIM-Typ", "Tariff", "Tariff Details", "Tarif", "Tarifdetails", "Auto-Top-Up", "Data Usage"),
    *("SMS Usage", "Datenverbrauch", "SMS-Verbrauch", "imsi_2", "current_imsi"),
)

_WRITTEN_BY_PROGRAMS = ("data_limit_bytes", "data_quota_mb", "sms_quota", "current_quota", "current_quota_SMS")
_SECRET_WORDS = frozenset({"adm", "ki", "opc", "op", "kic", "kid", "kik", "k"})

_ENABLED = "enabled activated active aktiviert aktiv activé activée activado activada attivato attivata ativado"
_DISABLED = "disabled deactivated deaktiviert désactivé désactivée desactivado desactivada disattivato desativado"
_EXPIRED = "expired abgelaufen expiré expirée caducado caducada expirado expirada scaduto scaduta verlopen"


def plain(text: str) -> str:
    """Reduce a title or word to letters and digits, for comparison.

    Case and accents are removed.
    """
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if letter.isalnum())


STATUS_WORDS: Mapping[str, str] = {
    plain(word): meant
    for words, meant in ((_ENABLED, "Enabled"), (_DISABLED, "Disabled"), (_EXPIRED, "Expired"))
    for word in words.split()
}
"""Plain words -> the status word of 1NCE's list.

A later read of the list then finds the same status. "Inactive", "blocked" and "suspended" are left out on purpose:
their status depends on who wrote them.
"""

_FIELD_OF = {plain(title): field for field, titles in _TITLES.items() for title in (field, *titles)}
_FIELD_OF[plain("data_limit_bytes")] = "data_limit_bytes"
KNOWN_TITLES = frozenset(map(plain, _HARMLESS))
"""Titles of columns that hold no field and no secret.

The values are kept in the raw record.
"""


def field_of_title(title: str) -> str | None:
    """Return the field that a title names, or None if unknown."""
    return _FIELD_OF.get(plain(title))


def titles_of(field: str) -> tuple[str, ...]:
    """Return the known titles of a field."""
    return _TITLES[field]


def is_machine_title(title: str) -> bool:
    """True if a program wrote the numbers below the title.

    The program is our own export, or the API of 1NCE.
    """
    return title.strip() in {*_WRITTEN_BY_PROGRAMS, "data_remaining_mb", "sms_remaining"}


def is_secret_title(title: str) -> bool:
    """True if the column holds a PIN, a PUK or a key.

    Examples: "PIN1", "PUK Code", "SIM-PIN", "ADM 1", "OPc", "Auth key" ...
    """
    title = re.sub(r"\bKiB\b", "", title)  # a unit, and no Ki
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title) if not title.isupper() else title
    words = [*re.findall(r"[a-z]+", spaced.casefold()), *re.findall(r"[a-z]+", title.casefold())]
    return any(
        word in _SECRET_WORDS or word.startswith(("pin", "puk")) or word.endswith(("pin", "puk", "key"))
        for word in words
    )
