"""Traces that claims are about and that are not here, fetched from peers within bounds."""

from __future__ import annotations

import lzma
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet.artifacts import Component
from kernelnet.payloads import PayloadOffer
from kernelnet.trainer.messaging.payload_exchange import PayloadExchange, PayloadFailed
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.untrusted import plain

__all__ = ["TraceFetching", "TraceReader"]

MAX_TRIED = 1024
"""Number of traces of which it is remembered that nobody had them just now."""
AGAIN_AFTER = 5.0
"""Seconds after which somebody may have one."""
DECODER_MEMORY = 128 << 20
"""Bytes that decompressing a stranger's file may take."""


class TraceReader(Protocol):
    """Reader of traces that came from elsewhere."""

    def addTrace(self, workbench: str, traceDigest: str, path: Path) -> bool:
        """Worker thread.  Measure claims on C{path}, too.  @return: whether it is read, and has that digest."""


class TraceFetching:
    """
    @param folder: for what was fetched; C{budget}: bytes that it may have: what was fetched first goes first.
    @param owners: from whose AIs only; empty: from anybody's.
    """

    log = Logger()

    def __init__(
        self,
        *,
        folder: Path,
        budget: int,
        owners: tuple[str, ...],
        reader: TraceReader,
        exchange: PayloadExchange,
        knowledge: KnowledgeBase,
        inThread: Callable[[Callable[[], object]], Awaitable[object]],
        clock: IReactorTime,
    ) -> None:
        self._folder = folder
        self._budget = budget
        self._owners = owners
        self._reader = reader
        self._exchange = exchange
        self._knowledge = knowledge
        self._inThread = inThread
        self._clock = clock
        self._tried: dict[str, float] = {}

    async def fetch(self, source: str, component: Component) -> bool:
        """
        Get the trace that a claim of C{source} is about.

        @return: whether it is here now, so that the claim is to be measured again.
        """
        claim = component.manifest.report if component.manifest is not None else None
        if claim is None or claim.parts:
            return False
        trace = claim.trace_digest
        if self._clock.seconds() < self._tried.get(trace, 0.0):
            return False
        self._tried.pop(trace, None)
        for offer in await self._exchange.offers(trace, source):
            path = self._folder / f"{offer.digest}{offer.suffix}"
            if not self._mayCome(offer):
                continue
            try:
                if not path.exists():
                    await self._inThread(lambda size=offer.size, name=path.name: self._makeRoom(size, name))  # type: ignore[misc]
                    await self._exchange.fetch(offer, path)
                read = await self._inThread(
                    lambda path=path: _decodes(path) and self._reader.addTrace(claim.workbench, trace, path)  # type: ignore[misc]
                )
            except (PayloadFailed, OSError) as error:
                self.log.warn("a trace of {ai} did not come: {why}", ai=offer.author, why=plain(str(error), 300))
                continue
            if read:
                self.log.info(
                    "Fetched the trace {name} of {ai}: {size} bytes",
                    name=plain(claim.trace, 64),
                    ai=offer.author,
                    size=offer.size,
                )
                return True
            path.unlink(missing_ok=True)
            self.log.warn("{ai} offers what is not the trace {t}", ai=offer.author, t=trace[:12])
        if len(self._tried) >= MAX_TRIED:
            del self._tried[next(iter(self._tried))]
        self._tried[trace] = self._clock.seconds() + AGAIN_AFTER
        return False

    def _mayCome(self, offer: PayloadOffer) -> bool:
        known = self._knowledge.ais.get(offer.author)
        wanted = not self._owners or (known is not None and known.owner in self._owners)
        return wanted and offer.size <= self._budget

    def _makeRoom(self, size: int, name: str) -> None:
        """Remove what was fetched first, but for what C{name} begins with, until C{size} more bytes fit."""
        if not self._folder.is_dir():
            return
        files = sorted((p for p in self._folder.iterdir() if p.name != f"{name}.part"), key=lambda p: p.stat().st_mtime)
        held = sum(path.stat().st_size for path in files)
        for path in files:
            if held + size <= self._budget:
                break
            held -= path.stat().st_size
            path.unlink()


def _decodes(path: Path) -> bool:
    """Whether reading it takes little memory: an xz file itself says how much, and Python's reader has no bound."""
    with path.open("rb") as file:
        if file.read(6) != b"\xfd7zXZ\0":
            return True
        file.seek(0)
        decoder = lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=DECODER_MEMORY)
        data = b""
        try:
            while True:
                if decoder.eof:
                    data = decoder.unused_data.lstrip(b"\0") or file.read(1 << 16).lstrip(b"\0")
                    if not data:
                        return True
                    decoder = lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=DECODER_MEMORY)
                elif decoder.needs_input and not (data := file.read(1 << 16)):
                    return False
                decoder.decompress(data, max_length=1 << 20)
                data = b""
        except lzma.LZMAError:
            return False
