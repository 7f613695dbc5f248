"""
Sites: traces of trainers' own, on which they tried confirmed components; each is known by a random name alone.

No verdict and no ranking depends on them, and nobody can repeat them.  So an owner counts once, however many AIs and
sites it has: of its sites there is the median, and of these of all owners the median again.  The worst is the last but
one, since the last may be anybody's word.  Of what fewer than `MIN_OWNERS` tried there are no figures, which would tell
of single sites.
"""

from __future__ import annotations

from itertools import islice, zip_longest
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct

from kernelnet.families import familyOf
from kernelnet.hub.storage.transaction import Reader
from kernelnet.observations import Environment, Observation

__all__ = ["LOOKED_AT", "MAX_READ", "MAX_ROWS", "MAX_SITES", "MIN_OWNERS", "sites"]

LOOKED_AT = 1000
"""Maximum number of confirmed components that are looked at, the newest."""

MAX_READ = 10_000
"""Maximum number of observations that are read, the newest: the hub keeps no more."""

MAX_SITES = 48
"""Maximum number of sites of a workbench that are told, owners in turn."""

MAX_ROWS = 100
"""Maximum number of components and families of a workbench that are told."""

MIN_OWNERS = 3
"""Number of owners from which on there are figures."""

_Key = tuple[str, str]
"""A site: whose it is, and its name."""


class _Manifest(Struct):
    workbench: str
    wasm_sha256: str


class _Shared(Struct):
    id: str
    implementation: str = ""
    manifest: _Manifest | None = None


class _Component(Struct):
    """A confirmed component.  @ivar voice: of its author."""

    id: str
    author: str
    voice: str
    workbench: str
    module: str
    family: str | None


class _Seen(Struct):
    """A row, and all that was told of it.  @ivar at: by site its level, and the best hand-made policy's."""

    kind: str
    name: str
    first: _Component
    at: dict[_Key, tuple[float, float]] = {}


def sites(reader: Reader, known: dict[str, str | None] | None = None) -> list[dict[str, Any]]:
    """
    By workbench: the sites, and of each component and family where it was tried.

    @param known: by component's digest that of its family, so that no source is looked at twice.
    """
    told = reader.observations.inEnvironment(Environment.SIMULATED.value, MAX_READ)
    components = _confirmed(reader, {one.digest for one in told}, {} if known is None else known)
    owners = reader.owners.all()
    settings: dict[str, dict[_Key, dict[str, int]]] = {}
    rows: dict[str, dict[_Key, _Seen]] = {}
    taken: set[tuple[str, _Key]] = set()
    for one in told:
        component = components.get(one.digest)
        seen = msgspec.json.decode(one.body, type=Observation)
        levels, voice = seen.levels, _voice(owners, one.reporter)
        if component is None or levels is None or voice == component.voice:
            continue
        site = voice, seen.site
        if (seen.wasm_sha256, seen.workbench) != (component.module, component.workbench) or (one.digest, site) in taken:
            continue
        taken.add((one.digest, site))  # the newest counts
        settings.setdefault(seen.workbench, {}).setdefault(site, seen.settings)
        there = rows.setdefault(seen.workbench, {})
        there.setdefault(("component", one.digest), _Seen("component", one.digest, component)).at[site] = levels
        if component.family is not None:
            row = there.setdefault(("family", component.family), _Seen("family", component.family, component))
            row.at[site] = max(levels, row.at.get(site, levels))
    return [_table(name, settings[name], [*rows[name].values()]) for name in sorted(rows)]


def _confirmed(reader: Reader, asked: set[str], known: dict[str, str | None]) -> dict[str, _Component]:
    """By digest the confirmed components of which something was told."""
    owners = reader.owners.all()
    found: dict[str, _Component] = {}
    there: dict[str, str | None] = {}
    for stored in reader.components.confirmedOnly(LOOKED_AT):
        if stored.digest not in asked or stored.olderRules:
            continue
        shared = msgspec.json.decode(stored.body, type=_Shared)
        if shared.manifest is None:
            continue
        if stored.digest not in known:
            family = familyOf(shared.implementation)
            known[stored.digest] = family.digest if family is not None else None
        digest = there[stored.digest] = known[stored.digest]
        its = shared.manifest
        voice = _voice(owners, stored.author)
        found[stored.digest] = _Component(shared.id, stored.author, voice, its.workbench, its.wasm_sha256, digest)
    known.clear()
    known.update(there)
    return found


def _voice(owners: dict[str, str], aiId: str) -> str:
    """No owner's has the form of an id."""
    return f"owner {owners[aiId]}" if aiId in owners else aiId


def _table(workbench: str, settings: dict[_Key, dict[str, int]], rows: list[_Seen]) -> dict[str, Any]:
    byOwner: dict[str, list[_Key]] = {}
    for site in settings:
        byOwner.setdefault(site[0], []).append(site)
    turns = (site for rank in zip_longest(*byOwner.values()) for site in rank if site is not None)
    columns = [*islice(turns, MAX_SITES)]
    ranked = sorted(rows, key=lambda row: (-len({voice for voice, _ in row.at}), -len(row.at), row.kind, row.name))
    return {
        "workbench": workbench,
        "known": len(settings),
        "sites": [{"site": name, "owner": voice, "settings": settings[voice, name]} for voice, name in columns],
        "rows": [_row(row, columns) for row in ranked[:MAX_ROWS]],
    }


def _row(row: _Seen, columns: list[_Key]) -> dict[str, Any]:
    byOwner: dict[str, list[tuple[float, float]]] = {}
    for (voice, _), levels in row.at.items():
        byOwner.setdefault(voice, []).append(levels)
    medians = sorted(median(level for level, _ in theirs) for theirs in byOwner.values())
    gains = [median(level - best for level, best in theirs) for theirs in byOwner.values()]
    isTold = len(byOwner) >= MIN_OWNERS
    return {
        "kind": row.kind,
        "name": row.name,
        "first": row.first.id,
        "author": row.first.author,
        "tried": len(row.at),
        "owners": len(byOwner),
        "better": sum(gain > 0 for gain in gains) / len(gains) if isTold else None,
        "median": median(medians) if isTold else None,
        "worst": medians[1] if isTold else None,
        "levels": [row.at[site][0] if site in row.at else None for site in columns],
        "hand_made": [row.at[site][1] if site in row.at else None for site in columns],
    }
