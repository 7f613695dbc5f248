"""
Who may come in: tokens by their SHA-256, and what an AI gets its own token by.

The join token lets a version 2 client in under any id that nobody has used yet.  Its hello is then answered by a
token of its own; the join token goes on working for that id until the own token was used once, so that a crash in
between locks nobody out.  For an id whose token was issued by an operator, or was revoked, the join token never works.

The secret of a join string (`invite`) does the same for one id, and is used up by the own token's first use.

A rotated token (`rotate`) reaches a version 2 client over its connection: the one that is open, or any that it opens
with an old token within the grace period; until its first use it is made anew each time (`renew`), for the same reason.

Kinds of tokens: C{enrolled} (by the join token or a join string), C{issued} (by an operator), C{join} (the
secret of a join string), C{rotated} (the newest own token after a rotation), C{viewer} (of a program that only looks).
"""

from __future__ import annotations

import hmac
from enum import Enum
from typing import Any

from kernelnet.hub.storage.statements.access import StoredToken
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.identity import newToken, tokenHash

__all__ = [
    "Grant",
    "check",
    "checkViewer",
    "enrol",
    "invite",
    "isLockedOut",
    "issue",
    "issueViewer",
    "list_",
    "markUsed",
    "renew",
    "revoke",
    "rotate",
    "viewerId",
]

_NOBODY = StoredToken("0" * 64, "", "enrolled", 0.0, None, None, None)


class Grant(Enum):
    """The answer to a handshake."""

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


def check(reader: Reader, aiId: str, token: str, joinHash: str, now: float) -> Grant:
    """
    Whether C{token} lets C{aiId} in.

    Known or unknown id, right or wrong token: it does the same work.

    @param joinHash: `tokenHash` of the join token.
    """
    given = tokenHash(token)
    grant = Grant.REFUSED
    mayJoin = True
    for stored in reader.tokens.ofAi(aiId) or [_NOBODY]:
        matches = hmac.compare_digest(stored.hash, given)
        if matches and stored.revokedAt is None and (stored.expiresAt is None or now < stored.expiresAt):
            if stored.kind == "join":
                grant = Grant.INVITED if stored.usedAt is None else Grant.REFUSED
            else:
                grant = Grant.FIRST_USE if stored.usedAt is None else Grant.OWN
        if not _isUnusedEnrolled(stored):
            mayJoin = False
    if hmac.compare_digest(joinHash, given) and mayJoin:
        grant = Grant.JOIN
    return grant


def markUsed(transaction: Transaction, aiId: str, token: str) -> None:
    """The own token was used: from now on neither the join token nor the join string it came from works for this id."""
    if transaction.tokens.markUsed(tokenHash(token), aiId, transaction.now) == "enrolled":
        transaction.tokens.markJoinsUsed(aiId, transaction.now)


def enrol(transaction: Transaction, aiId: str, grant: Grant = Grant.JOIN) -> str | None:
    """
    Give C{aiId}, which came with the join token or a join string, a token of its own, in place of one never used.

    @return: the token; C{None} if what it came with doesn't work for it any more.
    """
    stored = transaction.tokens.ofAi(aiId)
    if grant is Grant.INVITED:
        works = any(token.kind == "join" and _isUnused(token) for token in stored)
    else:
        works = all(map(_isUnusedEnrolled, stored))
    if not works:
        return None
    transaction.tokens.deleteUnusedEnrolled(aiId)
    return _insert(transaction, aiId, "enrolled")


def invite(transaction: Transaction, aiId: str, lifetime: float) -> str:
    """
    The secret of a new join string for C{aiId}, which works for C{lifetime} seconds; an earlier one no longer does.

    Tokens that it has go on working.
    """
    transaction.tokens.revokeUnusedJoins(aiId, transaction.now)
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
    # What was rotated before and not used yet is an old token now: it may be in the trainer's hands.
    if not transaction.tokens.expireAll(aiId, transaction.now + grace, transaction.now):
        return None
    token = _insert(transaction, aiId, kind, _end(transaction, lifetime))
    transaction.note("token of {ai} rotated; the old one works for {grace:g} s more", ai=aiId, grace=grace)
    return token


def renew(transaction: Transaction, aiId: str) -> str | None:
    """
    C{aiId} came with an old token: another one in place of a rotated one that it doesn't have, or didn't keep.

    @return: the token; C{None} if there is nothing to renew.
    """
    for waiting in transaction.tokens.ofAi(aiId):
        if (
            waiting.kind == "rotated"
            and _isUnused(waiting)
            and (waiting.expiresAt is None or waiting.expiresAt > transaction.now)
        ):
            token = newToken()
            transaction.tokens.replaceHash(waiting.hash, tokenHash(token))
            return token
    return None


def revoke(transaction: Transaction, aiId: str) -> int:
    """
    Lock C{aiId} out until it is issued a new token.

    @return: how many tokens stopped working.
    """
    count = transaction.tokens.revoke(aiId, transaction.now)
    if count:
        transaction.note("{count} token(s) of {ai} revoked", count=count, ai=aiId)
    return count


def isLockedOut(reader: Reader, aiId: str) -> bool:
    """Whether C{aiId} has tokens, and all of them are revoked."""
    own = reader.tokens.ofAi(aiId)
    return bool(own) and all(token.revokedAt is not None for token in own)


def issueViewer(transaction: Transaction, name: str, lifetime: float | None = None) -> str:
    """A new token for a program that looks at the hub's status API, for C{lifetime} seconds or for good."""
    token = _insert(transaction, viewerId(name), "viewer", _end(transaction, lifetime))
    transaction.note("viewer token issued for {name}", name=name)
    return token


def viewerId(name: str) -> str:
    """The C{ai_id} of a viewer's token: no AI can be called so."""
    return f"viewer:{name}"


def checkViewer(reader: Reader, token: str, now: float) -> bool:
    """Whether C{token} is a viewer's."""
    return reader.tokens.viewerExists(tokenHash(token), now)


def list_(reader: Reader) -> list[dict[str, Any]]:
    """
    All tokens, without anything that could be used as one.

    @return: C{ai_id}, C{kind}, C{created_at}, C{expires_at}, C{used_at}, C{revoked_at} (Unix seconds or C{None}),
        C{fingerprint} (the first 12 hex digits of the hash).
    """
    return [
        {
            "fingerprint": token.hash[:12],
            "ai_id": token.aiId,
            "kind": token.kind,
            "created_at": token.createdAt,
            "expires_at": token.expiresAt,
            "used_at": token.usedAt,
            "revoked_at": token.revokedAt,
        }
        for token in reader.tokens.all()
    ]


def _isUnused(token: StoredToken) -> bool:
    return token.usedAt is None and token.revokedAt is None


def _isUnusedEnrolled(token: StoredToken) -> bool:
    return token.kind == "enrolled" and _isUnused(token)


def _end(transaction: Transaction, lifetime: float | None) -> float | None:
    return None if lifetime is None else transaction.now + lifetime


def _insert(transaction: Transaction, aiId: str, kind: str, expiresAt: float | None = None) -> str:
    token = newToken()
    transaction.tokens.insert(StoredToken(tokenHash(token), aiId, kind, transaction.now, expiresAt, None, None))
    if kind != "viewer":
        transaction.enrolled.append(aiId)
    return token
