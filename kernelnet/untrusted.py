"""Strangers' text, numbers and sizes, bounded before anything is done with them."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["MAX_REQUIREMENTS", "finite", "isSmall", "plain"]

MAX_REQUIREMENTS = 16 * 1024
"""Bytes of JSON: a request or an invitation with larger requirements is refused."""


def plain(text: str, limit: int = 80) -> str:
    """A stranger's words for a log line: no control characters, no line breaks, nothing that turns text around."""
    text = text[:limit]
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def finite(value: object) -> float | None:
    """A stranger's number, if it is one that can be reckoned with."""
    if not isinstance(value, int | float) or not abs(value) < 1e300:
        return None
    return float(value)


def isSmall(requirements: dict[str, Any]) -> bool:
    """Whether a stranger's requirements are worth carrying about."""
    return len(msgspec.json.encode(requirements)) <= MAX_REQUIREMENTS
