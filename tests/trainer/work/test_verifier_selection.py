"""Who measures which claim again: a few at once, whoever can use it, and the rest only if need be."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from twisted.internet.defer import inlineCallbacks

from kernelnet.artifacts import Component, PerformanceReport, Verdict
from kernelnet.message import AiInfo
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import KnownComponent
from kernelnet.trainer.work import verifier_selection
from kernelnet.trainer.work.verifier_selection import (
    OURS_AFTER,
    REST_AFTER,
    SECRET_WITNESSES,
    WITNESSES,
    VerifierSelection,
)
from tests.trainer.support import TrainerTestCase, component


class SelectionTests(TrainerTestCase):
    @inlineCallbacks
    def setUp(self) -> Any:  # type: ignore[override]
        yield super().setUp()
        self.clock.now = 0.0
        self.selection = self.selectionOf("AI_1")
        self.there(8)

    def selectionOf(self, aiId: str) -> VerifierSelection:
        return VerifierSelection(aiId, self.local, self.trainer.knowledge, self.clock)

    def there(self, number: int, connected: bool = True) -> None:
        self.trainer.knowledge.ais = {
            f"AI_{n}": AiInfo(specialization="security", connected=connected) for n in range(1, number + 1)
        }

    def claim(self, number: int, workbench: str = "elsewhere") -> KnownComponent:
        made: Component = component(f"c{number}")
        assert made.manifest is not None
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        manifest = msgspec.structs.replace(made.manifest, workbench=workbench, wasm_sha256=digest)
        made = msgspec.structs.replace(made, manifest=manifest, wasm=str(number).encode())
        known = self.trainer.knowledge.addComponent("AI_2", made, Changes())
        assert known is not None
        return known

    def drawn(self, number: int, first: int = 0) -> list[KnownComponent]:
        claims = [self.claim(n) for n in range(first, first + number)]
        return [known for known in claims if self.selection.isDrawn(known.component.digest, known.source)]

    def test_drawn(self) -> None:
        """Of those who are there each claim has as many witnesses, drawn at random, and its author is none."""
        claims = [self.claim(n) for n in range(60)]
        count = dict.fromkeys(self.trainer.knowledge.ais, 0)
        for known in claims:
            for aiId in count:
                count[aiId] += self.selectionOf(aiId).isDrawn(known.component.digest, known.source)
        self.assertEqual(sum(count.values()), WITNESSES * len(claims))
        self.assertEqual(count.pop("AI_2"), 0)
        self.assertGreater(min(count.values()), 5)

    def test_owners(self) -> None:
        """An owner with fifty of those who are there is one witness at most, and none of what one of his claims."""
        crowd = AiInfo(specialization="security", owner="crowd")
        there = {f"AI_{n}": crowd for n in range(10, 60)}
        self.trainer.knowledge.ais = {**self.trainer.knowledge.ais, **there}
        drawn = []
        for known in [self.claim(n) for n in range(60)]:
            ais = [*self.trainer.knowledge.ais]
            drawn.append([ai for ai in ais if self.selectionOf(ai).isDrawn(known.component.digest, "AI_2")])
            self.assertEqual(len({self.trainer.knowledge.voice(ai) for ai in drawn[-1]}), WITNESSES)
            theirs = [ai for ai in ais if self.selectionOf(ai).isDrawn(known.component.digest, "AI_10")]
            self.assertEqual([ai for ai in theirs if self.trainer.knowledge.voice(ai) == "owner crowd"], [])
        self.assertEqual({len(ais) for ais in drawn}, {WITNESSES})

    def test_verdictsOfOneOwner(self) -> None:
        """Verdicts of one owner's many AIs are one: others still measure."""
        known = self.claim(1)
        digest = known.component.digest
        ais = [f"AI_{n}" for n in range(10, 60)]
        for ai in ais:
            report = PerformanceReport(known.component.id, {}, digest, Verdict.CONFIRMED)
            self.trainer.knowledge.addReport(ai, report, "", Changes())
        other = next(s for n in range(3, 9) if not (s := self.selectionOf(f"AI_{n}")).isDrawn(digest, known.source))
        self.assertFalse(other.isNeeded(known))
        away = AiInfo(specialization="security", connected=False, owner="crowd")
        self.trainer.knowledge.ais = {**self.trainer.knowledge.ais, **dict.fromkeys(ais, away)}
        self.assertTrue(other.isNeeded(known))

    def test_crowd(self) -> None:
        """Who is there is looked at as far as need be only, so that a crowd with many claims holds up nobody."""
        self.there(2000)
        looked = 0

        def place(digest: str, aiId: str) -> bytes:
            nonlocal looked
            looked += 1
            return hashlib.sha256(f"{digest} {aiId}".encode()).digest()

        self.patch(verifier_selection, "_place", place)
        drawn = sum(self.selection.isDrawn(str(number), "AI_2") for number in range(300))
        self.assertLess(drawn, 10)
        self.assertLess(looked, 300 * 2000 / 10)

    def test_few(self) -> None:
        """Where there are no more than the author and two others, both measure; those who are away don't count."""
        self.there(3)
        self.assertEqual(len(self.drawn(20)), 20)
        self.there(8, connected=False)
        self.assertEqual(len(self.drawn(20, 20)), 20)

    def test_ours(self) -> None:
        """What this trainer could build on it measures in any case, after what it is a witness of."""
        (mine, *_), others = self.drawn(20), [self.claim(n, "file_system") for n in range(100, 120)]
        self.assertEqual(self.selection.rank(mine.component.digest), 0)
        self.assertEqual({self.selection.rank(known.component.digest) for known in others}, {0, None})
        self.clock.advance(OURS_AFTER)
        self.assertEqual({self.selection.rank(known.component.digest) for known in others}, {0, 1})
        self.assertTrue(all(map(self.selection.isNeeded, others)))

    def test_witnesses(self) -> None:
        """It does so as soon as those who were drawn have, and then nobody counts on it."""
        known = next(
            k for n in range(20) if not self.selection.isDrawn((k := self.claim(n, "file_system")).digest, "AI_2")
        )
        for aiId, rank in (("AI_3", None), ("AI_2", None), ("AI_4", 1)):
            self.assertTrue(self.selection.isWitness(known))
            report = PerformanceReport(known.id, {}, known.digest, Verdict.CONFIRMED)
            self.trainer.knowledge.addReport(aiId, report, "", Changes())
            self.assertEqual(self.selection.rank(known.digest), rank)
        self.assertFalse(self.selection.isWitness(known))
        # They have not told of hand-made policies.
        self.patch(self.selection, "_isDrawnInSecret", lambda known: False)
        self.assertTrue(self.selection.saysMore(known))
        for aiId in ("AI_3", "AI_4"):
            report = PerformanceReport(known.id, {"best_in_hindsight": "lru"}, known.digest, Verdict.CONFIRMED)
            self.trainer.knowledge.addReport(aiId, report, "", Changes())
        self.assertFalse(self.selection.saysMore(known))
        self.assertTrue(self.selection.isNeeded(known))
        (mine, *_) = self.drawn(20, 20)
        self.assertTrue(self.selection.isWitness(mine) and self.selection.saysMore(mine))

    def test_secret(self) -> None:
        """Of many some more are expected to measure the hand-made policies, and none can tell who."""
        self.there(41)
        claims = [self.claim(n, "file_system") for n in range(300)]
        selections = [VerifierSelection("AI_1", self.local, self.trainer.knowledge, self.clock) for _ in range(2)]
        drawn = [[each for each in claims if one._isDrawnInSecret(each)] for one in selections]
        for some in drawn:  # 300 * 3 / 40 are expected, with a standard deviation of 4.6
            self.assertTrue(2 <= len(some) <= 45, len(some))
        self.assertNotEqual(*drawn)
        self.there(SECRET_WITNESSES)
        self.assertTrue(all(map(selections[0]._isDrawnInSecret, claims)))
        # Fifty ids of one owner make it no rarer.
        one = AiInfo(specialization="security", connected=True, owner="MALLORY")
        self.trainer.knowledge.ais = {"AI_1": one, **{f"M_{n}": one for n in range(50)}}
        self.assertTrue(all(map(selections[0]._isDrawnInSecret, claims)))

    def test_alone(self) -> None:
        """What one alone would say of hand-made policies it doesn't measure; with one more who is there it does."""
        for there, more in ((2, False), (3, True)):
            self.there(there)
            known = self.claim(there)
            self.assertTrue(self.selection.isWitness(known))
            self.assertIs(self.selection.saysMore(known), more)
        # or one who was there, and has told
        self.there(2)
        report = PerformanceReport(known.id, {}, known.digest, Verdict.CONFIRMED)
        self.trainer.knowledge.addReport("AI_3", report, "", Changes())
        self.assertTrue(self.selection.saysMore(known))

    def test_rest(self) -> None:
        """What is no use here waits; and is measured at last unless enough others have told."""
        known = next(k for k in map(self.claim, range(20)) if not self.selection.isDrawn(k.component.digest, "AI_2"))
        digest = known.component.digest
        self.assertIsNone(self.selection.rank(digest))
        self.clock.advance(REST_AFTER - 1)
        self.assertIsNone(self.selection.rank(digest))
        self.clock.advance(1)
        self.assertEqual(self.selection.rank(digest), 2)
        said = [("AI_2", Verdict.CONFIRMED), ("AI_3", Verdict.CONFIRMED), ("AI_4", Verdict.UNMEASURABLE)]
        for aiId, verdict in said:
            report = PerformanceReport(known.component.id, {}, digest, verdict)
            self.trainer.knowledge.addReport(aiId, report, "", Changes())
        # the author's own word and "unmeasurable" are no verdicts
        self.assertTrue(self.selection.isNeeded(known))
        report = PerformanceReport(known.component.id, {}, "0" * 64, Verdict.CONFIRMED)
        self.trainer.knowledge.addReport("AI_5", report, "", Changes())
        self.assertTrue(self.selection.isNeeded(known))
        report = PerformanceReport(known.component.id, {}, digest, Verdict.REFUTED)
        self.trainer.knowledge.addReport("AI_6", report, "", Changes())
        self.assertFalse(self.selection.isNeeded(known))
