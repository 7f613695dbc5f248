"""Which tasks are most like one's own, by their patterns, and what comes of that for a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import CodeBlock, Pattern
from kernelnet.learning import task_similarity
from kernelnet.learning.problem import MOST_BLOCKS, Problem
from kernelnet.learning.task_similarity import UNKNOWN, Likeness, taskOf, tasksOfBlock
from kernelnet.testing import loopWithScan, makeScenario

OWN = "0" * 64
NAMES = ("trace_digest", "settings", "tasks", "relative", "capacity", "share", "feature", "x")
ANYTHING = st.recursive(
    st.none() | st.floats() | st.text() | st.integers(),
    lambda each: st.lists(each) | st.dictionaries(st.sampled_from(NAMES), each),
    max_leaves=8,
)


def pattern(trace: str, kind: str, confidence: float = 1.0, **data: Any) -> Pattern:
    return Pattern(f"{kind}-{trace[:4]}-{data.get('distance', '')}", kind, confidence, {**data, "trace_digest": trace})


def task(trace: str, **settings: Any) -> dict[str, Any]:
    return {"trace_digest": trace, "settings": settings}


class LikenessTests(SynchronousTestCase):
    def test_numbers(self) -> None:
        """Numbers differ by their ratio, on average over those that both have."""
        others = [pattern("a", "loop", length=200, share=0.5), pattern("b", "loop", length=100, share=1.0)]
        likeness = Likeness([pattern(OWN, "loop", length=100, share=1.0)], others)
        self.assertEqual([likeness.distance([task(name)]) for name in "ab"], [0.5, 0.0])
        self.assertEqual(likeness.distance([task("a"), task("b"), task("unknown")]), 0.25)

    def test_kinds(self) -> None:
        """A kind that one of them alone has is no likeness; each counts by its confidence."""
        own = [pattern(OWN, "loop", length=1), pattern(OWN, "popularity", 0.5, exponent=1)]
        likeness = Likeness(own, [pattern("a", "loop", length=1), pattern("b", "popularity", exponent=1)])
        self.assertAlmostEqual(likeness.distance([task("a")]), 0.5 / 1.5)
        self.assertAlmostEqual(likeness.distance([task("b")]), 1 / 1.5)

    def test_capacity(self) -> None:
        """What is relative to a capacity is compared at that of each task."""
        own = [pattern(OWN, "loop", relative=4.0, capacity=100)]
        likeness = Likeness(own, [pattern("a", "loop", relative=1.0, capacity=80)])
        self.assertEqual(likeness.distance([task("a", capacity=20)]), 0.0)
        self.assertEqual(likeness.distance([task("a", capacity=80)]), 0.75)
        self.assertEqual(likeness.distance([task("a")]), 0.75)

    def test_trusted(self) -> None:
        """Of what is said of a trace the first counts: a stranger changes nothing that is known."""
        own, known = [pattern(OWN, "loop", length=9)], pattern("a", "loop", length=9)
        stranger = [pattern("a", "loop", length=1), pattern(OWN, "loop", length=1)]
        self.assertEqual(Likeness(own, [known, *stranger]).distance([task("a")]), 0.0)
        self.assertEqual(Likeness(own, [known, *stranger]).distance([task(OWN)]), 0.0)

    def test_unknown(self) -> None:
        """Tasks that nothing is known of come last, in the order in which they were; of either so many are taken."""
        known = Likeness([pattern(OWN, "loop", length=9)], [pattern(name, "loop", length=9) for name in "abc"])
        names = ["x", "c", "y", "a", "b", "z"]
        self.assertEqual(known.nearestFirst(names, lambda name: [task(name)]), ["c", "a", "b", "x", "y", "z"])
        self.assertEqual(known.nearestFirst(names, lambda name: [task(name)], 1), ["c", "x"])
        self.assertEqual(Likeness([], []).distance([task("a")]), UNKNOWN)

    def test_bounded(self) -> None:
        """However many patterns and tasks strangers think up, few are compared: it would take seconds in each round."""
        self.patch(task_similarity, "MAX_COMPARED_PATTERNS", 1)
        self.patch(task_similarity, "MAX_COMPARED_TASKS", 2)
        theirs = [pattern("a", "loop", length=9), pattern("a", "popularity", exponent=1)]
        known = Likeness([pattern(OWN, "loop", length=9)], theirs)
        self.assertEqual(known.distance([task("a")]), 0.0)
        self.assertEqual([known.distance([task("a", capacity=at)]) for at in (1, 2, 1)], [0.0, UNKNOWN, 0.0])

    @given(ANYTHING)
    def test_strangers(self, anything: Any) -> None:
        """Anything may stand in a stranger's patterns and blocks: a distance stays one."""
        own = [pattern(OWN, "loop", relative=4.0, capacity=100)]
        theirs = {**anything, "trace_digest": "a"} if isinstance(anything, dict) else anything
        known = Likeness(own, [Pattern("x", "loop", 1.0, theirs), Pattern("y", "loop", 0.0, theirs)])
        block = CodeBlock("b", type="file_system/search", data=anything)
        for tasks in ([anything], tasksOfBlock(block), [{"trace_digest": "a", "settings": anything}]):
            distance = known.distance(tasks)
            self.assertTrue(0 <= distance <= 1 or distance == UNKNOWN)


class ProblemTests(SynchronousTestCase):
    def test_order(self) -> None:
        """A problem has blocks of the likest tasks first, and what it learned itself apart from what peers say."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        scenario = makeScenario(folder, loopWithScan())
        own = scenario.patterns()
        far = [pattern(name * 32, "popularity", exponent=3) for name in ("aa", "bb")]
        blocks = [
            CodeBlock(f"far {at}", type="file_system/search", data={"tasks": [task("aa" * 32)]})
            for at in range(MOST_BLOCKS)
        ]
        same = CodeBlock("same", type="file_system/search", data={"tasks": taskOf(scenario.reference())})
        plain = CodeBlock("plain", type="file_system/search")
        problem = Problem(scenario, seed=1, seconds=60.0, patterns=far, blocks=[plain, *blocks, same])
        self.assertEqual(problem.learned, own)
        self.assertEqual(problem.patterns, [*own, *far])
        names = [block.id for block in problem.blocks]
        self.assertEqual((names[0], names[-1], len(names)), ("same", "plain", MOST_BLOCKS + 1))
