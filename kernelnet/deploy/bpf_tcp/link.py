"""One connection over the bench's link in real time, and what it loses by the bench's own score."""

from __future__ import annotations

import contextlib
import math
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.deploy.errors import DeployError

__all__ = ["Link", "Passage", "Second", "built", "lost", "parse"]

SECOND = 1000
SOURCE = Path(__file__).with_name("link.c")

LATE = 10
"""Tenths of a millisecond: so late a millisecond's turn is one that counts as late."""

MOST_LATE = 0.005
"""Share of late turns above which a run doesn't count."""

LATEST = 300
"""Tenths of a millisecond: with a turn so late a run doesn't count."""


@dataclass(frozen=True)
class Second:
    """
    @ivar offered: opportunities; C{taken}: packets that the link took; C{delay}: the sum of their round trips in ms.
    @ivar dropped: packets that found the queue full.
    """

    offered: int
    taken: int
    delay: int
    dropped: int


@dataclass(frozen=True)
class Passage:
    """
    @ivar late: how many turns of the link came so late, by tenths of a millisecond; the greatest is for all above.
    @ivar isRealTime: whether all of it had real-time priority.
    """

    seconds: tuple[Second, ...]
    retransmitted: int
    late: dict[int, int]
    isRealTime: bool

    @property
    def shareLate(self) -> float:
        return sum(count for tenths, count in self.late.items() if tenths >= LATE) / max(1, sum(self.late.values()))

    @property
    def latest(self) -> float:
        """In milliseconds."""
        return max(self.late, default=0) / 10

    def spoiled(self) -> str | None:
        """Why it doesn't count; C{None}: it does."""
        if self.shareLate > MOST_LATE or max(self.late, default=0) >= LATEST:
            return (
                f"{self.shareLate:.2%} of the link's turns were late by 1 ms or more, the latest by"
                f" {self.latest:.1f} ms; at most {MOST_LATE:.1%} and less than {LATEST / 10:.0f} ms are right:"
                " let the machine be quieter"
            )
        return None


def lost(seconds: tuple[Second, ...], base: int) -> float:
    """
    Thousandths of log2 of throughput over delay that are lost a second, beside the omniscient sender.

    As the bench's C{driver.c} has it for one flow; the first second, in which the connection begins, isn't counted.

    @param base: round trip without waiting, in ms.
    """
    total = 0.0
    for each in seconds[1:]:
        second = math.log2(each.offered + 1) - math.log2(each.taken + 1)
        if each.taken:
            second += math.log2(each.delay) - math.log2(each.taken) - math.log2(base)
        total += max(0.0, second)
    return 1000 * total / max(1, len(seconds) - 1)


@contextlib.contextmanager
def built() -> Iterator[Path]:
    """
    The link's program, compiled.

    @raise DeployError: it can't be.
    """
    with tempfile.TemporaryDirectory(prefix="kernelnet-link-") as folder:
        program = Path(folder, "link")
        command = ["clang", "-O2", "-o", str(program), str(SOURCE), "-lpthread"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DeployError(f"can't compile the link: {error}") from None
        if done.returncode:
            raise DeployError(f"can't compile the link: {(done.stderr.splitlines() or ['no word'])[0][:200]}")
        yield program


@dataclass(frozen=True)
class Link:
    """
    @ivar program: see `built`.
    @ivar opportunities: by millisecond; whole seconds.
    @ivar base: round trip without waiting, in ms; C{queue}: packets that wait at most.
    """

    program: Path
    opportunities: npt.NDArray[np.uint16]
    base: int
    queue: int

    def run(self, control: str) -> Passage:
        """
        Let one connection send as much as it may from begin to end.

        @param control: name of a congestion control that the kernel has.
        @raise DeployError: it can't be done here; the text has the reason.
        """
        path = self.program.with_name("opportunities")
        path.write_bytes(self.opportunities.astype("<u2").tobytes())
        command = [str(self.program), control, str(path), str(self.base), str(self.queue)]
        seconds = len(self.opportunities) // SECOND
        # It ends with this process, whatever ends that; in a session of its own Ctrl-C comes to this one alone.
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            try:
                said, wrong = process.communicate(timeout=seconds + 30)
            except subprocess.TimeoutExpired:
                raise DeployError(f"the link doesn't end after {seconds + 30} s") from None
            finally:
                process.kill()
        if process.returncode:
            raise DeployError(f"no link with {control}: {(wrong.splitlines() or ['no word'])[-1][:200]}")
        return parse(said)


def parse(said: str) -> Passage:
    """Passage of which the link's program says this."""
    seconds: list[Second] = []
    retransmitted, late, isRealTime = 0, dict[int, int](), False
    for line in said.splitlines():
        head, *rest = line.split()
        if head == "second":
            offered, taken, delay, dropped = map(int, rest)
            seconds.append(Second(offered, taken, delay, dropped))
        elif head == "retransmitted":
            retransmitted = int(rest[0])
        elif head == "late":
            late = {int(tenths): int(count) for tenths, count in (each.split(":") for each in rest)}
        elif head == "realtime":
            isRealTime = rest == ["1"]
    return Passage(tuple(seconds), retransmitted, late, isRealTime)
