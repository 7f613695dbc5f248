"""What a trainer builds upon."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Component, SplitScore, Verdict
from kernelnet.trainer.storage.database import Changes
from kernelnet.trainer.storage.knowledge_base import Knowledge
from tests.trainer.support import component


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
        knowledge = Knowledge("AI_1", store)
        changes = Changes()
        for made in components:
            knowledge.addComponent("AI_2", made, changes)
            knowledge.judge(made.digest, Verdict.CONFIRMED, changes)
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
