"""A link, made ready: opportunities by millisecond, its digest, and where train, validation and held-out begin."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.network_stack.readers import linkName, readLink
from kernelnet.workbench.splits import splitEnds
from kernelnet.workbench.trace import BaseTrace

__all__ = ["SECOND", "Trace", "loadTrace", "makeTrace"]

MIN_SECONDS = 10
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
    return makeTrace(readLink(path), path)


def makeTrace(link: npt.NDArray[np.uint16], path: Path) -> Trace:
    """Make a trace of opportunities by millisecond; C{path} is for its name and for errors."""
    seconds = len(link) // SECOND
    if seconds < MIN_SECONDS:
        right = f"at least {MIN_SECONDS} are needed; it is not repeated, as held-out would be what was trained on"
        raise TraceError(path, None, f"it lasts {seconds} seconds", right)
    link = np.ascontiguousarray(link[: seconds * SECOND], dtype="<u2")
    digest = hashlib.sha256(b"kernelnet network_stack link 1\n" + link.tobytes()).hexdigest()
    return Trace(linkName(path), digest, splitEnds(seconds), link)
