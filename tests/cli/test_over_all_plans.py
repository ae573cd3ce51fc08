"""The fleet over all plans from the command line, in a store without a campaign, a plan or a carrier."""

import json

from tests.cli.conftest import Desk

SIMS = "iccid,status,label\n8988280666000000001,Enabled,pump 1\n8988280666000000019,Enabled,pump 2\n"


def test_a_store_without_any_plan_is_told_and_nothing_is_asked(desk: Desk) -> None:
    assert desk.run("inventory", "import", desk.write("sims.csv", SIMS)).code == 0
    told = desk.json("campaign", "report", "--out", "out")
    assert told.data["lives"]["total"] == told.data["lives"]["stages"]["waiting"] == 2
    assert told.data["next"]
    assert {path.suffix for path in (desk.folder / "out").iterdir()} == {".html", ".json", ".csv", ".md"}
    assert desk.run("campaign", "report", "--format", "pdf").code == 2
    assert json.loads(desk.run("campaign", "report", "--schema").out)["$id"] == "urn:migrator:campaign:1"
    none = desk.json("campaign", "exceptions", "--out", "rest.csv")
    assert (none.code, none.data["exceptions"]) == (0, 0)
    assert (desk.folder / "rest.csv").read_text().startswith("source_iccid,target_iccid,stage,code,")
    listed = desk.json("retire", "list", "--out", "ids.txt")
    assert (listed.code, listed.data["cards"]) == (0, [])
    assert (desk.folder / "ids.txt").read_text() == ""
