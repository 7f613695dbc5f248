"""
Hand-made policies with other numbers than their authors': a rival at its defaults is no rival.

A bench names them in C{BaseWorkbench.tuned}; how each bench's were chosen on train stands beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["Tuned", "withNumbers"]

Tuned = Mapping[str, tuple[str, Mapping[str, float]]]
"""By name: the hand-made policy, and the numbers that it has instead of its own."""


def withNumbers(source: str, numbers: Mapping[str, float]) -> str:
    """
    A policy's source with other numbers: each is the value of a C{#define}.

    @raise ValueError: it has no such number.
    """
    for name, value in numbers.items():
        source, found = re.subn(rf"^(#define {name} )\S+", rf"\g<1>{value!r}", source, flags=re.MULTILINE)
        if found != 1:
            raise ValueError(f"the source has no number {name}")
    return source
