"""
Readers of data sets of system-call sequences.

==============================  ===========================================================================
file name                       content
==============================  ===========================================================================
C{*.txt}, C{*.txt.xz},          C{# kernelnet syscalls 1}, then a sequence on each line: its label, C{learn},
C{*.txt.gz}                     C{normal} or C{attack:KIND:INSTANCE}, and its calls, by name or number
C{*.zip}, C{*.tar},             files in folders, which say what they are: C{learn/}, C{normal/},
C{*.tar.gz}, C{*.tar.xz}        C{attack/KIND/} or C{attack/KIND_INSTANCE/}; or those of ADFA-LD,
                                C{Training_Data_Master}, C{Validation_Data_Master} and C{Attack_Data_Master}
==============================  ===========================================================================

A file in an archive has one sequence or several, and is recognised by what is in it:

  - ADFA-LD (U{https://research.unsw.edu.au/projects/adfa-ids-datasets}): numbers of calls, one sequence;
  - the University of New Mexico's, as STIDE reads them: a process and the number of a call on each line;
  - the text that C{strace} or C{strace -f} writes: one sequence for each process.

Without C{learn} the first third of the normal sequences is learned from.  Calls with names and calls with numbers are
never the same: a data set has one or the other.
"""

from __future__ import annotations

import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.reading import BOM, nameOf, opened, pieces, plainName, shown, wholeLines
from kernelnet.workbench.security.strace import isStrace, straceSequences

__all__ = ["FIRST_LINE", "Sequence", "readSequences", "traceName"]

FIRST_LINE = "# kernelnet syscalls 1"

MAX_BYTES = 1 << 30
"""Decompressed, of all that is read of a data set."""

MAX_MEMBER = 128 << 20
"""Decompressed, of one file in a zip, which is read as a whole."""

MAX_CALLS = 1 << 24
MAX_SEQUENCES = 1 << 16
MAX_DISTINCT = 4096
MAX_NUMBER = 1 << 16

_NUMBER = re.compile(rb"[0-9]{1,5}")
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{0,39}")
_LABEL = re.compile(rb"(learn|normal)|attack:([A-Za-z0-9_.+-]{1,40})(?::([A-Za-z0-9_.+-]{1,40}))?")
_FOLDERS = {
    **dict.fromkeys(("training_data_master", "learn"), "learn"),
    **dict.fromkeys(("validation_data_master", "normal"), "normal"),
    **dict.fromkeys(("attack_data_master", "attack"), "attack"),
}
_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, NotImplementedError, RuntimeError, ValueError),
)
_RIGHT_LINE = "each line should be learn, normal or attack:KIND:INSTANCE, and then its calls"
_RIGHT_FOLDERS = "it should have learn/, normal/ and attack/KIND/, or the three folders of ADFA-LD"
_RIGHT_CALL = f"a call should be a name or a number below {MAX_NUMBER}"
_RIGHT_FILE = "it should have the numbers of calls, lines with a process and a call, or what strace writes"

Calls = npt.NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Sequence:
    """
    The calls of one process, or of a part of it.

    @ivar label: C{"learn"}, C{"normal"} or C{"attack"}.
    @ivar kind: which attack.
    @ivar instance: which time.
    @ivar calls: numbers of calls, at least one; what they mean, only the reader knows.
    """

    label: str
    kind: str
    instance: str
    calls: Calls


def traceName(path: Path) -> str:
    """The file's name without what tells its format."""
    return nameOf(path, (".txt", ".zip", ".tar", ".tgz", ".tbz2", ".txz"))


