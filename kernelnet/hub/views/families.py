"""Families of components (see `kernelnet.families`): on how many tasks each is the best, and for how many owners."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from kernelnet.families import familyOf
from kernelnet.hub.storage.transaction import Reader

__all__ = ["LOOKED_AT", "MAX_FAMILIES", "families"]

LOOKED_AT = 1000
"""Maximum number of confirmed components that are looked at, the newest: a source takes some milliseconds."""

MAX_FAMILIES = 100
"""Maximum number that is told."""


class _Manifest(Struct):
    class Claim(Struct):
        workbench: str
        trace_digest: str
        settings: dict[str, int]

    report: Claim | None = None


class _Shared(Struct):
    id: str
    implementation: str = ""
    manifest: _Manifest | None = None


class _Family(Struct):
    """
    A family, as its confirmed components are.

    @ivar first: (seq, id, author) of the one that was shared first; C{owners}: of all authors.
    """

    workbench: str
    first: tuple[int, str, str]
    tasks: set[str]
    owners: set[str]
    best: int = 0
    components: int = 0


def families(
    reader: Reader, limit: int = LOOKED_AT, known: dict[str, str | None] | None = None
) -> list[dict[str, Any]]:
    """
    By family: the first that was shared, on how many tasks it has something confirmed, and on how many the best.

    The digest is of the source itself, whatever a manifest says.  Of a task that best is by level, as it was claimed
    and confirmed; of equals the one that was first.

    @param limit: the newest so many components; those of older rules are left out.
    @param known: by component's digest that of its family, so that no source is looked at twice; what is no longer
        there goes.
    """
    known = {} if known is None else known
    there: dict[str, str | None] = {}
    found: dict[str, _Family] = {}
    best: dict[str, tuple[float, int, str | None]] = {}
    for stored in reader.components.confirmedOnly(limit):
        shared = msgspec.json.decode(stored.body, type=_Shared)
        claim = shared.manifest.report if shared.manifest is not None else None
        if claim is None or stored.olderRules:
            continue
        task = f"{claim.workbench} {claim.trace_digest} {sorted(claim.settings.items())}"
        if stored.digest not in known:
            family = familyOf(shared.implementation)
            known[stored.digest] = family.digest if family is not None else None
        digest = there[stored.digest] = known[stored.digest]
        before = best.get(task)
        if before is None or (stored.level, -stored.seq) > before[:2]:
            best[task] = (stored.level, -stored.seq, digest)
        if digest is None:
            continue
        first = stored.seq, shared.id, stored.author
        ours = found.setdefault(digest, _Family(claim.workbench[:256], first, set(), set()))
        ours.first = min(ours.first, first)
        ours.tasks.add(task)
        owner = reader.owners.of(stored.author)
        ours.owners.add(stored.author if owner is None else f"owner {owner}")
        ours.components += 1
    known.clear()
    known.update(there)
    for _, _, digest in best.values():
        if digest is not None:
            found[digest].best += 1
    ranked = sorted(found.items(), key=lambda item: (-item[1].best, -len(item[1].tasks), item[1].first))
    return [
        {
            "family": digest,
            "workbench": its.workbench,
            "first": its.first[1],
            "author": its.first[2],
            "components": its.components,
            "owners": len(its.owners),
            "tasks": len(its.tasks),
            "best": its.best,
        }
        for digest, its in ranked[:MAX_FAMILIES]
    ]
