"""
Components as people and the API are told of them: each with everybody's verdict and where it comes from.

A component's own words are those of its author.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from kernelnet.artifacts import Attestation, Component, Manifest, PerformanceReport, Report, Verdict
from kernelnet.hub.storage.statements.components import COMPONENT_SORTS as SORTS
from kernelnet.hub.storage.statements.components import COMPONENT_STATES as STATES
from kernelnet.hub.storage.statements.components import MIN_PREFIX, ComponentKey, StoredComponent
from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.views.confirmations import Confirmation, confirmation, handMade
from kernelnet.hub.views.projections import MAX_REPORT, describeReport
from kernelnet.observations import SITE_UNIT, Environment

__all__ = [
    "SORTS",
    "STATES",
    "Ancestor",
    "Entry",
    "TooShort",
    "Unclear",
    "attestationsOn",
    "byOwner",
    "describe",
    "describeWhole",
    "entries",
    "entryAt",
    "entryOf",
    "lineage",
    "observationsOf",
    "reportsOn",
]

MAX_ATTESTATIONS = 256
"""Maximum number of reports, of each of two kinds, that are looked through for signed verdicts."""

MAX_MANIFEST = 64 * 1024
"""Bytes of JSON: a list shows a component with a larger one as if it had none."""


class Unclear(Exception):
    """Name that may mean several components; the text says why, and what would be clear."""


class TooShort(Unclear):
    """No component has this id, and it has too few of a digest's digits."""


class Entry(Struct):
    """
    One component.

    @ivar author: who shared it.
    @ivar key: its place in a list.
    @ivar olderRules: whether its claim was measured under other rules of its workbench than those in force.
    @ivar confirmed: by how many voices: owners, and AIs without one; but not the author's.  C{refuted}: the same.
    @ivar verdicts: AI → its verdict, of all that reported one on these very bytes, but for the author's owner's.
    @ivar owners: owners of these and of the author, of those that have one.
    @ivar confirmation: what those who confirmed it measured.
    @ivar timestamp: when it was shared, as its author's clock said (RFC 3339).
    """

    component: Component
    author: str
    digest: str
    confirmed: int
    refuted: int
    seq: int
    timestamp: str
    key: ComponentKey
    olderRules: bool = False
    verdicts: dict[str, Verdict] = {}
    owners: dict[str, str] = {}
    confirmation: Confirmation = Confirmation()

    @property
    def state(self) -> str:
        """One of `STATES`."""
        if self.confirmed and self.refuted:
            return "disputed"
        return "confirmed" if self.confirmed else "refuted" if self.refuted else "unmeasured"

    @property
    def isConfirmed(self) -> bool:
        """Whether more AIs confirm its claim than refute it."""
        return self.confirmed > self.refuted

    @property
    def level(self) -> float | None:
        """Its level: as others measured it, if it is confirmed and they say so; else as claimed."""
        measured = self.confirmation.level if self.isConfirmed else None
        return self.component.development_level if measured is None else measured

    @property
    def kind(self) -> str | None:
        """C{specialist} for one trace, C{generalist} for several; C{None} where nothing is claimed."""
        return None if self.report is None else "generalist" if self.report.parts else "specialist"

    @property
    def report(self) -> Report | None:
        """The claim."""
        return self.component.manifest.report if self.component.manifest is not None else None


def entries(
    reader: Reader,
    *,
    workbench: str | None = None,
    author: str | None = None,
    state: str | None = None,
    sort: str = "level",
    limit: int = 50,
    after: Entry | None = None,
) -> list[Entry]:
    """
    @param author: whose; C{None}: everybody's.
    @param state: one of `STATES`; C{None}: all.
    @param sort: one of `SORTS`.
    @param limit: the maximum number of them.
    @param after: the last one of the page before.
    @return: each without its source and its module: a list of strangers' megabytes would fill the memory.
    """
    key = None
    if after is not None:
        key = after.key
    found = reader.components.listed(workbench=workbench, author=author, state=state, sort=sort, limit=limit, after=key)
    return [_entry(reader, stored, _brief) for stored in found]


def workbenchesOf(reader: Reader) -> list[str]:
    """The workbenches that there are components of, 100 at most."""
    return reader.components.features(100)


