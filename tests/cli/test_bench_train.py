"""C{kernelnet bench train}."""

from __future__ import annotations

import contextlib
import json
import lzma
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import click
from twisted.plugin import IPlugin, getPlugins
from zope.interface import implementer

from kernelnet import plugins
from kernelnet.cli import arguments, bench_train, training
from kernelnet.generators import Candidate
from kernelnet.generators.search import Search
from kernelnet.interfaces import IComponentGenerator, IWorkbench
from kernelnet.learning import search_run
from kernelnet.learning.problem import Problem
from kernelnet.learning.saved_search import decode, searchFile
from kernelnet.learning.search_results import SearchResults
from kernelnet.testing import loopWithScan
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.errors import ComponentError
from kernelnet.workbench.file_system import FileSystemWorkbench, workbench
from kernelnet.workbench.suite import Suite
from tests.cli.support import CliTestCase
from tests.workbench.support import loop, writeTrace

TRAIN = ("bench", "train", "file_system")


@implementer(IPlugin, IComponentGenerator)
class Stub:
    """A generator that does what a test wants."""

    description = ""

    def __init__(self, generate: Callable[[Any], Any], name: str = "stub", workbenches: tuple[str, ...] = ()) -> None:
        self.generate = generate
        self.name = name
        self.workbenches = workbenches


def offering(source: str, note: str = "") -> Stub:
    return Stub(lambda problem: Candidate(source, note=note))


