"""
Modules of this package's own C, kept between processes: eight trainers on one machine compile each of them once.

They lie in C{$XDG_CACHE_HOME/kernelnet/modules}, under the digest of all that they are made of.  Only what comes with
kernelnet gets here, never a generator's or a stranger's; and only what this user wrote is read: the folder and each
file must be his own, and writable by nobody else.  A file holds its own digest, so one that was cut off is as good as
none.  Where nothing can be kept everything is compiled anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

__all__ = ["MAX_BYTES", "MAX_KEPT", "defaultCache", "keep", "kept"]

MAX_KEPT = 1000
"""Maximum number of modules that are kept: about eight versions of all that this package has."""

MAX_BYTES = 1 << 20
"""Maximum size of a module, which is the compiler's."""

_DIGEST = hashlib.sha256().digest_size


def defaultCache() -> Path | None:
    """C{$XDG_CACHE_HOME/kernelnet}, or what the XDG base directory specification says in its absence; C{None}: none."""
    base = os.environ.get("XDG_CACHE_HOME")
    if base and Path(base).is_absolute():
        return Path(base) / "kernelnet"
    try:
        return Path.home() / ".cache" / "kernelnet"
    except RuntimeError:  # such as in a container, for a user without an entry
        return None


def kept(key: str) -> bytes | None:
    """
    The module of a key; C{None}: it isn't kept, or not to be trusted.

    @param key: hex digest of all that the module is made of.
    """
    folder = _folder()
    if folder is None:
        return None
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / key, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not _isOurs(os.fstat(descriptor), stat.S_ISREG):
                return None
            data = file.read(_DIGEST + MAX_BYTES + 1)
        digest, wasm = data[:_DIGEST], data[_DIGEST:]
        if wasm and _digest(key, wasm) == digest:
            return wasm
    return None


def keep(key: str, wasm: bytes) -> None:
    """Keep a module, whole or not at all; where that can't be, nothing is said."""
    folder = _folder(make=True)
    if folder is None:
        return
    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(prefix=".", dir=folder)
        try:
            with open(descriptor, "wb") as file:
                file.write(_digest(key, wasm) + wasm)
            os.replace(name, folder / key)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        _prune(folder)


def _folder(make: bool = False) -> Path | None:
    """Where modules are kept, if that is this user's alone to write."""
    cache = defaultCache()
    if cache is None:
        return None
    folder = cache / "modules"
    with contextlib.suppress(OSError):
        if make:
            for path in reversed([folder, *takewhile(lambda parent: not parent.exists(), folder.parents)]):
                path.mkdir(mode=0o700, exist_ok=True)  # parents=True would make them for all
        if _isOurs(folder.lstat(), stat.S_ISDIR):
            return folder
    return None


def _digest(key: str, wasm: bytes) -> bytes:
    """Digest of a module under its key: as another's it is none."""
    return hashlib.sha256(key.encode() + wasm).digest()


def _isOurs(status: os.stat_result, isKind: Callable[[int], bool]) -> bool:
    """Whether it is of a kind, this user's, and writable by nobody else."""
    return isKind(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _prune(folder: Path) -> None:
    """Delete the oldest beyond `MAX_KEPT`; also what a process that was killed left half written."""
    files = [entry for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)]
    if len(files) > MAX_KEPT:
        for entry in sorted(files, key=lambda entry: entry.stat(follow_symlinks=False).st_mtime)[:-MAX_KEPT]:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
