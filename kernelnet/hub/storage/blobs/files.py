"""
Blobs as files of a folder: C{DIGEST} and its note C{DIGEST.note}; of one that is not whole C{DIGEST.AUTHOR.part}, and
what is said of it in C{DIGEST.AUTHOR.begun}.

Whatever a function wrote is synced before it returns, each part too: after a power failure none is missing that was
acked, and one that was cut in the middle is the last one, which is sent again.  So is what it removed: none is there
again, to count against those who discarded it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kernelnet.hub.storage.blobs.store import Sent
from kernelnet.payloads import PART

__all__ = ["FOLDER", "FileBlobs"]

FOLDER = "blobs"
"""Their folder in a state directory, beside the database."""

_WHOLE = re.compile(r"[0-9a-f]{64}")
_SENT = re.compile(r"([0-9a-f]{64})\.([A-Za-z0-9][A-Za-z0-9_.-]{0,63})\.(part|begun)")


class FileBlobs:
    """A `kernelnet.hub.storage.blobs.store.BlobStore` in C{folder}, which is made when the first is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hashes: dict[Path, tuple[int, hashlib._Hash]] = {}
        self._isFolderSynced = False

    def close(self) -> None:
        """Nothing is open."""

    @contextmanager
    def alone(self) -> Iterator[bool]:
        yield False  # the state directory is locked

    def tidy(self) -> None:
        names = set(self._names())
        cut = []
        for name in names:
            whole = name.removesuffix(".note")
            if (
                name.endswith("~")  # its writing was cut short
                or (whole != name and whole not in names)  # it was to get its name next, and its parts are still there
                or (_WHOLE.fullmatch(name) and f"{name}.note" not in names)  # its removal was cut short
            ):
                cut.append(self._folder / name)
        self._unlink(*cut)

    def notes(self) -> dict[str, bytes]:
        found = {}
        for name in filter(_WHOLE.fullmatch, self._names()):
            with suppress(FileNotFoundError):  # it has none, or was removed just now
                found[name] = (self._folder / f"{name}.note").read_bytes()
        return found

    def sent(self) -> dict[tuple[str, str], Sent]:
        found: dict[tuple[str, str], Sent] = {}
        for match in filter(None, map(_SENT.fullmatch, self._names())):
            key, path = (match[1], match[2]), self._folder / match[0]
            note, have, at = found.get(key, (b"", 0, 0.0))
            with suppress(FileNotFoundError):  # a hub that runs beside has made it whole or discarded it just now
                status = path.stat()
                if match[3] == "begun":
                    note = path.read_bytes()
                else:
                    have = status.st_size
                found[key] = Sent(note, have, max(at, status.st_mtime))
        return found

    def begin(self, digest: str, author: str, note: bytes) -> None:
        self._put(self._begun(digest, author), note)

    def have(self, digest: str, author: str) -> int:
        path = self._part(digest, author)
        return path.stat().st_size if path.exists() else 0

    def write(self, digest: str, author: str, number: int, data: bytes) -> bool:
        if not self._begun(digest, author).exists():
            return False
        path, offset = self._part(digest, author), number * PART
        isNew = not path.exists()
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.truncate(offset)
            file.seek(offset)
            file.write(data)
            file.flush()
            os.fdatasync(file.fileno())
        if isNew:
            self._sync()
        # Hashed as it comes, so that the end of a large one doesn't take long.
        length, digester = self._hashes.pop(path, (0, hashlib.sha256()))
        if length == offset:
            digester.update(data)
            self._hashes[path] = offset + len(data), digester
        return True

    def digestOf(self, digest: str, author: str) -> str:
        path = self._part(digest, author)
        if not path.exists():
            return hashlib.sha256().hexdigest()
        length, digester = self._hashes.pop(path, (-1, hashlib.sha256()))
        with path.open("rb") as file:
            if length != os.fstat(file.fileno()).st_size:
                digester = hashlib.file_digest(file, "sha256")
        return digester.hexdigest()

    def finish(self, digest: str, author: str, note: bytes) -> None:
        self.annotate(digest, note)
        part, begun = self._part(digest, author), self._begun(digest, author)
        self._hashes.pop(part, None)
        part.rename(self._folder / digest)
        begun.unlink(missing_ok=True)
        self._sync()

    def annotate(self, digest: str, note: bytes) -> None:
        self._put(self._folder / f"{digest}.note", note)

    def read(self, digest: str, number: int) -> bytes:
        try:
            with (self._folder / digest).open("rb") as file:
                return os.pread(file.fileno(), PART, number * PART)
        except FileNotFoundError:
            return b""

    def discard(self, digest: str, author: str) -> None:
        path = self._part(digest, author)
        self._hashes.pop(path, None)
        self._unlink(path, self._begun(digest, author))

    def remove(self, digest: str) -> None:
        self._unlink(self._folder / f"{digest}.note", self._folder / digest)

    def _names(self) -> list[str]:
        return os.listdir(self._folder) if self._folder.is_dir() else []

    def _part(self, digest: str, author: str) -> Path:
        return self._folder / f"{digest}.{author}.part"

    def _begun(self, digest: str, author: str) -> Path:
        return self._folder / f"{digest}.{author}.begun"

    def _put(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if not self._isFolderSynced:
            # Also where it is there already: whoever made it may have ended before this.
            self._sync(self._folder.parent)
            self._isFolderSynced = True
        new = path.with_name(f"{path.name}~")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
        self._sync()

    def _unlink(self, *paths: Path) -> None:
        """Remove those that are there, so that after a power failure they are gone, too."""
        gone = False
        for path in paths:
            with suppress(FileNotFoundError):
                path.unlink()
                gone = True
        if gone:
            self._sync()

    def _sync(self, folder: Path | None = None) -> None:
        """See that the names in C{folder}, or else that of the blobs, last."""
        descriptor = os.open(folder or self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
