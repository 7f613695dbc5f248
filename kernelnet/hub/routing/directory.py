"""
The AIs that are known: who has a token, what each said in its last hello, and who can do what.

It is kept in memory, in the reactor's thread, and follows what is committed: whoever wrote it.
"""

from __future__ import annotations

import heapq
import re
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass
from itertools import islice

import msgspec

from kernelnet.hub.routing.payload_bounds import cutHello
from kernelnet.hub.storage.engine import Committed
from kernelnet.hub.storage.statements.access import StoredAi
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.message import AiInfo, Hello

__all__ = ["Directory", "KnownAi", "heardIn", "saveHello"]

MAX_WORDS = 1000
"""Maximum number of an AI's words that are known: its first."""

MAX_ASKED = 3
"""Maximum number of AIs that a feature is asked of."""

MAX_LOOKS = 500
"""Maximum number of entries that are looked at for one feature, which takes less than a millisecond."""

_Entry = tuple[int, int, str]
"""Number of an AI's words, number of sessions that it completed (negative), its id: the best come first."""


@dataclass(slots=True)
class KnownAi:
    """
    @ivar seenAt: Unix seconds at which its last connection ended; of its last hello, if none has ended since.
    @ivar words: what it can do, as single lower-case words.
    @ivar entry: where it stands among those that have a word of its.
    """

    hello: Hello
    seenAt: float
    words: frozenset[str]
    entry: _Entry


