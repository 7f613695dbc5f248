"""
The commands about tokens, each done within one transaction: in the running hub or, without one, in its database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernelnet.hub.auth import tokens
from kernelnet.hub.storage.transaction import Transaction
from kernelnet.identity import IdentityError, checkAiId

__all__ = ["ControlError", "checked", "tokenCommand"]

DAY = 86400.0
JOIN_LIFETIME = DAY
"""Seconds that a join string works for, unless told otherwise."""
GRACE = 3600.0
"""Seconds that an old token goes on working after a rotation, unless told otherwise."""
LONGEST = 10 * 366 * DAY


class ControlError(Exception):
    """The hub refused a command; the text is its answer."""


def tokenCommand(request: dict[str, Any]) -> Callable[[Transaction], Any]:
    """
    The function that does a token command within a transaction; its result goes through `checked`.

    @raise ControlError: the command is wrong.
    """
    make = _commands.get(str(request.get("command")))
    if make is None:
        raise ControlError(f"unknown command {request.get('command')!r}")
    return make(request)


def checked(result: Any) -> Any:
    """@raise ControlError: it could not be done, though the command was right."""
    if isinstance(result, dict) and "refused" in result:
        raise ControlError(result["refused"])
    return result


def _list(request: dict[str, Any]) -> Callable[[Transaction], Any]:
    return tokens.list_


def _issue(request: dict[str, Any]) -> Callable[[Transaction], Any]:
    aiId, lifetime = _aiId(request), _seconds(request, "expires", None)
    return lambda transaction: {"ai_id": aiId, "token": tokens.issue(transaction, aiId, lifetime)}


def _issueViewer(request: dict[str, Any]) -> Callable[[Transaction], Any]:
    name, lifetime = _aiId(request), _seconds(request, "expires", None)
    return lambda transaction: {"viewer": name, "token": tokens.issueViewer(transaction, name, lifetime)}


def _revokeViewer(request: dict[str, Any]) -> Callable[[Transaction], Any]:
    name = _aiId(request)

    def revoke(transaction: Transaction) -> dict[str, Any]:
        count = tokens.revoke(transaction, tokens.viewerId(name))
        return {"revoked": count} if count else {"refused": f"the viewer {name} has no token that could be revoked"}

    return revoke


def _invite(request: dict[str, Any]) -> Callable[[Transaction], Any]:
    aiId, lifetime = _aiId(request), _seconds(request, "expires", JOIN_LIFETIME)

    def invite(transaction: Transaction) -> dict[str, Any]:
        secret = tokens.invite(transaction, aiId, lifetime or 0.0)
        return {"ai_id": aiId, "secret": secret, "expires_at": transaction.now + (lifetime or 0.0)}

    return invite


def _rotate(request: dict[str, Any]) -> Callable[[Transaction], Any]:
    aiId, lifetime = _aiId(request), _seconds(request, "expires", None)
    grace = _seconds(request, "grace", GRACE) or 0.0
    shown = request.get("token") is True

    def rotate(transaction: Transaction) -> dict[str, Any]:
        protocol = transaction.ais.protocolOf(aiId)
        if not shown and protocol is not None and protocol < 2:
            return {"refused": f"{aiId} speaks protocol version 1, which brings no new token; --token prints one"}
        token = tokens.rotate(transaction, aiId, grace, lifetime, "issued" if shown else "rotated")
        if token is None:
            return {"refused": f"{aiId} has no token that could be rotated: kernelnet tokens issue {aiId}"}
        return {"ai_id": aiId, "token": token, "old_until": transaction.now + grace, "delivered": False}

    return rotate


def _revoke(request: dict[str, Any]) -> Callable[[Transaction], Any]:
    aiId = _aiId(request)

    def revoke(transaction: Transaction) -> dict[str, Any]:
        count = tokens.revoke(transaction, aiId)
        if not count:
            return {"refused": f"{aiId} has no token that could be revoked; a viewer's: --role viewer"}
        # Else everybody who comes would be told of it for ever, and a feature asked of it.
        transaction.ais.forget(aiId)
        transaction.revoked.append(aiId)
        return {"ai_id": aiId, "revoked": count, "disconnected": False}

    return revoke


_commands: dict[str, Callable[[dict[str, Any]], Callable[[Transaction], Any]]] = {
    "tokens invite": _invite,
    "tokens issue": _issue,
    "tokens list": _list,
    "tokens revoke": _revoke,
    "tokens rotate": _rotate,
    "viewers issue": _issueViewer,
    "viewers revoke": _revokeViewer,
}


def _aiId(request: dict[str, Any]) -> str:
    try:
        return checkAiId(str(request.get("ai_id", "")))
    except IdentityError as e:
        raise ControlError(str(e)) from None


def _seconds(request: dict[str, Any], name: str, default: float | None) -> float | None:
    value = request.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST:
        raise ControlError(f"`{name}` must be a number of seconds from 0 to ten years")
    return float(value)
