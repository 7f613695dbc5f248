"""Frames as readers of recordings give them, whatever the format."""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kernelnet.workbench.account import MAX_FIRST, Account
from kernelnet.workbench.errors import TraceError

__all__ = [
    "DEFAULT_PERIOD",
    "FIRST_LINE",
    "MAX_COMMITS",
    "MAX_FRAMES",
    "MAX_SURFACES",
    "MAX_WORK",
    "Frames",
    "writeFrames",
]

DEFAULT_PERIOD = 16_667
"""Microseconds: 60 Hz, as most screens have it, where a compositor's recording doesn't say."""

FIRST_LINE = "# kernelnet repaint 1: begin_us cpu_us gpu_us surfaces"
"""The first line of our own format."""

MAX_FRAMES = 1 << 20
MAX_COMMITS = 1 << 22
MAX_SURFACES = 1 << 16
MAX_IN_ONE = 64
"""Surfaces that change in one frame; of more the last ones count."""

MAX_WORK = 10_000_000
"""Microseconds: a repaint of more than ten seconds is no repaint, but a machine that slept."""


@dataclass
class Frames:
    """
    Frames read of a recording, in its order; times in microseconds.

    @ivar begin: when the repaint began, from wherever the recording counts.
    @ivar work: how long it took, of CPU and GPU together.
    @ivar commits: by frame: what changed, as C{(surface, at)}; C{at}: how long after the vblank before.
    @ivar period: between two vblanks, where the recording says; 0: it doesn't.
    @ivar account: how the recording was read.
    """

    path: Path
    begin: list[int] = field(default_factory=list)
    work: list[int] = field(default_factory=list)
    commits: list[tuple[tuple[str, int], ...]] = field(default_factory=list)
    period: int = 0
    account: Account = field(default_factory=Account)
    surfaces: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def add(self, begin: int, work: int, commits: Iterable[tuple[str, int]] = ()) -> None:
        """
        One more frame; one whose work can't be right is left out, and the account says so.

        @param commits: of a surface that is there several times the last one counts.
        @raise TraceError: these are too many.
        """
        if not 0 <= work <= MAX_WORK:
            self.account.skipped[f"frames of more than {MAX_WORK // 1_000_000} s, or less than none"] += 1
            return
        ordered = sorted(dict(commits).items(), key=lambda commit: commit[1])[-MAX_IN_ONE:]
        for surface, _ in ordered:
            self.surfaces.setdefault(surface, len(self.surfaces))
        self.total += len(ordered)
        for many, most, what in (
            (len(self.work) + 1, MAX_FRAMES, "frames"),
            (self.total, MAX_COMMITS, "changes of surfaces"),
            (len(self.surfaces), MAX_SURFACES, "surfaces"),
        ):
            if many > most:
                raise TraceError(self.path, None, f"more than {most} {what}", "use a part of it")
        self.begin.append(begin)
        self.work.append(work)
        self.commits.append(tuple(ordered))
        if len(self.account.first) < MAX_FIRST:
            changed = ", ".join(f"{surface[:20]} at {at}" for surface, at in ordered[:4]) or "nobody says"
            self.account.first.append((f"frame {len(self.work)}", f"work {work} µs; changed: {changed}"))


def writeFrames(frames: Frames, out: Path) -> None:
    """
    Write frames in our own format, the first at 0, surfaces as numbers in the order of first appearance; xz.

    All work is written as the CPU's: what the GPU did of it counts the same.
    """
    lines = [FIRST_LINE, f"# period {frames.period or DEFAULT_PERIOD}"]
    for begin, work, commits in zip(frames.begin, frames.work, frames.commits, strict=True):
        changed = ",".join(
            f"{frames.surfaces[name]}@{at}" if at else str(frames.surfaces[name]) for name, at in commits
        )
        lines.append(f"{begin - frames.begin[0]} {work} 0 {changed or '-'}")
    text = "\n".join(lines) + "\n"
    out.write_bytes(lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME))
