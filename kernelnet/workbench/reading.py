"""
Reading trace files: plain, gzip, bzip2, xz or zstd, in pieces, so that a small file which expands to much takes time
only.  How a file is compressed is told by its first bytes, not by its name.
"""

from __future__ import annotations

import bz2
import contextlib
import functools
import gzip
import importlib
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from kernelnet.workbench.errors import TraceError

__all__ = ["BOM", "MAX_BYTES", "PIECE", "nameOf", "opened", "pieces", "plainName", "shown", "wholeLines"]

MAX_BYTES = 4 << 30
"""Decompressed."""

PIECE = 4 << 20
"""Bytes; no line is longer."""

BOM = b"\xef\xbb\xbf"
"""Mark that some programs, such as spreadsheets, put before text in UTF-8."""


@functools.cache
def _zstd() -> Any:
    """Python's own module since 3.14, or the same for older ones; C{None} where there is neither."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            pass
    return None


def _openZstd(path: Path) -> Any:
    if _zstd() is None:
        right = "decompress it with unzstd, or: pip install 'kernelnet[zstd]'"
        raise TraceError(path, None, "it is compressed with zstd, which nothing here reads", right)
    # What would need more than 128 MiB of memory to decompress is refused by the library.
    return _zstd().open(path)


_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
_COMPRESSED: dict[bytes, tuple[str, Callable[[Path], Any]]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"BZh": ("bzip2", bz2.open),
    b"\xfd7zXZ\0": ("xz", lzma.open),
    b"\x28\xb5\x2f\xfd": ("zstd", _openZstd),
}
"""By the bytes that a file begins with: by what it is compressed, and who opens it."""


def plainName(path: Path) -> str:
    """The file's name in lower case, without what tells its compression."""
    return (path.with_suffix("") if path.suffix.lower() in _SUFFIXES else path).name.lower()


def nameOf(path: Path, suffixes: Sequence[str]) -> str:
    """The file's name without compression and C{suffixes}; it can be sent, whatever bytes the file system has it in."""
    name = path.name.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
    name = "".join(c if c.isprintable() else "?" for c in name)
    kinds, packed = ("|".join(re.escape(suffix) for suffix in each) for each in (suffixes, _SUFFIXES))
    return re.sub(rf"({kinds})?({packed})?$", "", name, flags=re.IGNORECASE) or name


def _compression(path: Path) -> tuple[str, Callable[[Path], Any]]:
    """By what a file is compressed, and who opens it."""
    with path.open("rb") as stream:
        begin = stream.read(8)
    for magic, found in _COMPRESSED.items():
        if begin.startswith(magic):
            return found
    return "", lambda plain: plain.open("rb")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """
    The file's content, decompressed.

    @raise TraceError: it can't be read, or isn't what its name says; also while it is read.
    """
    broken: tuple[type[Exception], ...] = (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error)
    if _zstd() is not None:
        broken += (_zstd().ZstdError,)
    what = ""
    try:
        what, openIt = _compression(path)
        with openIt(path) as stream:
            yield stream
    except broken as error:
        raise TraceError(path, None, f"not a whole {what} file ({error})", f"make it again with {what}") from None
    except OSError as error:
        if what == "bzip2" and error.errno is None:
            raise TraceError(path, None, f"not a whole {what} file ({error})", f"make it again with {what}") from None
        raise TraceError(path, None, error.strerror or str(error), "it should be a readable file") from None


def pieces(path: Path) -> Iterator[bytes]:
    """
    The file's content, decompressed, in pieces of 4 MiB or less.

    @raise TraceError: see `opened`; or it has more than 4 GiB.
    """
    total = 0
    with opened(path) as stream:
        while piece := stream.read(PIECE):
            total += len(piece)
            if total > MAX_BYTES:
                raise TraceError(path, None, f"more than {MAX_BYTES >> 20} MiB uncompressed", "use a part of it")
            yield piece


def wholeLines(path: Path, parts: Iterator[bytes], right: str) -> Iterator[bytes]:
    """
    The same in pieces of whole lines, without a `BOM`.

    @param right: what a line should be, for the error.
    @raise TraceError: a line is longer than a piece.
    """
    rest, first = b"", True
    for piece in parts:
        if first:
            piece, first = piece.removeprefix(BOM), False  # noqa: PLW2901
        end = piece.rfind(b"\n") + 1
        if not end and len(rest) + len(piece) > PIECE:
            raise TraceError(path, None, f"a line of more than {PIECE >> 20} MiB", right)
        if end:
            yield rest + piece[:end]
            rest = piece[end:]
        else:
            rest += piece
    if rest:
        yield rest


def shown(text: bytes) -> str:
    """The beginning of a strange piece of a file, for an error."""
    return repr(text[:40].decode("utf-8", errors="replace")) + ("…" if len(text) > 40 else "")
