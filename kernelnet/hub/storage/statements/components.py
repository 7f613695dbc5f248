"""Components and building blocks that were shared, and what verdicts say about them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, Protocol

from msgspec import Struct

from kernelnet.hub.storage.log_pages import Event

__all__ = [
    "COMPONENT_SORTS",
    "COMPONENT_STATES",
    "LOOKS",
    "MIN_PREFIX",
    "VOICES",
    "ComponentKey",
    "ComponentTurn",
    "Components",
    "ComponentsQueries",
    "NewComponent",
    "StoredComponent",
]

COMPONENT_SORTS = ("level", "confirmed", "newest")
"""
Orders of `ComponentsQueries.listed`, all descending: C{level}: by standing, level, seq; C{confirmed}: by rank, level,
seq; C{newest}: by seq; in all of them claims of older rules come last.
"""

MIN_PREFIX = 6
"""Least number of a digest's digits by which a component may be named."""

VOICES = 16
"""Number of voices on which rules of a workbench are in force: of those that confirmed something last."""

COMPONENT_STATES = ("confirmed", "refuted", "disputed", "unmeasured")
"""
States by what others found: C{confirmed > 0 and refuted = 0}; C{refuted > 0 and confirmed = 0}; both above 0; both 0.
"""


LOOKS = 1000
"""Maximum number of components that are looked at for one feature, and as many for one name; takes 0.2 ms."""


class NewComponent(Struct, frozen=True, gc=False):
    """
    A component or a building block that is shared by C{author}.

    @ivar kind: C{component} or C{code}.
    @ivar feature: the workbench it was measured on, else the author's specialization.
    @ivar digest: that verdicts are about; C{""} for building blocks.
    @ivar level: as claimed; 0 where nothing is claimed.
    @ivar body: all of it as JSON.
    @ivar workbenchDigest: the workbench's rules that the claim was measured under; C{""} where nothing is claimed.
    """

    author: str
    id: str
    kind: str
    name: str
    feature: str
    digest: str
    level: float
    timestamp: str
    body: bytes
    workbenchDigest: str = ""


class StoredComponent(NamedTuple):
    """
    The newest version of an author's component.

    @ivar confirmed: by how many voices (`Owners`) other than the author's; C{refuted}: the same.
    @ivar seq: of the message it came with.
    @ivar olderRules: whether its claim was measured under other rules than those in force (`Components.setRules`).
    """

    author: str
    id: str
    kind: str
    digest: str
    level: float
    confirmed: int
    refuted: int
    seq: int
    timestamp: str
    body: bytes
    olderRules: bool = False

    @property
    def rank(self) -> int:
        return self.confirmed - self.refuted

    @property
    def standing(self) -> int:
        """1: more AIs confirm it than refute it; 0: as many; -1: fewer; three less where it claims by older rules."""
        return (self.rank > 0) - (self.rank < 0) - 3 * self.olderRules

    @property
    def key(self) -> ComponentKey:
        return ComponentKey(self.rank, self.level, self.seq, self.standing)


class ComponentKey(NamedTuple):
    """The place of a component in an order; of C{standing}, C{rank} and C{level} those count by which it is ordered."""

    rank: int
    level: float
    seq: int
    standing: int = 0

    @property
    def olderRules(self) -> bool:
        return self.standing < -1


class ComponentTurn(NamedTuple):
    """The place of a component where authors take turns (`ComponentsQueries.inTurn`)."""

    standing: int
    turn: int
    level: float
    seq: int


