"""
From what strace writes to requests for pages: who has which file open, and where in it the next read begins.

What strace tells of a descriptor (C{-y}) is the path of its file; the offset of C{read} and C{write} follows from the
calls before: it belongs to the open file, which descriptors share after C{dup} and C{fork}.  A descriptor that was open
from the start counts as at the beginning of its file.

A file is what has its path, until it is removed, replaced or cut to nothing: what has the path then is another file.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from kernelnet.workbench.file_system.requests import PAGE

__all__ = ["CALLS", "Calls"]

CALLS = (
    *("open", "openat", "openat2", "creat", "close", "dup", "dup2", "dup3", "fcntl"),
    *("read", "pread64", "readv", "preadv", "preadv2", "write", "pwrite64", "writev", "pwritev", "pwritev2"),
    *("lseek", "sendfile", "copy_file_range", "splice", "truncate", "ftruncate", "mmap"),
    *("unlink", "unlinkat", "rename", "renameat", "renameat2", "chdir", "fchdir", "clone", "clone3", "fork", "vfork"),
)
"""System calls that are traced."""

_LINE = re.compile(rb"(?:\[pid +)?(\d+)?\]? *(?:<\.\.\. (\w+) resumed>)?(.*)", re.DOTALL)
_CALL = re.compile(rb"(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)(?:<([^>]*)>)?", re.DOTALL)
_UNFINISHED = b" <unfinished ...>"
_FD = re.compile(rb"(-?\d+)(?:<([^>]*)>)?(?:\(deleted\))?(?:, (.*))?", re.DOTALL)
_PATH = re.compile(rb'(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?(?:\(deleted\))?, )?"((?:[^"\\]|\\.)*)"(?:, (.*))?', re.DOTALL)
_POSITION = re.compile(rb", (\d+)$")
_POSITION_AND_FLAGS = re.compile(rb", (\d+), [^,]+$")
_END = rb"(\d+)(?:<([^>]*)>)?(?:\(deleted\))?"
_POINTED = rb"(NULL|\[[^]]*\])(?: => \[[^]]*\])?"
_COPY = re.compile(_END + rb"(?:, " + _POINTED + rb")?, " + _END + rb", " + _POINTED)
_NO_FILES = (b"/dev/", b"/proc/", b"/sys/", b"/memfd:")


@dataclass(eq=False)
class _File:
    """@ivar size: at least so many bytes."""

    number: int
    size: int = 0


@dataclass(eq=False)
class _Open:
    file: _File
    offset: int = 0
    append: bool = False


@dataclass(eq=False)
class _Process:
    """@ivar open: by descriptor; C{None}: no file with pages."""

    open: dict[int, _Open | None] = field(default_factory=dict)
    cwd: bytes = b""


class Calls:
    """
    @ivar mapped: how many files were mapped into memory: what is read there can't be seen.
    """

    def __init__(self, request: Callable[[int, int, bool], None], cwd: str) -> None:
        """@param request: called with the number of a file, that of a page in it, and whether it is written."""
        self._request = request
        self._files: dict[bytes, _File] = {}
        self._count = 0
        self._processes: dict[bytes, _Process] = {}
        self._early: set[bytes] = set()
        self._partial: dict[bytes, bytes] = {}
        self._first = _Process(cwd=os.fsencode(cwd))
        self.mapped = 0

    def line(self, text: bytes) -> None:
        """A line of what C{strace -f -y} writes; what can't be understood is passed over."""
        match = _LINE.match(text)
        if match is None:
            return
        pid, resumed, rest = match[1] or b"", match[2], match[3]
        if rest.endswith(_UNFINISHED):
            self._partial[pid] = rest[: -len(_UNFINISHED)]
            return
        if resumed:
            rest = self._partial.pop(pid, b"") + rest
        call = _CALL.match(rest)
        if call is None or call[3] == b"?" or call[3].startswith(b"-"):
            return
        handle = getattr(self, f"_{_KINDS.get(call[1], '')}", None)
        if handle is not None:
            process = self._process(pid)
            value = int(call[3], 16) if call[3].startswith(b"0x") else int(call[3])
            handle(process, call[1], call[2], value, call[4])

    # -- processes

    def _process(self, pid: bytes) -> _Process:
        if pid not in self._processes:
            # Its parent's call has not returned yet: the latest that is under way will be it.
            for parent, text in reversed(self._partial.items()):
                if text.split(b"(", 1)[0] in (b"clone", b"clone3", b"fork", b"vfork"):
                    self._processes[pid] = self._child(self._process(parent), text)
                    self._early.add(pid)
                    break
            else:
                self._processes[pid] = self._first
        return self._processes[pid]

    def _child(self, parent: _Process, text: bytes) -> _Process:
        return parent if b"CLONE_FILES" in text else _Process(dict(parent.open), parent.cwd)

    def _fork(self, process: _Process, name: bytes, text: bytes, value: int, path: bytes | None) -> None:
        pid = str(value).encode()
        if pid in self._early:
            self._early.remove(pid)
        else:
            # Also if there was one: numbers are used again.
            self._processes[pid] = self._child(process, text)

    def _chdir(self, process: _Process, name: bytes, text: bytes, value: int, path: bytes | None) -> None:
        match = (_FD if name == b"fchdir" else _PATH).match(text)
        if match is not None and match[2] is not None:
            process.cwd = os.path.join(process.cwd, _plain(match[2]))

    # -- files by path

    def _fileAt(self, path: bytes) -> _File:
        if path not in self._files:
            self._files[path] = _File(self._count)
            self._count += 1
        return self._files[path]

    def _opened(self, path: bytes | None) -> _Open | None:
        if path is None or not path.startswith(b"/") or path.startswith(_NO_FILES):
            return None
        return _Open(self._fileAt(path))

    def _open(self, process: _Process, name: bytes, text: bytes, value: int, path: bytes | None) -> None:
        flags = text.rsplit(b'"', 1)[-1]
        path = _plain(path) if path is not None else None
        if path is not None and (name == b"creat" or b"O_TRUNC" in flags or b"O_EXCL" in flags):
            self._files.pop(path, None)
        opened = self._opened(path)
        if opened is not None and b"O_APPEND" in flags:
            opened.append = True
            self._learnSize(opened.file, path)
        process.open[value] = opened

    def _learnSize(self, file: _File, path: bytes | None) -> None:
        with contextlib.suppress(OSError, ValueError):
            file.size = max(file.size, os.stat(path or b"").st_size)

    def _gone(self, process: _Process, name: bytes, text: bytes, value: int, path: bytes | None) -> None:
        """C{unlink}, C{truncate}, C{rename}: of a path."""
        match = _PATH.match(text)
        if match is None:
            return
        if name in (b"truncate", b"ftruncate"):
            if match[3] == b"0":
                self._files.pop(self._absolute(process, match[1], match[2]), None)
            return
        file = self._files.pop(self._absolute(process, match[1], match[2]), None)
        if name.startswith(b"rename") and (target := _PATH.match(match[3] or b"")) is not None:
            there = self._absolute(process, target[1], target[2])
            self._files.pop(there, None)
            if file is not None:
                self._files[there] = file

    def _absolute(self, process: _Process, folder: bytes | None, name: bytes) -> bytes:
        """As strace shows the path of a descriptor: without links."""
        path = os.path.join(process.cwd if folder is None else _plain(folder), _plain(name))
        try:
            return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        except (OSError, ValueError):
            return path

    # -- descriptors

    def _of(self, process: _Process, number: bytes, path: bytes | None) -> _Open | None:
        fd = int(number)
        if fd not in process.open:
            process.open[fd] = self._opened(_plain(path) if path is not None else None)
        return process.open[fd]

    def _close(self, process: _Process, name: bytes, text: bytes, value: int, path: bytes | None) -> None:
        match = _FD.match(text)
        if match is not None:
            process.open.pop(int(match[1]), None)

    def _dup(self, process: _Process, name: bytes, text: bytes, value: int, path: bytes | None) -> None:
        match = _FD.match(text)
        if match is None:
            return
        opened = self._of(process, match[1], match[2])
        arguments = match[3] or b""
        if name != b"fcntl" or arguments.startswith(b"F_DUPFD"):
            process.open[value] = opened
        elif arguments.startswith(b"F_SETFL") and opened is not None:
            opened.append = b"O_APPEND" in arguments

    def _seek(self, process: _Process, name: bytes, text: bytes, value: int, path: bytes | None) -> None:
        match = _FD.match(text)
        opened = self._of(process, match[1], match[2]) if match is not None else None
        if opened is not None:
            opened.offset = value
            if text.endswith(b"SEEK_END"):
                opened.file.size = max(opened.file.size, value)

    def _cut(self, process: _Process, name: bytes, text: bytes, value: int, path: bytes | None) -> None:
        match = _FD.match(text)
        opened = self._of(process, match[1], match[2]) if match is not None else None
        if match is None or opened is None or match[3] is None or not match[3].isdigit():
            return
        opened.file.size = int(match[3])
        if not opened.file.size:
            # For all who have it open.
            opened.file.number = self._count
            self._count += 1

    def _map(self, process: _Process, name: bytes, text: bytes, value: int, path: bytes | None) -> None:
        # The loader maps programs and libraries at every start: that is nobody's data.
        if not re.search(rb"PROT_EXEC|MAP_DENYWRITE|MAP_FIXED", text) and re.search(rb", \d+</(?!dev/)[^>]*>", text):
            self.mapped += 1

    # -- pages

    def _transfer(self, process: _Process, name: bytes, text: bytes, value: int, path: bytes | None) -> None:
        match = _FD.match(text)
        if match is None:
            return
        opened = self._of(process, match[1], match[2])
        position = None
        if name.startswith(b"p"):
            position = (_POSITION_AND_FLAGS if name.endswith(b"2") else _POSITION).search(text)
        self._touch(opened, value, b"write" in name, int(position[1]) if position is not None else None)

    def _copy(self, process: _Process, name: bytes, text: bytes, value: int, path: bytes | None) -> None:
        """C{sendfile(out, in, position)}; C{splice} and C{copy_file_range(in, position, out, position)}."""
        match = _COPY.match(text)
        if match is None:
            return
        ends = [self._of(process, match[1], match[2]), self._of(process, match[4], match[5])]
        positions = [_pointed(match[3], value), _pointed(match[6], value)]
        if name == b"sendfile":
            ends.reverse()
            positions = [positions[1], None]
        self._touch(ends[0], value, False, positions[0])
        self._touch(ends[1], value, True, positions[1])

    def _touch(self, opened: _Open | None, size: int, write: bool, position: int | None) -> None:
        if opened is None or size <= 0:
            return
        file = opened.file
        start = position if position is not None else opened.offset
        if write and opened.append:
            start = file.size
        if position is None:
            opened.offset = start + size
        if write:
            file.size = max(file.size, start + size)
        for page in range(start // PAGE, -(-(start + size) // PAGE)):
            self._request(file.number, page, write)


_KINDS = {
    name.encode(): kind
    for kind, names in {
        "open": ("open", "openat", "openat2", "creat"),
        "close": ("close",),
        "dup": ("dup", "dup2", "dup3", "fcntl"),
        "transfer": tuple(name for name in CALLS if "read" in name or "write" in name),
        "seek": ("lseek",),
        "copy": ("sendfile", "copy_file_range", "splice"),
        "cut": ("ftruncate",),
        "gone": ("truncate", "unlink", "unlinkat", "rename", "renameat", "renameat2"),
        "map": ("mmap",),
        "chdir": ("chdir", "fchdir"),
        "fork": ("clone", "clone3", "fork", "vfork"),
    }.items()
    for name in names
}


def _plain(text: bytes) -> bytes:
    """Without strace's escapes."""
    if b"\\" not in text:
        return text
    return codecs.escape_decode(text)[0]


def _pointed(text: bytes | None, moved: int) -> int | None:
    """C{[8192]}, or C{[8192 => 12288]}: where a position was before the call; C{None} for the file's own offset."""
    if text is None or text == b"NULL":
        return None
    number = re.match(rb"\[(\d+)", text)
    return int(number[1]) if number is not None else None
