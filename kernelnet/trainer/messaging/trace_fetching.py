"""Traces that claims are about and that are not here, fetched from peers within bounds."""

from __future__ import annotations

import lzma
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
from msgspec import Struct
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet.artifacts import Component, Report
from kernelnet.payloads import PayloadOffer
from kernelnet.trainer.messaging.payload_exchange import PayloadExchange, PayloadFailed
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from kernelnet.untrusted import plain

__all__ = ["InThread", "TraceFetching", "TraceReader"]

T = TypeVar("T")


class InThread(Protocol):
    """Runs what waits for the disk, or takes long."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


MAX_TRIED = 1024
"""Number of traces of which it is remembered that nobody had them just now."""
AGAIN_AFTER = 5.0
"""Seconds after which somebody may have one."""
MAX_PARTS = 16
"""Traces of a claim; no claim on more is measured."""
NOTE = ".traces"
"""Suffix of the file beside each that says what it was read as, and whose it was."""
MAX_NOTED = 64
"""Of one."""
PART_SUFFIX = ".part"
"""Suffix of what has not come whole."""
DECODER_MEMORY = 128 << 20
"""Bytes that decompressing a stranger's file may take."""
MAX_DECODED = 1 << 30
"""Bytes that one may have decompressed: it takes seconds to find that out."""


class TraceReader(Protocol):
    """Reader of traces that came from elsewhere."""

    def addTrace(self, workbench: str, traceDigest: str, path: Path) -> bool:
        """Worker thread.  Measure claims on C{path}, too.  @return: whether it is read, and has that digest."""

    def lacking(self, claim: Report) -> list[Report]:
        """Worker thread.  Those of a claim's parts, or the claim itself, that can't be measured with what is here."""


class _Note(Struct):
    """Owner of who offered a file, and the workbenches and traces that it was read as."""

    owner: str = ""
    traces: list[tuple[str, str]] = []


class TraceFetching:
    """
    @param folder: for what was fetched; C{budget}: bytes that it may have: of the owner who fills most of them
        goes what was fetched first.
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
        inThread: InThread,
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
        self._kept: dict[tuple[str, str], Path] | None = None

    async def fetch(self, source: str, component: Component) -> bool:
        """
        Get the traces that a claim of C{source} is about: a generalist's is about several.

        @return: whether they are here now, so that the claim is to be measured again.
        """
        claim = component.manifest.report if component.manifest is not None else None
        if claim is None or len(claim.parts) > MAX_PARTS:
            return False
        if self._kept is None:
            self._kept = await self._inThread(self._keptBefore)
        lacking = await self._inThread(lambda: self._reader.lacking(claim))
        needed: set[str] = set()
        for part in lacking:
            if not await self._get(part, source, needed):
                return False
        return bool(lacking)

    async def _get(self, claim: Report, source: str, needed: set[str]) -> bool:
        """
        Get one trace.

        @param needed: names of files that the same claim needs, which don't make room; this one's comes to them.
        """
        trace, kept = claim.trace_digest, self._kept
        assert kept is not None
        former = kept.pop((claim.workbench, trace), None)
        if former is not None and former.exists() and await self._inThread(partial(self._reads, former, claim, "")):
            needed.add(former.name)
            return True  # an earlier run has fetched it
        if self._clock.seconds() < self._tried.get(trace, 0.0):
            return False
        self._tried.pop(trace, None)
        for offer in await self._exchange.offers(trace, source):
            path = self._folder / f"{offer.digest}{offer.suffix}"
            if not self._mayCome(offer):
                continue
            try:
                if not path.exists():
                    owner = self._ownerOf(offer.author)
                    await self._inThread(partial(self._makeRoom, offer.size, {*needed, path.name}, owner))
                    await self._exchange.fetch(offer, path)
                read = await self._inThread(partial(self._reads, path, claim, self._ownerOf(offer.author)))
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
                needed.add(path.name)
                return True
            if not _noteOf(path).exists():  # nor another one
                path.unlink(missing_ok=True)
            self.log.warn("{ai} offers what is not the trace {t}", ai=offer.author, t=trace[:12])
        if len(self._tried) >= MAX_TRIED:
            del self._tried[next(iter(self._tried))]
        self._tried[trace] = self._clock.seconds() + AGAIN_AFTER
        return False

    def _reads(self, path: Path, claim: Report, owner: str) -> bool:
        """Worker thread.  Whether it is the trace of a claim; then it is noted as that, for later runs."""
        if not (_decodes(path) and self._reader.addTrace(claim.workbench, claim.trace_digest, path)):
            return False
        note = _noteOf(path)
        noted = _noted(note)
        traces = [*({*noted.traces, (claim.workbench, claim.trace_digest)})]
        note.write_bytes(msgspec.json.encode(_Note(noted.owner or owner, traces[:MAX_NOTED])))
        return True

    def _keptBefore(self) -> dict[tuple[str, str], Path]:
        """Worker thread.  Files of earlier runs, by workbench and trace; each is read anew before it counts."""
        if not self._folder.is_dir():
            return {}
        files = [path for path in self._folder.iterdir() if path.suffix not in {NOTE, PART_SUFFIX}]
        return {key: path for path in files for key in _noted(_noteOf(path)).traces}

    def _ownerOf(self, author: str) -> str:
        known = self._knowledge.ais.get(author)
        return (known.owner if known is not None else None) or author

    def _mayCome(self, offer: PayloadOffer) -> bool:
        known = self._knowledge.ais.get(offer.author)
        wanted = not self._owners or (known is not None and known.owner in self._owners)
        # Files with these names are not traces, and would count for nothing.
        isTrace = not offer.suffix.endswith((NOTE, PART_SUFFIX))
        return wanted and isTrace and offer.size <= self._budget

    def _makeRoom(self, size: int, keep: set[str], owner: str) -> None:
        """
        Remove what was fetched first of the owner who has most, C{owner} with C{size} more bytes, until these fit.

        Others' has to go only where that owner has nothing else: whoever offers much takes the place of his own.

        @param keep: names of files that stay.
        @raise PayloadFailed: they don't fit.
        """
        if not self._folder.is_dir():
            return
        filled = Counter({owner: size})
        going: dict[str, list[Path]] = {}
        for path in sorted(self._folder.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True):
            if path.suffix == NOTE:
                continue
            whose = _noted(_noteOf(path)).owner
            filled[whose] += path.stat().st_size
            if path.name.removesuffix(PART_SUFFIX) not in keep:
                going.setdefault(whose, []).append(path)
        while filled.total() > self._budget:
            if not going:
                raise PayloadFailed("all that its claim needs is more than --fetch-traces")
            whose = max(going, key=filled.__getitem__)
            path = going[whose].pop()
            if not going[whose]:
                del going[whose]
            filled[whose] -= path.stat().st_size
            path.unlink()
            _noteOf(path).unlink(missing_ok=True)


def _noteOf(path: Path) -> Path:
    return path.with_name(f"{path.name}{NOTE}")


def _noted(note: Path) -> _Note:
    try:
        return msgspec.json.decode(note.read_bytes(), type=_Note)
    except (OSError, msgspec.MsgspecError):
        return _Note()


def _decodes(path: Path) -> bool:
    """
    Whether reading it takes little memory, and time: an xz file itself says how much memory, and Python's reader has no
    bound.
    """
    left = MAX_DECODED
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
                left -= len(decoder.decompress(data, max_length=1 << 20))
                if left < 0:
                    return False
                data = b""
        except lzma.LZMAError:
            return False
