"""The same decisions with less fuel: rewritten sources, reduced expressions and parameters, and the guard."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Component
from kernelnet.expressions.syntax import fromSource, parse, size, text, toC
from kernelnet.generators import Candidate
from kernelnet.generators.fuel_reduction import search
from kernelnet.generators.fuel_reduction.source_rewrites import conditions, expected, inlined, leaner
from kernelnet.generators.search import Search
from kernelnet.generators.templates.two_queues import TWO_QUEUES
from kernelnet.interfaces import IScenario
from kernelnet.learning.acceptance import accept
from kernelnet.learning.problem import Problem
from kernelnet.learning.submission import makeComponent, submit
from kernelnet.learning.verification import remeasure
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.suite import Suite
from tests.generators.picker import ABI, pickerScenario
from tests.workbench.support import HEADER, baselineSource, mixture, smallScenario


def component(scenario: IScenario, source: str, parameters: tuple[float, ...] = ()) -> Component:
    """As if it had been accepted."""
    candidate = Candidate(source, (), parameters)
    return makeComponent(scenario, candidate, submit(scenario, source, trusted=True), generator="test", seed=1)


class FuelTests(SynchronousTestCase):
    def folder(self) -> Path:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        return folder

    def cheaper(self, scenario: IScenario, parent: Component, evaluations: int | None = None) -> Component:
        """What the search makes of a component, accepted and confirmed."""
        problem = Problem(scenario, seed=1, seconds=3600.0, parents=[parent], objective="fuel")
        candidate = Search(evaluations).generate(problem)
        if candidate is None:
            self.fail("nothing")
        self.assertEqual(candidate.parents, (parent.digest,))
        made, reason = accept(scenario, candidate, generator="search", seed=1, objective="fuel", parent=parent)
        if made is None:
            self.fail(reason)
        self.assertIn("% less fuel", reason)
        self.assertEqual(remeasure(made, scenario)[0].value, "confirmed")
        self.assertIsNotNone(made.manifest and made.manifest.report)
        self.assertLess(self.fuelOf(made), self.fuelOf(parent))
        return made

    def fuelOf(self, component: Component) -> int:
        report = component.manifest and component.manifest.report
        return report.splits["held_out"].fuel if report else 0

    def test_expression(self) -> None:
        """On somebody else's bench an expression loses what decides nothing."""
        scenario = pickerScenario(self.folder())
        tree = parse("3 + 2 * (length + 0 * lg(noise) + iflt(noise, 0, 5, waited)) - min(7, 3)", ABI.features)
        made = self.cheaper(scenario, component(scenario, toC(tree, ABI, "kn_picker.h")))
        found = fromSource(made.implementation, ABI.features)
        self.assertEqual(found and text(found), "length + waited")

    def test_neverNeeded(self) -> None:
        """What train alone never needs is kept every other time: the guard might refuse it."""
        scenario = pickerScenario(self.folder(), 120)
        tree = parse("length + iflt(255000 - noise, 1500, 40 * waited, waited)", ABI.features)
        parent = component(scenario, toC(tree, ABI, "kn_picker.h"))
        sizes = set()
        for seed in range(6):
            problem = Problem(scenario, seed=seed, seconds=3600.0, parents=[parent], objective="fuel")
            candidate = Search().generate(problem)
            found = fromSource(candidate.source, ABI.features) if candidate is not None else tree
            sizes.add(size(found) if found is not None else 0)
        self.assertIn(size(tree), sizes)
        self.assertIn(3, sizes)

    def test_lyingComment(self) -> None:
        """A source whose comment tells of another expression does not mislead it."""
        scenario = pickerScenario(self.folder())
        source = toC(parse("waited + 0 * lg(length)", ABI.features), ABI, "kn_picker.h")
        lying = source.replace("expression: waited", "expression: noise")
        problem = Problem(scenario, seed=1, seconds=3600.0, parents=[component(scenario, lying)], objective="fuel")
        candidate = Search().generate(problem)
        if candidate is not None:
            made, _ = accept(scenario, candidate, generator="x", seed=1, objective="fuel", parent=problem.parents[0])
            self.assertNotIn("noise", candidate.source.partition("*/")[2].partition("{")[2])
            self.assertIsNotNone(made)

    def test_source(self) -> None:
        """C of any author takes less, and the same is decided."""
        scenario = smallScenario(self.folder())
        made = self.cheaper(scenario, component(scenario, baselineSource("2q")), 12)
        self.assertIn("lean_ghosts", made.implementation)

    def test_otherPolicy(self) -> None:
        """What is cheaper but decides anything else is not taken, whoever says that it does the same."""
        scenario = smallScenario(self.folder())
        self.patch(search, "leaner", lambda source: baselineSource("fifo"))
        self.patch(search, "conditions", lambda source: 0)
        parent = component(scenario, baselineSource("lru"))
        candidate = Search().generate(Problem(scenario, seed=1, seconds=3600.0, parents=[parent], objective="fuel"))
        self.assertEqual(candidate and candidate.source, inlined(baselineSource("lru")))

    def test_parameters(self) -> None:
        """A template's parameters that switch on what is never needed are switched off."""
        vector = TWO_QUEUES.normalized((0.1, 0.9, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0))
        # nothing ever comes back, on no variant, so ghosts are of no use
        scenario = smallScenario(self.folder(), [1000 + n for n in range(1500)])
        # whatever its manifest says
        made = self.cheaper(scenario, component(scenario, TWO_QUEUES.bake(vector), vector[::-1]), 8)
        self.assertEqual(made.manifest and made.manifest.parameters[1], 0.0)
        self.assertIn("#define GHOST_SHARE 0.0 ", made.implementation)

    def test_nothing(self) -> None:
        """What can't be made cheaper is left alone, and so is what fails."""
        scenario = pickerScenario(self.folder())
        lean = component(scenario, toC("length", ABI, "kn_picker.h"))
        bad = Component(id="bad", implementation="nonsense", wasm=b"nonsense")
        for parent in (lean, bad, replace(bad, wasm=b"")):
            problem = Problem(scenario, seed=1, seconds=3600.0, parents=[parent], objective="fuel")
            self.assertIsNone(Search().generate(problem))

    def test_several(self) -> None:
        """Of several the first that can be made cheaper is."""
        scenario = pickerScenario(self.folder())
        texts = ("length", "waited + 0 * lg(noise)", "noise + 0 * lg(noise)")
        parents = [component(scenario, toC(parse(text, ABI.features), ABI, "kn_picker.h")) for text in texts]
        candidate = Search().generate(Problem(scenario, seed=1, seconds=3600.0, parents=parents, objective="fuel"))
        self.assertEqual(candidate and candidate.parents, (parents[1].digest,))

    def test_noParents(self) -> None:
        """Where there is nothing yet that could be made cheaper, a policy is searched."""
        problem = Problem(pickerScenario(self.folder()), seed=1, seconds=3600.0, objective="fuel")
        self.assertIsNotNone(Search(60).generate(problem))


