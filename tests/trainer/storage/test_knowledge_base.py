"""What a trainer builds upon."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import inlineCallbacks
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Component, SplitScore, Verdict
from kernelnet.message import MessageType
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import KnowledgeBase
from tests.trainer.support import component, levelOf
from tests.trainer.work.support import WorkTestCase

T = MessageType


def scored(name: str, validation: int, heldOut: int, trace: str = "cd") -> Component:
    made = component(name, level=1 - heldOut / 100)
    if made.manifest is None or made.manifest.report is None:
        raise AssertionError(made)
    replace = msgspec.structs.replace
    splits = {"train": SplitScore(100, 1, 1), "validation": SplitScore(100, validation, 1)}
    splits["held_out"] = SplitScore(100, heldOut, 1)
    report = replace(made.manifest.report, splits=splits, trace_digest=trace * 32)
    return replace(made, manifest=replace(made.manifest, report=report))


class UsableTests(SynchronousTestCase):
    def usable(self, *components: Component) -> list[str]:
        store: Any = None
        knowledge = KnowledgeBase("AI_1", store)
        changes = Changes()
        for made in components:
            knowledge.addComponent("AI_2", made, changes)
            level = levelOf(made) if made.claim is not None else None
            knowledge.judge(made.digest, Verdict.CONFIRMED, changes, level)
        return [known.component.id for known in knowledge.usable("file_system")]

    def test_validation(self) -> None:
        """The best on validation comes first, whatever it has on held-out."""
        self.assertEqual(self.usable(scored("a", 30, 90), scored("b", 20, 95), scored("c", 40, 1)), ["b", "a", "c"])

    def test_tasks(self) -> None:
        """The best of each task comes before any task's second: scores of two traces can't be compared."""
        easy = [scored(f"e{n}", 10 + n, 0) for n in range(2)]
        hard = [scored(f"h{n}", 80 + n, 0, "ef") for n in range(2)]
        self.assertEqual(self.usable(*easy, *hard), ["e0", "h0", "e1", "h1"])

    def test_noClaim(self) -> None:
        """What makes no claim comes last."""
        self.assertEqual(self.usable(component("x", claim=False), scored("a", 90, 90)), ["a", "x"])


class LimitTests(WorkTestCase):
    @inlineCallbacks
    def test_nobodyCrowdsOutOthers(self) -> Any:
        """When there is too much, the peer with most loses its oldest; its work that waits goes with it."""
        self.trainer.knowledge.components.most = self.trainer.knowledge.patterns.kept.most = 3
        yield self.share("one", sender="AI_3")
        pattern = {"id": "one", "type": "loop", "confidence": 0.5}
        yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}, sender="AI_3"))
        for i in range(9):
            yield self.share(f"many{i}", sender="AI_2")
            pattern["id"] = f"many{i}"
            yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}, sender="AI_2"))
        known = self.trainer.knowledge
        self.assertEqual([k.component.id for k in known.components.values()], ["one", "many7", "many8"])
        self.assertEqual([id_ for _, id_ in known.patterns], ["one", "many7", "many8"])
        self.assertLessEqual(self.trainer.verification.unmeasured(), 4)

    @inlineCallbacks
    def test_tooLargeToKeep(self) -> Any:
        """What is larger than anything of use is not kept."""
        size = 500_000
        huge = msgspec.structs.replace(component("huge"), description="", implementation="x" * size)
        yield self.hear(self.message(T.OS_COMPONENT_SHARE, {"component": msgspec.to_builtins(huge)}))
        pattern = {"id": "p", "type": "loop", "confidence": 0.5, "data": "x" * size}
        yield self.hear(self.message(T.PATTERN_SHARE, {"pattern": pattern}))
        yield self.hear(self.message(T.CODE_SHARE, {"code": {"id": "c", "data": "x" * size}}))
        report = {"component_id": "c", "performance": {"x": "x" * size}}
        yield self.hear(self.message(T.PERFORMANCE_REPORT, report))
        known = self.trainer.knowledge
        self.assertEqual([known.components, known.patterns, known.blocks, known.benchmarks], [{}, {}, {}, {}])

    def test_ownIsConfirmed(self) -> None:
        """An own component may be built upon: its claim is a measurement made here."""
        changes = Changes()
        self.trainer.knowledge.addComponent("AI_1", component("own"), changes)
        self.assertEqual([k.verdict for k in self.trainer.knowledge.usable("file_system")], [Verdict.CONFIRMED])
