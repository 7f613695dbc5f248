"""Spans of time as a user writes them: C{30d}, C{12h}, C{15m}, C{90s}."""

from __future__ import annotations

import re

__all__ = ["UNITS", "parseDuration"]

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
"""Seconds of each unit, by its letter."""


def parseDuration(text: str) -> float:
    """
    Seconds.

    @raise ValueError: it is none; the text says what would be right.
    """
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text.strip(), re.ASCII)
    if match is None or int(match[1]) == 0:
        raise ValueError(
            f"bad duration {text[:40]!r}: it must be a number and s, m, h, d or w, such as 30d, 12h or 15m"
        )
    return float(int(match[1]) * UNITS[match[2]])
