"""Options of ``twistd kernelhub`` for what is too large for a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelnet.hub.storage.blobs.shelf import BlobBounds
from kernelnet.hub.storage.disk_space import StorageError
from kernelnet.size import parseSize

__all__ = ["OPTIONS", "bounds"]

OPTIONS: list[list[Any]] = [
    ["blob-size", None, "256MB", "bytes of one blob, such as a shared trace"],
    ["blob-quota", None, "512MB", "bytes of blobs of one AI; its least recently used go first"],
    ["blob-quota-owner", None, "1GB", "the same of all AIs of one owner"],
    ["blob-quota-total", None, "4GB", "bytes of blobs in all; 0: this hub keeps none"],
    ["blob-retain", None, 30.0, "days without use after which a blob goes", float],
]
"""For `twisted.python.usage.Options.optParameters`."""


def bounds(options: Mapping[str, Any], minFree: int) -> BlobBounds:
    """@raise StorageError: one is wrong."""
    sizes = []
    for name in ("blob-size", "blob-quota", "blob-quota-owner", "blob-quota-total"):
        try:
            sizes.append(parseSize(options[name]))
        except ValueError as e:
            raise StorageError(f"--{name} takes {e}") from None
    days = options["blob-retain"]
    if not 0 < days <= 36500:
        raise StorageError(f"--blob-retain must be a number of days above 0, up to 36500, not {days:g}")
    one, author, owner, total = sizes
    return BlobBounds(one=one, author=author, owner=owner, total=total, days=days, minFree=minFree)