class GuardTests(SynchronousTestCase):
    """The picker's policies cost little, so each way to be refused has its own."""

    def setUp(self) -> None:
        self.scenario = pickerScenario(Path(self.mktemp()))
        self.parent = component(self.scenario, self.source("length + 0.5 * waited + lg(noise) * 0"))

    def source(self, expression: str) -> str:
        return toC(parse(expression, ABI.features), ABI, "kn_picker.h")

    def guard(
        self, source: str, parent: Component | None = None, scenario: IScenario | None = None
    ) -> tuple[Component | None, str]:
        return accept(
            scenario or self.scenario,
            Candidate(source),
            generator="test",
            seed=1,
            objective="fuel",
            parent=parent or self.parent,
        )

    def test_accepted(self) -> None:
        """The same for less is accepted, whether or not it is better than what is made by hand."""
        made, reason = self.guard(self.source("length + 0.5 * waited"))
        self.assertIsNotNone(made, reason)
        worst = component(self.scenario, self.source("lg(noise)"))
        self.assertIsNotNone(self.guard(self.source("noise"), worst)[0])

    def test_refused(self) -> None:
        """What does anything else, or takes as much, is not."""
        for expression, message in (
            ("length", " on train instead of "),
            ("length + 0.5 * waited + lg(noise) * 0", " fuel on train, where it takes "),
            ("length + 0.5 * waited + lg(noise) * 0 + lg(lg(noise)) * 0", " fuel on train, where it takes "),
        ):
            made, reason = self.guard(self.source(expression))
            self.assertIsNone(made)
            self.assertIn(message, reason)
        self.assertIn("does not compile", self.guard("nonsense")[1])
        self.assertIn("fails", self.guard('#include "kn_picker.h"\n')[1])

    def test_everySplit(self) -> None:
        """A difference on held-out alone is seen."""
        scenario = pickerScenario(Path(self.mktemp()), 1000, seed=2)
        jobs = scenario.machine.trace.jobs.copy()
        # on the first half waited is always the same, so that it decides nothing there
        jobs[1:3000:3] = 30
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "jobs").write_bytes(jobs.tobytes())
        scenario = scenario.workbench.scenario(folder / "jobs")
        parent = component(scenario, self.source("length + waited * 4"))
        made, reason = self.guard(self.source("length"), parent, scenario)
        self.assertIsNone(made)
        self.assertIn("on held_out instead of", reason)

    def test_metrics(self) -> None:
        """A metric that differs is seen where scores are equal: here the bits of all ranks."""
        folder = Path(self.mktemp())
        scenario = pickerScenario(folder, bits=1)
        parent = component(scenario, self.source("length * 2 + lg(noise) * 0"))
        self.assertIn("{'bits': ", self.guard(self.source("length"), parent, scenario)[1])
        self.assertIsNotNone(self.guard(self.source("length * 2"), parent, scenario)[0])

    def test_suite(self) -> None:
        """Of a generalist every part has to be the same."""
        suite = Suite([self.scenario, pickerScenario(Path(self.mktemp()), seed=2)])
        parent = component(suite, self.source("length + 0.5 * waited + lg(noise) * 0"))
        self.assertIsNotNone(self.guard(self.source("length + 0.5 * waited"), parent, suite)[0])
        self.assertIsNone(self.guard(self.source("length"), parent, suite)[0])

    def test_noParent(self) -> None:
        """Without a component to do the same as there is nothing to accept."""
        made, reason = accept(
            self.scenario, Candidate(self.source("length")), generator="test", seed=1, objective="fuel"
        )
        self.assertIsNone(made)
        self.assertIn("no component", reason)


