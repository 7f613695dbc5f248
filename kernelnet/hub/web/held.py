"""Which of the components that a session's transcript names the hub holds: a page links to those alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

__all__ = ["markHeld"]


def markHeld(connection: sqlite3.Connection, found: Sequence[dict[str, Any]]) -> None:
    """
    Say in each session, and in each step of its transcript, which component it names: C{held}, its digest; C{None}
    where the hub has none such, as most that were built on the way were never shared.

    @param found: as `kernelnet.hub.views.sessions.sessionPage` gives them.
    """
    named = [((one["partner"], one["component"]), None, one) for one in found]
    named += [
        ((step.get("by"), step.get("component")), step.get("digest"), step)
        for one in found
        for step in one["transcript"]
    ]
    digests = connection.execute(
        "SELECT digest FROM shared_components WHERE kind = 'component' AND digest IN (SELECT value FROM json_each(?))",
        (_json({digest for _, digest, _ in named if digest}),),
    )
    held = {digest for (digest,) in digests}
    rows = connection.execute(
        "SELECT ai_id, component_id, digest FROM shared_components WHERE kind = 'component' AND (ai_id, component_id)"
        " IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))",
        (_json({name for name, digest, _ in named if all(name) and not digest}),),
    )
    byName = {(aiId, componentId): digest for aiId, componentId, digest in rows}
    for name, digest, where in named:
        where["held"] = byName.get(name) if digest is None else digest if digest in held else None


def _json(values: set[Any]) -> str:
    return msgspec.json.encode(list(values)).decode()
