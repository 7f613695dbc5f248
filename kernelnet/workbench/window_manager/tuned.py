"""
Hand-made policies with their knobs tuned: a rival at its defaults is no rival.

Each is the C file of a hand-made policy in C{baselines/} with other numbers between its comments C{begin parameters}
and C{end parameters}.  C{python benchmarks/pointer.py --tune} searched them: the numbers that make the mean, over
training parts of several users and devices at two horizons, of the error over that of no prediction the least.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["TUNED", "withNumbers"]

TUNED: Mapping[str, tuple[str, Mapping[str, float]]] = {}
"""By name: the hand-made policy, and its numbers."""


def withNumbers(source: str, numbers: Mapping[str, float]) -> str:
    """
    A source with other numbers.

    @raise ValueError: it has no such number.
    """
    for name, value in numbers.items():
        source, found = re.subn(rf"^(#define {name} )\S+", rf"\g<1>{value!r}", source, flags=re.MULTILINE)
        if found != 1:
            raise ValueError(f"the source has no number {name}")
    return source
