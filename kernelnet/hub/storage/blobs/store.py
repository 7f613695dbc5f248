"""
The interface behind which blobs are kept.

All functions block; one thread at a time calls them, which is none of the reactor's.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["BlobStore"]


class BlobStore(Protocol):
    """
    Blobs by the SHA-256 of their bytes (hex); of each a note, and what authors have sent of those that are not whole.

    @raise OSError: (any function) the disk failed.
    """

    def notes(self) -> dict[str, bytes]:
        """The note of each blob that is whole."""

    def parts(self) -> dict[tuple[str, str], tuple[int, float]]:
        """By digest and author of each that is not whole: bytes that are there, Unix time of the last."""

    def write(self, digest: str, author: str, offset: int, data: bytes) -> None:
        """Put C{data} at C{offset} of what C{author} sends; what was behind it is cut off."""

    def finish(self, digest: str, author: str, note: bytes) -> bool:
        """
        Make what C{author} sent the blob, durably, if it has that digest; else remove it.

        @return: whether it has.
        """

    def annotate(self, digest: str, note: bytes) -> None:
        """Put C{note} in the place of the one that a whole blob has, durably."""

    def read(self, digest: str, offset: int, length: int) -> bytes:
        """A stretch of a whole blob; nothing behind its end."""

    def discard(self, digest: str, author: str) -> None:
        """Remove what C{author} sent, if anything."""

    def remove(self, digest: str) -> None:
        """Remove a whole blob, and its note."""
