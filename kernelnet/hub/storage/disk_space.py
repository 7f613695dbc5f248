"""
The hub's disk: whether there is room, and the options for that; what an unclean end left.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from kernelnet.hub.storage.engine import Engine
from kernelnet.hub.storage.retention_policy import RetentionLimit, RetentionPolicy
from kernelnet.message import ErrorClass
from kernelnet.size import parseSize
from kernelnet.wire import WireProblem

__all__ = ["MIN_FREE", "OPTIONS", "DiskSpaceMonitor", "StorageError", "checkAll", "freeBytes", "minFree", "policy"]

MIN_FREE = "50MB"
"""C{--min-free}, unless it is told another."""

OPTIONS: list[list[Any]] = [
    ["min-free", None, MIN_FREE, "with less than this free on its disk the hub takes no messages (storage_full)"],
    ["retain", None, None, "how long messages stay in the log once every AI has read them, such as 30d,10GB"],
    ["retain-hard", None, None, "how long they stay at most, read or not, such as 90d,50GB"],
]

PAUSE = 0.02
"""Seconds between two slices of a check."""
AGAIN = 1.0
"""Seconds until a database is asked again that did not answer."""


class StorageError(Exception):
    """An option is wrong; the text says which, and what would be right."""


def policy(options: Any) -> RetentionPolicy:
    """
    The policy that ``--retain`` and ``--retain-hard`` ask for.

    @raise StorageError: they are wrong.
    """
    limits: list[RetentionLimit | None] = []
    for name in ("retain", "retain-hard"):
        try:
            limits.append(None if options[name] is None else RetentionLimit.parse(options[name]))
        except ValueError as e:
            raise StorageError(f"--{name} takes {e}") from None
    return RetentionPolicy(*limits)


def minFree(options: Any) -> int:
    """@raise StorageError: ``--min-free`` is wrong."""
    try:
        return parseSize(options["min-free"])
    except ValueError as e:
        raise StorageError(f"--min-free takes {e}") from None


class DiskSpaceMonitor:
    """
    Whether the disk has room for messages.

    @ivar minFree: bytes that must stay free.
    """

    log = Logger(namespace="kernelnet.hub")

    def __init__(self, folder: Path, minFree: int, free: Callable[[Path], int] | None = None) -> None:
        self.minFree = minFree
        self._folder = folder
        self._free = free or freeBytes
        self._low = False

    def problem(self) -> WireProblem | None:
        """The reason why no message can be taken now; it takes some microseconds, and is asked once for each commit."""
        try:
            free = self._free(self._folder)
        except OSError:
            return None  # then a write will say what is wrong
        low = free < self.minFree
        if low != self._low:
            self._low = low
            if low:
                self.log.warn(
                    "only {free} bytes free in {folder}, less than --min-free {min}: messages are refused with "
                    "storage_full until there is room again",
                    free=free,
                    folder=self._folder,
                    min=self.minFree,
                )
            else:
                self.log.info("there is room in {folder} again: messages are taken", folder=self._folder)
        if not low:
            return None
        return WireProblem("storage_full", f"the hub's disk has less than {self.minFree} bytes free; send it later")


def freeBytes(folder: Path) -> int:
    """
    Bytes that are free for us on the disk of C{folder}.

    @raise OSError: it can't be asked.
    """
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


async def checkAll(engine: Engine, head: int, clock: IReactorTime) -> int:
    """
    Check every row of the log up to C{head}, in slices that let messages through.

    @return: up to which row.
    @raise kernelnet.hub.storage.integrity.Damaged: one is not what was written.
    """
    after: int | None = 0
    last = 0
    while after is not None and after < head:
        last, pause = after, PAUSE
        try:
            after = await engine.checkRows(last)
        except Exception as error:
            if engine.isDamage(error) or engine.problemOf(error).errorClass is not ErrorClass.RETRY:
                raise
            pause = AGAIN  # such as with a server that starts again
        await deferLater(clock, pause)
    return after or last
