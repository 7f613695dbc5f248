"""
A backup made, and gone back to, while the hub runs.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from kernelnet.hub.connection.interfaces import Suspendable
from kernelnet.hub.routing.directory import Registry
from kernelnet.hub.storage import backup
from kernelnet.hub.storage.event_log import Log
from kernelnet.hub.storage.integrity import Tell, silent
from kernelnet.identity import StateDirectory
from kernelnet.wire import WireProblem

__all__ = ["backUp", "restore"]

_log = Logger(namespace="kernelnet.hub")


async def backUp(state: StateDirectory, file: Path, tell: Tell = silent) -> dict[str, Any]:
    """
    Messages are taken meanwhile.

    @param tell: is told how far it is, in another thread.
    @return: as `backup.backUp`.
    """
    made = await deferToThread(backup.backUp, state.database, file, tell)
    _log.info("backup of {events} messages in {file}", **made)
    return made


async def restore(
    file: Path,
    *,
    log: Log,
    directory: Registry,
    connections: Suspendable,
    state: StateDirectory,
    tell: Tell = silent,
) -> dict[str, Any]:
    """
    Go back to C{file}: all connections end, and come back to another log; the port listens all the time.

    @param log: whose database it is; C{directory}: of the AIs in it.
    @param tell: is told how far it is, in another thread.
    @return: C{events}, C{log_id}, C{former}: where a copy of the database is that was replaced.
    @raise kernelnet.hub.storage.sqlite.DatabaseError: C{file} can't be used; nothing has changed, nobody was disturbed.
    """
    making = backup.prepared(state, file, tell)
    scratch = await deferToThread(making.__enter__)
    try:
        _log.warn("going back to the backup {file}", file=str(file))
        tell("putting it in place", 0, None)
        await connections.suspend(WireProblem("shutting_down", "the hub goes back to a backup; come back"))
        former = await deferToThread(_keep, state.database)
        await log.exclusive(lambda _: backup.replace(state.database, scratch))
        await log.open()
        directory.become(await log.read(Registry.load))
    finally:
        connections.resume()
        await deferToThread(making.__exit__, None, None, None)
    _log.warn("restored {file}: log {logId} at {head}", file=str(file), logId=log.logId, head=log.head)
    return {"events": log.head, "log_id": log.logId, "former": str(former)}


def _keep(path: Path) -> Path:
    """A copy of the database as it is, damaged or not as far as SQLite can read it."""
    former = path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    former.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(former)) as target:
        source.backup(target)
    return former
