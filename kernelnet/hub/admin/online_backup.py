"""
A backup made, and gone back to, while the hub runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.logger import Logger

from kernelnet.hub.connection.interfaces import Suspendable
from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage.engine import Engine
from kernelnet.hub.storage.event_log import EventLog
from kernelnet.hub.storage.integrity import Tell, silent
from kernelnet.wire import WireProblem

__all__ = ["backUp", "restore"]

_log = Logger(namespace="kernelnet.hub")


async def backUp(engine: Engine, file: Path, tell: Tell = silent) -> dict[str, Any]:
    """
    Make a backup; messages are taken meanwhile.

    @param tell: is told how far it is, in another thread.
    @return: C{file}, C{bytes}, C{events}.
    """
    made = await engine.backUp(file, tell)
    _log.info("backup of {events} messages in {file}", **made)
    return made


async def restore(
    file: Path, *, log: EventLog, directory: Directory, connections: Suspendable, tell: Tell = silent
) -> dict[str, Any]:
    """
    Go back to C{file}: all connections end, and come back to another log; the port listens all the time.

    @param directory: of the AIs that the log knows.
    @param tell: is told how far it is, in another thread.
    @return: C{events}, C{log_id}, C{former}: where a copy of the database is that was replaced.
    @raise kernelnet.hub.storage.errors.DatabaseError: C{file} can't be used; nothing has changed, nobody was disturbed.
    @raise WireProblem: another one is being gone back to, or the hub ends; nothing has changed by this.
    """
    engine = log.engine
    restoration = await engine.prepareRestore(file, tell)
    try:
        _log.warn("going back to the backup {file}", file=str(file))
        tell("putting it in place", 0, None)
        await connections.suspend(WireProblem("shutting_down", "the hub goes back to a backup; come back"))
    except WireProblem:
        await restoration.discard()
        raise
    try:
        former = await engine.replace(restoration)
        await log.open()
        directory.replaceWith(await log.read(Directory.load))
    finally:
        try:
            await restoration.discard()
        finally:
            connections.resume()  # at last: a hub that is to stop has waited for this
    _log.warn("restored {file}: log {logId} at {head}", file=str(file), logId=log.logId, head=log.head)
    return {"events": log.head, "log_id": log.logId, "former": str(former)}
