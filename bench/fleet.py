"""A fleet of any size, written straight into a store as a pull would leave it, and a file of its pairs."""

from decimal import Decimal
from pathlib import Path

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import SourceSim, source_status
from migrator.ports import SourcePage, SourceRow
from migrator.store import Store
from migrator.wiring.rehearsal.rehearsal import pool_of

__all__ = ["stock", "write_pairs"]

NOW = 1_790_000_000.0
PAGE = 1000
DISABLED_EVERY, UNNAMED_EVERY, TOPPED_UP_EVERY = 20, 50, 10


def stock(state: Path, sims: int) -> None:
    """Make a store whose inventory are that many SIMs, some of them disabled, without a label, or topped up."""
    with Store.open(f"sqlite:///{state}", now=NOW) as store:
        number = store.inventory.open_snapshot("v2", NOW).snapshot_id
        pages = -(-sims // PAGE)
        for page in range(pages):
            rows = [_row(sim) for sim in range(page * PAGE, min(sims, (page + 1) * PAGE))]
            store.inventory.save_pages(number, 1, [SourcePage(page + 1, rows, sims, pages)], NOW)
        store.inventory.end_pass(number, 1)
        store.inventory.complete_snapshot(number, 1, NOW)


def write_pairs(file: Path, sims: int) -> None:
    """Pair each with a new SIM, a line each."""
    with file.open("w") as lines:
        lines.write("source_iccid,target_iccid\n")
        for number, target in enumerate(pool_of(sims)):
            lines.write(f"{_iccid(number)},{target}\n")


def _iccid(number: int) -> str:
    """19 digits without a check digit, as 1NCE lists them."""
    return f"8988280{number:012d}"


def _row(number: int) -> SourceRow:
    sim = SourceSim(
        iccid=Iccid.parse(_iccid(number)),
        status=source_status(word := "Disabled" if number % DISABLED_EVERY == 0 else "Enabled"),
        status_word=word,
        label="" if number % UNNAMED_EVERY == 0 else f"Pump station {number:07d} / north",
        imsi=f"90140{number:010d}",
        msisdn=f"8822800{number:08d}",
        imei=f"35{number:012d}17",
        imei_lock=False,
        ip_address=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        activated_at="2024-01-01T00:00:00.000+0000",
        data_quota_mb=Decimal(1500 if number % TOPPED_UP_EVERY == 0 else 500),
        sms_quota=Decimal(250),
    )
    raw = {"iccid": sim.iccid.digits, "imsi": sim.imsi, "imei": sim.imei, "msisdn": sim.msisdn, "status": word}
    return SourceRow(raw, sim)
