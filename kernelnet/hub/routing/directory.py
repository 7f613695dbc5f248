"""
The AIs that are known: who has a token, what each said in its last hello, and who can do what.

It is kept in memory, in the reactor's thread, and follows what is committed: whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from kernelnet.hub.storage.engine import Committed
from kernelnet.hub.storage.statements.access import StoredAi
from kernelnet.hub.storage.transaction import Reader, Transaction
from kernelnet.message import AiInfo, Hello

__all__ = ["Directory", "KnownAi", "saveHello"]


@dataclass(slots=True)
class KnownAi:
    """
    @ivar seenAt: Unix seconds at which its last connection ended; of its last hello, if none has ended since.
    @ivar words: what it can do, as single lower-case words.
    """

    hello: Hello
    seenAt: float
    words: frozenset[str]


class Directory:
    """
    @ivar enrolled: every id that has or had a token of its own.
    @ivar ais: those that ever said hello.
    """

    def __init__(self) -> None:
        self.enrolled: set[str] = set()
        self.ais: dict[str, KnownAi] = {}
        self._byWord: dict[str, set[str]] = {}

    def __repr__(self) -> str:
        return f"<Directory enrolled={len(self.enrolled)} ais={len(self.ais)}>"

    @classmethod
    def load(cls, reader: Reader) -> Directory:
        """The directory of all that is stored."""
        directory = cls()
        directory.enrolled = reader.tokens.ids()
        for ai in reader.ais.all():
            directory.heard(ai.aiId, msgspec.json.decode(ai.hello, type=Hello), ai.seenAt)
        return directory

    def replaceWith(self, other: Directory) -> None:
        """Know what C{other} knows, and nothing else."""
        self.enrolled, self.ais, self._byWord = other.enrolled, other.ais, other._byWord

    def follow(self, committed: Committed) -> None:
        """Know those who were given a token, and what was said in hellos; a subscriber of the log, a first one."""
        self.enrolled.update(committed.enrolled)
        for aiId, hello, now in committed.hellos:
            self.heard(aiId, hello, now)

    def heard(self, aiId: str, hello: Hello, now: float) -> None:
        """C{aiId} said hello."""
        if before := self.ais.get(aiId):
            for word in before.words:
                self._byWord[word].discard(aiId)
        words = frozenset(
            _words([hello.specialization, *hello.capabilities, *hello.features_supported, *hello.workbenches])
        )
        for word in words:
            self._byWord.setdefault(word, set()).add(aiId)
        self.enrolled.add(aiId)
        self.ais[aiId] = KnownAi(hello, now, words)

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
            found = [self._byWord.get(word, set()) for word in words]
            for aiId in set.intersection(*found) if found else ():
                scores[aiId] = scores.get(aiId, 0) + 1
        return scores

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
        )


def saveHello(transaction: Transaction, aiId: str, hello: Hello, readSeq: int | None) -> None:
    """Store an AI's hello, and tell who follows the log of it."""
    transaction.ais.save(StoredAi(aiId, msgspec.json.encode(hello), hello.protocol, transaction.now, readSeq))
    transaction.hellos.append((aiId, hello, transaction.now))


def _words(phrases: Iterable[str]) -> Iterable[str]:
    for phrase in phrases:
        yield from re.findall(r"[^\W_]+", phrase.lower())
