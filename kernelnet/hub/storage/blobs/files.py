"""
Blobs as files of a folder: C{DIGEST}, its note C{DIGEST.note}, and C{DIGEST.AUTHOR.part} of one that is not whole.

A part file is not synced: after a power failure it may have holes, which the digest shows at its end; after the end of
a process alone it has none.  What is whole was synced before it got its name, and its folder after that.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

__all__ = ["FileBlobs"]

_WHOLE = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"([0-9a-f]{64})\.([A-Za-z0-9][A-Za-z0-9_.-]{0,63})\.part")


class FileBlobs:
    """A `kernelnet.hub.storage.blobs.store.BlobStore` in C{folder}, which is made when the first is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hashes: dict[Path, tuple[int, hashlib._Hash]] = {}

    def notes(self) -> dict[str, bytes]:
        names = os.listdir(self._folder) if self._folder.is_dir() else []
        found = {}
        for name in names:
            if name.endswith(".note~"):
                (self._folder / name).unlink()  # its writing was cut short
            elif name.endswith(".note") and _WHOLE.fullmatch(name[:-5]):
                if (self._folder / name[:-5]).exists():
                    found[name[:-5]] = (self._folder / name).read_bytes()
                else:  # the blob was to get its name next; its parts are still there
                    (self._folder / name).unlink()
        for name in names:
            if _WHOLE.fullmatch(name) and name not in found:
                (self._folder / name).unlink()  # its removal was cut short
        return found

    def parts(self) -> dict[tuple[str, str], tuple[int, float]]:
        found = {}
        for name in os.listdir(self._folder) if self._folder.is_dir() else []:
            if match := _PART.fullmatch(name):
                status = (self._folder / name).stat()
                found[match[1], match[2]] = status.st_size, status.st_mtime
        return found

    def write(self, digest: str, author: str, offset: int, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._part(digest, author)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.truncate(offset)
            file.seek(offset)
            file.write(data)
        # Hashed as it comes, so that the end of a large one doesn't take long; `finish` reads it if that was not whole.
        length, digester = self._hashes.pop(path, (0, hashlib.sha256()))
        if length == offset:
            digester.update(data)
            self._hashes[path] = offset + len(data), digester

    def finish(self, digest: str, author: str, note: bytes) -> bool:
        path = self._part(digest, author)
        length, digester = self._hashes.pop(path, (-1, hashlib.sha256()))
        if not path.exists():
            return False
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            if length != os.fstat(file.fileno()).st_size:
                digester = hashlib.file_digest(file, "sha256")
        if digester.hexdigest() != digest:
            path.unlink()
            return False
        self.annotate(digest, note)
        path.rename(self._folder / digest)
        self._sync()
        return True

    def annotate(self, digest: str, note: bytes) -> None:
        path = self._folder / f"{digest}.note"
        new = path.with_name(f"{path.name}~")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
        self._sync()

    def read(self, digest: str, offset: int, length: int) -> bytes:
        with open(self._folder / digest, "rb") as file:
            return os.pread(file.fileno(), length, offset)

    def discard(self, digest: str, author: str) -> None:
        path = self._part(digest, author)
        self._hashes.pop(path, None)
        path.unlink(missing_ok=True)

    def remove(self, digest: str) -> None:
        (self._folder / f"{digest}.note").unlink(missing_ok=True)
        (self._folder / digest).unlink(missing_ok=True)

    def _part(self, digest: str, author: str) -> Path:
        return self._folder / f"{digest}.{author}.part"

    def _sync(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
