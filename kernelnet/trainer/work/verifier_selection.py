"""
Selection of those who measure a claim again, and when they do.

Not everybody measures everything.  Who is to measure a claim is drawn by rendezvous hashing (Thaler and Ravishankar,
IEEE/ACM Transactions on Networking 6(1), 1998) among those who are there, so that all agree without a word:
`WITNESSES` of different owners measure it at once, and the hand-made policies beside it, which takes ten times as long.
As everybody knows who they are, an author could try digests until they are friends of his: so some more, whom nobody
knows before they have told, measure the hand-made policies as well.
Of the others, whoever trains on its workbench measures the claim when they have, or after `OURS_AFTER`, since nobody
builds on what he hasn't measured himself; the rest only if after `REST_AFTER` it still has fewer than `WITNESSES`
verdicts.
"""

from __future__ import annotations

import hashlib
import secrets

from twisted.internet.interfaces import IReactorTime

from kernelnet.artifacts import Verdict
from kernelnet.interfaces import ILocalTrainer
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase, KnownComponent

__all__ = ["OURS_AFTER", "REST_AFTER", "SECRET_WITNESSES", "WITNESSES", "VerifierSelection"]

WITNESSES = 2
"""Number of owners besides the author's that measure a claim, however little they can do with it."""

SECRET_WITNESSES = 3
"""Number of owners that are expected to measure the hand-made policies, too, and nobody knows which: a majority."""

OURS_AFTER = 10.0
"""Seconds after which those who could build on a claim measure it, whether its witnesses have or not."""

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
        self._secret = secrets.token_hex()

    def isDrawn(self, digest: str, author: str) -> bool:
        """Whether this trainer is a witness of a claim."""
        ours = self._aiId
        voice = self._knowledge.voice
        # Of an owner with many AIs one is a witness at most, and none of what one of them claims.
        if voice(author) == voice(ours):
            return False
        mine, before = _place(digest, ours), {voice(author)}
        # Of thousands only the first few are looked at, for most claims: this runs in the reactor, for each that waits.
        for aiId, info in self._knowledge.ais.items():
            if info.connected and aiId not in (ours, author) and _place(digest, aiId) < mine:
                before.add(voice(aiId))
                if len(before) > WITNESSES or voice(ours) in before:
                    return False
        return True

    def rank(self, digest: str) -> int | None:
        """Order in which a claim is measured here: 0 comes first; C{None}: not yet."""
        known = self._knowledge.components.get(digest)
        if known is None or self.isDrawn(digest, known.source):
            return 0
        isOurs = self._isOurs(known)
        if isOurs and len(self._verdicts(known)) >= WITNESSES:
            return 1
        now = self._clock.seconds()
        if len(self._since) > len(self._knowledge.components):  # what was forgotten meanwhile waits for nothing
            self._since = {each: at for each, at in self._since.items() if each in self._knowledge.components}
        waited = now - self._since.setdefault(digest, now)
        if isOurs:
            return 1 if waited >= OURS_AFTER else None
        return 2 if waited >= REST_AFTER else None

    def isNeeded(self, known: KnownComponent) -> bool:
        """Whether it is worth measuring a claim here, now that its turn has come."""
        return self._isOurs(known) or self.isWitness(known)

    def isWitness(self, known: KnownComponent) -> bool:
        """Whether others count on what this trainer measures: it was drawn, or too few others have said anything."""
        return self.isDrawn(known.digest, known.source) or len(self._verdicts(known)) < WITNESSES

    def saysMore(self, known: KnownComponent) -> bool:
        """
        Whether to measure the hand-made policies beside a claim: others count on this trainer, and are enough.

        What fewer than `WITNESSES` say of a hand-made policy nobody believes.
        """
        voice = self._knowledge.voice
        who = {voice(self._aiId), *self._verdicts(known)} - {voice(known.source)}
        for aiId, info in self._knowledge.ais.items():
            if len(who) >= WITNESSES:
                break
            if info.connected and voice(aiId) != voice(known.source):
                who.add(voice(aiId))
        if len(who) < WITNESSES:
            return False
        isCounted = self.isDrawn(known.digest, known.source) or self._isDrawnInSecret(known)
        return isCounted or len(self._verdicts(known, beside=True)) < WITNESSES

    def _isDrawnInSecret(self, known: KnownComponent) -> bool:
        """Whether this trainer is one of `SECRET_WITNESSES` of those who are there, by a draw of its own."""
        voice = self._knowledge.voice
        # By owner, so that nobody makes it rarer by coming under many names.
        there = {voice(aiId) for aiId, info in self._knowledge.ais.items() if info.connected} - {voice(known.source)}
        return int.from_bytes(_place(known.digest, self._secret)[:8], "big") * len(there) < SECRET_WITNESSES << 64

    def _verdicts(self, known: KnownComponent, *, beside: bool = False) -> set[str]:
        """
        The owners, but ours and its author's, who have measured a claim.

        @param beside: those alone who have told of hand-made policies.
        """
        voice = self._knowledge.voice
        reports = self._knowledge.reportsOn(known.id)
        others = {
            voice(aiId)
            for aiId, report in reports.items()
            if report.digest == known.digest
            and report.verdict in (Verdict.CONFIRMED, Verdict.REFUTED)
            and not (beside and b'"best_in_hindsight"' not in report.body)
        }
        return others - {voice(known.source), voice(self._aiId)}

    def _isOurs(self, known: KnownComponent) -> bool:
        """Whether this trainer could build on it."""
        return known.workbench in self._local.workbenches


def _place(digest: str, aiId: str) -> bytes:
    """The least are drawn."""
    return hashlib.sha256(f"{digest} {aiId}".encode()).digest()
