"""
Collections of SchedViz's C{trace.sh} (U{https://github.com/google/schedviz}), made into bursts as `ftrace` makes them.

A C{.tar.gz} with C{formats/sched/*/format}, as in tracefs, and C{traces/cpu*}, each the pages of a CPU's ring buffer as
C{trace_pipe_raw} gives them: a time stamp of eight bytes, eight bytes whose lowest ones say how much follows, then
events.  Each begins with 32 bits: 5 for its kind or length, 27 for nanoseconds since the one before
(U{https://docs.kernel.org/trace/ring-buffer-design.html}, C{include/linux/ring_buffer.h}).  Little-endian machines
only.
"""

from __future__ import annotations

import gzip
import re
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.process_manager.ftrace import Bursts
from kernelnet.workbench.process_manager.tasks import Tasks

__all__ = ["readCollection"]

MAX_BYTES = 256 << 20
"""Of all that is read of a collection, decompressed."""

PAGE = 4096
_HEAD = 16
_PADDING, _EXTEND, _STAMP = 29, 30, 31
_MISSED, _STORED = 1 << 31, 1 << 30
"""Bits beside the length: C{RB_MISSED_EVENTS} and C{RB_MISSED_STORED} of C{kernel/trace/ring_buffer.c}."""

_LOST = -1
"""Kind of what says that events were lost; its data, how many, is empty where that isn't known."""

_ASLEEP = 0x2FF
"""Bits of C{prev_state} of which a thread that sleeps or has ended has one; others mean that it was preempted."""

_RIGHT = "it should be a collection of SchedViz's trace.sh, with formats/sched/*/format and traces/cpu*"
_FIELD = re.compile(r"field:.*?(\w+)(?:\[\d+\])?;\s*offset:(\d+);\s*size:(\d+);")
_NUMBERS = {2: "<H", 4: "<i", 8: "<q"}

Event = tuple[int, int, int, bytes]
"""Nanoseconds; the CPU; the kind; and the fields."""


@dataclass
class _Format:
    """Where an event's fields are."""

    name: str
    identifier: int
    fields: dict[str, tuple[int, int]]

    def number(self, data: bytes, field: str) -> int:
        offset, size = self.fields[field]
        value: int = struct.unpack_from(_NUMBERS[size], data, offset)[0]
        return value

    def text(self, data: bytes, field: str) -> str:
        offset, size = self.fields[field]
        return data[offset : offset + size].split(b"\0", 1)[0].decode("latin-1")


def readCollection(path: Path) -> Tasks:
    """@raise TraceError: it isn't one, or is damaged."""
    formats: dict[int, _Format] = {}
    buffers: dict[int, bytes] = {}
    total = 0
    try:
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                total += member.size + 512
                if total > MAX_BYTES:
                    raise TraceError(path, None, f"more than {MAX_BYTES >> 20} MiB uncompressed", "use a part of it")
                content = archive.extractfile(member) if member.isfile() else None
                if content is None:
                    continue
                if re.fullmatch(r"(.*/)?formats/sched/sched_\w+/format", member.name):
                    known = _format(content.read().decode("latin-1"))
                    formats[known.identifier] = known
                elif match := re.fullmatch(r"(.*/)?traces/cpu(\d{1,5})", member.name):
                    buffers[int(match[2])] = content.read()
        return _bursts(path, formats, buffers)
    except (EOFError, gzip.BadGzipFile, zlib.error, tarfile.TarError) as error:
        raise TraceError(path, None, f"not a whole .tar.gz ({error})", _RIGHT) from None
    except (struct.error, KeyError, ValueError, AttributeError, IndexError) as error:
        raise TraceError(path, None, f"damaged ({type(error).__name__}: {error})", _RIGHT) from None
    except OSError as error:
        raise TraceError(path, None, error.strerror or str(error), "it should be a readable file") from None


def _format(text: str) -> _Format:
    name, identifier = re.search(r"^name: (\w+)$", text, re.M), re.search(r"^ID: (\d+)$", text, re.M)
    if name is None or identifier is None:
        raise ValueError("a format without name and ID")
    fields = {match[1]: (int(match[2]), int(match[3])) for match in _FIELD.finditer(text)}
    return _Format(name[1], int(identifier[1]), fields)


def _bursts(path: Path, formats: dict[int, _Format], buffers: dict[int, bytes]) -> Tasks:
    wanted = {form.name for form in formats.values()}
    if "sched_switch" not in wanted or not buffers:
        raise TraceError(path, None, "no sched_switch events in it", _RIGHT)
    bursts = Bursts(path)
    bursts.tasks.cpus = len(buffers)
    events = sorted(event for cpu, pages in buffers.items() for event in _events(cpu, pages))
    for now, cpu, kind, data in events:
        if kind == _LOST:
            bursts.lost(str(cpu), int.from_bytes(data, "little"))
            continue
        form = formats.get(kind)
        if form is None:
            continue
        if form.name in {"sched_wakeup", "sched_wakeup_new"}:
            target = str(form.number(data, "target_cpu")) if "target_cpu" in form.fields else ""
            bursts.woken(str(form.number(data, "pid")), now, target)
        elif form.name == "sched_switch":
            previous, following = form.number(data, "prev_pid"), form.number(data, "next_pid")
            if previous:
                asleep = bool(form.number(data, "prev_state") & _ASLEEP)
                bursts.stops(str(previous), form.text(data, "prev_comm"), now, sleeps=asleep)
            if following:
                bursts.runs(str(following), now, str(cpu))
    bursts.tasks.account.format = "a collection of SchedViz"
    return bursts.end()


def _events(cpu: int, pages: bytes) -> Iterator[Event]:
    """The events of a CPU."""
    for page in range(0, len(pages) - _HEAD, PAGE):
        now, commit = struct.unpack_from("<QQ", pages, page)
        at = page + _HEAD
        if commit & _MISSED:
            # Events were lost before this page; how many may stand behind its last.
            stored = at + (commit & 0xFFFFF)
            yield now, cpu, _LOST, pages[stored : stored + 8] if commit & _STORED else b""
        end = min(at + (commit & 0xFFFFF), page + PAGE, len(pages))
        while at + 4 <= end:
            head = struct.unpack_from("<I", pages, at)[0]
            kind, delta = head & 31, head >> 5
            if kind == _PADDING:
                if not delta:
                    break
                at += 4 + struct.unpack_from("<I", pages, at + 4)[0]
            elif kind in {_EXTEND, _STAMP}:
                high = struct.unpack_from("<I", pages, at + 4)[0] << 27
                now = now + delta + high if kind == _EXTEND else delta + high
                at += 8
            else:
                length = 4 * kind or struct.unpack_from("<I", pages, at + 4)[0] - 4
                begin = at + (4 if kind else 8)
                if length < 2 or begin + length > end:
                    break
                now += delta
                yield now, cpu, struct.unpack_from("<H", pages, begin)[0], pages[begin : begin + length]
                at = begin + (length + 3 & ~3)
