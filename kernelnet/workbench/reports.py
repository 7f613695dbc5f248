"""Reports of what was measured on a scenario, and sums of several."""

from __future__ import annotations

from collections.abc import Sequence

from kernelnet.artifacts import Report, SplitScore
from kernelnet.interfaces import IScenario

__all__ = ["added", "levelOf", "reportOf"]


def reportOf(scenario: IScenario, splits: dict[str, SplitScore], parts: Sequence[Report] = ()) -> Report:
    """A report with all on which its numbers depend.  @param parts: of a suite, its parts' own."""
    return Report(
        workbench=scenario.workbench.name,
        workbench_digest=scenario.workbench.digest,
        trace=scenario.trace,
        trace_digest=scenario.traceDigest,
        settings=dict(scenario.settings),
        engine=scenario.engine,
        splits=splits,
        parts=list(parts),
    )


def levelOf(scenario: IScenario, score: int, split: str) -> float:
    """Share of the distance reference → optimum that a score on a split closes; 0 where there is none to close."""
    # The reference alone: the claims of strangers must not cost the other baselines as well.
    reference, best = scenario.reference().splits[split].score, scenario.optimum()[split]
    return (reference - score) / (reference - best) if reference > best else 0.0


def added(scores: Sequence[SplitScore]) -> SplitScore:
    """The sum of scores of one split or window on several variants; further metrics are their mean, rounded."""
    metrics = {
        name: (2 * sum(score.metrics[name] for score in scores) + len(scores)) // (2 * len(scores))
        for name in scores[0].metrics
    }
    return SplitScore(
        events=sum(score.events for score in scores),
        score=sum(score.score for score in scores),
        fuel=sum(score.fuel for score in scores),
        metrics=metrics,
    )
