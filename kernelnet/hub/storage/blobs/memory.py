"""Blobs in memory, for tests and hubs that keep nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kernelnet.hub.storage.blobs.store import Sent
from kernelnet.payloads import PART

__all__ = ["MemoryBlobs"]


class MemoryBlobs:
    """
    A `kernelnet.hub.storage.blobs.store.BlobStore` that ends with its process.

    @param wallClock: Unix seconds.
    """

    def __init__(self, wallClock: Callable[[], float]) -> None:
        self._wallClock = wallClock
        self._whole: dict[str, tuple[bytes, bytes]] = {}
        self._sent: dict[tuple[str, str], tuple[bytes, bytes, float]] = {}

    def close(self) -> None:
        """Nothing is open."""

    @contextmanager
    def alone(self) -> Iterator[bool]:
        yield False

    def tidy(self) -> None:
        """There is nothing: with the process all ends."""

    def notes(self) -> dict[str, bytes]:
        return {digest: note for digest, (_, note) in self._whole.items()}

    def sent(self) -> dict[tuple[str, str], Sent]:
        return {key: Sent(note, len(data), at) for key, (data, note, at) in self._sent.items()}

    def begin(self, digest: str, author: str, note: bytes) -> None:
        data, _, _ = self._sent.get((digest, author), (b"", b"", 0.0))
        self._sent[digest, author] = data, note, self._wallClock()

    def have(self, digest: str, author: str) -> int:
        return len(self._sent.get((digest, author), (b"",))[0])

    def write(self, digest: str, author: str, number: int, data: bytes) -> bool:
        if (digest, author) not in self._sent:
            return False
        before, note, _ = self._sent[digest, author]
        self._sent[digest, author] = before[: number * PART] + data, note, self._wallClock()
        return True

    def digestOf(self, digest: str, author: str) -> str:
        return hashlib.sha256(self._sent[digest, author][0]).hexdigest()

    def finish(self, digest: str, author: str, note: bytes) -> None:
        self._whole[digest] = self._sent.pop((digest, author))[0], note

    def annotate(self, digest: str, note: bytes) -> None:
        self._whole[digest] = self._whole[digest][0], note

    def read(self, digest: str, number: int) -> bytes:
        return self._whole.get(digest, (b"", b""))[0][number * PART : (number + 1) * PART]

    def discard(self, digest: str, author: str) -> None:
        self._sent.pop((digest, author), None)

    def remove(self, digest: str) -> None:
        self._whole.pop(digest, None)
