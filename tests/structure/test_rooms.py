"""Rooms: no folder holds more files than a reader takes in."""

from tests.structure.sources import folders

MOST_FILES = 12
"""Files in one folder, simulators aside: about a dozen."""


def test_no_folder_holds_too_many_files() -> None:
    crowded = {folder: files for folder, files in folders().items() if files > MOST_FILES}
    assert not crowded, f"more than {MOST_FILES} files in a folder: make a room of those that belong together"
