"""Sizes in bytes as users write them."""

from __future__ import annotations

import re

__all__ = ["parseSize"]

_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parseSize(text: str) -> int:
    """
    C{50MB} and the like → bytes.

    @raise ValueError: it is none.
    """
    match = re.fullmatch(r"([0-9]{1,15})([KMGT]?B)?", text.strip(), re.ASCII)
    if match is None:
        raise ValueError(f"a size such as 10GB or 50MB, not {text!r}")
    return int(match[1]) * _SIZES[match[2] or "B"]
