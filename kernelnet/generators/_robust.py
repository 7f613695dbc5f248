"""Which of the best to hand over: not the luckiest on train, but one that holds up on all of it."""

from __future__ import annotations

from collections.abc import Sequence

from kernelnet.generators._candidate import Candidate
from kernelnet.generators._family import Found, Metered

__all__ = ["FINALISTS", "choose"]

FINALISTS = 50
"""Of each family so many are looked at in the end."""


def choose(problem: Metered, found: Sequence[Found]) -> Candidate | None:
    """@param found: best first."""
    return found[0].candidate if found else None
