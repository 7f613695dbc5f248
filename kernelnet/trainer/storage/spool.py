"""
Spools: folders in which commands of the same user leave something for a trainer, whether it runs or not.

Each is bounded in files and bytes.  What is none of what belongs there is moved aside, with one line in the log.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct
from twisted.logger import Logger

from kernelnet.artifacts import Digest, Name
from kernelnet.observations import MAX_OBSERVATION, Observation
from kernelnet.untrusted import plain

__all__ = ["MAX_FILES", "NO_SITE", "Spool", "SpoolFolder", "SpoolFull", "SpooledObservation"]

S = TypeVar("S", bound=Struct)

MAX_FILES = 64
"""Number of files from which on a command leaves no more, and of which a trainer looks at once."""

MAX_FILE = MAX_OBSERVATION + 1024
"""Bytes of the longest file; a path takes less, too."""

MAX_ASIDE = 16
"""Number of files moved aside that are kept."""

NO_SITE = "0" * 32
"""Site of an observation in the spool: the trainer knows its own."""


class SpoolFull(Exception):
    """There is no room; the text says what to do."""


class SpooledObservation(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """@ivar component: id of the component that was at work, as its export says; C{digest}: its digest."""

    observation: Observation
    component: Name | None = None
    digest: Digest | None = None


class SpoolFolder(Generic[S]):
    """
    A spool.

    @param folder: made when it is first needed.
    @param kind: of what is left there; C{what}: its name; C{when}: when it goes.
    """

    log = Logger()

    def __init__(self, folder: Path, kind: type[S], what: str, when: str) -> None:
        self._folder = folder
        self._kind = kind
        self._what = what
        self._when = when
        self._aside = folder / "refused"
        self._stuck: set[str] = set()

    def put(self, spooled: S) -> Path:
        """
        Leave something, durably.

        @raise SpoolFull: there are as many as there may be.
        @raise OSError: it can't be written.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if len(self._names()) >= MAX_FILES:
            raise SpoolFull(
                f"{self._folder} holds {MAX_FILES} files that wait for the trainer, which sends them once {self._when}"
            )
        path = self._folder / f"{secrets.token_hex(8)}.json"
        made = path.with_suffix(".new")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(spooled))
            file.flush()
            os.fsync(descriptor)
        made.rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return path

    def waiting(self) -> Iterator[tuple[Path, S]]:
        """All that is there, of `MAX_FILES` files at most; what is none of it is moved aside."""
        for name in self._names():
            path = self._folder / name
            try:
                yield path, msgspec.json.decode(_read(path), type=self._kind)
            except FileNotFoundError:
                continue
            except (OSError, ValueError, RecursionError) as error:
                self.refuse(path, str(error))

    def done(self, path: Path) -> None:
        """Remove a file: what it said is durable elsewhere."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self._tell(path, f"is sent but can't be removed: {error.strerror}")

    def refuse(self, path: Path, why: str) -> None:
        """Move a file aside, and say so once; of those that are there the newest are kept."""
        try:
            self._aside.mkdir(mode=0o700, exist_ok=True)
            path.rename(self._aside / path.name)
        except OSError as error:
            self._tell(path, f"is no {self._what} ({why}) and can't be moved aside: {error.strerror}")
            return
        self.log.warn(
            "{file} is no {what}, and was moved to {aside}: {why}",
            what=self._what,
            file=plain(str(path), 300),
            aside=str(self._aside),
            why=plain(why, 300),
        )
        try:
            kept = sorted(islice(self._aside.iterdir(), 4 * MAX_ASIDE), key=lambda one: one.lstat().st_ctime)
            for old in kept[:-MAX_ASIDE]:
                old.unlink()
        except OSError:
            pass  # the next one tries again

    def _names(self) -> list[str]:
        """The first of those there are, but those that are stuck."""
        try:
            with os.scandir(self._folder) as entries:
                names = (entry.name for entry in entries if entry.name.endswith(".json"))
                return sorted(islice((name for name in names if name not in self._stuck), MAX_FILES))
        except FileNotFoundError:
            return []

    def _tell(self, path: Path, what: str) -> None:
        """Say it once: the file is passed over from then on."""
        if len(self._stuck) < MAX_FILES:
            self._stuck.add(path.name)
        self.log.warn("{file} {what}", file=plain(str(path), 300), what=plain(what, 400))


class Spool(SpoolFolder[SpooledObservation]):
    """The spool of observations in C{folder}."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SpooledObservation, "observation", "it runs and its hub takes observations")


def _read(path: Path) -> bytes:
    """
    @raise ValueError: it is no file of ours; the text says why.
    """
    # A pipe would block, and a link leads elsewhere.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file")
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ValueError(f"it has more than {MAX_FILE} bytes")
    return data
