"""Data sessions of new SIMs, read SIM by SIM.

Cutover and proof of life use the sessions.
"""

from collections.abc import Sequence

from migrator.core.cutover.rules import claimed_at_s
from migrator.core.fleet.imei import is_imei
from migrator.core.fleet.sims import TargetLink
from migrator.ports import DataSession, TargetPlatform

__all__ = ["imei_in", "sessions_since_claim"]


async def sessions_since_claim(
    target: TargetPlatform, link: TargetLink | None, journaled_s: float | None
) -> Sequence[DataSession] | None:
    """Return the newest data sessions of a new SIM since its claim.

    None where usage is not ours to read. For a SIM without a link, or with a claim that nobody can date, nothing is
    asked and the result is empty.

    Args:
        target: the carrier.
        link: the SIM as it was read last.
        journaled_s: when our journal says that it was claimed (UTC seconds).
    """
    since_s = None if link is None else claimed_at_s(link, journaled_s)
    if link is None or link.link_id is None or since_s is None:
        return ()
    return await target.data_sessions(link.link_id, since_s=since_s)


def imei_in(sessions: Sequence[DataSession] | None) -> str | None:
    """Return the IMEI of the newest session that names an IMEI.

    None where no session names an IMEI, or usage is not ours to read.
    """
    told = [session for session in sessions or () if is_imei(session.imei)]
    return max(told, key=lambda session: session.at_s).imei if told else None