class ComponentsQueries(Protocol):
    """
    Questions about components.  "Best first" is by standing, level, seq, all descending.

    All but `after`, `inTurn`, `heldDigests`, `rules` and `count…` are about kind C{component} alone, and these say what
    they do.
    """

    def after(self, key: ComponentKey | None) -> Iterator[StoredComponent]:
        """
        All of both kinds by rank, level, seq, all descending; C{key}: only those with a lower (rank, level, seq).

        Cursors that older hubs gave out go on so.  The bodies are not in memory together.
        """

    def inTurn(
        self, each: int, key: ComponentTurn | None, limit: int
    ) -> Iterator[tuple[ComponentTurn, StoredComponent]]:
        """
        The first C{limit} of both kinds, by standing, where voices take turns: of what has the same standing each has
        its best C{each} in turn 0, the next C{each} in turn 1, and so on; within a turn best first.

        @param key: only those that stand behind it.
        """

    def best(self, feature: str, requestor: str) -> StoredComponent | None:
        """
        The best one that has this feature or this name and another author than C{requestor}; none of older rules.

        Of those with the feature the `LOOKS` best are looked at, and so of those with the name.
        """

    def listed(
        self,
        *,
        workbench: str | None,
        author: str | None,
        state: str | None,
        sort: str,
        limit: int,
        after: ComponentKey | None,
    ) -> list[StoredComponent]:
        """
        @param workbench: with this feature only; C{None}: all.
        @param author: of this one only; C{None}: of all.
        @param state: one of `COMPONENT_STATES`; C{None}: all.
        @param sort: one of `COMPONENT_SORTS`.
        @param limit: the first so many of those that are left.
        @param after: only those that come after it in the order C{sort}.
        """

    def inOrder(self) -> Iterator[StoredComponent]:
        """All, by seq."""

    def named(self, name: str) -> list[StoredComponent]:
        """Those with this id, or, if C{name} has `MIN_PREFIX` characters, a digest that begins so; by seq."""

    def at(self, seq: int) -> StoredComponent | None:
        """The one that came with this message."""

    def withDigest(self, digest: str) -> StoredComponent | None:
        """The one with this digest; of several that with the lowest seq."""

    def confirmedOnly(self, limit: int) -> Iterator[StoredComponent]:
        """
        The newest (by seq) C{limit} in state C{confirmed}, the oldest of them first.  Their bodies are not in memory
        together: each is read when it is its turn, and one that is gone or changed by then is left out or as it is.
        """

    def features(self, limit: int) -> list[str]:
        """The features there are components of, each once, by id; the first C{limit}."""

    def idsBeginning(self, beginning: str, limit: int) -> list[str]:
        """The ids that begin so, by seq descending, one for each author; the first C{limit}."""

    def idsWith(self, digest: str, author: str, without: str, limit: int) -> int:
        """The number of ids but C{without} under which C{author} has this digest, counted to C{limit}."""

    def copies(self, digest: str, limit: int) -> int:
        """The number of ids under which all authors together have this digest, counted to C{limit}."""

    def heldDigests(self, digests: Collection[str]) -> set[str]:
        """Which of these are digests of components (kind C{component})."""

    def digestsOf(self, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The digest of each of these (author, id) that is there."""

    def rules(self) -> dict[str, str]:
        """The digest of each workbench's rules that are in force, where they are known."""

    def countByKind(self) -> dict[str, int]:
        """The number of them of each kind; kinds without any are left out."""

    def countByState(self) -> dict[str, int]:
        """
        The number of those of kind C{component} in each of `COMPONENT_STATES`, without those of older rules; states
        without any are left out.
        """

    def countConfirmed(self) -> int:
        """The number of those of kind C{component} with C{confirmed > 0}."""


class Components(ComponentsQueries, Protocol):
    """Changes to components."""

    def put(self, event: Event, component: NewComponent) -> None:
        """
        Store what came with C{event}, in the place of what the same author had under the same id, whichever kind that
        was; C{confirmed} and C{refuted} are 0 until `countVerdicts`.

        It may be written later in the transaction, together with others.
        """

    def countVerdicts(self, digest: str, name: tuple[str, str] | None = None) -> None:
        """
        Set C{confirmed} and C{refuted} of each one with this digest: how many voices (`Owners`) other than its author's
        have a report with this digest and that verdict.  A voice with reports of both counts in both.

        @param name: of the one of this (author, id) only; C{None}: of all.

        C{olderRules} of each is set, too: whether it has a C{workbenchDigest}, and rules of its feature are in force
        that are not these.
        """

    def setRules(self, installed: Mapping[str, str]) -> None:
        """
        Put rules in force: of each of these workbenches the digest, and of others no more than what `followRules` does.
        C{olderRules} of all components is set as `countVerdicts` does it.
        """

    def followRules(self, digest: str, reporter: str, seq: int) -> None:
        """
        C{reporter} confirmed this digest by the message C{seq}: if a component of another voice has it, C{confirmed
        > 0} and a C{workbenchDigest}, this is now its voice on the feature; of several that of the highest seq.

        Of the `VOICES` newest (by seq) on that feature, of an owner the newest alone, those rules come in force that
        most are for; of as many those that are, else those of the newest.  But what was among the installed in the last
        `setRules` stays in force.  C{olderRules} of the components with this feature is set as by `countVerdicts`.
        """
