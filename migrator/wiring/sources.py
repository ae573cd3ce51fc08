"""Registry of the sources that have an API here.

A source is a folder of `carriers/`, a line of `SOURCES` in `core/run/sources.py`, its settings, and a line here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from migrator.core.run.sources import SOURCE_NAMES, KnownSource
from migrator.errors import InputError, OtherSource

if TYPE_CHECKING:
    import httpx

    from migrator.carriers.onence.adapter import ApiVersion
    from migrator.carriers.onence.simulator import OnenceSimulator
    from migrator.carriers.onomondo.simulator import OnomondoSimulator
    from migrator.carriers.pacing import Pacer
    from migrator.inputs.settings.settings import OnenceSettings, OnomondoSettings, Settings
    from migrator.ports import SourceReads, SourceWrites
    from migrator.store import Store
    from migrator.wiring.simulated import Simulated, SimulatedSource

__all__ = ["REGISTRY", "SourceApi", "is_asked", "must_be_asked", "must_be_of_account"]


@dataclass(frozen=True, slots=True)
class SourceApi:
    """Parts of one source.

    Args:
        reader: makes the adapter that reads, of a client, the source's settings and a pacer.
        control: makes the adapter that may also switch SIMs.
        simulator: makes the simulated carrier.
        exports: the settings that point the tool at a simulated carrier, of that and its address.
        login: the end of the path of the one POST that changes nothing; None where there is none.
        has_known_rate: whether the carrier publishes a request rate; the pace is found where it does not.
        policy: what a policy must say of its limits, where the defaults do not fit; for the demo.
        pull_options: how the demo pulls.
    """

    reader: "Callable[[httpx.AsyncClient, Any, Pacer], SourceReads]"
    control: "Callable[[httpx.AsyncClient, Any, Pacer], SourceWrites]"
    simulator: "Callable[[Simulated], SimulatedSource]"
    exports: Callable[[Any, str], Mapping[str, str]]
    login: str | None
    has_known_rate: bool
    policy: str = ""
    pull_options: tuple[str, ...] = ()


# --- 1NCE ----------------------------------------------------------------------------------------------------------


def _onence_login(settings: "OnenceSettings") -> dict[str, Any]:
    return {
        "client_id": settings.client_id,
        "client_secret": settings.client_secret.reveal(),
        "api_version": cast("ApiVersion", settings.api_version),
    }


def _onence_reader(http: "httpx.AsyncClient", settings: "OnenceSettings", pacer: "Pacer") -> "SourceReads":
    from migrator.carriers.onence.adapter import OnenceSource

    return OnenceSource(http, pacer=pacer, **_onence_login(settings))


def _onence_control(http: "httpx.AsyncClient", settings: "OnenceSettings", pacer: "Pacer") -> "SourceWrites":
    from migrator.carriers.onence.control import OnenceControl

    return OnenceControl(http, pacer=pacer, **_onence_login(settings))


def _onence_simulator(told: "Simulated") -> "SimulatedSource":
    from migrator.carriers.onence.simulator import OnenceBehaviour, OnenceSimulator

    behaviour = OnenceBehaviour(rate_limit=told.rate_limit, latency_s=told.latency_s)
    return OnenceSimulator(seed=told.seed, sims=told.sims, behaviour=behaviour, faults=told.faults, epoch=told.epoch)


def _onence_exports(carrier: "OnenceSimulator", here: str) -> Mapping[str, str]:
    return {
        "ONENCE_BASE_URL": f"{here}/management-api",
        "ONENCE_CLIENT_ID": carrier.client_id,
        "ONENCE_CLIENT_SECRET": carrier.client_secret,
    }


# --- Onomondo ------------------------------------------------------------------------------------------------------


def _onomondo_reader(http: "httpx.AsyncClient", settings: "OnomondoSettings", pacer: "Pacer") -> "SourceReads":
    from migrator.carriers.onomondo.adapter import OnomondoSource

    return OnomondoSource(http, pacer=pacer, api_key=settings.api_key.reveal())


def _onomondo_control(http: "httpx.AsyncClient", settings: "OnomondoSettings", pacer: "Pacer") -> "SourceWrites":
    from migrator.carriers.onomondo.control import OnomondoControl

    return OnomondoControl(http, pacer=pacer, api_key=settings.api_key.reveal())


def _onomondo_simulator(told: "Simulated") -> "SimulatedSource":
    from migrator.carriers.onomondo.simulator import OnomondoBehaviour, OnomondoSimulator

    behaviour = OnomondoBehaviour(rate_limit=told.rate_limit, latency_s=told.latency_s)
    return OnomondoSimulator(seed=told.seed, sims=told.sims, behaviour=behaviour, faults=told.faults, epoch=told.epoch)


def _onomondo_exports(carrier: "OnomondoSimulator", here: str) -> Mapping[str, str]:
    return {"MIGRATOR_SOURCE": "onomondo", "ONOMONDO_BASE_URL": here, "ONOMONDO_API_KEY": carrier.api_key}


REGISTRY: Mapping[str, SourceApi] = {
    "1nce": SourceApi(
        _onence_reader,
        _onence_control,
        _onence_simulator,
        _onence_exports,
        login="/oauth/token",
        has_known_rate=True,
    ),
    "onomondo": SourceApi(
        _onomondo_reader,
        _onomondo_control,
        _onomondo_simulator,
        _onomondo_exports,
        login=None,
        has_known_rate=False,
        policy='[data_limit]\nother_periods = "thirty_days"   # the plan tells that\n\n[sms_limit]\nbasis = "keep"\n',
        pull_options=("--quotas",),  # the list lacks the hardware
    ),
}
"""Sources by their key."""


# --- whose SIMs they are -------------------------------------------------------------------------------------------


def is_asked(chosen: "Settings", store: "Store") -> bool:
    """True if the chosen source can be asked about the store's SIMs.

    False for the SIMs of a file, whose carrier is not the chosen one: a person switches them.

    Raises: InputError, if the SIMs are those of another source that has an API here.
    """
    kept, wanted = store.inventory.source_account(), chosen.carrier
    if kept.name == wanted.name or not store.inventory.fingerprint():
        return True
    other = SOURCE_NAMES.get(kept.name)
    if other is not None and (kept.account is not None or other.is_default):
        raise _other_source(other, wanted)
    return False


def must_be_asked(chosen: "Settings", store: "Store") -> None:
    """Refuse requests to the chosen source about SIMs of another one.

    Raises: InputError.
    """
    if is_asked(chosen, store):
        return
    name = store.inventory.source_name()
    other = SOURCE_NAMES.get(name)
    by_api = (
        ""
        if other is None
        else f'; by {name}\'s API: MIGRATOR_SOURCE={other.key}, or `[source] carrier = "{other.key}"`'
    )
    raise OtherSource(
        f"the SIMs of this store are {name}'s, from a file: no API is asked about them, and none is given orders",
        hint="`migrator inventory import` renews what is known of them; `migrator cutover export` lists what to "
        f"switch off in {name}'s portal{by_api}",
    )


def must_be_of_account(store: "Store", source: str, account: str) -> None:
    """Refuse requests by the login of another account than the store's.

    Raises: InputError.
    """
    kept = store.inventory.source_account()
    if kept.account in {None, account}:
        return
    raise InputError(
        f"the SIMs of this store were read at {source} with {kept.account}, and the settings have {account}: nothing "
        "was asked",
        code="other_account",
        hint="set the login that they were read with, or give the other account a store of its own (--state). A new "
        "login of the same account: `migrator inventory pull --new-login`",
    )


def _other_source(other: KnownSource, wanted: KnownSource) -> InputError:
    return OtherSource(
        f"the SIMs of this store are {other.name}'s, and the settings choose {wanted.name}: nothing was asked",
        hint=f'MIGRATOR_SOURCE={other.key}, or `[source] carrier = "{other.key}"`, asks {other.name}; the SIMs of '
        f"{wanted.name} belong into a store of their own: --state",
    )
