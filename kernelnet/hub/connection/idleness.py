"""
Idleness of partners: who reports how its searches go, and not that it works on a session that it accepted.

Who reports nothing (version 1, an agent) is never idle: only the session's own time limit is over it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from twisted.internet.interfaces import IReactorTime

from kernelnet.artifacts import SearchProgress
from kernelnet.hub.storage.statements.sessions import SessionState

__all__ = ["Idleness"]

RECENT = 15.0
"""Seconds after which the last report says nothing any more: it tells one every other second."""
MAX_KEPT = 16
"""Maximum number of sessions of an AI's earlier reports that are remembered beside those of its last one."""


class _Reports:
    """
    @ivar since: when an AI began to report; C{last}: when it last did.
    @ivar worked: when it last said that it works on each of its sessions.
    """

    __slots__ = ("last", "since", "worked")

    def __init__(self, since: float) -> None:
        self.since = self.last = since
        self.worked: dict[str, float] = {}


class Idleness:
    """
    @param connections: ids of the AIs that are here.
    """

    patience = 60.0
    """Seconds for which a partner may work on nothing of a session."""

    def __init__(self, connections: Container[str], clock: IReactorTime) -> None:
        self._connections = connections
        self._clock = clock
        self._reports: dict[str, _Reports] = {}

    def __repr__(self) -> str:
        return f"<Idleness of {len(self._reports)} AIs that report>"

    def told(self, aiId: str, progress: SearchProgress) -> None:
        """An AI reports what it works on: as many sessions as a report names are known of each."""
        now = self._clock.seconds()
        reports = self._reports.get(aiId)
        if reports is None:
            reports = self._reports[aiId] = _Reports(now)
        elif now - reports.last > RECENT:
            reports.since = now
        reports.last = now
        reports.worked = {
            **{id_: at for id_, at in [*reports.worked.items()][-MAX_KEPT:] if now - at < self.patience},
            **dict.fromkeys(progress.sessions, now),
        }

    def left(self, aiId: str) -> None:
        """It has no connection any more: when it is back its time begins anew."""
        self._reports.pop(aiId, None)

    @property
    def known(self) -> bool:
        """Whether anybody reports."""
        return bool(self._reports)

    def idle(self, sessions: Iterable[SessionState]) -> list[tuple[str, str]]:
        """
        (id, partner) of those that are not worked on.

        @param sessions: active ones, for `patience` at least.
        """
        latest = self._clock.seconds() - self.patience
        found = []
        for session in sessions:
            partner = session.partner or ""
            reports = self._reports.get(partner)
            if reports is None or partner not in self._connections or reports.since > latest:
                continue
            if self._clock.seconds() - reports.last > RECENT:
                continue
            if reports.worked.get(session.id, latest) <= latest:
                found.append((session.id, partner))
        return found
