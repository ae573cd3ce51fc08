"""Whether a run's file is still the store: if it was removed or replaced, its record is saved and the run ends."""

import secrets
import tempfile
from pathlib import Path

from migrator.errors import MigratorError, StoreError
from migrator.store.database.database import Database

__all__ = ["Presence"]

GONE = "store_gone"


class Presence:
    """Looks after the file of one open store. What was gone once stays gone, also when it comes back."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._became = ""
        self._saved: Path | None = None

    def must_be(self) -> None:
        """Raises: StoreError, once the file is not the one at its path any more, with where its record is kept."""
        if not self._became:
            self._became = self._db.file.what_became()
            if not self._became:
                return
            self._save()
        raise self._gone()

    def ended_badly(self) -> bool:
        """Whether the store was lost to this run. Its saved record is brought up to date: answers came since."""
        if self._saved is not None:
            self._save()
        return bool(self._became)

    def _save(self) -> None:
        """Copy what the open file holds to the first place that takes it."""
        path = self._db.file.path
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
        path, saved = self._db.file.path, self._saved
        words = f"the state store {path} {self._became} while this run was at work: nothing more is sent"
        if saved is not None:
            return StoreError(
                f"{words}. The whole record of this run is kept in {saved}",
                code=GONE,
                hint=f"no other file knows what was claimed: end all that uses {path}, move it away with its -wal and "
                f"-shm, then `mv {saved} {path}`, and the same command",
            )
        now = self._db.file.where_now()
        place = "" if now is None else f"; the file is now {now}"
        return StoreError(
            f"{words}. Its record could not be copied{place}",
            code=GONE,
            hint="no other file knows what was claimed: find that file, or note what is told here, before anything "
            "else is claimed",
        )
