"""
Several scenarios of one bench as one task: what does well on all of them is a generalist.

A part's score counts as millionths of the way from its optimum to its reference policy, so that a long trace weighs no
more than a short one: C{cost = (score - optimum) * 1000000 // max(reference - optimum, reference // 100, 1)}.  A
suite's score is the sum over its parts; the reference has a million a part, the optimum 0.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from zope.interface import implementer

from kernelnet.artifacts import Pattern, Report, SplitScore
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.workbench.errors import Unmeasurable
from kernelnet.workbench.reports import reportOf
from kernelnet.workbench.words import inWords, partsInWords

__all__ = ["MAX_PARTS", "UNIT", "Suite", "costOf", "scenarioOf"]

MAX_PARTS = 16
"""Of a stranger's claim: more are not measured."""

UNIT = 1_000_000
"""Cost of the reference policy on each part."""


@implementer(IScenario)
class Suite:
    """
    See `IScenario`.

    @ivar parts: of one workbench; two at least.
    """

    def __init__(self, parts: Sequence[IScenario]) -> None:
        """@raise ValueError: fewer than two parts, two that are the same, or scores of several kinds."""
        # The order is the digests', so that everyone who has the same parts has the same suite.
        self.parts = sorted(parts, key=_identity)
        if len({_identity(part) for part in self.parts}) < max(2, len(self.parts)):
            raise ValueError("a suite takes two or more scenarios that differ")
        self.workbench = self.parts[0].workbench
        if any(part.workbench.unit != self.workbench.unit for part in self.parts):
            raise ValueError("a suite takes scenarios with scores of one kind")
        # With the settings, since the same traces may be several tasks, such as at several cache sizes.
        names = partsInWords([(part.trace, inWords(part.workbench, part.settings)) for part in self.parts])
        self.trace = f"{len(self.parts)} traces: {names}"[:120]
        identities = "\n".join(_identity(part) for part in self.parts)
        self.traceDigest = hashlib.sha256(f"kernelnet suite 1\n{identities}".encode()).hexdigest()
        self.settings = {"parts": len(self.parts)}
        self.events = {
            split: sum(part.events[split] for part in self.parts) for split in ("train", "validation", "held_out")
        }

    def __repr__(self) -> str:
        return f"<Suite {self.parts}>"

    @property
    def engine(self) -> str:
        return self.parts[0].engine

    def measure(
        self, wasm: bytes, upTo: str = "held_out", fuel: int | None = None, parameters: Sequence[float] = ()
    ) -> Report:
        """See `IScenario.measure`; C{fuel} is for each part."""
        return self._combined([part.measure(wasm, upTo=upTo, fuel=fuel, parameters=parameters) for part in self.parts])

    def measureWindows(self, wasm: bytes, split: str, count: int, parameters: Sequence[float] = ()) -> list[SplitScore]:
        """Worker thread.  The windows of each part, one part after the other, each in its own unit."""
        return [window for part in self.parts for window in part.measureWindows(wasm, split, count, parameters)]

    def forModule(self, wasm: bytes) -> IScenario:
        """See `IScenario.forModule`: the suite of the parts as the module meets them."""
        return Suite([part.forModule(wasm) for part in self.parts])

    def baselines(self) -> Mapping[str, Report]:
        each = [part.baselines() for part in self.parts]
        return {name: self._combined([reports[name] for reports in each]) for name in each[0]}

    def baseline(self, name: str) -> Report:
        """One of C{baselines}: nothing else is measured."""
        return self._combined([part.baseline(name) for part in self.parts])

    def reference(self) -> Report:
        return self._combined([part.reference() for part in self.parts])

    def optimum(self) -> Mapping[str, int]:
        return dict.fromkeys(self.events, 0)

    def developmentLevel(self, report: Report, split: str = "held_out") -> float:
        """The reference costs a million a part, and the optimum nothing."""
        return 1 - report.splits[split].score / (UNIT * len(self.parts))

    def patterns(self) -> list[Pattern]:
        found: dict[str, Pattern] = {}
        for part in self.parts:
            for pattern in part.patterns():
                found.setdefault(pattern.id, pattern)
        return list(found.values())

    def _combined(self, reports: list[Report]) -> Report:
        splits = {}
        for split in reports[0].splits:
            scores = [report.splits[split] for report in reports]
            splits[split] = SplitScore(
                events=sum(score.events for score in scores),
                score=sum(costOf(part, split, score.score) for part, score in zip(self.parts, scores, strict=True)),
                fuel=sum(score.fuel for score in scores),
            )
        return reportOf(self, splits, reports)


def _identity(scenario: IScenario) -> str:
    return f"{scenario.traceDigest} {json.dumps(scenario.settings, sort_keys=True)}"


def costOf(part: IScenario, split: str, score: int) -> int:
    """Worker thread.  Cost of a score on one part, in the suite's unit."""
    reference, best = part.reference().splits[split].score, part.optimum()[split]
    return (score - best) * UNIT // max(reference - best, reference // 100, 1)


def scenarioOf(workbench: IWorkbench, report: Report, paths: Iterable[str | Path]) -> IScenario:
    """
    Worker thread.  The scenario that a report claims to be about: of one trace, or a suite of several.

    @raise Unmeasurable: see `IWorkbench.scenarioFor`.
    """
    if not report.parts:
        return workbench.scenarioFor(report, paths)
    if not 2 <= len(report.parts) <= MAX_PARTS or any(part.parts for part in report.parts):
        raise Unmeasurable(f"it is about {len(report.parts)} traces; 2 to {MAX_PARTS} are measured")
    paths = list(paths)
    try:
        return Suite([workbench.scenarioFor(part, paths) for part in report.parts])
    except ValueError as error:
        raise Unmeasurable(str(error)) from None
