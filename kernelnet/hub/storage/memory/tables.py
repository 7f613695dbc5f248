"""
All rows, by table.

A transaction works on a copy of all tables, and a savepoint is another one.  Making such a copy takes the same time
however many rows there are: rows never change, and a table is copied when one of those that share it is changed first.
So nobody sees what is not committed, and what was undone can't leave anything behind.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, MutableMapping, ValuesView
from dataclasses import dataclass, field, fields
from typing import NamedTuple, TypeVar

from kernelnet.hub.storage.log_pages import Event
from kernelnet.hub.storage.statements.access import StoredAi, StoredToken
from kernelnet.hub.storage.statements.certificates import StoredCertificate
from kernelnet.hub.storage.statements.components import StoredComponent
from kernelnet.hub.storage.statements.log import Mark
from kernelnet.hub.storage.statements.observations import NewObservation
from kernelnet.hub.storage.statements.patterns import NewPattern
from kernelnet.hub.storage.statements.reports import NewReport

__all__ = [
    "ComponentRow",
    "LogRow",
    "ObservationKey",
    "ObservationRow",
    "PatternRow",
    "ReportRow",
    "RulesRow",
    "SessionRow",
    "Table",
    "Tables",
    "VoiceRow",
]

K = TypeVar("K")
V = TypeVar("V")


class LogRow(NamedTuple):
    """
    A row of the log.

    @ivar digest: C{b""}: that of what the event's line says.
    """

    event: Event
    messageId: str
    messageType: str
    target: str | None
    timestamp: str
    digest: bytes


class PatternRow(NamedTuple):
    """The newest version of an author's pattern."""

    seq: int
    new: NewPattern


class ComponentRow(NamedTuple):
    """The newest version of an author's component; all but C{stored} is asked for, and not shown."""

    name: str
    feature: str
    stored: StoredComponent
    workbenchDigest: str


class RulesRow(NamedTuple):
    """The rules of a workbench that are in force, and whether it is installed beside the hub."""

    digest: str
    installed: bool


class VoiceRow(NamedTuple):
    """The rules of a workbench that an AI confirmed a claim under last, and the C{seq} of its report."""

    digest: str
    seq: int


class ReportRow(NamedTuple):
    """The newest report of an AI on a component's id and digest."""

    seq: int
    new: NewReport


ObservationKey = tuple[str, str, str, str, str, str]
"""Reporter, component id, digest, environment, site and conditions."""


class ObservationRow(NamedTuple):
    """The newest observation with its key."""

    seq: int
    new: NewObservation


class SessionRow(NamedTuple):
    """See `kernelnet.hub.storage.statements.sessions`."""

    id: str
    initiator: str
    type: str
    description: str
    state: str
    invited: tuple[str, ...]
    invitation: bytes
    createdAt: float
    changedAt: float
    expiresAt: float | None
    partner: str | None = None
    declined: tuple[str, ...] = ()
    component: str | None = None
    transcript: bytes | None = None


class Table(MutableMapping[K, V]):
    """Rows by their key, in the order in which the keys came."""

    __slots__ = ("_owned", "_rows")

    def __init__(self) -> None:
        self._rows: dict[K, V] = {}
        self._owned = True

    def __repr__(self) -> str:
        return f"<Table rows={len(self._rows)}{'' if self._owned else ' shared'}>"

    def fork(self) -> Table[K, V]:
        """A table with the same rows, which goes its own way from here."""
        forked: Table[K, V] = Table()
        forked._rows = self._rows
        forked._owned = self._owned = False
        return forked

    def _own(self) -> dict[K, V]:
        if not self._owned:
            self._rows = dict(self._rows)
            self._owned = True
        return self._rows

    def __getitem__(self, key: K) -> V:
        return self._rows[key]

    def __setitem__(self, key: K, row: V) -> None:
        self._own()[key] = row

    def __delitem__(self, key: K) -> None:
        del self._own()[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def values(self) -> ValuesView[V]:
        return self._rows.values()

    def add(self, key: K, row: V) -> None:
        """
        Add a row.

        @raise ValueError: the key is there already.
        """
        if key in self._rows:
            raise ValueError(f"{key!r} is there already")
        self[key] = row


@dataclass(slots=True)
class Tables:
    """
    All that a database holds.

    @ivar given: the last number that was given to a row of the log.
    @ivar log: by seq, which rises by one from row to row.
    @ivar known: by sender and message id: seq, and the digest once retention has removed the row, till then C{None}.
    """

    logId: str = field(default_factory=lambda: secrets.token_hex(16))
    given: int = 0
    log: Table[int, LogRow] = field(default_factory=Table)
    known: Table[tuple[str, str], tuple[int, bytes | None]] = field(default_factory=Table)
    marks: Table[int, Mark] = field(default_factory=Table)
    tokens: Table[str, StoredToken] = field(default_factory=Table)
    ais: Table[str, StoredAi] = field(default_factory=Table)
    sessions: Table[str, SessionRow] = field(default_factory=Table)
    patterns: Table[tuple[str, str], PatternRow] = field(default_factory=Table)
    components: Table[tuple[str, str], ComponentRow] = field(default_factory=Table)
    reports: Table[tuple[str, str, str], ReportRow] = field(default_factory=Table)
    observations: Table[ObservationKey, ObservationRow] = field(default_factory=Table)
    rules: Table[str, RulesRow] = field(default_factory=Table)
    voices: Table[tuple[str, str], VoiceRow] = field(default_factory=Table)
    owners: Table[str, str] = field(default_factory=Table)
    certificates: Table[str, StoredCertificate] = field(default_factory=Table)

    @property
    def first(self) -> int:
        """The first row of the log that is there, or would be."""
        return self.given - len(self.log) + 1

    def voice(self, aiId: str) -> str:
        """See `kernelnet.hub.storage.statements.owners`; an owner's has a blank, and so is no AI's id."""
        owner = self.owners.get(aiId)
        return aiId if owner is None else f"owner {owner}"

    def fork(self) -> Tables:
        """All that is here, to go its own way."""
        forked = Tables(self.logId)
        forked.become(self)
        return forked

    def become(self, other: Tables) -> None:
        """Hold what C{other} does, and go one's own way from there."""
        for one in fields(self):
            value = getattr(other, one.name)
            setattr(self, one.name, value.fork() if isinstance(value, Table) else value)

    def rows(self, after: int, upTo: int) -> Iterator[LogRow]:
        """The rows of the log with C{after < seq <= upTo}, by seq."""
        return map(self.log.__getitem__, self.seqs(after, upTo))

    def seqs(self, after: int, upTo: int) -> range:
        """The positions of `rows`."""
        return range(max(after + 1, self.first), min(upTo, self.given) + 1)
