"""Views of components and reports that take long, kept until the log has something that they depend on."""

from __future__ import annotations

import threading
from typing import Any, Protocol

from kernelnet.hub.storage.transaction import Reader
from kernelnet.message import MessageType

__all__ = ["Kept"]

_KINDS = (
    MessageType.OS_COMPONENT_SHARE.value,
    MessageType.OS_COMPONENT_REFERENCE.value,
    MessageType.PERFORMANCE_REPORT.value,
)


class View(Protocol):
    """A view that looks at sources."""

    def __call__(self, reader: Reader, *, known: dict[str, str | None]) -> list[dict[str, Any]]:
        """@param known: by component's digest that of its family, so that no source is looked at twice."""


class Kept:
    """A view, computed anew only when it may have changed."""

    def __init__(self, view: View) -> None:
        self._view = view
        # Several readers' threads may come here at once.
        self._kept: tuple[list[dict[str, Any]] | None, int] = (None, 0)
        self._known: dict[str, str | None] = {}
        self._turn = threading.Lock()

    def told(self, reader: Reader, head: int) -> list[dict[str, Any]]:
        """In a reader's thread.  @param head: the log's last position."""
        with self._turn:
            found, upTo = self._kept
            if found is None or upTo > head or reader.log.hasAny(upTo, _KINDS):
                found = self._view(reader, known=self._known)
            self._kept = found, head
            return found