def entryOf(reader: Reader, name: str) -> Entry | None:
    """
    The component of an id, or of a digest that begins so (`MIN_PREFIX` hex digits at least); of the same bytes who
    shared them first.

    @raise Unclear: two authors call one so, or two digests begin so; `TooShort`: it has too few of a digest's digits.
    """
    found = reader.components.named(name)
    # A stranger may call a component like another's digest; a whole digest is nobody's to take.
    found = [one for one in found if one.digest == name.lower()] or found
    if len({one.digest for one in found}) > 1:
        words = ", ".join(f"{one.digest[:12]} of {one.author}" for one in found[:8])
        raise Unclear(
            f"{name!r} may be {len(found)} components, by id or digest: {words}; name one by more digits of its digest"
        )
    if not found and re.fullmatch(f"[0-9a-fA-F]{{1,{MIN_PREFIX - 1}}}", name):
        raise TooShort(f"no id is {name!r}, and of a digest {MIN_PREFIX} hex digits are needed at least")
    return _entry(reader, found[0]) if found else None


def entryAt(reader: Reader, seq: int) -> Entry | None:
    """The component with this C{seq}."""
    stored = reader.components.at(seq)
    return _entry(reader, stored) if stored is not None else None


class _Brief(Struct):
    """The part of a component that a list shows."""

    id: str
    development_level: float | None = None
    manifest: msgspec.Raw = msgspec.Raw(b"null")


def _brief(body: bytes) -> Component:
    found = msgspec.json.decode(body, type=_Brief)
    manifest = None
    if len(bytes(found.manifest)) <= MAX_MANIFEST:
        manifest = msgspec.json.decode(found.manifest, type=Manifest | None)
    return Component(found.id, manifest=manifest, development_level=found.development_level)


def _whole(body: bytes) -> Component:
    return msgspec.json.decode(body, type=Component)


def _entry(reader: Reader, stored: StoredComponent, decode: Callable[[bytes], Component] = _whole) -> Entry:
    found = reader.reports.verdicts(stored.digest, stored.author)
    verdicts = {aiId: Verdict(verdict) for aiId, verdict, _ in found}
    owners = {aiId: owner for aiId, _, owner in found if owner is not None}
    if (own := reader.owners.of(stored.author)) is not None:
        owners[stored.author] = own
    return Entry(
        decode(stored.body),
        stored.author,
        stored.digest,
        stored.confirmed,
        stored.refuted,
        stored.seq,
        stored.timestamp,
        stored.key,
        stored.olderRules,
        verdicts,
        owners,
        confirmation(reader, stored.digest, stored.author) if stored.confirmed else Confirmation(),
    )


def reportsOn(reader: Reader, digest: str, limit: int = 50) -> list[dict[str, Any]]:
    """The newest reports about these bytes, as `kernelnet.hub.views.projections.describeReport` gives them."""
    return [*map(describeReport, reader.reports.onDigest(digest, limit, MAX_REPORT))]


def observationsOf(reader: Reader, entry: Entry, each: int = 4, limit: int = 20) -> list[dict[str, Any]]:
    """
    Components at work as AIs tell it, the newest first, with C{reporter} and C{timestamp}: no verdict depends on any.

    One of another module, which somebody told under this digest, is left out; and so are those on traces of the
    tellers' own, of which no single one is told (see `kernelnet.hub.views.sites`).

    @param each: the maximum number of each AI's; C{limit}: of all.
    """
    manifest = entry.component.manifest
    found = []
    for stored in reader.observations.onDigest(entry.digest, each, limit):
        told = msgspec.json.decode(stored.body)
        if told["unit"] == SITE_UNIT and told["environment"] == Environment.SIMULATED.value:
            continue
        if manifest is not None and told["wasm_sha256"] == manifest.wasm_sha256:
            found.append({**told, "reporter": stored.reporter, "timestamp": stored.timestamp})
    return found


def attestationsOn(reader: Reader, entry: Entry) -> tuple[list[Attestation], list[str]]:
    """
    Verdicts on a component as they were signed: of each voice the newest that confirms it, and the newest of all.

    @return: the signed ones, of each AI one at most; and the AIs whose verdict has no signature.
    """
    reports = reader.reports.confirming(entry.digest, entry.author, MAX_ATTESTATIONS, MAX_REPORT)
    reports += reader.reports.onDigest(entry.digest, MAX_ATTESTATIONS, MAX_REPORT)
    signed: dict[str, Attestation] = {}
    unsigned = []
    for stored in reports:
        if stored.verdict is None or stored.reporter in signed or stored.reporter in unsigned:
            continue
        report = msgspec.json.decode(stored.body, type=PerformanceReport)
        if report.attestation is not None:
            signed[stored.reporter] = report.attestation
        else:
            unsigned.append(stored.reporter)
    return [*signed.values()], unsigned


