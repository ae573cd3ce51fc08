"""Simulated carriers of the demo, with its files."""

from datetime import UTC, datetime
from pathlib import Path

from migrator import wiring
from migrator.carriers.hologram.simulator import HologramBehaviour, HologramSimulator
from migrator.carriers.simulation import RateLimit
from migrator.core.cutover.plan import Direction
from migrator.wiring.rehearsal.rehearsal import Rehearsal, pool_of
from migrator.wiring.rehearsal.units import UnitsOutside
from migrator.wiring.simulated import Simulated
from migrator.wiring.sources import REGISTRY, SourceApi

__all__ = ["demo_rehearsal", "newest_cutover", "newest_plan", "source_rps"]

FOREIGN = 2
"""Number of new SIMs that somebody else has claimed already.

Something in the demo should need attention.
"""

POLICY = """\
policy_version = 1

[claim]
data_plan_id = 2096
zone = "global"
tag = "from-{source}"

{limits}[name]
when_missing = "{source}-{{source_iccid}}"

[status]
enabled = "live"
disabled = "pause"   # still billed monthly at Hologram
expired = "skip"

[[waves]]
name = "canary"
count = 10

[[waves]]
name = "rest"

[gates]
verified_share = 0.9
max_failure_share = 0.1

[cutover]
rest = "0s"                  # a day or more, where the units are real
verified_share = 0.9
"""


def demo_rehearsal(folder: Path, source: str, sims: int, seed: int) -> Rehearsal:
    """Build the simulators, with the troubles of real life.

    These are pending states, a rate limit, and SIMs that others have claimed. New SIMs go online in the units of the
    old ones.
    """
    now, pool = datetime.now(UTC), pool_of(sims)
    hologram = HologramSimulator(
        seed=seed, behaviour=HologramBehaviour(claim_pending_s=(0.5, 2.0), state_pending_s=(0.5, 2.0)), epoch=now
    )
    hologram.stock(pool[:-FOREIGN])
    hologram.stock_foreign(pool[-FOREIGN:])
    (folder / "pool.txt").write_text("".join(f"{iccid}\n" for iccid in pool), encoding="utf-8")
    (folder / "policy.toml").touch(mode=0o600)  # whatever the umask: a policy that others may write is refused
    api = REGISTRY[source]
    limits = f"{api.policy}\n" if api.policy else ""
    (folder / "policy.toml").write_text(POLICY.format(source=source, limits=limits), encoding="utf-8")
    old = api.simulator(Simulated(seed, sims, RateLimit(source_rps(api), source_rps(api)), epoch=now))
    return Rehearsal(old, hologram, units=UnitsOutside(old, hologram, pool, 1.0, seed), carrier=source)


def source_rps(api: SourceApi) -> float:
    """Return the requests a second that the simulated source takes.

    1NCE takes ten. Where nothing is published, it takes more, so that nobody waits.
    """
    return 10.0 if api.has_known_rate else 50.0


def newest_cutover(folder: Path) -> int:
    """Return the number of SIMs of the demo's newest cutover."""
    with wiring.open_file(folder / "migrator.db") as store:
        return store.cutovers.header(store.cutovers.newest(Direction.CUTOVER) or "").count


def newest_plan(folder: Path) -> tuple[str, int]:
    """Return the demo's newest plan, and its number of claims."""
    with wiring.open_file(folder / "migrator.db") as store:
        header = store.plans.header(store.plans.newest() or "")
        return header.plan_id, header.claims
