"""Blobs in memory, for tests and hubs that keep nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

__all__ = ["MemoryBlobs"]


class MemoryBlobs:
    """
    A `kernelnet.hub.storage.blobs.store.BlobStore` that ends with its process.

    @param wallClock: Unix seconds.
    """

    def __init__(self, wallClock: Callable[[], float]) -> None:
        self._wallClock = wallClock
        self._whole: dict[str, tuple[bytes, bytes]] = {}
        self._parts: dict[tuple[str, str], tuple[bytes, float]] = {}

    def notes(self) -> dict[str, bytes]:
        return {digest: note for digest, (_, note) in self._whole.items()}

    def parts(self) -> dict[tuple[str, str], tuple[int, float]]:
        return {key: (len(data), at) for key, (data, at) in self._parts.items()}

    def write(self, digest: str, author: str, offset: int, data: bytes) -> None:
        before, _ = self._parts.get((digest, author), (b"", 0.0))
        self._parts[digest, author] = before[:offset].ljust(offset, b"\0") + data, self._wallClock()

    def finish(self, digest: str, author: str, note: bytes) -> bool:
        data, _ = self._parts.pop((digest, author), (b"", 0.0))
        if hashlib.sha256(data).hexdigest() != digest:
            return False
        self._whole[digest] = data, note
        return True

    def annotate(self, digest: str, note: bytes) -> None:
        self._whole[digest] = self._whole[digest][0], note

    def read(self, digest: str, offset: int, length: int) -> bytes:
        return self._whole[digest][0][offset : offset + length]

    def discard(self, digest: str, author: str) -> None:
        self._parts.pop((digest, author), None)

    def remove(self, digest: str) -> None:
        self._whole.pop(digest, None)
