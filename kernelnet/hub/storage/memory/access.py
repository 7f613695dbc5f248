"""Tokens, and AIs that said hello, in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kernelnet.hub.storage.memory.tables import Tables
from kernelnet.hub.storage.statements.access import StoredAi, StoredToken

__all__ = ["MemoryAis", "MemoryTokens"]


class MemoryTokens:
    """`kernelnet.hub.storage.statements.access.Tokens`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def ofAi(self, aiId: str) -> list[StoredToken]:
        return [token for token in self._of(aiId) if token.kind != "viewer"]

    def viewerExists(self, hash: str, now: float) -> bool:
        token = self._tables.tokens.get(hash)
        return token is not None and token.kind == "viewer" and _works(token, now)

    def all(self) -> list[StoredToken]:
        return sorted(self._tables.tokens.values(), key=lambda token: (token.aiId, token.createdAt))

    def ids(self) -> set[str]:
        return {token.aiId for token in self._tables.tokens.values()}

    def idsBeginning(self, beginning: str, limit: int) -> list[str]:
        standing = {token.aiId for token in self._tables.tokens.values() if token.revokedAt is None}
        return sorted(aiId for aiId in standing if aiId.startswith(beginning))[:limit]

    def insert(self, token: StoredToken) -> None:
        self._tables.tokens.add(token.hash, token)

    def markUsed(self, hash: str, aiId: str, now: float) -> str | None:
        token = self._tables.tokens.get(hash)
        if token is None or token.aiId != aiId or token.usedAt is not None:
            return None
        self._tables.tokens[hash] = token._replace(usedAt=now)
        return token.kind

    def markJoinsUsed(self, aiId: str, now: float) -> None:
        self._change(
            aiId, lambda token: token.kind == "join" and token.usedAt is None, lambda token: token._replace(usedAt=now)
        )

    def deleteUnusedEnrolled(self, aiId: str) -> None:
        for token in self._of(aiId):
            if token.kind == "enrolled" and token.usedAt is None and token.revokedAt is None:
                del self._tables.tokens[token.hash]

    def expireAll(self, aiId: str, until: float, now: float) -> int:
        def expiring(token: StoredToken) -> StoredToken:
            return token._replace(
                expiresAt=until if token.expiresAt is None else min(token.expiresAt, until),
                kind="issued" if token.kind == "rotated" else token.kind,
            )

        return self._change(aiId, lambda token: token.kind != "join" and _works(token, now), expiring)

    def replaceHash(self, old: str, new: str) -> None:
        if old in self._tables.tokens and old != new:
            self._tables.tokens.add(new, self._tables.tokens[old]._replace(hash=new))
            del self._tables.tokens[old]

    def revokeUnusedJoins(self, aiId: str, now: float) -> None:
        self._change(
            aiId,
            lambda token: token.kind == "join" and token.usedAt is None and token.revokedAt is None,
            lambda token: token._replace(revokedAt=now),
        )

    def revoke(self, aiId: str, now: float) -> int:
        return self._change(aiId, lambda token: token.revokedAt is None, lambda token: token._replace(revokedAt=now))

    def _of(self, aiId: str) -> list[StoredToken]:
        return [token for token in self._tables.tokens.values() if token.aiId == aiId]

    def _change(
        self, aiId: str, which: Callable[[StoredToken], bool], change: Callable[[StoredToken], StoredToken]
    ) -> int:
        """@return: how many were changed."""
        found = [*filter(which, self._of(aiId))]
        for token in found:
            self._tables.tokens[token.hash] = change(token)
        return len(found)


def _works(token: StoredToken, now: float) -> bool:
    """Whether it is neither revoked nor expired."""
    return token.revokedAt is None and (token.expiresAt is None or token.expiresAt > now)


class MemoryAis:
    """`kernelnet.hub.storage.statements.access.Ais`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def all(self) -> list[StoredAi]:
        return sorted(self._tables.ais.values(), key=lambda ai: ai.aiId)

    def find(self, aiId: str) -> StoredAi | None:
        return self._tables.ais.get(aiId)

    def protocolOf(self, aiId: str) -> int | None:
        ai = self._tables.ais.get(aiId)
        return None if ai is None else ai.protocol

    def leastRead(self) -> int | None:
        tokens = self._tables.tokens.values()
        having = {token.aiId for token in tokens}
        lockedOut = having - {token.aiId for token in tokens if token.revokedAt is None}
        return min(
            (ai.readSeq or 0 for ai in self._tables.ais.values() if ai.protocol >= 2 and ai.aiId not in lockedOut),
            default=None,
        )

    def save(self, ai: StoredAi) -> None:
        self._tables.ais[ai.aiId] = ai

    def forget(self, aiId: str) -> None:
        self._tables.ais.pop(aiId, None)

    def setSeen(self, seen: Sequence[tuple[float, str]]) -> None:
        for at, aiId in seen:
            ai = self._tables.ais.get(aiId)
            if ai is not None:
                self._tables.ais[aiId] = ai._replace(seenAt=at)

    def raiseReadSeq(self, read: Sequence[tuple[int, str]]) -> None:
        for seq, aiId in read:
            ai = self._tables.ais.get(aiId)
            if ai is not None and (ai.readSeq or 0) < seq:
                self._tables.ais[aiId] = ai._replace(readSeq=seq)
