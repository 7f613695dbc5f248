"""A link, made ready: opportunities by millisecond, its digest, and where train, validation and held-out begin."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.account import Account
from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.network_stack.readers import linkName, readLink
from kernelnet.workbench.splits import splitEnds
from kernelnet.workbench.trace import BaseTrace

__all__ = ["SECOND", "Trace", "loadTrace", "makeTrace"]

MIN_SECONDS = 10
REPEATED = 60
"""Seconds to which a shorter link is repeated."""

SECOND = 1000


@dataclass(frozen=True, eq=False)
class Trace(BaseTrace):
    """
    See `BaseTrace`; an event is a second, the digest is of the opportunities.

    @ivar link: opportunities by millisecond; whole seconds.
    """

    link: npt.NDArray[np.uint16]

    @property
    def seconds(self) -> int:
        return self.ends["held_out"]

    def variant(self, seed: bytes) -> Trace:
        """
        The same link from another second on, and then what was before it, as mahimahi repeats a trace.

        Which second, nobody knows before the module is done: one from the first quarter to the last.

        @param module: a digest of it.
        """
        quarter = self.seconds // 4
        start = quarter + int.from_bytes(seed[:8], "little") % (self.seconds - 2 * quarter)
        return replace(self, digest=seed.hex(), link=np.roll(self.link, -start * SECOND))


def loadTrace(path: Path) -> Trace:
    """
    Read a link.

    @raise TraceError: see `readLink`; or it is too short.
    """
    link = readLink(path)
    account = Account("mahimahi's: a millisecond on each line", figures={"opportunities": int(link.sum())})
    if 1 < len(link) < MIN_SECONDS * SECOND and link.any():
        times = -(-REPEATED * SECOND // (len(link) - 1))
        account.doubt(
            f"it lasts {(len(link) - 1) / SECOND:g} s, and is repeated {times} times, as mahimahi does: held-out is"
            " what was trained on"
        )
        link = _repeated(link, times)
    trace = replace(makeTrace(link, path), account=account)
    mean = float(trace.link.sum()) * 12 / (trace.seconds * SECOND)
    account.figures |= {"seconds": trace.seconds, "mean rate": f"{mean:.2f} Mbit/s"}
    return trace


def _repeated(link: npt.NDArray[np.uint16], times: int) -> npt.NDArray[np.uint16]:
    """The link over and over, as mahimahi does it: its last millisecond is the first one of the next time."""
    period = len(link) - 1
    whole = np.zeros(period * times + 1, np.int64)
    for start in range(0, period * times, period):
        whole[start : start + period + 1] += link
    return np.minimum(whole, np.iinfo(np.uint16).max).astype(np.uint16)


def makeTrace(link: npt.NDArray[np.uint16], path: Path) -> Trace:
    """Make a trace of opportunities by millisecond; C{path} is for its name and for errors."""
    seconds = len(link) // SECOND
    if seconds < MIN_SECONDS:
        raise TraceError(path, None, f"it lasts {seconds} seconds", f"at least {MIN_SECONDS} are needed")
    link = np.ascontiguousarray(link[: seconds * SECOND], dtype="<u2")
    digest = hashlib.sha256(b"kernelnet network_stack link 1\n" + link.tobytes()).hexdigest()
    return Trace(linkName(path), digest, splitEnds(seconds), link)
