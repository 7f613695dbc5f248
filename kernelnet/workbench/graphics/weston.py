"""
Weston's timeline, as C{weston-debug timeline} writes it: JSON objects, one after the other.

  - C{core_commit_damage}: a client has committed a surface (C{ws}) with damage; in logs of older versions
    C{core_repaint_req} has the surfaces in its causes (C{C});
  - C{core_repaint_finished}: the output (C{wo}) has shown what was posted, at C{vblank_monotonic} (C{vblank} in older
    versions), or where that isn't said, now (C{T});
  - C{core_repaint_begin}, C{core_repaint_posted}: its repaint begins, and is given to the screen;
  - C{renderer_gpu_end}: the GPU is done with it, at C{gpu}.

Times are seconds and nanoseconds of the machine's monotonic clock.  A frame's commits are those since the repaint
before began, and each is after the vblank by so much as it came later.  Of several outputs the one with the most
repaints is read.  Objects that aren't timepoints, and other timepoints, are passed over; the last object may be cut
off, as it is where the program was ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.graphics.frames import MAX_FRAMES, MAX_SURFACES, Frames

__all__ = ["readTimeline"]

MAX_OBJECT = 64 << 10
MAX_OUTPUTS = 16
MAX_PENDING = 4096
"""Commits that wait for a repaint; of more the last ones count."""

_RIGHT = 'it should be like { "T":[1253, 813285873], "N":"core_repaint_begin", "wo":2 }'
_Raw = tuple[int, int, list[tuple[str, int]]]


@dataclass
class _Output:
    """
    One that is painted; times in nanoseconds.

    @ivar vblank: the last one; C{began}: the repaint under way, 0 where none is.
    @ivar raw: of each frame its begin, its end, and its commits with their times after the vblank in microseconds.
    """

    vblank: int = 0
    began: int = 0
    raw: list[_Raw] = field(default_factory=list)
    pending: list[tuple[str, int]] = field(default_factory=list)


def readTimeline(path: Path, lines: Iterator[tuple[int, str]]) -> Frames:
    """@raise TraceError: it isn't what it should be; names the line."""
    frames = Frames(path)
    account = frames.account
    account.format = "Weston's timeline"
    account.columns = {
        "core_commit_damage": "a surface has changed",
        "core_repaint_finished": "vblank",
        "core_repaint_begin": "the repaint begins",
        "core_repaint_posted": "it ends",
    }
    outputs: dict[str, _Output] = {}
    for number, point in _objects(path, lines, account.skipped):
        name = point.get("N")
        if not isinstance(name, str):
            continue
        now = _time(path, number, point.get("T"))
        if name == "core_commit_damage":
            _commit(outputs, _id(path, number, point, "ws"), now)
            continue
        if not name.startswith(("core_repaint_", "renderer_gpu_end")):
            continue
        output = _output(path, number, outputs, _id(path, number, point, "wo"))
        if name == "core_repaint_finished":
            vblank = point.get("vblank_monotonic", point.get("vblank"))
            output.vblank = now if vblank is None else _time(path, number, vblank)
        elif name == "core_repaint_begin":
            output.began = now
        elif name == "core_repaint_posted" and output.began:
            _posted(path, output, now)
        elif name == "core_repaint_req":
            causes = point.get("C")
            for cause in causes if isinstance(causes, list) else []:
                if isinstance(cause, dict) and isinstance(cause.get("ws"), int):
                    _commit({"": output}, str(cause["ws"]), now)
        elif name == "renderer_gpu_end" and output.raw:
            began, ended, commits = output.raw[-1]
            output.raw[-1] = (began, max(ended, _time(path, number, point.get("gpu"))), commits)
    if not outputs:
        raise TraceError(path, None, "no output is painted in it", "it should have core_repaint_begin and others")
    most = max(outputs.values(), key=lambda output: len(output.raw))
    if (others := sum(len(output.raw) for output in outputs.values()) - len(most.raw)) > 0:
        account.skipped["repaints of other outputs"] += others
    for began, ended, commits in most.raw:
        frames.add(began // 1000, (ended - began) // 1000, commits)
    account.doubt("the timeline doesn't say how often the screen is refreshed: 60 Hz, unless period_us is set")
    return frames


def _objects(path: Path, lines: Iterator[tuple[int, str]], skipped: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects, each with the line that it begins in: that begins with its brace, and no other line of it does."""
    first, text = 0, ""
    for number, line in lines:
        if line.startswith("{") and text:
            yield first, _parsed(path, first, text)
            text = ""
        if not text:
            if not line.strip():
                continue
            first = number
        text += line + "\n"
        if len(text) > MAX_OBJECT:
            raise TraceError(path, first, f"an object of more than {MAX_OBJECT >> 10} KiB", _RIGHT)
    if text:
        try:
            yield first, _parsed(path, first, text)
        except TraceError:
            skipped["an object at the end that was cut off"] += 1


def _parsed(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TraceError(path, number, f"{text.strip()[:60]!r} is no object", _RIGHT)
    return found


def _time(path: Path, number: int, value: Any) -> int:
    """Nanoseconds."""
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(type(part) is int for part in value)
        or not (0 <= value[0] < 1 << 32 and 0 <= value[1] < 10**9)
    ):
        raise TraceError(path, number, f"{str(value)[:60]!r} is no time", "it should be like [1253, 813285873]")
    return int(value[0] * 10**9 + value[1])


def _id(path: Path, number: int, point: dict[str, Any], name: str) -> str:
    value = point.get(name)
    if type(value) is not int or not 0 <= value < 1 << 32:
        raise TraceError(path, number, f"{name} is {str(value)[:60]!r}", _RIGHT)
    return str(value)


def _output(path: Path, number: int, outputs: dict[str, _Output], name: str) -> _Output:
    if name not in outputs and len(outputs) == MAX_OUTPUTS:
        raise TraceError(path, number, f"more than {MAX_OUTPUTS} outputs", "use a log of fewer")
    return outputs.setdefault(name, _Output())


def _commit(outputs: dict[str, _Output], surface: str, now: int) -> None:
    """Nobody says on which output a surface is: it counts for all that there are."""
    for output in outputs.values():
        output.pending.append((surface, now))
        del output.pending[:-MAX_PENDING]


def _posted(path: Path, output: _Output, now: int) -> None:
    vblank = output.vblank or output.began
    known = [(surface, max(0, at - vblank) // 1000) for surface, at in output.pending if at <= output.began]
    output.pending = [commit for commit in output.pending if commit[1] > output.began]
    output.raw.append((output.began, now, known[-MAX_SURFACES:]))
    output.began = 0
    if len(output.raw) > MAX_FRAMES:
        raise TraceError(path, None, f"more than {MAX_FRAMES} frames", "use a part of it")
