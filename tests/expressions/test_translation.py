"""Expressions of one bench in another's words, and whose they are."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import CodeBlock, Component, Hint
from kernelnet.expressions.syntax import MAX_DEPTH, parse, toC
from kernelnet.expressions.translation import MAX_TRANSLATIONS, Translated, counterparts, translated, translations
from kernelnet.generators.evolution.search_family import Metered
from kernelnet.generators.genetic_programming import Genetic, GeneticFamily
from kernelnet.generators.search import familiesFor
from kernelnet.interfaces import IWorkbench
from kernelnet.learning.problem import Problem
from kernelnet.plugins import available
from kernelnet.workbench.abi import Abi, rankAbi, rankAbiOf
from tests.generators.picker import ABI, pickerScenario
from tests.workbench.support import smallScenario

DIGEST = "ab" * 32


def rankOf(name: str) -> Abi:
    (bench,) = (bench for bench in available(IWorkbench) if bench.name == name)
    abi: Abi = next(abi for abi in bench.abis if abi.function)
    return abi


FILES, TASKS = rankOf("file_system"), rankOf("process_manager")


class TranslationTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """What can be said in the other bench's words is translated feature by feature: LRU becomes round robin."""
        self.assertEqual(translations("-age", FILES, TASKS), ["-idle"])
        self.assertEqual(translations("aq(freq + hist, age) * 2", FILES, TASKS), ["aq(attained + count, idle) * 2.0"])
        self.assertEqual(translations("-attained", TASKS, FILES), ["-freq"])

    def test_inOrder(self) -> None:
        """Of several features for one term the first is the first's counterpart, and the last all others'."""
        words = counterparts(TASKS, FILES)
        self.assertEqual([words[f] for f in ("gittins", "usual", "residual", "mean")], ["gap", "gap2", "gap2", "gap2"])
        self.assertEqual(counterparts(FILES, TASKS)["gap2"], "usual")

    def test_largestParts(self) -> None:
        """What can't be said is cut away: the largest parts are left, the largest first; mere features are none."""
        found = translations("ghostgap * aq(freq, age) + min(lg(age + gap), ghostgap) - age", FILES, TASKS)
        self.assertEqual(found, ["lg(idle + gittins)", "aq(attained, idle)"])
        many = " + ".join(f"ghostgap * lg(age * {n}.5)" for n in range(1, 9))
        self.assertEqual(len(translations(many, FILES, TASKS)), MAX_TRANSLATIONS)
        self.assertEqual(translations("ghostgap * age", FILES, TASKS), [])
        self.assertEqual(translations("3 + 4", FILES, TASKS), [])

    def test_strangersText(self) -> None:
        """What is no expression over their features, or one beyond the limits, gives nothing."""
        for text in ("nonsense(", "idle", "(" * 10**5, "-" * 10**5 + "age", " + ".join(["age"] * (MAX_DEPTH + 5)), ""):
            self.assertEqual(translations(text, FILES, TASKS), [], text[:30])

    def test_allBenches(self) -> None:
        """Each rank ABI that ships shares terms with each other one."""
        abis = [
            rankOf(name)
            for name in ("file_system", "process_manager", "network_stack", "security", "audio", "window_manager")
        ]
        for theirs in abis:
            for ours in abis:
                words = counterparts(theirs, ours)
                self.assertTrue(words, (theirs.identifier, ours.identifier))
                self.assertLessEqual(set(words.values()), set(ours.features))

    def test_terms(self) -> None:
        """An ABI whose terms are no terms, or of no feature, is refused with the words that there are."""
        for terms in ({"a": "nonsense"}, {"b": "age"}):
            error = self.assertRaises(ValueError, rankAbi, "x/rank/1", Path("x.c"), ("a",), terms=terms)
            self.assertIn("should be one of age, life", str(error))


class LineageTests(SynchronousTestCase):
    def problem(self, **options: Any) -> Problem:
        scenario = pickerScenario(Path(self.mktemp()), 500)
        return Problem(scenario, **{"seed": 1, "seconds": 3600.0, **options})

    def test_origin(self) -> None:
        """What descends from a translated expression names whose it was; a peer's own word does not count."""
        good, digest = {"expression": "length + waited * 0.5"}, "ab" * 32
        for block, parents in (
            (Translated("x", "picker/translated", good, origin=digest), (digest,)),
            (CodeBlock("x", "picker/genetic", {**good, "origin": digest}), ()),
        ):
            family = GeneticFamily()
            problem = Metered(self.problem(blocks=[block]), 8)
            self.addCleanup(problem.close)
            family.start(problem, random.Random(1))
            family.step()()
            best = family.best
            self.assertEqual(best and best.parents, parents)

    def test_onlyAncestors(self) -> None:
        """A parent that nothing of what was found descends from is not named, one that it does is."""
        made = [
            Component(id=id_, implementation=toC(parse(text, ABI.features), ABI, "kn_picker.h"))
            for id_, text in (("good", "length + waited * 0.5"), ("noise", "noise"))
        ]
        found = Genetic(150).generate(self.problem(parents=made))
        self.assertEqual(found and found.parents, (made[0].digest,))

    def test_children(self) -> None:
        """What is bred from trees descends from whatever they do, and from nobody else's."""
        texts = ("length + waited * 0.5", "noise - length")
        made = [
            Component(id=str(number), implementation=toC(parse(text, ABI.features), ABI, "kn_picker.h"))
            for number, text in enumerate(texts)
        ]
        family = GeneticFamily()
        problem = Metered(self.problem(parents=made), 100)
        self.addCleanup(problem.close)
        family.start(problem, random.Random(1))
        first, second = family.worthTrying()[:2]
        rng = random.Random(2)
        alone = {family.candidate(family.child([first], rng)).parents for _ in range(30)}
        self.assertEqual(alone, {(made[0].digest,)})
        both = {frozenset(family.candidate(family.child([first, second], rng)).parents) for _ in range(60)}
        self.assertIn(frozenset(component.digest for component in made), both)

    def test_requiredAbi(self) -> None:
        """Who requires a component of the rank ABI gets no template's."""
        folder = Path(self.mktemp())
        folder.mkdir()
        scenario = smallScenario(folder)
        for abi, only in ((FILES.identifier, True), ("file_system/full/2", False), (3, False)):
            problem = Problem(scenario, seed=1, seconds=3600.0, requirements={"abi": abi})
            self.assertEqual([family.name for family in familiesFor(problem)] == ["genetic"], only, abi)


class TranslatedTests(SynchronousTestCase):
    def test_untranslatable(self) -> None:
        """Hints of this bench, of none that is here, and what is no expression there become nothing."""
        installed = {bench.name: bench for bench in available(IWorkbench)}
        bench = installed["file_system"]
        hints = [
            Hint("AI_2", name, DIGEST, expression)
            for name, expression in (("file_system", "-age"), ("none", "-age"), ("process_manager", "idle("))
        ]
        self.assertEqual(translated(hints, bench, installed), [])
        block, _ = translated([Hint("AI_2", "process_manager", DIGEST, "-idle")], bench, installed)
        self.assertEqual((type(block), block.type), (Translated, "file_system/translated"))

    def test_rankAbiOf(self) -> None:
        """A bench that isn't here, or that has no functions of numbers, has no ABI for expressions."""
        (bench,) = (bench for bench in available(IWorkbench) if bench.name == "file_system")
        self.assertEqual(rankAbiOf(bench), FILES)
        self.assertIsNone(rankAbiOf(SimpleNamespace(abis=bench.abis[:1])))
        self.assertIsNone(rankAbiOf(None))
