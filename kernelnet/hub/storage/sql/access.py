"""Tokens, and AIs that said hello,."""

from __future__ import annotations

from collections.abc import Sequence

from kernelnet.hub.storage.sql.execution import Execute, upsert
from kernelnet.hub.storage.statements.access import StoredAi, StoredToken

__all__ = ["SqlAis", "SqlTokens"]

_COLUMNS = "hash, ai_id, kind, created_at, expires_at, used_at, revoked_at"
_AI_COLUMNS = "ai_id, hello, protocol, seen_at, read_seq"
_SAVE = upsert("ais", 1, *_AI_COLUMNS.split(", "))


class SqlTokens:
    """`kernelnet.hub.storage.statements.access.Tokens`."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def ofAi(self, aiId: str) -> list[StoredToken]:
        sql = f"SELECT {_COLUMNS} FROM tokens WHERE ai_id = ? AND kind != 'viewer'"  # noqa: S608
        return [*map(StoredToken._make, self._execute(sql, (aiId,)))]

    def viewerExists(self, hash: str, now: float) -> bool:
        row = self._execute(
            "SELECT 1 FROM tokens WHERE hash = ? AND kind = 'viewer' AND revoked_at IS NULL"
            " AND (expires_at IS NULL OR expires_at > ?)",
            (hash, now),
        ).fetchone()
        return row is not None

    def all(self) -> list[StoredToken]:
        return [
            *map(StoredToken._make, self._execute(f"SELECT {_COLUMNS} FROM tokens ORDER BY ai_id, created_at"))  # noqa: S608
        ]

    def ids(self) -> set[str]:
        return {aiId for (aiId,) in self._execute("SELECT DISTINCT ai_id FROM tokens")}

    def idsBeginning(self, beginning: str, limit: int) -> list[str]:
        rows = self._execute(
            "SELECT DISTINCT ai_id FROM tokens WHERE substr(ai_id, 1, length(?1)) = ?1 AND revoked_at IS NULL"
            " ORDER BY ai_id LIMIT ?2",
            (beginning, limit),
        )
        return [aiId for (aiId,) in rows]

    def insert(self, token: StoredToken) -> None:
        self._execute(f"INSERT INTO tokens ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", token)  # noqa: S608

    def markUsed(self, hash: str, aiId: str, now: float) -> str | None:
        marked = self._execute(
            "UPDATE tokens SET used_at = ? WHERE hash = ? AND ai_id = ? AND used_at IS NULL RETURNING kind",
            (now, hash, aiId),
        ).fetchall()
        return marked[0][0] if marked else None

    def markJoinsUsed(self, aiId: str, now: float) -> None:
        self._execute(
            "UPDATE tokens SET used_at = ? WHERE ai_id = ? AND kind = 'join' AND used_at IS NULL", (now, aiId)
        )

    def deleteUnusedEnrolled(self, aiId: str) -> None:
        self._execute(
            "DELETE FROM tokens WHERE ai_id = ? AND kind = 'enrolled' AND used_at IS NULL AND revoked_at IS NULL",
            (aiId,),
        )

    def expireAll(self, aiId: str, until: float, now: float) -> int:
        return self._execute(
            "UPDATE tokens SET expires_at = CASE WHEN expires_at < ?1 THEN expires_at ELSE ?1 END,"
            " kind = CASE kind WHEN 'rotated' THEN 'issued' ELSE kind END"
            " WHERE ai_id = ?2 AND kind != 'join' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?3)",
            (until, aiId, now),
        ).rowcount

    def replaceHash(self, old: str, new: str) -> None:
        self._execute("UPDATE tokens SET hash = ? WHERE hash = ?", (new, old))

    def revokeUnusedJoins(self, aiId: str, now: float) -> None:
        self._execute(
            "UPDATE tokens SET revoked_at = ? WHERE ai_id = ? AND kind = 'join' AND used_at IS NULL"
            " AND revoked_at IS NULL",
            (now, aiId),
        )

    def revoke(self, aiId: str, now: float) -> int:
        return self._execute(
            "UPDATE tokens SET revoked_at = ? WHERE ai_id = ? AND revoked_at IS NULL", (now, aiId)
        ).rowcount


class SqlAis:
    """`kernelnet.hub.storage.statements.access.Ais`."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def all(self) -> list[StoredAi]:
        return [*map(StoredAi._make, self._execute(f"SELECT {_AI_COLUMNS} FROM ais ORDER BY ai_id"))]  # noqa: S608

    def find(self, aiId: str) -> StoredAi | None:
        sql = f"SELECT {_AI_COLUMNS} FROM ais WHERE ai_id = ?"  # noqa: S608
        row = self._execute(sql, (aiId,)).fetchone()
        return None if row is None else StoredAi._make(row)

    def protocolOf(self, aiId: str) -> int | None:
        row = self._execute("SELECT protocol FROM ais WHERE ai_id = ?", (aiId,)).fetchone()
        return row[0] if row else None

    def leastRead(self) -> int | None:
        (least,) = self._execute(
            "SELECT MIN(COALESCE(read_seq, 0)) FROM ais WHERE protocol >= 2 AND NOT ("
            " EXISTS (SELECT 1 FROM tokens WHERE tokens.ai_id = ais.ai_id)"
            " AND NOT EXISTS (SELECT 1 FROM tokens WHERE tokens.ai_id = ais.ai_id AND revoked_at IS NULL))"
        ).fetchone()
        return None if least is None else int(least)

    def save(self, ai: StoredAi) -> None:
        self._execute(_SAVE, ai)

    def forget(self, aiId: str) -> None:
        self._execute("DELETE FROM ais WHERE ai_id = ?", (aiId,))

    def setSeen(self, seen: Sequence[tuple[float, str]]) -> None:
        for one in seen:
            self._execute("UPDATE ais SET seen_at = ? WHERE ai_id = ?", one)

    def raiseReadSeq(self, read: Sequence[tuple[int, str]]) -> None:
        for one in read:
            self._execute("UPDATE ais SET read_seq = ?1 WHERE ai_id = ?2 AND COALESCE(read_seq, 0) < ?1", one)
