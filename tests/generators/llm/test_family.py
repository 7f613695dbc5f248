"""The generators llm and search with models, on recorded answers of a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Candidate, Component
from kernelnet.generators.llm.answer import MAX_SOURCE, NoSource, hypothesisOf, sourceIn
from kernelnet.generators.llm.generator import ModelsAlone, SearchWithModels, llm, modelsOf, withModels
from kernelnet.generators.llm.ledger import ACCEPTED, Ledger
from kernelnet.generators.llm.settings import Model, Settings, SettingsError
from kernelnet.generators.llm.writer import Writer
from kernelnet.generators.templates.marked_source import marked
from kernelnet.testing import loopWithScan, makeProblem
from tests.generators.llm.server import Reply, completion, raw, serving

RANK = """#include "kn_file_system.h"
/* HYPOTHESIS: blocks of the loop come again, the others never:
   age counts against a block, how often it was used for it. */
/* begin parameters */
#define WORTH 1.0 /* 0.01..1e6 log: worth of one use, in requests */
#define SEEN 0.0 /* 0..1e6 zero log: worth of having been here before */
/* end parameters */
f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) {
    return WORTH * freq + SEEN * hist - age;
}
"""
FIXED = """#include "kn_file_system.h"
f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) { return age; }
"""
HOSTILE = """#include "kn_file_system.h"
f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) { for (;;) {} }
"""


def code(source: str) -> str:
    return f"Here it is.\n```c\n{source}```\nGood luck!"


class AnswerTests(SynchronousTestCase):
    def test_source(self) -> None:
        """The longest block counts; what is none, cut off or too large is told so that a model can mend it."""
        self.assertEqual(sourceIn("```\nint a;\n```\n```c\nint abc;\nint d;\n```", True), "int abc;\nint d;\n")
        for text, isWhole, words in (
            ("I can't", True, "no fenced code block"),
            ("```c\nint a;", False, "cut off"),
            (code("x" * MAX_SOURCE + "\n"), True, f"more than {MAX_SOURCE} bytes"),
        ):
            self.assertIn(words, str(self.assertRaises(NoSource, sourceIn, text, isWhole)))

    def test_hypothesis(self) -> None:
        """It is one line, of a bounded length, with nothing in it that harms a terminal."""
        found = hypothesisOf(RANK)
        self.assertTrue(found.startswith("blocks of the loop come again, the others never: age counts"), found)
        self.assertEqual(hypothesisOf(FIXED), "")
        self.assertLessEqual(len(hypothesisOf(f"/* HYPOTHESIS: {'x' * 9000} */")), 160)
        self.assertTrue(hypothesisOf("/* HYPOTHESIS: a\x1b[2J\u202eb */").isprintable())


class GeneratorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.ledger = self.folder / "llm.db"

    def run_(self, *replies: Reply, generator: str = "llm", last: Reply | None = None, **more: Any) -> tuple[Any, Any]:
        """What a generator makes of answers, with the server that gave them."""
        budget = more.pop("budget", None)
        problem = makeProblem(self.folder, loopWithScan(), memory={}, **{"seconds": 60.0, **more})
        with serving(*replies, last=last or raw(b"{}", 400)) as served:
            model = Model("m", served.url, input_usd=1.0, output_usd=10.0, answer_tokens=1000)
            chosen = withModels(generator, modelsOf(Settings((model,), budget_usd=budget), self.ledger))
            candidate = chosen.generate(problem)
        self.problem, self.generator = problem, chosen
        return candidate, served

    def outcomes(self) -> list[str]:
        return [call.outcome for call in reversed(Ledger(self.ledger).calls(100))]

    def answered(self) -> str:
        """What became of the one call that was answered; two were sent at once, in whatever order they came."""
        (call,) = (call for call in Ledger(self.ledger).calls(100) if call.tokens == 150)
        return call.outcome

    def test_tuned(self) -> None:
        """The model's structure gets its numbers from the search, and what is published has all of its origin."""
        candidate, served = self.run_(completion(code(RANK)))
        template = marked(candidate.source, "file_system")
        assert template is not None
        self.assertNotEqual(template.known[0], (1.0, 0.0), "its numbers are not as it wrote them")
        wrote = self.problem.measure(self.problem.compile(RANK)).score
        self.assertLess(self.problem.measure(self.problem.compile(candidate.source)).score, wrote)
        costs = self.generator.costs()
        self.assertEqual(costs.calls, len(served.requests))
        self.assertEqual(costs.usd, Ledger(self.ledger).totals().usd)
        self.assertIn("blocks of the loop", candidate.hypothesis)
        origin = candidate.provenance
        self.assertEqual((origin.model, origin.tokens), ("m", 150))
        self.assertAlmostEqual(origin.usd, 0.0006)
        self.assertIn("blocks of the loop come again", candidate.note)
        self.assertIn("written by m", candidate.note)
        self.assertIn("measurements of its numbers", self.answered())
        prompt = served.requests[0]["messages"][1]["content"]
        for words in ("kn_rank", "file_system/rank", "Hand-made policies", "```c", "begin parameters", "HYPOTHESIS"):
            self.assertIn(words, prompt)
        self.assertNotIn("1059", prompt, "no request of the trace is in it")

    def test_failures(self) -> None:
        """Each failure costs one call, is written down, and is told with the next; the search goes on."""
        candidate, served = self.run_(
            completion("I'd rather not."),
            completion("```c\nint half", finish="length"),
            completion(code("int no_policy(void) { return undeclared; }\n")),
            completion(code(HOSTILE)),
            completion(code(RANK.replace("0.01..1e6", "2..1"))),
            completion(code(RANK), usage=False),
            completion(code(FIXED)),
            completion(code(FIXED)),
        )
        self.assertIsNotNone(candidate)
        told = " | ".join(self.outcomes())
        for words in (
            "no fenced code block",
            "cut off",
            "undeclared",
            "fuel",
            "line 5: WORTH has the range 2..1",
            "marks no numbers that could be tuned",
            "decides as one that you wrote before",
            "400",
        ):
            self.assertIn(words, told)
        later = "".join(request["messages"][1]["content"] for request in served.requests[3:])
        self.assertIn("Your attempts so far", later)
        self.assertIn("no fenced code block", later)
        usd = Ledger(self.ledger).totals().usd
        assert usd is not None
        unknown = next(call for call in Ledger(self.ledger).calls(100) if call.reserved and call.outcome != "sent")
        self.assertGreater(unknown.usd or 0, 0.01, "usage that wasn't told counts as the reserve")

    def test_paidOnce(self) -> None:
        """Each answer costs its model once, one that is no code too: or who writes rubbish would be the cheapest."""
        paid: list[tuple[int, float]] = []
        self.patch(Writer, "reward", lambda writer, written, gain: paid.append((written.number, gain)))
        self.run_(completion("no code"), completion(code(RANK)), completion(code(FIXED)))
        self.assertEqual(len(paid), 3)
        self.assertEqual(len({number for number, _ in paid}), 3)

    def test_budget(self) -> None:
        """Nothing is sent that the budget can't bear, also in the next search; the search ends, and says why."""
        # A prompt is some ten thousand bytes, so a call may take $0.01 and more for its question.
        candidate, served = self.run_(last=completion(code(FIXED), usage=False), budget=0.06)
        self.assertGreaterEqual(len(served.requests), 1)
        usd = Ledger(self.ledger).totals().usd
        assert usd is not None
        self.assertLessEqual(usd, 0.06)
        _, again = self.run_(last=completion(code(FIXED)), budget=0.06)
        self.assertEqual(again.requests, [])
        self.assertIsNotNone(candidate)

    def test_backlog(self) -> None:
        """A server that answers at once isn't paid for answers that nobody has looked at: there are two at most."""
        candidate, served = self.run_(last=completion(code(RANK)), generator="search", evaluations=900, seed=3)
        self.assertIsNotNone(candidate)
        unseen = self.outcomes().count("answered") + self.outcomes().count("sent")
        # and one whose numbers were being searched
        self.assertLessEqual(unseen, 3)
        self.assertLess(len(served.requests), 20)

    def test_portfolio(self) -> None:
        """Beside the other families it takes no time while it waits, and the best of all is handed over."""
        candidate, served = self.run_(completion(code(RANK)), generator="search", evaluations=600, seed=3)
        self.assertIsInstance(candidate, Candidate)
        self.assertGreaterEqual(len(served.requests), 1)

    def test_judged(self) -> None:
        """What the guard took is written down with the call."""
        candidate, _ = self.run_(completion(code(RANK)))
        component = Component("x", implementation=candidate.source)
        self.generator.judged(self.problem, candidate, component)
        self.assertEqual(self.answered(), f"{ACCEPTED}: {component.digest}")
        self.generator.judged(self.problem, candidate, None)
        self.assertEqual(self.answered(), "refused by the guard")

    def test_nobody(self) -> None:
        """Without models, or a generator that asks any, one line says what is missing."""
        problem = makeProblem(self.folder, loopWithScan())
        self.assertIn("--llm-model", str(self.assertRaises(SettingsError, llm.generate, problem)))
        models = modelsOf(Settings((Model("m", "http://localhost:1/v1"),)), self.ledger)
        self.assertIn("asks no language model", str(self.assertRaises(SettingsError, withModels, "genetic", models)))
        self.assertIsInstance(withModels("search", models), SearchWithModels)
        self.assertIsInstance(withModels("llm", models), ModelsAlone)
