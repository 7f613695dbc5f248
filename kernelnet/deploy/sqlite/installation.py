"""Installation of an export for SQLite in this process."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from kernelnet.deploy.errors import DeployError
from kernelnet.exporters.sqlite import LIBRARY

__all__ = ["DeployError", "install"]


def install(folder: str | Path) -> None:
    """
    Have every cache that this process's C{sqlite3} makes decide by a component.

    It runs the folder's own library: of an export that one made oneself, never of one that a stranger gave.

    @param folder: what C{kernelnet components export --for sqlite} wrote.
    @raise DeployError: C{sqlite3} was imported already, is linked into Python, or there is no such export.
    """
    if "_sqlite3" in sys.modules:
        raise DeployError("sqlite3 is imported already: call kernelnet.deploy.sqlite.install() before that")
    path = Path(folder).resolve() / LIBRARY
    if not path.is_file():
        raise DeployError(f"{folder} has no {LIBRARY}: make it with kernelnet components export --for sqlite")
    try:
        library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise DeployError(f"can't load {path}: {error}") from None
    library.kernelnet_sqlite_status.restype = ctypes.c_char_p
    if why := library.kernelnet_sqlite_status():
        raise DeployError(f"no component in SQLite: {why.decode()}")
    import sqlite3  # noqa: F401, its import initializes SQLite

    if not library.kernelnet_sqlite_started():
        raise DeployError(
            "this Python has an SQLite of its own, which can't be reached: one that loads libsqlite3.so.0 is needed"
        )
