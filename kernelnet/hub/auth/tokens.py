"""
Who may come in: tokens by their SHA-256, and what an AI gets its own token by.

The join token lets a version 2 client in under any id that nobody has used yet.  Its hello is then answered by a
token of its own; the join token goes on working for that id until the own token was used once, so that a crash in
between locks nobody out.  For an id whose token was issued by an operator, or was revoked, the join token never works.

The secret of a join string (`invite`) does the same for one id, and is used up by the own token's first use.

A rotated token (`rotate`) reaches a version 2 client over its connection: the one that is open, or any that it opens
with an old token within the grace period; until its first use it is made anew each time (`renew`), for the same reason.

Kinds in table C{tokens}: C{enrolled} (by the join token or a join string), C{issued} (by an operator), C{join} (the
secret of a join string), C{rotated} (the newest own token after a rotation), C{viewer} (of a program that only looks).
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Iterable
from enum import Enum
from typing import Any

from kernelnet.hub.storage.sqlite.transaction import Transaction
from kernelnet.identity import newToken, tokenHash

__all__ = [
    "Grant",
    "check",
    "checkViewer",
    "enrol",
    "invite",
    "issue",
    "issueViewer",
    "list_",
    "markUsed",
    "renew",
    "revoke",
    "rotate",
    "viewerId",
]

_NOBODY = "0" * 64


class Grant(Enum):
    """How a handshake was answered."""

    REFUSED = 0
    OWN = 1
    FIRST_USE = 2
    """Its own token, for the first time: `markUsed` must follow."""
    JOIN = 3
    """The join token: `enrol` must follow."""
    INVITED = 4
    """The secret of a join string: `enrol` must follow."""

    @property
    def joins(self) -> bool:
        return self in (Grant.JOIN, Grant.INVITED)


def check(connection: sqlite3.Connection, aiId: str, token: str, joinHash: str, now: float) -> Grant:
    """
    Whether C{token} lets C{aiId} in.

    Known or unknown id, right or wrong token: it does the same work.

    @param joinHash: `tokenHash` of the join token.
    """
    rows = connection.execute(
        "SELECT hash, kind, expires_at, used_at, revoked_at FROM tokens WHERE ai_id = ? AND kind != 'viewer'",
        (aiId,),
    ).fetchall()
    given = tokenHash(token)
    grant = Grant.REFUSED
    mayJoin = True
    for hash_, kind, expiresAt, usedAt, revokedAt in rows or [(_NOBODY, "enrolled", None, None, None)]:
        matches = hmac.compare_digest(hash_, given)
        if matches and revokedAt is None and (expiresAt is None or now < expiresAt):
            if kind == "join":
                grant = Grant.INVITED if usedAt is None else Grant.REFUSED
            else:
                grant = Grant.FIRST_USE if usedAt is None else Grant.OWN
        if kind != "enrolled" or usedAt is not None or revokedAt is not None:
            mayJoin = False
    if hmac.compare_digest(joinHash, given) and mayJoin:
        grant = Grant.JOIN
    return grant


def markUsed(transaction: Transaction, aiId: str, token: str) -> None:
    """The own token was used: from now on neither the join token nor the join string it came from works for this id."""
    marked = transaction.execute(
        "UPDATE tokens SET used_at = ? WHERE hash = ? AND ai_id = ? AND used_at IS NULL RETURNING kind",
        (transaction.now, tokenHash(token), aiId),
    ).fetchall()
    if marked == [("enrolled",)]:
        transaction.execute(
            "UPDATE tokens SET used_at = ? WHERE ai_id = ? AND kind = 'join' AND used_at IS NULL",
            (transaction.now, aiId),
        )


def enrol(transaction: Transaction, aiId: str, grant: Grant = Grant.JOIN) -> str | None:
    """
    Give C{aiId}, which came with the join token or a join string, a token of its own, in place of one never used.

    @return: the token; C{None} if what it came with doesn't work for it any more.
    """
    if grant is Grant.INVITED:
        works = transaction.execute(
            "SELECT 1 FROM tokens WHERE ai_id = ? AND kind = 'join' AND used_at IS NULL AND revoked_at IS NULL", (aiId,)
        ).fetchone()
    else:
        works = not transaction.execute(
            "SELECT 1 FROM tokens WHERE ai_id = ?"
            " AND (kind != 'enrolled' OR used_at IS NOT NULL OR revoked_at IS NOT NULL)",
            (aiId,),
        ).fetchone()
    if not works:
        return None
    transaction.execute(
        "DELETE FROM tokens WHERE ai_id = ? AND kind = 'enrolled' AND used_at IS NULL AND revoked_at IS NULL", (aiId,)
    )
    return _insert(transaction, aiId, "enrolled")


def invite(transaction: Transaction, aiId: str, lifetime: float) -> str:
    """
    The secret of a new join string for C{aiId}, which works for C{lifetime} seconds; an earlier one no longer does.

    Tokens that it has go on working.
    """
    transaction.execute(
        "UPDATE tokens SET revoked_at = ? WHERE ai_id = ? AND kind = 'join' AND used_at IS NULL AND revoked_at IS NULL",
        (transaction.now, aiId),
    )
    secret = _insert(transaction, aiId, "join", transaction.now + lifetime)
    transaction.note("join string issued for {ai}", ai=aiId)
    return secret


def issue(transaction: Transaction, aiId: str, lifetime: float | None = None) -> str:
    """A new token for C{aiId} from an operator, for C{lifetime} seconds or for good; tokens it has go on working."""
    token = _insert(transaction, aiId, "issued", _end(transaction, lifetime))
    transaction.note("token issued for {ai}", ai=aiId)
    return token


def rotate(
    transaction: Transaction, aiId: str, grace: float, lifetime: float | None = None, kind: str = "rotated"
) -> str | None:
    """
    Give C{aiId} a new token; those it has work for C{grace} seconds more, or until they expire.

    @param lifetime: of the new one, in seconds; C{None}: for good.
    @param kind: C{rotated}: `renew` may make it anew until it was used; C{issued}: it is given to an operator.
    @return: the token; C{None} if there is none that could be rotated.
    """
    now = transaction.now
    count = transaction.execute(
        # What was rotated before and not used yet is an old token now: it may be in the trainer's hands.
        "UPDATE tokens SET expires_at = min(ifnull(expires_at, ?1), ?1),"
        " kind = CASE kind WHEN 'rotated' THEN 'issued' ELSE kind END"
        " WHERE ai_id = ?2 AND kind != 'join' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?3)",
        (now + grace, aiId, now),
    ).rowcount
    if not count:
        return None
    token = _insert(transaction, aiId, kind, _end(transaction, lifetime))
    transaction.note("token of {ai} rotated; the old one works for {grace:g} s more", ai=aiId, grace=grace)
    return token


def renew(transaction: Transaction, aiId: str) -> str | None:
    """
    C{aiId} came with an old token: another one in place of a rotated one that it doesn't have, or didn't keep.

    @return: the token; C{None} if there is nothing to renew.
    """
    waiting = transaction.execute(
        "SELECT hash FROM tokens WHERE ai_id = ? AND kind = 'rotated'"
        " AND used_at IS NULL AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)",
        (aiId, transaction.now),
    ).fetchone()
    if waiting is None:
        return None
    token = newToken()
    transaction.execute("UPDATE tokens SET hash = ? WHERE hash = ?", (tokenHash(token), waiting[0]))
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


def issueViewer(transaction: Transaction, name: str, lifetime: float | None = None) -> str:
    """A new token for a program that looks at the hub's status API, for C{lifetime} seconds or for good."""
    token = _insert(transaction, viewerId(name), "viewer", _end(transaction, lifetime))
    transaction.note("viewer token issued for {name}", name=name)
    return token


def viewerId(name: str) -> str:
    """What stands as C{ai_id} of a viewer's token: no AI can be called so."""
    return f"viewer:{name}"


def checkViewer(connection: sqlite3.Connection, token: str, now: float) -> bool:
    """Whether C{token} is a viewer's."""
    row = connection.execute(
        "SELECT 1 FROM tokens WHERE hash = ? AND kind = 'viewer' AND revoked_at IS NULL"
        " AND (expires_at IS NULL OR expires_at > ?)",
        (tokenHash(token), now),
    ).fetchone()
    return row is not None


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


def _end(transaction: Transaction, lifetime: float | None) -> float | None:
    return None if lifetime is None else transaction.now + lifetime


def _insert(transaction: Transaction, aiId: str, kind: str, expiresAt: float | None = None) -> str:
    token = newToken()
    transaction.execute(
        "INSERT INTO tokens (hash, ai_id, kind, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        (tokenHash(token), aiId, kind, transaction.now, expiresAt),
    )
    if kind != "viewer":
        transaction.enrolled.append(aiId)
    return token
