"""Ctrl-C and SIGTERM while no request is under way: the lease is given back, wherever it strikes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from migrator.store import Store
from tests.server import MISSING, kept_there, running, sql

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

IN_A_STATEMENT = """\
import os, signal, sys, threading, time
from sqlalchemy import text
from migrator.interrupts import heed_signals
from migrator.store import Store
from migrator.wiring import holding_lease
url, account, number = sys.argv[1], sys.argv[2] or None, int(sys.argv[3])
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is born with it ignored
heed_signals()
slow = "SELECT pg_sleep(0.8)" if account else (
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3000000) SELECT count(*) FROM t"
)
with Store.open(url, account=account, now=time.time()) as store, holding_lease(store):
    threading.Timer(0.05, lambda: os.kill(os.getpid(), number)).start()
    with store._db.write() as connection:
        connection.execute(text(slow)).all()
    print("went on")
"""


def ended(script: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", script, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30.0, check=False)


def test_a_signal_within_a_statement_ends_the_run_after_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    told = ended(IN_A_STATEMENT, url, "", str(int(signal.SIGINT)))
    assert ("KeyboardInterrupt" in told.stderr, told.stdout) == (True, ""), told.stderr
    with Store.open(url, now=0.0) as store:
        assert store.lease.holder() is None


@pytest.mark.server
@pytest.mark.skipif(running() is None, reason=MISSING)
def test_a_signal_within_a_statement_of_postgresql_ends_the_run_after_it() -> None:
    server = running()
    assert server is not None
    with kept_there():
        url = server.url()
        told = ended(IN_A_STATEMENT, url, "interrupted", str(int(signal.SIGTERM)))
        assert ("KeyboardInterrupt" in told.stderr, told.stdout) == (True, ""), told.stderr
        with Store.open(url, account="interrupted", now=0.0) as store:
            assert store.lease.holder() is None
        sql(url, "DROP SCHEMA a_interrupted CASCADE")
