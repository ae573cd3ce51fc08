"""An evidence file that unpacks to gigabytes is refused at a stated size, or is a finding, in bounded memory."""

import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.errors import InputError
from migrator.reports.evidence import zip_file
from migrator.reports.evidence.check import evidence_problems
from migrator.reports.evidence.file import ALWAYS, CAMPAIGN, EVIDENCE_VERSION, KIND, MANIFEST

MEMORY_BYTES = 100_000_000
BLOCK = b" " * 1_000_000
MADE = json.dumps({"kind": KIND, "evidence_version": EVIDENCE_VERSION}).encode()


def zipped(path: Path, *, large: str = "", block: bytes = BLOCK, blocks: int = 300, more: int = 0) -> Path:
    """A zip with all members of an evidence file, one of which has `blocks` blocks more."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in (MANIFEST, *ALWAYS, *(f"more-{number}" for number in range(more))):
            with archive.open(name, "w") as member:
                member.write(MADE if name == MANIFEST else b"{}")
                for _ in range(blocks if name == large else 0):
                    member.write(block)
    return path


def peak(use: Callable[[], object]) -> tuple[object, int]:
    """What `use` returns, and the most memory that it took."""
    tracemalloc.start()
    try:
        return use(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.share(2)
@pytest.mark.parametrize("name", [MANIFEST, *ALWAYS])
def test_a_line_of_gigabytes_is_a_finding(name: str, tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", large=name)
    found, most = peak(lambda: evidence_problems(path)[1])
    assert isinstance(found, list)
    assert [words for words in found if name in words], found
    assert most < MEMORY_BYTES


def test_a_zip_that_unpacks_to_gigabytes_is_refused_with_its_size(tmp_path: Path) -> None:
    content = bytearray(zipped(tmp_path / "bomb.zip").read_bytes())
    at = content.find(b"PK\1\2")
    while at >= 0:  # the size that the directory tells of each member, unpacked
        content[at + 24 : at + 28] = struct.pack("<I", 2**32 - 2)
        at = content.find(b"PK\1\2", at + 4)
    (tmp_path / "bomb.zip").write_bytes(content)
    with pytest.raises(InputError, match="it unpacks to 32 GiB, more than 16") as refused:
        evidence_problems(tmp_path / "bomb.zip")
    assert refused.value.exit_code == 2


def test_a_zip_of_very_many_members_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than 100"):
        evidence_problems(zipped(tmp_path / "many.zip", more=200))


def test_a_campaign_may_have_more_members_and_not_any_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "many.zip", more=200)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CAMPAIGN, "{}")
    assert evidence_problems(path)[1]
    monkeypatch.setattr(zip_file, "MOST_OF_CAMPAIGN", 200)
    with pytest.raises(InputError, match="more than 200"):
        evidence_problems(path)


def test_a_member_of_damaged_lines_alone_is_told_in_a_thousand_findings(tmp_path: Path) -> None:
    path = zipped(tmp_path / "damaged.zip", large="events.jsonl", block=b"\nx" * 1_000, blocks=100)
    found = evidence_problems(path)[1]
    assert len(found) < 1_100
    assert "and more that is not listed" in found
