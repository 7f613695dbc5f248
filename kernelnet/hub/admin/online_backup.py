"""
A backup made, and gone back to, while the hub runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from kernelnet.hub.routing.directory import Directory
from kernelnet.hub.storage.engine import Engine
from kernelnet.hub.storage.integrity import Tell, silent
from kernelnet.wire import WireProblem

if TYPE_CHECKING:
    from kernelnet.hub.connection.factory import HubFactory

__all__ = ["backUp", "restore"]

log = Logger(namespace="kernelnet.hub")


async def backUp(engine: Engine, file: Path, tell: Tell = silent) -> dict[str, Any]:
    """
    Messages are taken meanwhile.

    @param tell: is told how far it is, in another thread.
    @return: C{file}, C{bytes}, C{events}.
    """
    made = await engine.backUp(file, tell)
    log.info("backup of {events} messages in {file}", **made)
    return made


async def restore(hub: HubFactory, file: Path, tell: Tell = silent) -> dict[str, Any]:
    """
    Go back to C{file}: all connections end, and come back to another log; the port listens all the time.

    @param tell: is told how far it is, in another thread.
    @return: C{events}, C{log_id}, C{former}: where a copy of the database is that was replaced.
    @raise kernelnet.hub.storage.errors.DatabaseError: C{file} can't be used; nothing has changed, nobody was disturbed.
    """
    engine = hub.source.engine
    restoration = await engine.prepareRestore(file, tell)
    try:
        log.warn("going back to the backup {file}", file=str(file))
        tell("putting it in place", 0, None)
        await hub.standStill(WireProblem("shutting_down", "the hub goes back to a backup; come back"))
        former = await engine.replace(restoration)
        await hub.source.open()
        hub.registry.replaceWith(await hub.source.read(Directory.load))
    finally:
        hub.goOn()
        await restoration.discard()
    log.warn("restored {file}: log {logId} at {head}", file=str(file), logId=hub.source.logId, head=hub.source.head)
    return {"events": hub.source.head, "log_id": hub.source.logId, "former": str(former)}
