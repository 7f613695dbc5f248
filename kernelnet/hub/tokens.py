"""
Who may come in: tokens by their SHA-256, and the join token by which an AI gets its own.

The join token lets a version 2 client in under any id that nobody has used yet.  Its hello is then answered by a
token of its own; the join token goes on working for that id until the own token was used once, so that a crash in
between locks nobody out.  For an id whose token was issued by an operator, or was revoked, the join token never works.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Iterable
from enum import Enum
from typing import Any

from kernelnet.hub.commit import Transaction
from kernelnet.identity import newToken, tokenHash

__all__ = ["Grant", "check", "enrol", "issue", "list_", "markUsed", "revoke"]

_NOBODY = "0" * 64


class Grant(Enum):
    """How a handshake was answered."""

    REFUSED = 0
    OWN = 1
    FIRST_USE = 2
    """Its own token, for the first time: `markUsed` must follow."""
    JOIN = 3
    """The join token: `enrol` must follow."""


def check(connection: sqlite3.Connection, aiId: str, token: str, joinHash: str, now: float) -> Grant:
    """
    Whether C{token} lets C{aiId} in.

    Known or unknown id, right or wrong token: it does the same work.

    @param joinHash: `tokenHash` of the join token.
    """
    rows = connection.execute(
        "SELECT hash, kind, expires_at, used_at, revoked_at FROM tokens WHERE ai_id = ?", (aiId,)
    ).fetchall()
    given = tokenHash(token)
    grant = Grant.REFUSED
    mayJoin = True
    for hash_, kind, expiresAt, usedAt, revokedAt in rows or [(_NOBODY, "enrolled", None, None, None)]:
        matches = hmac.compare_digest(hash_, given)
        if matches and revokedAt is None and (expiresAt is None or now < expiresAt):
            grant = Grant.FIRST_USE if usedAt is None else Grant.OWN
        if kind != "enrolled" or usedAt is not None or revokedAt is not None:
            mayJoin = False
    if hmac.compare_digest(joinHash, given) and mayJoin:
        grant = Grant.JOIN
    return grant


def markUsed(transaction: Transaction, aiId: str, token: str) -> None:
    """The own token was used: from now on the join token doesn't work for this id."""
    transaction.execute(
        "UPDATE tokens SET used_at = ? WHERE hash = ? AND ai_id = ? AND used_at IS NULL",
        (transaction.now, tokenHash(token), aiId),
    )


def enrol(transaction: Transaction, aiId: str) -> str | None:
    """
    Give C{aiId}, which came with the join token, a token of its own, in place of one that it never used.

    @return: the token; C{None} if it meanwhile has one that was used, issued or revoked.
    """
    bound = transaction.execute(
        "SELECT 1 FROM tokens WHERE ai_id = ?"
        " AND (kind != 'enrolled' OR used_at IS NOT NULL OR revoked_at IS NOT NULL)",
        (aiId,),
    ).fetchone()
    if bound:
        return None
    transaction.execute("DELETE FROM tokens WHERE ai_id = ?", (aiId,))
    return _insert(transaction, aiId, "enrolled")


def issue(transaction: Transaction, aiId: str) -> str:
    """A new token for C{aiId} from an operator; tokens it has go on working."""
    token = _insert(transaction, aiId, "issued")
    transaction.note("token issued for {ai}", ai=aiId)
    return token


def revoke(transaction: Transaction, aiId: str) -> int:
    """
    Lock C{aiId} out until it is issued a new token.

    @return: how many tokens stopped working.
    """
    count = transaction.execute(
        "UPDATE tokens SET revoked_at = ? WHERE ai_id = ? AND revoked_at IS NULL", (transaction.now, aiId)
    ).rowcount
    if count:
        transaction.note("{count} token(s) of {ai} revoked", count=count, ai=aiId)
    return count


def list_(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """
    All tokens, without anything that could be used as one.

    @return: C{ai_id}, C{kind}, C{created_at}, C{expires_at}, C{used_at}, C{revoked_at} (Unix seconds or C{None}),
        C{fingerprint} (the first 12 hex digits of the hash).
    """
    names = ("fingerprint", "ai_id", "kind", "created_at", "expires_at", "used_at", "revoked_at")
    rows: Iterable[tuple[Any, ...]] = connection.execute(
        "SELECT substr(hash, 1, 12), ai_id, kind, created_at, expires_at, used_at, revoked_at FROM tokens"
        " ORDER BY ai_id, created_at"
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _insert(transaction: Transaction, aiId: str, kind: str) -> str:
    token = newToken()
    transaction.execute(
        "INSERT INTO tokens (hash, ai_id, kind, created_at) VALUES (?, ?, ?, ?)",
        (tokenHash(token), aiId, kind, transaction.now),
    )
    return token
