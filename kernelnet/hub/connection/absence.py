"""
Absence of AIs: who has been gone for so long that others should not wait for it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from twisted.internet.interfaces import IReactorTime

__all__ = ["Absence"]


class Absence:
    """
    @param connections: ids of the AIs that are here.
    """

    patience = 60.0
    """Seconds after which an AI that is not back counts as gone."""

    def __init__(self, connections: Container[str], clock: IReactorTime) -> None:
        self._connections = connections
        self._clock = clock
        self._since: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Absence of {len(self._since)} AIs>"

    def left(self, aiId: str) -> None:
        """It has no connection any more."""
        self._since[aiId] = self._clock.seconds()

    def expect(self, ids: Iterable[str]) -> None:
        """Those of C{ids} that are not here shall come: their time begins now, as the hub did."""
        for aiId in ids:
            if aiId not in self._connections:
                self._since.setdefault(aiId, self._clock.seconds())

    def gone(self) -> list[str]:
        """Ids of those that have been away for too long; each once."""
        latest = self._clock.seconds() - self.patience
        due = [aiId for aiId, since in self._since.items() if since <= latest]
        for aiId in due:
            del self._since[aiId]
        return [aiId for aiId in due if aiId not in self._connections]

    def again(self, ids: Iterable[str]) -> None:
        """Nothing could be done about C{ids} for now: they are due at once."""
        self._since.update(dict.fromkeys(ids, self._clock.seconds() - self.patience))