class RewriteTests(SynchronousTestCase):
    def test_ghosts(self) -> None:
        """The leaner ghosts answer like kn.h's, whatever is asked: policies that use them miss the same."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        for number, (requests, capacity) in enumerate(((600, 4), (2000, 100))):
            sub = folder / str(number)
            sub.mkdir()
            scenario = smallScenario(sub, mixture(requests, seed=number), capacity)
            for name in ("2q", "arc", "s3fifo"):
                source = baselineSource(name)
                lean = leaner(source)
                scores = [
                    {k: s.score for k, s in scenario.measure(compileC(c, HEADER, trusted=True)).splits.items()}
                    for c in (source, lean or "")
                ]
                self.assertEqual(scores[0], scores[1], (name, capacity))

    def test_every(self) -> None:
        """Each condition of each hand-made policy can be rewritten, and the result compiles."""
        source = baselineSource("arc")
        for number in range(conditions(source)):
            source = expected(source, number, number % 2) or source
        self.assertGreater(source.count("__builtin_expect"), 5)
        self.assertTrue(compileC(inlined(leaner(source) or "") or "", HEADER, trusted=True, flags=("-Werror",)))

    def test_onlyCode(self) -> None:
        """What stands in comments, strings and directives is left alone."""
        source = (
            "#if (1)\n/* if (a) */ char *s = \"if (b)\"; // if (c)\nint f(int x) { if (x > (2)) return ')'; }\n#endif\n"
        )
        self.assertEqual(conditions(source), 1)
        self.assertEqual(
            expected(source, 0, 1), source.replace("if (x > (2))", "if (__builtin_expect(!!(x > (2)), 1))")
        )
        self.assertIsNone(expected(source, 1, 1))
        self.assertIsNone(expected("if (", 0, 1))

    def test_twice(self) -> None:
        """Nothing is done twice."""
        source = baselineSource("2q")
        once = inlined(leaner(source) or "") or ""
        self.assertIsNone(inlined(once))
        self.assertIsNone(leaner(once))
        self.assertIsNone(leaner("kn_ghosts"))
        self.assertIsNone(leaner(baselineSource("lru")))
        told = expected(source, 0, 1) or ""
        self.assertIsNone(expected(told, 0, 0))

    @given(st.text(alphabet="if ()/*\"'\\\n#x", max_size=80))
    @settings(deadline=None, max_examples=200)
    def test_any(self, source: str) -> None:
        """Any text is rewritten or left alone."""
        for number in range(conditions(source) + 1):
            expected(source, number, 1)
        leaner(source)
        inlined(source)