def readSequences(path: Path) -> list[Sequence]:
    """@raise TraceError: it can't be read or isn't what its name says."""
    if path.name.lower().endswith(".zip"):
        found = _zip(path)
    elif plainName(path).endswith((".tar", ".tgz", ".tbz2", ".txz")):
        found = _tar(path)
    elif plainName(path).endswith(".txt"):
        found = _text(path)
    else:
        wrong = f"no data set has names like {path.name!r}"
        raise TraceError(
            path,
            None,
            wrong,
            "it should end in .zip, .tar or .txt, the latter two perhaps with .gz, .bz2, .xz or .zst behind",
        )
    sequences, calls = [], 0
    for sequence in found:
        if not len(sequence.calls):
            continue
        sequences.append(sequence)
        calls += len(sequence.calls)
        for what, there, most in (("calls", calls, MAX_CALLS), ("sequences", len(sequences), MAX_SEQUENCES)):
            if there > most:
                raise TraceError(path, None, f"more than {most} {what}", "use a part of it")
    if sequences and len(np.unique(np.concatenate([s.calls for s in sequences]))) > MAX_DISTINCT:
        raise TraceError(path, None, f"more than {MAX_DISTINCT} different calls", "no system has so many")
    return sequences


class _Numbers:
    """Calls by name get numbers above those of calls by number."""

    def __init__(self) -> None:
        self._names: dict[bytes, int] = {}

    def of(self, tokens: list[bytes], path: str | Path, line: int | None) -> Calls:
        numbers = []
        for token in tokens:
            if _NUMBER.fullmatch(token) and int(token) < MAX_NUMBER:
                numbers.append(int(token))
            elif _NAME.fullmatch(token) and len(self._names) <= MAX_DISTINCT:
                numbers.append(self._names.setdefault(token, MAX_NUMBER + len(self._names)))
            else:
                raise TraceError(path, line, f"{shown(token)} is not a call", _RIGHT_CALL)
        return np.array(numbers, np.uint32)


# --- our own format --------------------------------------------------------------------------------------


def _text(path: Path) -> Iterator[Sequence]:
    numbers, number, total = _Numbers(), 0, 0
    for piece in wholeLines(path, pieces(path), _RIGHT_LINE):
        total += len(piece)
        if total > MAX_BYTES:
            raise TraceError(path, None, f"more than {MAX_BYTES >> 20} MiB uncompressed", "use a part of it")
        for line in piece.removesuffix(b"\n").split(b"\n"):
            number += 1
            if number == 1:
                _checkHeader(path, line)
            elif (fields := line.split()) and not fields[0].startswith(b"#"):
                yield _labelled(path, number, fields, numbers)
    if not number:
        _checkHeader(path, b"")


def _checkHeader(path: Path, line: bytes) -> None:
    if line.strip() != FIRST_LINE.encode("ascii"):
        right = f"it should be {FIRST_LINE!r}; what strace or others wrote belongs into the folders of a zip"
        raise TraceError(path, 1, f"the first line is {shown(line.strip())}", right)


def _labelled(path: Path, number: int, fields: list[bytes], numbers: _Numbers) -> Sequence:
    label = _LABEL.fullmatch(fields[0])
    if label is None:
        raise TraceError(path, number, f"{shown(fields[0])} is not a label", _RIGHT_LINE)
    what, kind, instance = (part.decode("ascii") if part else "" for part in label.groups())
    return Sequence(what or "attack", kind, instance, numbers.of(fields[1:], path, number))


# --- files in an archive --------------------------------------------------------------------------------------


def _zip(path: Path) -> Iterator[Sequence]:
    numbers, total, found = _Numbers(), 0, False
    try:
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.infolist(), key=lambda member: _natural(member.filename)):
                label = None if member.is_dir() else _labelOf(member.filename)
                if label is None:
                    continue
                found = True
                with archive.open(member) as stream:
                    data = _whole(path, member.filename, stream)
                total += len(data)
                if total > MAX_BYTES:
                    raise TraceError(path, None, f"more than {MAX_BYTES >> 20} MiB uncompressed", "use a part of it")
                where = f"{path}!{_plain(member.filename)}"
                for calls in _sequences(where, data, numbers):
                    yield Sequence(*label, calls)
    except _ZIP_ERRORS as e:
        wrong = f"not a whole zip file, or one of an unusual kind ({e})"
        raise TraceError(path, None, wrong, "make it again with zip") from None
    except OSError as error:
        raise TraceError(path, None, error.strerror or str(error), "it should be a readable file") from None
    if not found:
        raise TraceError(path, None, "no file in a folder that says what it is", _RIGHT_FOLDERS)


