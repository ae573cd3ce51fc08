"""The campaign as an Airflow DAG: one call every half hour, on a worker that has the store's folder.

Exit codes become Airflow's words: done, skipped (the next call goes on), failed for good (a person must look), or
failed and tried again. Secrets come from the worker's environment or from files, never from this file.
"""

import subprocess
from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException

FOLDER = "/var/lib/migrator"  # the store, the policy and the campaign's folder
COMMAND = ["/opt/migrator/bin/migrator", "--no-input", "--quiet", "campaign", "run", "--once"]

DONE = {0, 3}  # 3: some SIMs need a person, which [[notify]] and the report tell; the others went on
SKIPPED = {7, 9, 130}  # the next call goes on; another run is at work; interrupted
FOR_GOOD = {2, 4, 5, 6}  # policy, file or setting; credentials; stale or of another store; outside of the approval


@dag(
    schedule="*/30 6-21 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # one call at a time; a second one would end with exit code 9
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
)
def migrator_campaign() -> None:
    """Call the campaign."""

    @task
    def run_once() -> int:
        ended = subprocess.run(COMMAND, cwd=FOLDER, check=False)  # noqa: S603 - our own words
        return judged(ended.returncode)

    run_once()


def judged(code: int) -> int:
    """Return the exit code of a call that is done; raise what Airflow makes of any other."""
    if code in DONE:
        return code
    if code in SKIPPED:
        raise AirflowSkipException(f"exit code {code}: the next call goes on")
    if code in FOR_GOOD:
        raise AirflowFailException(f"exit code {code}: a person must look; trying again does not help")
    raise AirflowException(f"exit code {code}: tried again")  # killed, or something unexpected


migrator_campaign()
