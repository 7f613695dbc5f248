"""Outcomes by task: what is believed of whom, what is measured here, and what is not compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Candidate, Component, TaskDescription
from kernelnet.cli.hub_data import Listed, Told, Whole
from kernelnet.cli.outcomes import Outcome, outcomes
from kernelnet.learning.submission import makeComponent, submit
from kernelnet.learning.tasks import described
from kernelnet.workbench.file_system import workbench
from tests.workbench.support import mixture, writeTrace

AUTHOR, PEER, OTHER = "AI_1", "AI_2", "AI_3"
TOLD = {
    "best_in_hindsight": "sieve",
    "best_in_hindsight_level": 0.25,
    "chosen_on_train": "arc",
    "chosen_on_train_level": 0.125,
    "level_low": 0.375,
    "level_high": 0.625,
}


class Data:
    """A hub that holds these."""

    name = "here"

    def __init__(self, *each: tuple[Listed, Whole]) -> None:
        self._each = each

    def components(self) -> list[Listed]:
        return [listed for listed, _ in self._each]

    def whole(self, digest: str) -> Whole | None:
        return next((whole for listed, whole in self._each if listed.digest == digest), None)

    def completed(self) -> list[dict[str, Any]]:
        return []


def shared(
    component: Component, verdicts: dict[str, str], told: dict[str, Any] = TOLD, **more: Any
) -> tuple[Listed, Whole]:
    """@param told: by each of those who have a verdict."""
    report = component.manifest.report if component.manifest is not None else None
    assert report is not None
    confirmed = "confirmed" in verdicts.values()
    refuted = "refuted" in verdicts.values()
    listed = Listed(
        id=component.id,
        author=AUTHOR,
        digest=component.digest,
        state="disputed" if confirmed and refuted else "confirmed" if confirmed else "unmeasured",
        verdicts=verdicts,
        shared="2026-11-22T15:00:00Z",
        workbench=report.workbench,
        trace=report.trace,
        trace_digest=report.trace_digest,
        settings=report.settings,
        level=component.development_level,
        **more,
    )
    return listed, Whole(component, [Told(who, told, verdict) for who, verdict in verdicts.items()])


class OutcomesTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        self.trace = writeTrace(folder / "small.txt", mixture())
        self.scenario = workbench.scenario(self.trace, {"capacity": 16})

    def made(self, policy: str, level: float | None = None) -> Component:
        """A hand-made policy under another name, with its true level unless one is given."""
        source = workbench.baselineSource(policy)
        measured = submit(self.scenario, source, trusted=True)
        component = makeComponent(self.scenario, Candidate(source), measured)
        return component if level is None else msgspec.structs.replace(component, development_level=level)

    def only(self, *each: tuple[Listed, Whole], **more: Any) -> Outcome:
        (outcome,) = outcomes(Data(*each), **more)
        return outcome

    def test_told(self) -> None:
        """What two who confirmed say alike is believed, and nothing is measured for it."""
        one = self.only(shared(self.made("lru", 0.5), {PEER: "confirmed", OTHER: "confirmed"}))
        assert one.handMade is not None
        self.assertEqual((one.handMade.best, one.handMade.level), ("sieve", 0.25))
        self.assertEqual((one.handMade.chosen, one.handMade.levels), ("arc", {}))
        self.assertEqual((one.level, one.interval, one.gain), (0.5, (0.375, 0.625), 0.25))
        self.assertEqual((one.gained, one.isSure), ((0.125, 0.375), True))
        self.assertEqual((one.subject, one.words), ("page-cache eviction", "small, 16 blocks"))

    def test_notBelieved(self) -> None:
        """One alone is not believed of hand-made policies, nor two that differ, nor whatever is no level."""
        component = self.made("lru", 0.5)
        listed, whole = shared(component, {PEER: "confirmed", OTHER: "confirmed"})
        alone = shared(component, {PEER: "confirmed"})
        differing = Whole(component, [whole.reports[0], Told(OTHER, {**TOLD, "best_in_hindsight_level": 0.3})])
        silly = Whole(
            component, [Told(who, {**TOLD, "best_in_hindsight": 3, "level_low": "x"}) for who in (PEER, OTHER)]
        )
        for each in (alone, (listed, differing), (listed, silly)):
            self.assertIsNone(self.only(each, measure=False).handMade)
        self.assertIsNone(self.only((listed, silly), measure=False).interval)
        self.assertEqual(self.only(alone, measure=False).interval, (0.375, 0.625))

    def test_measured(self) -> None:
        """Else all hand-made policies are measured here, as the component meets them: its own twin has its level."""
        component = self.made("sieve")
        one = self.only(shared(component, {PEER: "confirmed"}, {}), traces=[self.trace])
        assert one.handMade is not None
        self.assertEqual(set(one.handMade.levels), set(workbench.baselineNames))
        self.assertEqual(one.handMade.level, max(one.handMade.levels.values()))
        self.assertEqual(one.handMade.levels["lru"], 0.0)
        self.assertAlmostEqual(one.handMade.levels["sieve"], one.level)
        self.assertFalse(one.isBetter)

    def test_traceElsewhere(self) -> None:
        """What was made for a trace that isn't here is not compared."""
        self.assertIsNone(self.only(shared(self.made("sieve"), {PEER: "confirmed"}, {})).handMade)

    def test_claimed(self) -> None:
        """What nobody confirmed, or somebody refuted, is never the best, whatever it claims."""
        claimed = shared(self.made("fifo", 0.9), {})
        disputed = shared(self.made("clock", 0.8), {PEER: "confirmed", OTHER: "refuted"})
        confirmed = shared(self.made("lru", 0.5), {PEER: "confirmed", OTHER: "confirmed"})
        one = self.only(claimed, disputed, confirmed)
        self.assertEqual((one.best, len(one.components)), (confirmed[0], 3))
        alone = self.only(claimed, traces=[self.trace])
        self.assertEqual((alone.best, alone.level, alone.isBetter), (None, None, False))
        self.assertIsNotNone(alone.handMade)

    def test_olderRules(self) -> None:
        """A component that was measured by other rules stands beside none of today's."""
        old = shared(self.made("lru", 0.9), {PEER: "confirmed"}, workbench_digest="0" * 64)
        new = shared(self.made("fifo", 0.5), {PEER: "confirmed"}, workbench_digest=workbench.digest)
        marked = shared(self.made("arc", 0.8), {PEER: "confirmed"}, older_rules=True)
        self.assertEqual(self.only(old, marked, new, measure=False).components, [new[0]])

    def test_many(self) -> None:
        """Of strangers' claims on very many tasks some are told of, confirmed ones first."""
        component = self.made("lru", 0.5)
        listed, whole = shared(component, {})
        many = [(msgspec.structs.replace(listed, settings={"capacity": at}), whole) for at in range(1, 150)]
        best = shared(component, {PEER: "confirmed"})
        found = outcomes(Data(*many, best), measure=False)
        self.assertEqual(len(found), 100)
        self.assertEqual([one.best for one in found if one.best is not None], [best[0]])

    def test_nothingFound(self) -> None:
        """A task that nothing was found for is one of them, with what there is to beat."""
        task = described(self.trained())
        one = self.only(traces=[self.trace], tasks=[task])
        self.assertEqual((one.best, one.words), (None, "small, 59 blocks"))
        assert one.handMade is not None
        self.assertEqual(set(one.handMade.levels), set(workbench.baselineNames))
        nowhere = TaskDescription("elevator", "t", "ab" * 32, {"floors_percent": 3})
        self.assertEqual(self.only(tasks=[nowhere]).words, "t, floors 3 %")

    def trained(self) -> Any:
        (settings, *_) = workbench.tasks(self.trace)
        return workbench.scenario(self.trace, settings)
