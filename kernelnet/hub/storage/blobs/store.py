"""
The interface behind which blobs are kept.

All functions block; one thread at a time calls them, which is none of the reactor's.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

__all__ = ["BlobStore", "Sent", "copyBlobs"]


class Sent(NamedTuple):
    """Bytes that an author has sent of a blob that is not whole, what was said of it, Unix time of the last of them."""

    note: bytes
    have: int
    at: float


class BlobStore(Protocol):
    """
    Blobs by the SHA-256 of their bytes (hex); of each a note, and what authors have sent of those that are not whole.

    Parts have `kernelnet.payloads.PART` bytes, the last one less.  All that a function did is durable when it returns,
    or within `alone` at the end of that.

    @raise OSError: (any function) the disk failed; of a database its own errors.
    """

    def close(self) -> None:
        """Give back what is open; asked again, it is opened again."""

    def alone(self) -> AbstractContextManager[bool]:
        """
        A time in which nobody else changes what is kept; whatever ends it, what was done until then stays, unless the
        store itself failed.

        @return: whether somebody else may have since the last one; also the first time, and after a failure.
        """

    def tidy(self) -> None:
        """Put right what a kill left; whoever keeps blobs here alone calls it before anything else."""

    def notes(self) -> dict[str, bytes]:
        """The note of each blob that is whole."""

    def sent(self) -> dict[tuple[str, str], Sent]:
        """All that is not whole, by digest and author."""

    def begin(self, digest: str, author: str, note: bytes) -> None:
        """Keep what is said of a blob that C{author} is to send; what was sent of it stays."""

    def have(self, digest: str, author: str) -> int:
        """Bytes that are there of what C{author} sends."""

    def write(self, digest: str, author: str, number: int, data: bytes) -> bool:
        """
        Put the next part of what C{author} sends; what of it was there already goes.

        @return: whether it was begun; else nothing is written.
        """

    def digestOf(self, digest: str, author: str) -> str:
        """The SHA-256 of all that C{author} sent."""

    def finish(self, digest: str, author: str, note: bytes) -> None:
        """Make what C{author} sent the blob of that digest; there is none yet."""

    def annotate(self, digest: str, note: bytes) -> None:
        """Put C{note} in the place of the one that a whole blob has."""

    def read(self, digest: str, number: int) -> bytes:
        """A part of a whole blob; nothing behind its end, nor where it is gone."""

    def discard(self, digest: str, author: str) -> None:
        """Remove what C{author} sent, if anything."""

    def remove(self, digest: str) -> None:
        """Remove a whole blob, and its note."""


def copyBlobs(source: BlobStore, target: BlobStore) -> int:
    """
    Copy all that is whole, and not in C{target} yet.

    @return: how many blobs.
    """
    mover, copied = "copy", 0
    there = target.notes()
    for digest, note in source.notes().items():
        if digest in there:
            continue
        target.discard(digest, mover)
        target.begin(digest, mover, b"")
        number = 0
        while part := source.read(digest, number):
            target.write(digest, mover, number, part)
            number += 1
        if target.digestOf(digest, mover) != digest:  # its bytes were lost: neither is what is said of it of use
            target.discard(digest, mover)
            continue
        target.finish(digest, mover, note)
        copied += 1
    return copied