class Directory:
    """
    @ivar enrolled: every id that has or had a token of its own.
    @ivar ais: those that ever said hello.
    @ivar owners: of each AI that has one.
    @ivar completed: number of sessions that each AI completed as their partner.
    @ivar released: number of those that were taken from it since the start, since it worked on nothing of them.
    """

    def __init__(self) -> None:
        self.enrolled: set[str] = set()
        self.ais: dict[str, KnownAi] = {}
        self.owners: dict[str, str] = {}
        self.completed: Counter[str] = Counter()
        self.released: Counter[str] = Counter()
        self._byWord: dict[str, list[_Entry]] = {}

    def __repr__(self) -> str:
        return f"<Directory enrolled={len(self.enrolled)} ais={len(self.ais)}>"

    @classmethod
    def load(cls, reader: Reader) -> Directory:
        """The directory of all that is stored."""
        directory = cls()
        directory.enrolled = reader.tokens.ids()
        directory.owners = reader.owners.all()
        directory.completed.update(reader.sessions.completedBy())
        for ai in reader.ais.all():
            directory.heard(ai.aiId, cutHello(msgspec.json.decode(ai.hello, type=Hello)), ai.seenAt)
        return directory

    def replaceWith(self, other: Directory) -> None:
        """Know what C{other} knows, and nothing else."""
        self.enrolled, self.ais, self.owners = other.enrolled, other.ais, other.owners
        self.completed, self._byWord = other.completed, other._byWord

    def follow(self, committed: Committed) -> None:
        """
        Know those who were given a token, what was said in hellos, who was locked out, and who completed a session; a
        subscriber of the log, a first one.
        """
        self.enrolled.update(committed.enrolled)
        for aiId, hello, now in committed.hellos:
            self.heard(aiId, hello, now)
        for aiId in committed.revoked:
            self._forget(aiId)
        for aiId in committed.completed:
            self.completed[aiId] += 1
            if known := self.ais.get(aiId):
                self._place(aiId, known.hello, known.seenAt, known.words)

    def heard(self, aiId: str, hello: Hello, now: float) -> None:
        """C{aiId} said hello."""
        said = _words([hello.specialization, *hello.capabilities, *hello.features_supported, *hello.workbenches])
        self.enrolled.add(aiId)
        self._place(aiId, hello, now, frozenset(islice(said, MAX_WORDS)))

    def _place(self, aiId: str, hello: Hello, seenAt: float, words: frozenset[str]) -> None:
        """Have it stand where it belongs among those that have a word of its."""
        before = self.ais.get(aiId)
        known = self.ais[aiId] = KnownAi(hello, seenAt, words, (len(words), -self.completed[aiId], aiId))
        if before is not None:
            if (before.words, before.entry) == (known.words, known.entry):
                return
            self._takeOut(before)
        for word in words:
            insort(self._byWord.setdefault(word, []), known.entry)

    def _takeOut(self, known: KnownAi) -> None:
        for word in known.words:
            entries = self._byWord[word]
            del entries[bisect_left(entries, known.entry)]
            if not entries:
                del self._byWord[word]

    def _forget(self, aiId: str) -> None:
        """Nobody is told any more what it said; the id stays taken."""
        if known := self.ais.pop(aiId, None):
            self._takeOut(known)

    def isReliable(self, aiId: str) -> bool:
        """Whether it has completed as many of the sessions that it accepted as were taken from it."""
        return self.completed[aiId] >= self.released[aiId]

    def owned(self, aiId: str, owner: str | None) -> None:
        """The operator said whose C{aiId} is; C{None}: nobody's."""
        if owner is None:
            self.owners.pop(aiId, None)
        else:
            self.owners[aiId] = owner

    def seen(self, aiId: str, now: float) -> None:
        """C{aiId} was here until now."""
        if known := self.ais.get(aiId):
            known.seenAt = now

    def isKnown(self, aiId: str) -> bool:
        return aiId in self.enrolled

    def able(self, terms: Iterable[str]) -> dict[str, int]:
        """
        Who can do what is asked for.

        @param terms: such as C{"file_system"} or C{"network protocols"}; an AI serves a term when all of the
            term's words are among its own.
        @return: how many of the terms each AI serves; only those that serve any.
        """
        scores: dict[str, int] = {}
        for words in {frozenset(_words([term])) for term in terms}:
            rarest = min((self._byWord.get(word, []) for word in words), key=len, default=[])
            for _, _, aiId in rarest:
                if words <= self.ais[aiId].words:
                    scores[aiId] = scores.get(aiId, 0) + 1
        return scores

    def ablest(self, feature: str, without: str, connected: Container[str]) -> list[str]:
        """
        The AIs to ask for a feature, best first: those that have any of its words.

        They are ranked by the share of their own words that the feature has, so that nobody gains by naming many, then
        by how many sessions they completed; among equals those who are here come first, then who was here last.

        @param without: whom not to ask.
        @return: at most `MAX_ASKED`.
        """
        wanted = frozenset(_words([feature]))
        ranks: dict[str, tuple[float, int, bool, float]] = {}
        best: list[float] = []  # of their shares, the lowest first
        # Who has few words comes first, so one can tell when nobody better is to come.
        entries = heapq.merge(*(self._byWord.get(word, []) for word in wanted))
        for count, completed, aiId in islice(entries, MAX_LOOKS):
            if len(best) == MAX_ASKED and best[0] > len(wanted) / count:
                break
            if aiId == without or aiId in ranks:
                continue
            known = self.ais[aiId]
            share = len(wanted & known.words) / count
            ranks[aiId] = (-share, completed, aiId not in connected, -known.seenAt)
            heapq.heappush(best, share)
            if len(best) > MAX_ASKED:
                heapq.heappop(best)
        return sorted(ranks, key=lambda aiId: (ranks[aiId], aiId))[:MAX_ASKED]

    def info(self, aiId: str, since: str | None) -> AiInfo | None:
        """@param since: since when it is connected (RFC 3339); C{None}: it is away."""
        known = self.ais.get(aiId)
        if known is None:
            return None
        hello = known.hello
        return AiInfo(
            specialization=hello.specialization,
            capabilities=list(hello.capabilities),
            collaboration_ready=hello.collaboration_ready,
            connected=since is not None,
            since=since,
            generators=list(hello.generators),
            workbenches=list(hello.workbenches),
            owner=self.owners.get(aiId),
        )


def heardIn(reader: Reader, ids: Iterable[str]) -> Directory:
    """The directory of what is stored of the hellos of C{ids}, and of nothing else."""
    found = Directory()
    for aiId in ids:
        if (ai := reader.ais.find(aiId)) is not None:
            found.heard(aiId, cutHello(msgspec.json.decode(ai.hello, type=Hello)), ai.seenAt)
    return found


def saveHello(transaction: Transaction, aiId: str, hello: Hello, readSeq: int | None) -> None:
    """Store an AI's hello, and tell who follows the log of it."""
    transaction.ais.save(StoredAi(aiId, msgspec.json.encode(hello), hello.protocol, transaction.now, readSeq))
    transaction.hellos.append((aiId, hello, transaction.now))


def _words(phrases: Iterable[str]) -> Iterable[str]:
    for phrase in phrases:
        yield from re.findall(r"[^\W_]+", phrase.lower())
