"""
Selection of those who measure a claim again, and when they do.

Not everybody measures everything.  Who is to measure a claim is drawn by rendezvous hashing (Thaler and Ravishankar,
IEEE/ACM Transactions on Networking 6(1), 1998) among those who are there, so that all agree without a word:
`WITNESSES` measure it at once.  Of the others, whoever trains on its workbench measures it next, since nobody builds on
what he hasn't measured himself; the rest only if after `REST_AFTER` it still has fewer than `WITNESSES` verdicts.
"""

from __future__ import annotations

import hashlib

from twisted.internet.interfaces import IReactorTime

from kernelnet.artifacts import Verdict
from kernelnet.interfaces import ILocalTrainer
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase, KnownComponent

__all__ = ["REST_AFTER", "WITNESSES", "VerifierSelection"]

WITNESSES = 2
"""Number of AIs besides the author that measure a claim, however little they can do with it."""

REST_AFTER = 30.0
"""Seconds after which others measure what its witnesses haven't."""


class VerifierSelection:
    """One trainer's part in it."""

    def __init__(self, aiId: str, local: ILocalTrainer, knowledge: KnowledgeBase, clock: IReactorTime) -> None:
        self._aiId = aiId
        self._local = local
        self._knowledge = knowledge
        self._clock = clock
        self._since: dict[str, float] = {}

    def isDrawn(self, digest: str, author: str) -> bool:
        """Whether this trainer is a witness of a claim."""
        ours = self._aiId
        if author == ours:
            return False
        mine, before = _place(digest, ours), 0
        # Of thousands only the first few are looked at, for most claims: this runs in the reactor, for each that waits.
        for aiId, info in self._knowledge.ais.items():
            if info.connected and aiId not in (ours, author) and _place(digest, aiId) < mine:
                before += 1
                if before == WITNESSES:
                    return False
        return True

    def rank(self, digest: str) -> int | None:
        """Order in which a claim is measured here: 0 comes first; C{None}: not yet."""
        known = self._knowledge.components.get(digest)
        if known is None or self.isDrawn(digest, known.source):
            return 0
        if self._isOurs(known):
            return 1
        now = self._clock.seconds()
        if len(self._since) > len(self._knowledge.components):  # what was forgotten meanwhile waits for nothing
            self._since = {each: at for each, at in self._since.items() if each in self._knowledge.components}
        return 2 if now - self._since.setdefault(digest, now) >= REST_AFTER else None

    def isNeeded(self, known: KnownComponent) -> bool:
        """Whether it is worth measuring a claim here, now that its turn has come."""
        digest = known.digest
        self._since.pop(digest, None)
        if self._isOurs(known) or self.isDrawn(digest, known.source):
            return True
        reports = self._knowledge.reportsOn(known.id)
        others = [
            report.verdict
            for aiId, report in reports.items()
            if report.digest == digest and aiId not in (known.source, self._aiId)
        ]
        return sum(verdict in (Verdict.CONFIRMED, Verdict.REFUTED) for verdict in others) < WITNESSES

    def _isOurs(self, known: KnownComponent) -> bool:
        """Whether this trainer could build on it."""
        return known.workbench in self._local.workbenches


def _place(digest: str, aiId: str) -> bytes:
    """The least are drawn."""
    return hashlib.sha256(f"{digest} {aiId}".encode()).digest()
