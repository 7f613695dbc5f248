"""Traces that peers may have: those that the trainer was started with, and those that a command asks for later."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from kernelnet.interfaces import IWorkbench
from kernelnet.plugins import find
from kernelnet.trainer.messaging.payload_exchange import PayloadExchange, PayloadFailed
from kernelnet.trainer.storage.share_requests import ShareOutcome, ShareRequests
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import WorkbenchError

__all__ = ["TraceSharing"]


class TraceSharing:
    """
    Offers traces to the hub, each as the traces that the workbenches here read of it.

    @param folder: the trainer's own.
    @param private: files of which nothing may leave this machine, under whatever name.
    """

    log = Logger()
    LOOK_EVERY = 1.0
    """Seconds between two looks at what commands ask for."""

    def __init__(
        self,
        folder: Path,
        private: Sequence[Path],
        workbenches: Callable[[], Sequence[str]],
        exchange: PayloadExchange,
        inThread: Callable[[Callable[[], list[str]]], Awaitable[list[str]]],
    ) -> None:
        self._requests = ShareRequests(folder)
        self._private = private
        self._workbenches = workbenches
        self._exchange = exchange
        self._inThread = inThread
        self._busy: set[Path] = set()

    async def share(self, path: Path) -> ShareOutcome:
        """Offer a file; it is done when the hub has all of it."""
        benches = self._workbenches()
        digests = await self._inThread(lambda: _traceDigests([path], benches))
        if not digests:
            return self._told(False, path, f"no workbench here reads it as a trace; there are: {', '.join(benches)}")
        private = await self._inThread(lambda: _traceDigests(self._private, benches))
        if not set(digests).isdisjoint(private):
            return self._told(False, path, "it is a private trace of this trainer (--private-trace)")
        sent = 0
        for digest in digests:
            try:
                sent += await self._exchange.share(path, digest)
            except (PayloadFailed, OSError) as error:
                return self._told(False, path, str(error))
        return self._told(True, path, f"{sent:,} bytes sent, the hub has {path.stat().st_size:,}")

    async def shareAll(self, paths: Iterable[Path]) -> None:
        """Offer files, one after the other."""
        for path in paths:
            await self.share(path)

    def look(self) -> None:
        """Take up what commands ask for; each goes once the hub has it or won't, also after a restart."""
        for request, asked in self._requests.waiting():
            if request not in self._busy:
                self._busy.add(request)
                doing = Deferred.fromCoroutine(self._do(request, Path(asked.path)))
                doing.addErrback(lambda failure: self.log.failure("sharing a trace failed", failure))

    async def _do(self, request: Path, path: Path) -> None:
        try:
            self._requests.tell(request, await self.share(path))
        finally:
            self._busy.discard(request)

    def _told(self, isShared: bool, path: Path, words: str) -> ShareOutcome:
        words = plain(words, 300)
        if isShared:
            self.log.info("Shared the trace {name}: {words}", name=path.name, words=words)
        else:
            self.log.error("can't share the trace {name}: {words}", name=path.name, words=words)
        return ShareOutcome(isShared, words)


def _traceDigests(paths: Iterable[Path], workbenches: Iterable[str]) -> list[str]:
    """Worker thread.  Digests of the traces that C{workbenches} read from files, without those that read none."""
    found: dict[str, None] = {}
    for name in workbenches:
        for path in paths:
            with contextlib.suppress(WorkbenchError):
                found[find(IWorkbench, name, "workbench").scenario(path, {}).traceDigest] = None
    return list(found)
