"""Checks of file rights: nobody else may write, or read, a file.

A file that decides what is sent is nobody else's to write, and a secret nobody else's to read. ssh makes the same
checks for its own files.
"""

import os
import shlex
import stat
from pathlib import Path

from migrator.errors import InputError

__all__ = ["must_be_ours", "must_be_private"]

OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
OTHERS_MAY_READ = stat.S_IRGRP | stat.S_IROTH


def must_be_ours(handle: int, path: Path) -> None:
    """Refuse an open file that another user owns or may write.

    A file of root is accepted. The check uses the handle: behind a symlink the file itself counts, and nobody can
    change the file in between. The folder is not checked. A terminal belongs to nobody, and Windows has no such rights.

    Raises: InputError, with the file, its rights and the remedy.
    Source: OpenSSH, readconf.c, `read_config_file_depth` (SSHCONF_CHECKPERM).
    """
    if os.name != "posix":
        return
    found = os.fstat(handle)
    if stat.S_ISCHR(found.st_mode):
        return
    named = shlex.quote(str(path))
    if found.st_uid not in {0, os.getuid()}:
        raise InputError(
            f"{path} belongs to another user (uid {found.st_uid}), who may write what is sent and where to",
            code="file_of_another_user",
            hint=f"if you trust what it says, make it your own: chown {os.getuid()} {named}",
        )
    if found.st_mode & OTHERS_MAY_WRITE:
        raise InputError(
            f"{path} may be written by others (mode {stat.S_IMODE(found.st_mode):04o}), and it decides what is sent "
            "and where to",
            code="writable_by_others",
            hint=f"look whether it is as you left it; then: chmod go-w {named}",
        )


def must_be_private(handle: int, path: Path) -> None:
    """Refuse an open file that others may read.

    The check is made as that of `must_be_ours`.

    Raises: InputError, with the file, its rights and the remedy.
    """
    if os.name != "posix":
        return
    found = os.fstat(handle)
    if not stat.S_ISCHR(found.st_mode) and found.st_mode & OTHERS_MAY_READ:
        raise InputError(
            f"{path} may be read by others (mode {stat.S_IMODE(found.st_mode):04o}), and it holds a secret",
            code="readable_by_others",
            hint=f"chmod go-rwx {shlex.quote(str(path))}; if others had access to it, write a new secret into it",
        )