def _tar(path: Path) -> Iterator[Sequence]:
    """The same files in a tar, in the same order, whatever order the archive has."""
    numbers, total = _Numbers(), 0
    found: list[tuple[list[tuple[int, int, str]], Sequence]] = []
    try:
        with opened(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                label = _labelOf(member.name) if member.isfile() else None
                content = archive.extractfile(member) if label is not None else None
                if label is None or content is None:
                    continue
                data = _whole(path, member.name, content)
                total += len(data)
                if total > MAX_BYTES:
                    raise TraceError(path, None, f"more than {MAX_BYTES >> 20} MiB uncompressed", "use a part of it")
                key = _natural(member.name)
                for calls in _sequences(f"{path}!{_plain(member.name)}", data, numbers):
                    found.append((key, Sequence(*label, calls)))
                    if len(found) > MAX_SEQUENCES:
                        raise TraceError(path, None, f"more than {MAX_SEQUENCES} sequences", "use a part of it")
    except tarfile.TarError as error:
        raise TraceError(path, None, f"not a whole tar file ({error})", "make it again with tar") from None
    if not found:
        raise TraceError(path, None, "no file in a folder that says what it is", _RIGHT_FOLDERS)
    yield from (sequence for _, sequence in sorted(found, key=lambda entry: entry[0]))


def _plain(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)[:200]


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts C{x10} behind C{x2}."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return [(0, int(part), "") if part[0].isdigit() and part.isascii() else (1, 0, part) for part in parts]


def _labelOf(name: str) -> tuple[str, str, str] | None:
    """Label, kind and instance of a file in an archive; C{None} for what is none of ours."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if any(part.startswith((".", "__MACOSX")) for part in parts):
        return None
    for index, part in enumerate(parts[:-1]):
        label = _FOLDERS.get(part.lower())
        if label is None:
            continue
        if label != "attack":
            return label, "", ""
        behind = parts[index + 1 :]
        folder = re.fullmatch(r"(.+)[_-]([0-9]+)", behind[0])
        if len(behind) > 1 and folder:
            return label, folder[1], folder[2]
        return label, behind[0], behind[1] if len(behind) > 1 else ""
    return None


def _whole(path: Path, name: str, stream: IO[bytes]) -> bytes:
    # What the archive says of the size is not believed.
    data = stream.read(MAX_MEMBER + 1)
    if len(data) > MAX_MEMBER:
        wrong = f"{shown(name.encode('utf-8', errors='replace'))} has more than {MAX_MEMBER >> 20} MiB"
        raise TraceError(path, None, wrong, "use a part of it")
    return data


def _sequences(where: str, data: bytes, numbers: _Numbers) -> Iterable[Calls]:
    data = data.removeprefix(BOM)
    lines = data.split(b"\n", 64)[:64]
    if isStrace(lines):
        return [numbers.of(names, where, None) for names in straceSequences(data.splitlines(), where)]
    filled = [line.split() for line in lines if line.strip()]
    if len(filled) > 1 and all(len(fields) == 2 for fields in filled):
        return _pairs(where, data, numbers)
    if not data.translate(None, b"0123456789 \t\r\n"):
        return [numbers.of(data.split(), where, None)]
    for number, line in enumerate(data.split(b"\n"), 1):
        for token in line.split():
            if not _NUMBER.fullmatch(token):
                raise TraceError(where, number, f"{shown(token)} is not the number of a call", _RIGHT_FILE)
    raise TraceError(where, None, "not text", _RIGHT_FILE)


def _pairs(where: str, data: bytes, numbers: _Numbers) -> Iterable[Calls]:
    """Lines of a process and a call: one sequence for each process, in the order of their first calls."""
    processes: dict[bytes, list[bytes]] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or not all(_NUMBER.fullmatch(field) or field.isdigit() for field in fields):
            right = "each line should have a process and a call, two whole numbers"
            raise TraceError(where, number, f"{shown(line.strip())} is no such pair", right)
        processes.setdefault(fields[0], []).append(fields[1])
    return [numbers.of(calls, where, None) for calls in processes.values()]
