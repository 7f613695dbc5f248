"""Checks for tests of readers: a bad file is refused, and a small one that expands to much costs little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

from kernelnet.workbench.errors import TraceError
from tests.workbench.contract import FolderCase

__all__ = ["ReaderCase"]

MOST = 60 << 20
"""Bytes of memory that reading may take."""


class ReaderCase(FolderCase):
    def refused(self, name: str, line: int | None, words: str, read: Callable[[], object]) -> None:
        """Refused, with the file, this line, and what would be right."""
        error = self.assertRaises(TraceError, read)
        where = f"{self.folder / name}:{line}: " if line else f"{self.folder / name}: "
        self.assertTrue(str(error).startswith(where), str(error))
        self.assertIn(words, str(error))
        self.assertEqual(len(str(error).splitlines()), 1)
        self.assertTrue(error.right)

    def bomb(self, name: str, data: bytes, words: str, read: Callable[[Path], object]) -> None:
        """A small file that expands to much: refused, and read in pieces until then."""
        self.assertLess(len(data), 1 << 20)
        path = self.folder / name
        path.write_bytes(data)
        tracemalloc.start()
        try:
            error = self.assertRaises(TraceError, read, path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.assertIn(words, str(error))
        self.assertLess(peak, MOST, name)

    def attempt(self, suffix: str, data: bytes, read: Callable[[Path], object]) -> None:
        """Whatever a file has in it: it is read, or a `TraceError`."""
        path = self.folder / f"random{suffix}"
        path.write_bytes(data)
        try:
            read(path)
        except TraceError as error:
            self.assertEqual(len(str(error).splitlines()), 1)