class TrainTestCase(CliTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.trace = writeTrace(self.folder / "loop.txt", loopWithScan())
        self.out = self.folder / "found.c"
        # So that passing the guard takes no luck.
        self.patch(FileSystemWorkbench, "baselineNames", ("fifo", "lru", "clock"))
        self.generators(Search(evaluations=24))

    def generators(self, *found: Any) -> None:
        everything = {IComponentGenerator: list(found), IWorkbench: [workbench]}
        self.patch(plugins, "getPlugins", lambda interface: everything.get(interface) or getPlugins(interface))

    def train(self, *extra: str | Path) -> tuple[str | Path, ...]:
        return (*TRAIN, "--trace", self.trace, "--capacity", "32", "--seed", "1", "--out", self.out, *extra)


class TrainTests(TrainTestCase):
    def test_rescued(self) -> None:
        """What was found and can't be written where it should be is kept elsewhere, and it is said where."""

        def full(path: Path, data: bytes, force: bool) -> None:
            raise click.ClickException(f"{path}: No space left on device")

        self.patch(arguments, "writeFile", full)
        self.patch(tempfile, "tempdir", str(self.folder.absolute()))
        result = self.call(*self.train())
        self.assertEqual(result.exit_code, 1)
        self.assertIn("found.c: No space left on device; what was found is kept: ", result.stderr)
        [kept] = self.folder.glob("kernelnet-*.c")
        self.assertIn(str(kept.absolute()), result.stderr)
        self.assertIn("Measure it again", kept.read_text("utf-8"))

    def test_nothingToGain(self) -> None:
        """Where a hand-made policy is as good as the optimum no longer search is advised."""
        everything = writeTrace(self.folder / "few.txt", [1, 2, 3] * 400)
        self.generators(offering(workbench.baselineSource("fifo")))
        arguments_ = ("--trace", everything, "--capacity", "3", "--out", self.out)
        result = self.call("bench", "train", "file_system", *arguments_)
        self.assertEqual(result.exit_code, 3, result.stderr)
        self.assertIn("there is nothing to gain", result.stdout)
        self.assertNotIn("more --seconds", result.stdout)

    def test_sameNumbers(self) -> None:
        """What is written has, in C{bench run}, the numbers of the table that C{bench train} printed, to the unit."""
        result = self.call(*self.train("--json"))
        self.assertEqual(result.exit_code, 0, result.stderr)
        self.assertIn("accepted: better on validation", result.stderr)
        [trained] = json.loads(result.stdout)
        again = ("bench", "run", "file_system", "--component", self.out, "--trace", self.trace, "--set", "capacity=32")
        [ran] = json.loads(self.succeed(*again, "--json"))
        for found in (trained, ran):
            [mine] = [p for p in found["policies"] if p["kind"] == "component"]
            self.assertEqual((mine.pop("name"), mine.pop("file")), ("found.c", str(self.out)))
            mine.pop("note")
            for policy in found["policies"]:
                self.assertEqual(policy.pop("ns_per_event") is None, policy["kind"] == "optimum")
            # it ends with the time, which is another one
            self.assertIn("use found.c (learned): ", found.pop("verdict"))
        self.assertEqual(trained, ran)
        text = self.out.read_text()
        for score in mine["splits"].values():
            self.assertIn(f"{score['score']:>16}{score['events']:>12}{score['fuel']:>16}", text)

    def test_file(self) -> None:
        """The file says what it is, how it was made and measured, and gives the command that measures it again."""
        result = self.call(*self.train())
        text = self.out.read_text()
        scenario = workbench.scenario(self.trace, {"capacity": 32})
        for words in (
            "kernelnet's workbench file_system",
            "generator  search, seed 1, 60 s, objective score",
            f"trace      loop, sha256 {scenario.traceDigest}",
            "settings   capacity 32",
            "ABI        file_system/full/2",
            f"workbench  sha256 {workbench.digest}",
            f"engine     {workbench.engine}",
            "guard      better on validation",
            "kind       specialist",
        ):
            self.assertIn(words, text)
        [command] = [line.strip(" *") for line in text.splitlines() if "kernelnet bench run" in line]
        self.assertIn(command, result.stdout)
        self.assertIn("found.c", self.succeed(*command.split()[1:]))

    def test_generalist(self) -> None:
        """Several traces make one task: a table for each and one for all, and what is found is a generalist."""
        second = writeTrace(self.folder / "second.txt", [n % 70 if n % 3 else 9000 + n for n in range(1500)])
        result = self.call(*self.train("--trace", second, "--json"))
        self.assertEqual(result.exit_code, 0, result.stderr)
        tables = json.loads(result.stdout)
        self.assertEqual(sorted(t["trace"] for t in tables[:2]), ["loop", "second"])
        self.assertEqual(tables[2]["settings"], {"parts": 2})
        self.assertIn("kind       generalist", self.out.read_text())
        again = ("bench", "run", "file_system", "--component", self.out, "--capacity", "32", "--json")
        ran = json.loads(self.succeed(*again, "--trace", self.trace, "--trace", second))
        for one in ran:
            [other] = [t for t in tables if t["trace_digest"] == one["trace_digest"]]
            mine, its = ([p["splits"] for p in t["policies"] if p["kind"] == "component"] for t in (one, other))
            self.assertEqual(mine, its)

    def test_generalistUnit(self) -> None:
        """Scores of several traces together count something else, and say what; they have no ratio to the events."""
        second = writeTrace(self.folder / "second.txt", [n % 70 if n % 3 else 9000 + n for n in range(1500)])
        result = self.call(*self.train("--trace", second))
        self.assertEqual(result.exit_code, 0, result.stderr)
        first, both = (self.tables(result.stdout)[at] for at in (0, 2))
        self.assertIn("all together", both)
        self.assertIn("score: misses, lower is better; ratio: miss ratio", result.stdout.partition("all together")[0])
        self.assertIn("score: millionths of the way from belady to lru, summed over the traces", both)
        self.assertIn("ratio", first)
        self.assertNotIn("ratio", both)
        self.assertIn("; scores in millionths of the way from belady to lru", result.stdout)
        self.assertIn(" *            in millionths of the way from belady to lru", self.out.read_text())
        # how far it is, while it searches, is said as a level: of two traces LRU has 2000000
        both_ = Suite([workbench.scenario(trace, {"capacity": 32}) for trace in (self.trace, second)])
        budget = training.Budget(60.0, None, None, True)
        shown = training._Progress(budget, both_, SearchResults())
        shown.tell(3, 500_000)
        self.assertEqual(shown.text(), "generation 3, 0 evaluations, best on train level 0.750")
        alone = training._Progress(budget, workbench.scenario(self.trace, {"capacity": 32}), SearchResults())
        alone.tell(3, 500)
        self.assertEqual(alone.text(), "generation 3, 0 evaluations, best on train 500 misses")

    def tables(self, text: str) -> list[str]:
        return re.split(r"\nfile_system on ", "\n" + text)[1:]

    def test_progress(self) -> None:
        """All measurements are counted before the search; beside JSON nothing is shown."""
        told: list[tuple[Any, ...]] = []
        quiet = []

        @contextlib.contextmanager
        def progress(isQuiet: bool = False) -> Iterator[Any]:
            quiet.append(isQuiet)
            yield lambda *what: told.append(what)

        for module in (arguments, bench_train, training):
            self.patch(module, "progress", progress)
        self.call(*self.train("--parent", self.baseline("sieve")))
        self.assertEqual(told[0], ("reading loop.txt", 0, None))
        # the parent, three hand-made policies, the optimum
        self.assertEqual([what for what in told if what[0] == "measuring"], [("measuring", at, 5) for at in range(6)])
        told = [*dict.fromkeys(told)]
        self.assertEqual(told[-2:], [("putting it to the guard", 0, None), ("comparing", 0, None)])
        self.assertEqual(quiet, [False] * 4)
        self.call(*self.train("--json", "--force"))
        self.assertEqual(quiet[4:], [True] * 4)

    def test_refused(self) -> None:
        """What does not pass the guard is in the table and not written, and the exit code is 3."""
        self.generators(offering(workbench.baselineSource("fifo")))
        result = self.call(*self.train())
        self.assertEqual(result.exit_code, 3, result.output)
        self.assertIn("refused: no better on validation", result.stdout)
        self.assertIn("refused, file_system/full/2", result.stdout)
        self.assertFalse(self.out.exists())

    def test_keepRefused(self) -> None:
        """On demand it is written all the same, and says so."""
        self.generators(offering(workbench.baselineSource("fifo")))
        result = self.call(*self.train("--keep-refused"))
        self.assertEqual(result.exit_code, 3, result.output)
        self.assertIn("REFUSED: it did not pass the guard", self.out.read_text())
        self.succeed("bench", "run", "file_system", "--component", self.out, "--trace", self.trace)

    def test_fuel(self) -> None:
        """With objective fuel what is found does the same as the parent on every part, for less, or is refused."""
        source = workbench.baselineSource("fifo")
        victim = "u32 kn_victim(u64 key) {"
        slow = source.replace(victim, f"static volatile u32 idle;\n{victim} idle++;")
        self.assertNotEqual(slow, source)
        parent = self.write("slow.c", slow)
        fuel = ("--objective", "fuel", "--parent", parent, "--json")
        self.generators(offering(source))
        result = self.call(*self.train(*fuel))
        self.assertEqual(result.exit_code, 0, result.stderr)
        self.assertIn("accepted: the same as slow.c on every split, with ", result.stderr)
        policies = {p["name"]: p["splits"] for p in json.loads(result.stdout)[0]["policies"]}
        for split, score in policies["slow.c"].items():
            self.assertEqual(policies["found.c"][split]["score"], score["score"])
            self.assertLess(policies["found.c"][split]["fuel"], score["fuel"])
        self.generators(offering(workbench.baselineSource("lru")))
        result = self.call(*self.train(*fuel, "--force"))
        self.assertEqual(result.exit_code, 3, result.stderr)
        self.assertIn("refused: not the same as slow.c for less", result.stderr)

    def test_memory(self) -> None:
        """With --memory what takes more is no component to the search; without it, or with enough, it is one."""
        lru = workbench.baselineSource("lru")
        greedy = lru.replace("void kn_init(u32 capacity) {", "void kn_init(u32 capacity) { kn_alloc(6 << 20);", 1)
        self.assertNotEqual(greedy, lru)
        seen: list[str] = []

        def generate(problem: Any) -> Candidate:
            try:
                problem.measure(problem.compile(greedy))
                seen.append("")
            except ComponentError as error:
                seen.append(str(error))
            return Candidate(lru, note="")

        self.generators(Stub(generate))
        for bound in ((), ("--memory", "4194304"), ("--memory", "8388608")):
            self.assertEqual(self.call(*self.train(*bound, "--force")).exit_code, 3)
        self.assertEqual(seen, ["", "it fails on train", ""])
        self.refused(2, "is not in the range", *self.train("--memory", "65536"))

    def test_parent(self) -> None:
        """A generator gets the parent, with what is known of it on train and nothing else."""
        parents: list[Any] = []
        self.generators(Stub(lambda problem: parents.extend(problem.parents)))
        parent = self.baseline("sieve")
        self.assertEqual(self.call(*self.train("--parent", parent)).exit_code, 3)
        [found] = parents
        self.assertEqual((found.id, found.implementation), ("my-sieve.c", workbench.baselineSource("sieve")))
        report = workbench.scenario(self.trace, {"capacity": 32}).forModule(found.wasm).measure(found.wasm)
        self.assertEqual(found.manifest.report.splits, {"train": report.splits["train"]})

    def test_nothing(self) -> None:
        """A generator that has nothing to offer, and one whose source does not compile: exit code 3, and why."""
        for generator, words in (
            (Stub(lambda problem: None), "had nothing to offer"),
            (offering("int x = ;"), "does not compile"),
            (offering("int x;"), "it fails: the module exports no"),
        ):
            self.generators(generator)
            result = self.call(*self.train("--keep-refused"))
            self.assertEqual(result.exit_code, 3, result.output)
            self.assertIn(words, result.stdout)
            self.assertFalse(self.out.exists())

    def test_nastyWords(self) -> None:
        """Words of a generator can't end the comment that they are in; what goes by line numbers stays as it was."""
        nasty = "*/ int evil[; /* \n#error \\"
        source = workbench.baselineSource("lru") + '\nKN_EXPORT("line") int line(void) { return __LINE__; }\n'
        self.generators(offering(source, nasty))
        self.call(*self.train("--keep-refused"))
        text = self.out.read_text()
        self.assertNotIn("*/ int evil", text)
        found = json.loads(
            self.succeed("bench", "run", "file_system", "--component", self.out, "--trace", self.trace, "--json")
        )
        self.assertEqual(found[0]["policies"][-1]["name"], "found.c")
        self.assertTrue(text.startswith(source))

    def test_cancelled(self) -> None:
        """Ctrl-C tells the generator to end, and waits for that; a second one ends at once."""
        began, left = threading.Event(), []

        def generate(problem: Any) -> None:
            began.set()
            until = time.monotonic() + 60
            while problem.secondsLeft() > 0 and time.monotonic() < until:
                time.sleep(0.01)
            left.append(problem.secondsLeft())

        def interrupted(progress: Any, thread: Any, console: Any) -> None:
            self.assertTrue(began.wait(30))
            raise KeyboardInterrupt

        self.generators(Stub(generate))
        self.patch(training._Progress, "lines", interrupted)
        result = self.call(*self.train("--seconds", "100"))
        self.assertEqual((result.exit_code, left), (3, [-1.0]))
        self.assertIn("what was found will be judged", result.stderr)
        self.assertFalse(self.out.exists())

    def test_endedAtOnce(self) -> None:
        """A second Ctrl-C doesn't wait for a generator that goes on."""
        ended = threading.Event()
        run = mock.Mock(search=ended.wait, cancel=ended.set)

        def interrupted(*arguments_: Any) -> None:
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            raise KeyboardInterrupt

        console = mock.Mock(is_terminal=False)
        shown = mock.Mock(lines=interrupted)
        self.assertRaises(KeyboardInterrupt, training._search, run, "stub", console, shown, False)
        run.finish.assert_called_once_with()
        self.assertTrue(ended.is_set())

    def test_nothingLost(self) -> None:
        """Whatever ends a search after it has measured, it can be gone on with: a second Ctrl-C, its generator…"""

        def failing(problem: Any) -> None:
            problem.measure(problem.compile(workbench.baselineSource("lru")))
            raise ended[0]

        stub = Stub(failing)
        self.generators(stub)
        ended: list[BaseException] = []
        for how, code in ((AssertionError("it was called"), 1), (KeyboardInterrupt(), 130)):
            ended[:] = [how]
            if code == 130:
                self.patch(training, "_search", lambda run, *rest: stub.generate(run._problem))
            result = self.call(*self.train("--evaluations", "8", "--force"))
            self.assertEqual(result.exit_code, code, result.stderr)
            self.assertIn(f"go on: kernelnet bench train file_system --resume {self.out} (with", result.stderr)
            self.assertEqual(decode(searchFile(self.out).read_bytes()).evaluations, 1)
            searchFile(self.out).unlink()

    def test_judgingInterrupted(self) -> None:
        """Ctrl-C while what was found is judged: it is said how to go on."""
        self.patch(training.Search, "judge", mock.Mock(side_effect=KeyboardInterrupt))
        result = self.call(*self.train("--evaluations", "8"))
        self.assertEqual(result.exit_code, 130)
        self.assertIn(f"go on: kernelnet bench train file_system --resume {self.out} (with", result.stderr)
        self.assertEqual(decode(searchFile(self.out).read_bytes()).evaluations, 8)

    def test_resumedAndInterrupted(self) -> None:
        """A search that is ended before it is where it had been still goes on from there."""
        self.generators(Search())
        self.call(*self.train("--evaluations", "30"))

        def first(problem: Any) -> None:
            problem.measure(problem.compile(workbench.baselineSource("lru")))

        self.generators(Stub(first, "search"))
        self.call(*TRAIN, "--resume", self.out, "--evaluations", "8")
        self.assertEqual(decode(searchFile(self.out).read_bytes()).evaluations, 30)

    def test_diskFull(self) -> None:
        """Where the search can't be kept, what it has found is judged and written all the same."""
        write = arguments.writeFile

        def full(path: Path, data: bytes, force: bool) -> None:
            if path.suffix == ".search":
                raise click.ClickException(f"{path}: No space left on device")
            write(path, data, force)

        self.patch(bench_train, "writeFile", full)
        result = self.call(*self.train("--keep-refused"))
        self.assertIn("warning: nothing can go on with this search: ", result.stderr)
        self.assertNotIn("go on: ", result.stdout)
        self.assertTrue(self.out.exists())

    def test_resumed(self) -> None:
        """It goes on where a search was, and finds what one search of that length does, measuring nothing twice."""
        measured: list[Any] = []

        class Noting(Problem):
            def measureWindows(self, wasm: bytes, parameters: Any = (), count: int = 8) -> Any:
                measured.append(self._results is not None and self.evaluationsLeft())
                return super().measureWindows(wasm, parameters, count)

        self.patch(search_run, "Problem", Noting)
        self.generators(Search())
        whole = self.call(*self.train("--evaluations", "70", "--jobs", "2", "--keep-refused"))
        self.assertIn(whole.exit_code, (0, 3), whole.output)
        text = self.out.read_text()
        self.out.unlink()
        part = self.folder / "part.c"
        self.call(*self.train("--evaluations", "30", "--jobs", "1", "--out", part, "--keep-refused"))
        part.unlink()
        passed = []
        measure = BaseScenario.measureWindows

        def counting(scenario: Any, wasm: bytes, split: str, *rest: Any) -> Any:
            passed.append(split)
            return measure(scenario, wasm, split, *rest)

        self.patch(BaseScenario, "measureWindows", counting)
        result = self.call(
            "bench", "train", "file_system", "--resume", part, "--evaluations", "40", "--keep-refused", "--jobs", "3"
        )
        self.assertIn("seed 1, on loop, goes on after 30 evaluations", result.stderr)
        self.assertEqual(passed.count("train"), 40)

        def source(written: str) -> str:
            return written.partition("*/\n")[2]

        self.assertEqual(source(part.read_text()), source(text))

    def test_resumeMistakes(self) -> None:
        """What isn't from a search, or from another one, is refused with one line."""
        resume = (*TRAIN, "--resume", self.baseline("lru"))
        self.refused(2, "it isn't from bench train: ", *resume)
        searched = self.folder / "my-lru.c.search"
        for data in (b"", b"nothing", lzma.compress(b"[1]"), lzma.compress(b"[" * 100_000)):
            searched.write_bytes(data)
            self.refused(2, "my-lru.c.search isn't from bench train: ", *resume)
        self.generators(Search())
        self.call(*self.train("--evaluations", "8"))
        resume = (*TRAIN, "--resume", self.out)
        self.refused(2, "leave out --seed", *resume, "--seed", "1", "--evaluations", "8")
        self.refused(2, "go on with --evaluations", *resume)
        second = writeTrace(self.folder / "second.txt", [n % 70 if n % 3 else 9000 + n for n in range(1500)])
        self.refused(2, "a search on other traces or settings", *resume, "--evaluations", "8", "--trace", second)
        self.out.unlink(missing_ok=True)
        self.refused(2, "found.c.search is there already: --resume ", *self.train("--evaluations", "8"))

    def test_jobs(self) -> None:
        """The same seed and number of evaluations write the same file, however many modules are measured at once."""
        self.generators(Search())
        written = set()
        for jobs in ("1", "2", "5"):
            arguments_ = ("--evaluations", "90", "--jobs", jobs, "--force", "--keep-refused")
            self.call(*self.train(*arguments_))
            written.add(self.out.read_text())
        self.assertEqual(len(written), 1)

    def test_plot(self) -> None:
        """The search is drawn: the best so far, with the best hand-made policies."""
        self.generators(Search())
        picture = self.folder / "search.svg"
        result = self.call(*self.train("--evaluations", "40", "--plot", picture))
        self.assertIn(f"drawn: {picture}", result.stdout)
        text = picture.read_text()
        for words in ("evaluations", "best so far on train", "the same policies on validation", "best hand-made on"):
            self.assertIn(words, text)
        self.refused(2, "should end in .png or .svg", *self.train("--force", "--plot", "search.txt"))

    def test_nothingToLearn(self) -> None:
        """Of a trace in which hardly anything comes again it is said so before the search."""
        once = writeTrace(self.folder / "once.txt", [*range(300), *range(6)])
        self.generators(offering(workbench.baselineSource("fifo")))
        result = self.call(*TRAIN, "--trace", once, "--capacity", "10", "--out", self.out)
        self.assertIn("hardly any reuse, nothing to learn: of 306 requests 6 are", result.stderr)
        self.assertNotIn("hardly any", self.call(*self.train("--force")).stderr)

    def test_verdict(self) -> None:
        """The last line says what to use; where nothing was better, the hand-made policy that is best on validation."""
        result = self.call(*self.train())
        self.assertEqual(result.exit_code, 0, result.output)
        last = result.stdout.splitlines()[-1]
        self.assertRegex(last, r"^use found\.c \(learned\): .* of the way from lru to belady on held-out, .* more than")
        self.assertRegex(last, r"fuel an event, where \w+ takes \d+; [\d.]+ ns and [\d.]+ bytes a slot, where")
        self.generators(offering(workbench.baselineSource("fifo")))
        result = self.call(*self.train("--force"))
        self.assertRegex(result.stdout.splitlines()[-1], r"^use \w+ \(hand-made, the best on validation\): ")


class MistakeTests(TrainTestCase):
    """Each mistake gets one line; nothing is searched, and nothing written."""

    def setUp(self) -> None:
        super().setUp()
        self.generators(Stub(self.unwanted, "search"))

    def unwanted(self, problem: Any) -> None:
        raise AssertionError("it was called")

    def test_time(self) -> None:
        """No time to search."""
        self.refused(2, "0 is not in the range", *self.train("--seconds", "0"))
        self.refused(2, "nan is not in the range", *self.train("--seconds", "nan"))

    def test_out(self) -> None:
        """A file that is there, a folder, a folder that isn't there, none at all."""
        self.out.write_text("mine")
        self.refused(2, "is there already; --force overwrites it", *self.train())
        elsewhere = ("bench", "train", "file_system", "--trace", self.trace, "--out", "/proc/found.c")
        self.refused(2, "/proc can't be written to", *elsewhere)
        self.assertEqual(self.out.read_text(), "mine")
        self.refused(2, "is a folder; --out takes a file", *TRAIN, "--out", self.folder)
        self.refused(2, "there is no folder", *TRAIN, "--out", self.folder / "no" / "f.c")
        self.refused(2, "Missing option '--out'", *TRAIN)

    def test_generator(self) -> None:
        """A generator that there isn't, or that is for something else."""
        self.refused(2, "unknown generator 'magic'; there are: search", *self.train("--generator", "magic"))
        self.generators(Stub(self.unwanted, "search"), Stub(self.unwanted, "other", ("network_stack",)))
        said = self.refused(2, "does not write for file_system", *self.train("--generator", "other"))
        self.assertIn("those that do: search", said)
        self.generators(Stub(self.unwanted, "other", ("network_stack",)))
        self.refused(2, "no generator that is installed writes for file_system", *self.train())

    def test_noParent(self) -> None:
        """Less fuel than what?  And a parent that can't be one."""
        self.refused(2, "takes --parent FILE.c", *self.train("--objective", "fuel"))
        self.refused(2, "nowhere.c: No such file", *self.train("--parent", "nowhere.c"))
        self.refused(
            1, "fails on the trace loop: the module exports no", *self.train("--parent", self.write("p.c", "int x;"))
        )

    def test_traces(self) -> None:
        """A trace that can't be read, and the same one twice."""
        self.refused(2, "nowhere.txt: No such file", *self.train("--trace", "nowhere.txt"))
        self.refused(2, "the same trace was given twice", *self.train("--trace", self.trace))

    def test_failingGenerator(self) -> None:
        """A generator that fails: what it raised, and where."""
        said = self.refused(1, "the generator search failed: AssertionError: it was called", *self.train())
        self.assertIn("test_bench_train.py:", said)
        self.assertFalse(self.out.exists())


class WriteTests(CliTestCase):
    def test_force(self) -> None:
        """A file is replaced only if that was asked for, and nothing else is left in the folder."""
        out = self.write("out.c", "old")
        arguments.writeFile(out, b"new", True)
        self.assertEqual(out.read_bytes(), b"new")
        error = self.assertRaises(click.ClickException, arguments.writeFile, out, b"newer", False)
        self.assertIn("has come to be meanwhile", error.message)
        self.assertEqual(out.read_bytes(), b"new")
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["out.c", "small.txt"])

    def test_whole(self) -> None:
        """A disk that is full leaves neither a part of the file nor another one."""
        out = self.folder / "out.c"
        with mock.patch("os.fdopen", side_effect=OSError(28, "No space left on device")):
            error = self.assertRaises(click.ClickException, arguments.writeFile, out, b"new", False)
        self.assertIn("out.c: No space left on device", error.message)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["small.txt"])


class InterruptTests(CliTestCase):
    def test_interrupt(self) -> None:
        """Ctrl-C ends the search, and what it has found is judged and written."""
        out = self.folder / "found.c"
        trace = writeTrace(self.folder / "loop.txt", loop(4000))
        command = [str(Path(sys.executable).with_name("kernelnet")), *TRAIN, "--trace", str(trace), "--capacity", "30"]
        process = subprocess.Popen(
            [*command, "--seconds", "100", "--out", str(out)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.addCleanup(process.kill)
        assert process.stderr is not None
        self.assertIn("searches", process.stderr.readline())
        time.sleep(3.0)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=90)
        self.assertLess(time.monotonic() - began, 60)
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn("accepted: ", output)
        self.assertTrue(output.splitlines()[-1].startswith("use found.c (learned): "), output)
        self.assertNotIn("Traceback", errors)
        self.assertIn("Measure it again", out.read_text())
        self.assertTrue(searchFile(out).exists())
