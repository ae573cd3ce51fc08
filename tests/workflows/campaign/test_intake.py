"""Files in the intake that are none of ours to read."""

from pathlib import Path

from migrator.core.run.results import ExitCode
from tests.worlds.campaigned import CampaignWorld


def test_a_spreadsheet_is_refused_with_what_to_do(tmp_path: Path) -> None:
    world = CampaignWorld(tmp_path, sims=4, seed=3)
    world.began()
    intake = tmp_path / "campaign" / "intake"
    for name in ("swaps.XLSX", "~$swaps.xlsx", "half.csv.part", ".half.csv"):
        (intake / name).write_bytes(b"PK")
    ticked = world.tick()
    assert ticked.exit_code is ExitCode.ATTENTION
    assert ticked.told["files_refused"] == 1
    (problems,) = (intake / "refused").glob("*swaps.XLSX.problems.txt")
    assert "save it as CSV" in problems.read_text()
    assert sorted(file.name for file in intake.iterdir() if file.is_file()) == [
        ".half.csv",
        "half.csv.part",
        "~$swaps.xlsx",
    ]
    assert world.tick().exit_code is ExitCode.DONE
