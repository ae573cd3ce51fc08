"""The fewest requests that any client can send for a plan, under the rules of the carriers; see docs/benchmarks.md.

A lower bound: it knows beforehand what a client must find out by asking, and meets no pending SIM and no refusal.
Written without a look at the engine: it counts from what is planned, not from what was sent.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Kind", "Planned", "kind_of", "to_apply", "to_plan", "to_pull"]

LIST_PAGE, RECORD_PAGE, LOOKUP_MOST = 100, 1000, 100
CLAIM_MOST, CHANGE_MOST = 2500, 500


class Kind(StrEnum):
    """What a request is for."""

    LOGIN = "1NCE login"  # POST /oauth/token
    LIST = "1NCE list pages"  # 100 SIMs each
    ACCOUNT = "account"  # who we are, and the organization: two reads
    DATA_PLANS = "data plans"  # prices and zones: shown by the plan, checked before each claim
    BALANCE = "balance"  # shown by the plan, checked before each claim
    TAGS = "tags"  # look for the tag, make it
    RECORD = "the SIMs' record"  # the device list, look-ups of ICCIDs and of devices
    COUNT = "count of devices"  # what chooses between list and look-ups; nobody must ask
    CLAIM = "claims"  # bulkclaim
    LIMITS = "limits"  # batch/usagelimit
    STATE = "states"  # POST batch/state
    NAME = "names, one device"  # PUT devices/{id}
    NAMES = "names, several devices"  # POST devices/names
    JOBS = "job list"  # GET batch/state; proves nothing, so nobody must ask
    OTHER = "other"  # whatever this bench did not think of


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan wants for one SIM that it claims. `limits` is anything that is equal for equal limits."""

    wave: str
    name: str
    limits: tuple[object, ...]
    is_paused: bool


def kind_of(method: str, path: str) -> Kind:
    """What a request in one of the ledgers was for."""
    inner = path.removeprefix("/api/1").rstrip("/")
    fixed = {
        ("POST", "/oauth/token"): Kind.LOGIN,
        ("GET", "/users/me"): Kind.ACCOUNT,
        ("GET", "/plans"): Kind.DATA_PLANS,
        ("GET", "/devices"): Kind.RECORD,
        ("GET", "/links/cellular"): Kind.RECORD,
        ("GET", "/devices/count"): Kind.COUNT,
        ("POST", "/links/cellular/bulkclaim"): Kind.CLAIM,
        ("POST", "/devices/batch/usagelimit"): Kind.LIMITS,
        ("POST", "/devices/batch/state"): Kind.STATE,
        ("GET", "/devices/batch/state"): Kind.JOBS,
        ("POST", "/devices/names"): Kind.NAMES,
    }
    return fixed.get((method, inner)) or _kind_by_beginning(method, inner)


def _kind_by_beginning(method: str, path: str) -> Kind:
    if path.startswith("/organizations"):
        return Kind.BALANCE if path.endswith("/balance") else Kind.ACCOUNT
    if path.startswith("/devices/tags"):
        return Kind.TAGS
    if path.endswith("/sims"):
        return Kind.LIST
    return Kind.NAME if method == "PUT" and path.startswith("/devices/") else Kind.OTHER


def to_pull(sims: int) -> Counter[Kind]:
    """For `inventory pull` of so many SIMs."""
    return Counter({Kind.LOGIN: 1, Kind.LIST: _parts(sims, LIST_PAGE)})


def to_plan(targets: int, devices: int = 0) -> Counter[Kind]:
    """For `plan create` about so many targets, in an organization that has so many devices already.

    A target may be somebody else's, dead or in Test Mode, and a list of our own devices does not show that: what the
    list does not have must be looked up, 100 ICCIDs a request.
    """
    record = _parts(devices, RECORD_PAGE) + _parts(max(0, targets - devices), LOOKUP_MOST)
    return Counter({Kind.ACCOUNT: 2, Kind.DATA_PLANS: 1, Kind.BALANCE: 1, Kind.RECORD: record})


def to_apply(sims: Iterable[Planned], devices: int = 0) -> Counter[Kind]:
    """For one run of `apply` that claims `sims`, wave by wave; the plan's tag is not there yet."""
    needed = _preamble(devices) + Counter({Kind.TAGS: 2})
    waves: defaultdict[str, list[Planned]] = defaultdict(list)
    for sim in sims:
        waves[sim.wave].append(sim)
    return sum((_to_apply_wave(wave) for wave in waves.values()), needed)


def _preamble(devices: int) -> Counter[Kind]:
    """Account and prices, and a look at the organization before anything is decided: one page even if it is empty."""
    return Counter({Kind.ACCOUNT: 2, Kind.DATA_PLANS: 1, Kind.RECORD: max(1, _parts(devices, RECORD_PAGE))})


def _to_apply_wave(sims: Sequence[Planned]) -> Counter[Kind]:
    """A wave is claimed, read back claim by claim, set, and read once more to be verified before the next one opens."""
    claims = _parts(len(sims), CLAIM_MOST)
    read_back = (claims - 1) * _parts(CLAIM_MOST, RECORD_PAGE)
    read_back += _parts(len(sims) - (claims - 1) * CLAIM_MOST, RECORD_PAGE)
    names = Counter(sim.name for sim in sims)
    return Counter(
        {
            Kind.CLAIM: claims,
            Kind.BALANCE: claims,
            Kind.DATA_PLANS: claims,
            Kind.RECORD: read_back + _parts(len(sims), RECORD_PAGE),
            Kind.LIMITS: _limit_calls(Counter(sim.limits for sim in sims), claims),
            Kind.STATE: _parts(sum(sim.is_paused for sim in sims), CHANGE_MOST),
            Kind.NAME: sum(times == 1 for times in names.values()),
            Kind.NAMES: sum(_parts(times, CHANGE_MOST) for times in names.values() if times > 1),
        }
    )


def _limit_calls(sizes: Counter[tuple[object, ...]], claims: int) -> int:
    """Calls that set limits: those of one set of SIMs ride on each claim, so the dearest sets are free."""
    most_free = CLAIM_MOST // CHANGE_MOST
    calls = [_parts(size, CHANGE_MOST) for size in sizes.values()]
    pieces = [min(most_free, left) for total in calls for left in range(total, 0, -most_free)]
    return sum(calls) - sum(sorted(pieces, reverse=True)[:claims])


def _parts(total: int, most: int) -> int:
    return math.ceil(total / most)
