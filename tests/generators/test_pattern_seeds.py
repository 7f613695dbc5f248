"""What patterns make worth trying first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Pattern
from kernelnet.expressions.syntax import parse
from kernelnet.generators.evolution.pattern_seeds import (
    MANY_ONE_HITS,
    MAX_SUGGESTIONS,
    MIN_CONFIDENCE,
    expressions,
    suggestedBy,
)
from kernelnet.generators.search import templates
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.security import workbench as detection

KINDS = (
    *("one_hit_share", "sequential_runs", "loop", "reuse_distance", "popularity", "transitions", "phase_changes"),
    *("burstiness", "other"),
)
STRANGE: tuple[Any, ...] = (0.5, 7, 1e4, -1, 0, 1e299, 1e300, -1e300, 10**400, "x", None, [1], True, float("nan"))


def problem(*patterns: Pattern, **attributes: object) -> Any:
    """As much of an `IProblem` as is asked for."""
    return SimpleNamespace(**{"workbench": "file_system", "learned": list(patterns), **attributes})


class SuggestionTests(SynchronousTestCase):
    def test_strange(self) -> None:
        """Whatever stands in a pattern, what comes of it are vectors within the ranges, and expressions that parse."""
        (rank,) = (abi for abi in workbench.abis if abi.function)
        for kind in KINDS:
            for value in STRANGE:
                data: Any
                for data in (dict.fromkeys(("share", "length", "relative", "exponent"), value), value):
                    strange = problem(Pattern("p", kind, 1.0, data))
                    for expression in expressions(strange):
                        parse(expression, rank.features)
                    for template in templates():
                        for its, number in suggestedBy(strange):
                            for vector in template.suggested(its, number):
                                inside = zip(template.parameters, template.normalized(vector), strict=True)
                                self.assertTrue(all(p.least <= value <= p.most for p, value in inside))

    def test_confidence(self) -> None:
        """The surest pattern suggests first; one that did not hold on validation suggests nothing."""
        data = {"share": 0.9, "relative": 0.5}
        patterns = [Pattern("a", "popularity", 0.8, data), Pattern("b", "one_hit_share", 0.9, data)]
        gone = Pattern("c", "loop", MIN_CONFIDENCE / 2, data)
        self.assertEqual([kind for kind, _ in suggestedBy(problem(*patterns, gone))], ["one_hit_share", "popularity"])
        self.assertIn("freq + hist, 1.5", expressions(problem(*patterns))[0])

    def test_bounded(self) -> None:
        """There are never more than some."""
        learned = [Pattern(str(at), "one_hit_share", 1.0, {"share": 1 - at / 100}) for at in range(50)]
        family = VectorFamily(TWO_QUEUES)
        family.problem = problem(*learned)
        self.assertEqual(len(family.suggested()), MAX_SUGGESTIONS)

    def test_few(self) -> None:
        """Where few blocks are one-hit wonders nothing is suggested for them."""
        few = Pattern("a", "one_hit_share", 1.0, {"share": MANY_ONE_HITS / 2})
        self.assertEqual(expressions(problem(few)), [])
        self.assertEqual([list(TWO_QUEUES.suggested(*said)) for said in suggestedBy(problem(few))], [[]])

    def test_named(self) -> None:
        """Features that patterns name are ranked by, the best first, then two of them; a name that is none is not."""
        said = [("unseen6", 0.7, 1), ("rare3", 0.8, -1), ("system(1)", 0.9, 1), (3, 0.9, 1)]
        learned = [
            Pattern(str(feature), "separation", 0.9, {"feature": feature, "auc": auc, "sign": sign})
            for feature, auc, sign in said
        ]
        found = expressions(problem(*learned, workbench="security", abis=detection.abis))
        self.assertEqual(found, ["-rare3", "unseen6", "-rare3 + unseen6"])

    def test_otherBenches(self) -> None:
        """A bench that nothing is suggested for has none."""
        self.assertEqual(expressions(problem(Pattern("a", "loop", 1.0), workbench="security")), [])
