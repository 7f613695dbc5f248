"""Sources that are too large for a line: our own are sent to the hub as blobs, those of peers are read from it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kernelnet.artifacts import MAX_SOURCE, Component
from kernelnet.trainer.messaging.payload_exchange import PayloadExchange, PayloadFailed
from kernelnet.trainer.storage.known_component import KnownComponent
from kernelnet.untrusted import plain

__all__ = ["SourceSharing"]

SUFFIX = ".c"
MAX_KEPT = 64
"""Sources of ours that are kept, and offered to the hub by each run: as many as it keeps of one AI."""
READ_WITHIN = 10.0
"""Seconds that a source may take to come: other claims wait meanwhile."""


class SourceSharing:
    """
    The sources of one trainer that are blobs.

    @param folder: for our own: the hub forgets what nobody has read for long, or has to make room.
    """

    log = Logger()
    LOOK_EVERY = 1.0
    """Seconds between two looks at what is to be sent."""

    def __init__(self, folder: Path, exchange: PayloadExchange, clock: IReactorTime) -> None:
        self._folder = folder
        self._exchange = exchange
        self._clock = clock
        self._taken: set[str] = set()

    def reference(self, component: Component) -> Component | None:
        """
        Keep the source of a component of ours that no peer would keep in one piece, and send it to the hub.

        @return: the component without it; C{None}: it goes in a line.
        @raise OSError: it can't be written.
        """
        source = component.implementation.encode("utf-8", errors="surrogatepass")
        if component.manifest is None or not 0 < len(source) <= MAX_SOURCE:
            return None
        if not KnownComponent(component, "").isTooLarge:
            return None
        reference = msgspec.structs.replace(component, implementation="", source_size=len(source))
        if (
            KnownComponent(reference, "").isTooLarge
            or hashlib.sha256(source).hexdigest() != component.manifest.source_sha256
        ):
            return None
        self._write(self._folder / f"{component.manifest.source_sha256}{SUFFIX}", source)
        self.look()
        return reference

    def look(self) -> None:
        """Send what was not sent in this run: the hub may have lost it since an earlier one."""
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if path.name not in self._taken:
                self._taken.add(path.name)
                sending = Deferred.fromCoroutine(self._send(path))
                sending.addErrback(lambda failure: self.log.failure("sending a source failed", failure))

    async def complete(self, component: Component) -> Component | None:
        """A component of a peer's with its source; C{None}: that can't be had now."""
        manifest, size = component.manifest, component.source_size
        if manifest is None:
            return None
        reading = Deferred.fromCoroutine(self._exchange.read(manifest.source_sha256, size))
        try:
            source = await reading.addTimeout(READ_WITHIN, self._clock)
            return msgspec.structs.replace(component, implementation=source.decode("utf-8"))
        except (PayloadFailed, UnicodeDecodeError, TimeoutError) as error:
            why = plain(str(error), 300)
            self.log.warn("the source of {id} did not come: {why}", id=plain(component.id, 64), why=why)
            return None

    async def _send(self, path: Path) -> None:
        digest = path.name.removesuffix(SUFFIX)
        try:
            await self._exchange.share(path, digest)
        except (PayloadFailed, OSError) as error:
            # It stays, and the next run tries again.
            self.log.error("can't send a source to the hub: {why}", why=plain(str(error), 300))

    def _write(self, path: Path, source: bytes) -> None:
        """Durably, before anybody is told of it."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        new = path.with_suffix(".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(source)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        kept = sorted(self._folder.glob(f"*{SUFFIX}"), key=lambda each: each.stat().st_mtime)
        for old in kept[:-MAX_KEPT]:
            old.unlink()
