"""Workers on two machines, over real processes, carriers on loopback and a true server; one of them dies."""

import time
from pathlib import Path

import pytest

from tests.server import MISSING, made, running
from tests.simulation.teams import SERVER, Machine, Team, senders_of, team_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.server,
    pytest.mark.skipif(running() is None, reason=MISSING),
    pytest.mark.long,
]


def test_the_accounts_of_a_machine_that_dies_at_a_claim_are_taken_over(tmp_path: Path) -> None:
    with (
        made(5432, **SERVER) as server,
        team_of(server, 1, tmp_path, accounts=3, sims=[12], workers=1, slots=2) as team,
    ):
        team.start()
        team.start()
        team.kill(at_a_claim(team))
        team.live(most_s=90.0, trouble_s=0.0)
        team.check(audit=False)
    assert team.met["worker exit -9"] == 1
    assert not team.lost, "each of its accounts had another request"
    assert 0.0 < team.longest_s < 30.0  # quick leases last five seconds


def at_a_claim(team: Team) -> Machine:
    """A machine, as soon as one of its processes sent a claim."""
    until = time.monotonic() + 60.0
    while time.monotonic() < until:
        for machine in team.machines:
            for account, sender in senders_of(machine):
                asked = team.tenants[account].carriers.asked
                if any(one.sender == sender and one.path.endswith("bulkclaim") for one in asked):
                    return machine
        time.sleep(0.01)
    raise AssertionError([machine.log.read_text() for machine in team.machines])
