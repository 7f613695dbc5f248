"""
The highest number that was given out, kept outside the database: by it a database tells that it is an older copy of
itself, or has lost its end.

It is written with each commit before anybody is told of that, without a sync: it outlives a process that is killed, and
after a loss of power, when it may be behind, the database is what was synced.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["HighWater"]

_FORM = "{} {:020d}\n"


class HighWater:
    """The file beside the database C{path}."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}-head")
        self._fd: int | None = None

    def read(self) -> tuple[str, int]:
        """The log id and the number; C{("", 0)}: nothing is known."""
        try:
            match = re.fullmatch(r"([0-9a-f]{32}) ([0-9]{20})\n", self._path.read_text("ascii"))
        except (OSError, ValueError):
            return "", 0
        return (match[1], int(match[2])) if match else ("", 0)

    def write(self, logId: str, head: int) -> None:
        """A full disk doesn't hinder it, since the file never grows; what fails is tried again with the next commit."""
        try:
            if self._fd is None:
                self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.pwrite(self._fd, _FORM.format(logId, head).encode(), 0)
        except OSError:
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
