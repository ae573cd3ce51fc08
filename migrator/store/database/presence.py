"""Presence of the store's file while a run is at work.

If the file was removed or replaced, the record of the run is saved and the run ends.
"""

import secrets
import tempfile
from pathlib import Path

from migrator.errors import MigratorError, StoreError
from migrator.store.database.database import Database
from migrator.store.database.one_file import StoreFile

__all__ = ["Presence"]

GONE = "store_gone"


class Presence:
    """Guard of the file of one open store.

    A file that was gone once stays gone, also when it comes back.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._became = ""
        self._saved: Path | None = None

    def must_be(self) -> None:
        """Refuse to go on once the store's file is gone.

        Raises: StoreError, once the file is not the one at its path any more. The error names the place of the saved
            record.
        """
        if not self._became:
            self._became = "" if self._db.file is None else self._db.file.what_became()
            if not self._became:
                return
            self._save()
        raise self._gone()

    def ended_badly(self) -> bool:
        """True if the store was lost to this run.

        The saved record is brought up to date, because answers came since.
        """
        if self._saved is not None:
            self._save()
        return bool(self._became)

    @property
    def _file(self) -> StoreFile:
        """File of the store.

        Raises: StoreError, where there is none.
        """
        if self._db.file is None:
            raise StoreError("a database has no file that could be gone")
        return self._db.file

    def _save(self) -> None:
        """Copy the content of the open file to the first possible place."""
        path = self._file.path
        name = f"{path.name}.rescued-{secrets.token_hex(4)}"
        folders = (path.parent, Path.cwd(), Path(tempfile.gettempdir()))
        for target in [self._saved] if self._saved else [folder / name for folder in folders]:
            try:
                self._db.rescue_to(target)
            except (MigratorError, OSError):
                continue
            self._saved = target
            return

    def _gone(self) -> StoreError:
        path, saved = self._file.path, self._saved
        words = f"the state store {path} {self._became} while this run was at work: nothing more is sent"
        if saved is not None:
            return StoreError(
                f"{words}. The whole record of this run is kept in {saved}",
                code=GONE,
                hint=f"no other file knows what was claimed: end all that uses {path}, move it away with its -wal and "
                f"-shm, then `mv {saved} {path}`, and the same command",
            )
        now = self._file.where_now()
        place = "" if now is None else f"; the file is now {now}"
        return StoreError(
            f"{words}. Its record could not be copied{place}",
            code=GONE,
            hint="no other file knows what was claimed: find that file, or note what is told here, before anything "
            "else is claimed",
        )
