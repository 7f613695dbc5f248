"""What a search has measured, kept in mind and in a file."""

from __future__ import annotations

import lzma

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import SplitScore
from kernelnet.learning import saved_search, search_results
from kernelnet.learning.saved_search import NotASearch, SavedSearch, decode, encode
from kernelnet.learning.search_results import SearchResults, searchCurve
from kernelnet.workbench.errors import ComponentError, NoResources, Trapped
from tests.learning.support import AcceptedTestCase


class SearchResultsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.results = SearchResults()
        self.measured: list[int] = []

    def windows(self, number: int, score: int, results: SearchResults | None = None) -> list[int]:
        def measure() -> list[SplitScore]:
            self.measured.append(number)
            if score < 0:
                raise Trapped("no")
            return [SplitScore(1, score, 2, {"a": 3}), SplitScore(1, score + 1, 2)]

        found = (results or self.results).windows(b"wasm", (float(number),), 2, measure)
        return [each.score for each in found]

    def test_once(self) -> None:
        """What is known is not measured again; also what failed."""
        self.assertEqual([self.windows(1, 7), self.windows(1, 7)], [[7, 8]] * 2)
        for _ in range(2):
            self.assertRaises(ComponentError, self.windows, 2, -1)
        self.assertEqual((self.measured, self.results.evaluations), ([1, 2], 2))

    def test_improvements(self) -> None:
        """Each one that is better than all before, with the number of evaluations that it took."""
        for number, score in enumerate((9, 10, 7, 7, 8, 3)):
            self.windows(number, score)
        told = [(each.evaluations, each.parameters) for each in self.results.improvements]
        self.assertEqual(told, [(1, (0.0,)), (3, (2.0,)), (6, (5.0,))])

    def test_again(self) -> None:
        """With the results of an earlier search a search is counted anew, and its improvements come again."""
        for number, score in enumerate((9, 7)):
            self.windows(number, score)
        again = SearchResults(self.results.known)
        self.assertEqual((again.evaluations, again.improvements), (0, []))
        self.windows(0, 9, again)
        self.assertEqual((again.evaluations, len(again.improvements), self.measured), (1, 1, [0, 1]))

    def test_passing(self) -> None:
        """What may work another time is no result."""

        def busy() -> list[SplitScore]:
            raise NoResources("busy")

        self.assertRaises(NoResources, self.results.windows, b"", (), 2, busy)
        self.assertEqual(self.results.known, {})

    def test_bound(self) -> None:
        """No more than so many windows are kept, those of an earlier search among them."""
        self.patch(search_results, "MAX_WINDOWS", 4)
        for number in range(4):
            self.windows(number, number)
        self.assertEqual((len(self.results.known), self.results.evaluations), (2, 4))
        again = SearchResults(self.results.known)
        self.windows(9, 9, again)
        self.assertEqual(len(again.known), 2)


class CurveTests(AcceptedTestCase):
    def test_levels(self) -> None:
        """The course of a search is in levels, on train and on validation, and on train it only rises."""
        results = SearchResults()
        for name in ("fifo", "lru", "arc", "clock"):
            wasm = self.scenario.workbench.baselineModule(name)
            results.windows(wasm, (), 8, lambda wasm=wasm: self.scenario.measureWindows(wasm, "train", 8))  # type: ignore[misc]
        curve = searchCurve(self.scenario, results)
        self.assertEqual(curve[0].evaluations, 1)
        levels = [point.train for point in curve]
        self.assertEqual(levels, sorted(set(levels)))
        fifo = self.scenario.baseline("fifo")
        first = (curve[0].train, curve[0].validation)
        self.assertEqual(first, tuple(self.scenario.developmentLevel(fifo, split) for split in ("train", "validation")))


class SavedSearchTests(SynchronousTestCase):
    def search(self, **changes: object) -> SavedSearch:
        known: dict[str, list[tuple[int, int, int, dict[str, int]]] | None] = {
            "ab 8": [(1, 2, 3, {"x": 4})],
            "c 0": None,
        }
        fields = {
            "workbench": "file_system",
            "workbench_digest": "d",
            "trace_digest": "t",
            "tasks": [("/x", {"capacity": 5})],
            "generator": "search",
            "seed": 3,
            "objective": "score",
            "parent": "",
            "parent_name": "",
            "timed": True,
            "seconds": 1.5,
            "evaluations": 2,
            "costs": [0.25, 1e-9],
            "results": known,
        }
        return SavedSearch(**{**fields, **changes})  # type: ignore[arg-type]

    def test_same(self) -> None:
        """What is written is what is read."""
        self.assertEqual(decode(encode(self.search())), self.search())

    def test_refused(self) -> None:
        """Anything else is refused, and large files are not unpacked."""
        whole = encode(self.search())
        for data in (
            b"",
            b"{}",
            whole[:-20],
            lzma.compress(b"{}"),
            lzma.compress(b"[" * 9_000),
            whole[:40] + b"x" * 40,
        ):
            self.assertRaises(NotASearch, decode, data)
        self.assertRaises(NotASearch, decode, lzma.compress(bytes(300 << 20), preset=0))
        bad: tuple[dict[str, object], ...] = (
            {"tasks": []},
            {"seed": -1},
            {"evaluations": -1},
            {"evaluations": 10**30},
            {"objective": "fame"},
            {"results": {"ab 8": []}},
        )
        for changes in bad:
            self.assertRaises(NotASearch, decode, encode(self.search(**changes)))
        self.patch(saved_search, "MAX_WINDOWS", 1)
        error = self.assertRaises(NotASearch, decode, whole)
        self.assertIn("results of more than 1 windows", str(error))
        error = self.assertRaises(NotASearch, decode, encode(self.search(format="kernelnet search 9")))
        self.assertIn("another version", str(error))
