"""Guarded acceptance."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from kernelnet.artifacts import Candidate
from kernelnet.learning import acceptance
from kernelnet.learning.acceptance import accept, isBetter
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.learning.significance import isSignificantlyBetter
from kernelnet.workbench.machine import Machine
from tests.learning.support import STUBBORN, AcceptedTestCase
from tests.workbench.support import baselineSource, mixture, policy, smallScenario


def noting(note: Callable[[Machine, bytes, int], object]) -> Callable[..., Any]:
    """`Machine.run`, of each of whose runs the module, and the event before which it ends, are noted first."""
    run = Machine.run

    def noted(
        machine: Machine,
        wasm: bytes,
        settings: Any,
        parameters: Any = (),
        upTo: str = "held_out",
        *more: Any,
        windows: Any = None,
    ) -> Any:
        note(machine, wasm, (windows or machine.trace.windows(upTo))[-1][2])
        return run(machine, wasm, settings, parameters, upTo, *more, windows=windows)

    return noted


def splitAt(machine: Machine, end: int) -> str:
    """The split within which a run ends."""
    return next(split for split, _, last in machine.trace.windows("held_out") if end <= last)


class AcceptTests(AcceptedTestCase):
    def test_parents(self) -> None:
        """Each parent stands there once; who finds what he began with is not his own parent."""
        own = self.accepted().digest
        candidate = Candidate(STUBBORN, (own, "1" * 64, own, "1" * 64))
        component, _ = accept(self.scenario, candidate, generator="test", seed=7)
        assert component is not None
        self.assertEqual(self.manifest(component).parents, ["1" * 64])

    def test_known(self) -> None:
        """What is no better on validation than what is known gets no claim, and held-out is not looked at."""
        known, wasteful = (
            self.accepted(),
            STUBBORN.replace("(u32 s) {}", "(u32 s) { volatile u32 more = s; more += s; }"),
        )
        self.scenario.baselines()
        looked = self.watched()
        component, reason = accept(self.scenario, Candidate(wasteful), generator="test", seed=7, known=known)
        self.assertIsNone(component)
        self.assertIn(f"known already, {known.id}", reason)
        self.assertEqual(looked, {"validation"})
        wasted, _ = accept(self.scenario, Candidate(wasteful), generator="test", seed=7)
        component, reason = accept(self.scenario, Candidate(STUBBORN), generator="test", seed=7, known=wasted)
        self.assertIsNotNone(component, reason)

    def test_knownFarBetter(self) -> None:
        """What is clearly worse than what is known is refused after the first four variants."""
        known = self.accepted()
        runs = self.counted()
        component, reason = accept(
            self.scenario, Candidate(baselineSource("lru")), generator="test", seed=7, known=known
        )
        self.assertIsNone(component)
        self.assertIn("known already", reason)
        self.assertIn(f"on 4 of {self.variants} variants", reason)
        self.assertEqual(runs, {known.wasm: 4, policy(baselineSource("lru")): 4})

    def test_knownFails(self) -> None:
        """What is known, and fails where the candidate is measured, is no bar."""
        known = self.accepted()
        known.wasm = policy(STUBBORN.replace("return capacity - 1;", "__builtin_trap();"))
        component, reason = accept(self.scenario, Candidate(STUBBORN), generator="test", seed=7, known=known)
        self.assertIsNotNone(component, reason)

    def watched(self) -> set[str]:
        """The parts up to which anything is run from now on, on whatever variant."""
        looked: set[str] = set()
        self.patch(Machine, "run", noting(lambda machine, wasm, end: looked.add(splitAt(machine, end))))
        return looked

    def test_accepted(self) -> None:
        """What beats the best hand-made policy on validation is published with a complete manifest and claim."""
        component = self.accepted()
        manifest, report = self.manifest(component), self.claim(component)
        self.assertEqual(component.implementation, STUBBORN)
        self.assertEqual(manifest.source_sha256, hashlib.sha256(STUBBORN.encode()).hexdigest())
        self.assertEqual(manifest.wasm_sha256, hashlib.sha256(component.wasm).hexdigest())
        self.assertEqual((manifest.abi, manifest.workbench), ("file_system/full/2", "file_system"))
        self.assertEqual((manifest.generator, manifest.seed), ("test", 7))
        self.assertEqual((manifest.parents, manifest.parameters), (["0" * 64], [1.0, 2.5]))
        self.assertEqual(set(report.splits), {"train", "validation", "held_out"})
        self.assertEqual(component.specialization, "file_system")
        self.assertIn(component.digest[:12], component.id)
        variants = self.scenario.forModule(component.wasm)
        self.assertEqual(component.development_level, variants.developmentLevel(report))
        self.assertGreater(component.development_level or 0, 0.4)

    def test_guard(self) -> None:
        """A policy that is only as good as the best hand-made one is not published, and its held-out part not run."""
        scenario = smallScenario(self.folder, mixture())
        rival = bestInHindsight(scenario, "validation")
        looked = self.watched()
        component, reason = accept(scenario, Candidate(baselineSource(rival)), generator="test", seed=0)
        self.assertIsNone(component)
        self.assertIn(f"hand-made policy {rival}", reason)
        self.assertEqual(looked, {"validation"})

    def test_everyRival(self) -> None:
        """
        It has to beat every hand-made policy, not only the one that is best on train; the reason names both.

        Train is a loop that does not fit, where LIRS is best; later LRU is, and a copy of it is much better than LIRS.
        """
        rng = random.Random(2)
        ids = [number % 60 for number in range(6400)]
        recent = list(range(40))
        while len(ids) < 16_000:
            at = min(int(rng.expovariate(1 / 12)), 39)
            recent.insert(0, recent.pop(at))
            ids.append(2000 + recent[0])
        scenario = smallScenario(self.folder, ids)
        chosen, best = chosenOnTrain(scenario), bestInHindsight(scenario, "validation")
        self.assertNotEqual(chosen, best)
        scores = {name: report.splits["validation"].score for name, report in scenario.baselines().items()}
        middling = sorted(scores, key=lambda name: scores[name])[1]
        wasm, rival = (policy(baselineSource(name)) for name in (middling, chosen))
        self.assertTrue(isSignificantlyBetter(scenario.forModule(wasm), wasm, rival))
        component, reason = accept(scenario, Candidate(baselineSource(middling)), generator="test", seed=0)
        self.assertIsNone(component)
        self.assertIn("no better on validation", reason)
        self.assertIn(f"the hand-made policy {best} (", reason)
        self.assertIn(f"chosen on train was {chosen}", reason)

    def test_refusedEarly(self) -> None:
        """What may be luck beside the hardest rival is refused before any other one is measured."""
        self.patch(acceptance, "isFarBehind", lambda *_: False)
        self.patch(acceptance, "isBeaten", lambda *_: False)
        self.scenario.baselines()
        runs = self.counted()
        component, reason = accept(self.scenario, Candidate(STUBBORN), generator="test", seed=0)
        self.assertIsNone(component)
        self.assertIn("not all along", reason)
        hardest = policy(baselineSource(bestInHindsight(self.scenario, "validation")))
        self.assertEqual(runs, {policy(STUBBORN): self.variants, hardest: self.variants})

    def counted(self) -> Counter[bytes]:
        """Passes by module from now on."""
        runs: Counter[bytes] = Counter()
        self.patch(Machine, "run", noting(lambda machine, wasm, end: runs.update([wasm])))
        return runs

    @property
    def variants(self) -> int:
        return self.scenario.variants

    def test_futile(self) -> None:
        """What is no better than the hardest rival on the first quarter of the variants is refused after that."""
        hardest = bestInHindsight(self.scenario, "validation")
        source = baselineSource(hardest) + "\nstatic int other;\n"
        runs = self.counted()
        component, reason = accept(self.scenario, Candidate(source), generator="test", seed=0)
        self.assertIsNone(component)
        self.assertIn(f"on {self.variants // 4} of {self.variants} variants", reason)
        self.assertEqual(set(runs.values()), {self.variants // 4})

    def test_onePass(self) -> None:
        """Nothing is measured twice to judge it, and rivals far behind on a part of the variants only."""
        self.scenario.baselines()
        runs = self.counted()
        wasm = policy(STUBBORN)
        better, reason = isBetter(self.scenario, wasm)
        self.assertTrue(better, reason)
        self.assertLessEqual(max(runs.values()), self.variants)
        self.assertEqual(set(runs), {wasm, *map(self.scenario.workbench.baselineModule, self.scenario.baselines())})
        self.assertLess(sum(runs.values()), self.variants * len(runs))
        # The hardest is compared on all.
        self.assertEqual(runs[policy(baselineSource(bestInHindsight(self.scenario, "validation")))], self.variants)
        self.assertNotIn("variants", reason)  # neither of those that it names

    def test_partInWords(self) -> None:
        """A rival that was compared on a part of the variants is named beside what the candidate has on these."""
        self.patch(acceptance, "isFarBehind", lambda *_: True)
        self.patch(acceptance, "chosenOnTrain", lambda scenario: "fifo")
        wasm = policy(STUBBORN)
        better, reason = isBetter(self.scenario, wasm)
        self.assertTrue(better, reason)
        first = self.scenario.forModule(wasm).first(self.variants // 4)  # type: ignore[attr-defined]
        fifo, ours = (
            first.measure(module, upTo="validation").splits["validation"].score
            for module in (policy(baselineSource("fifo")), wasm)
        )
        self.assertIn(f"fifo ({fifo} beside {ours} on {self.variants // 4} of {self.variants} variants)", reason)

    def test_notFarEnough(self) -> None:
        """A rival that isn't far behind has to be beaten on all variants, even where all others are."""
        self.patch(acceptance, "isFarBehind", lambda *_: False)
        self.scenario.baselines()
        runs = self.counted()
        better, reason = isBetter(self.scenario, policy(STUBBORN))
        self.assertTrue(better, reason)
        self.assertEqual(set(runs.values()), {self.variants})
        self.assertNotIn("variants", reason)

    def test_broken(self) -> None:
        """What does not compile, or traps anywhere before held-out ends, is not published."""
        late = "static unsigned calls;\n" + STUBBORN.replace(
            "return capacity - 1;", "if (++calls > 2600) __builtin_trap(); return capacity - 1;"
        )
        for source, words in (("int f(", "does not compile"), (late, "it fails: "), ("", "kn_init")):
            component, reason = accept(self.scenario, Candidate(source), generator="test", seed=0)
            self.assertIsNone(component)
            self.assertIn(words, reason)
            self.assertEqual(len(reason.splitlines()), 1)