class Ancestor(Struct):
    """
    One step of a lineage.

    @ivar digest: the parent's.
    @ivar entry: C{None} where the hub has it no longer, or never had it.
    @ivar gain: by how much the child's claimed level is higher; C{None} where they are not about the same task.
    """

    digest: str
    entry: Entry | None
    gain: float | None
    parents: list[Ancestor] = []


def lineage(reader: Reader, entry: Entry, depth: int = 8) -> list[Ancestor]:
    """
    The parents that a component names, theirs, and so on.

    @param depth: the maximum number of generations; what comes twice is followed once.
    """
    return _ancestors(reader, entry, depth, {entry.digest})


def _ancestors(reader: Reader, entry: Entry, depth: int, seen: set[str]) -> list[Ancestor]:
    manifest = entry.component.manifest
    found = []
    for digest in dict.fromkeys(manifest.parents if manifest is not None else []):
        stored = reader.components.withDigest(digest)
        parent = _entry(reader, stored) if stored is not None else None
        ancestor = Ancestor(digest, parent, _gain(entry, parent) if parent is not None else None)
        if parent is not None and digest not in seen and depth > 1:
            seen.add(digest)
            ancestor.parents = _ancestors(reader, parent, depth - 1, seen)
        found.append(ancestor)
    return found


def _gain(child: Entry, parent: Entry) -> float | None:
    mine, its = child.report, parent.report
    levels = child.component.development_level, parent.component.development_level
    if mine is None or its is None or levels[0] is None or levels[1] is None:
        return None
    if (mine.workbench_digest, mine.trace_digest, mine.settings) != (
        its.workbench_digest,
        its.trace_digest,
        its.settings,
    ):
        return None
    gain = levels[0] - levels[1]
    return gain if math.isfinite(gain) else None


def byOwner(ais: Collection[str], owners: Mapping[str, str]) -> list[str]:
    """Voices as people are told of them: each owner once, with the AIs; an AI without one by its id."""
    alone = [aiId for aiId in ais if aiId not in owners]
    theirs: dict[str, list[str]] = {}
    for aiId in ais:
        if aiId in owners:
            theirs.setdefault(owners[aiId], []).append(aiId)
    return sorted([*alone, *(f"{owner} ({', '.join(ids)})" for owner, ids in theirs.items())])


def describe(entry: Entry) -> dict[str, Any]:
    """The words of a list about a component, as JSON values."""
    report, manifest = entry.report, entry.component.manifest
    return {
        "id": entry.component.id,
        "author": entry.author,
        "digest": entry.digest,
        "workbench": manifest.workbench if manifest is not None else None,
        "abi": manifest.abi if manifest is not None else None,
        "trace": report.trace if report is not None else None,
        "trace_digest": report.trace_digest if report is not None else None,
        "settings": report.settings if report is not None else None,
        "kind": entry.kind,
        "level": entry.level,
        "claimed": not entry.isConfirmed,
        "older_rules": entry.olderRules,
        "level_low": entry.confirmation.low,
        "level_high": entry.confirmation.high,
        **handMade(entry.confirmation),
        "state": entry.state,
        "confirmed": entry.confirmed,
        "refuted": entry.refuted,
        "verdicts": {aiId: verdict.value for aiId, verdict in entry.verdicts.items()},
        "owners": entry.owners,
        "shared": entry.timestamp,
        "seq": entry.seq,
    }


def describeWhole(entry: Entry, ancestors: list[Ancestor]) -> dict[str, Any]:
    """The same with its lineage, and all that its author said."""
    return {
        **describe(entry),
        "lineage": [_describeAncestor(ancestor) for ancestor in ancestors],
        "component": msgspec.to_builtins(entry.component),
    }


def _describeAncestor(ancestor: Ancestor) -> dict[str, Any]:
    entry = ancestor.entry
    return {
        "digest": ancestor.digest,
        "id": entry.component.id if entry is not None else None,
        "author": entry.author if entry is not None else None,
        "level": entry.level if entry is not None else None,
        "gain": ancestor.gain,
        "hypothesis": _hypothesisOf(entry) if entry is not None else "",
        "parents": [_describeAncestor(a) for a in ancestor.parents],
    }


def _hypothesisOf(entry: Entry) -> str:
    manifest = entry.component.manifest
    return manifest.hypothesis if manifest is not None else ""
