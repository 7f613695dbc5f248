"""Run them with ``python -m unittest discover tests``, or with any other runner."""

import random
import tempfile
import unittest
from pathlib import Path

from kernelnet_readahead import ReadaheadWorkbench, workbench
from zope.interface.verify import verifyObject

from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.plugins import find
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import TraceError, WorkbenchError

SEEK = 10
MOST = 256


def cost(reads, window):
    """What a part of a trace costs, in plain Python; C{window(run, last, ahead, used, block, mean)}."""
    files, mean, total = {}, 0.0, 0
    for name, block in reads:
        new = {"buffer": range(0), "read": None, "run": 0, "last": 0, "ahead": 0, "used": 0}
        file = files.setdefault(name, new)
        if block != file["read"]:
            if file["read"] is not None and block == file["read"] + 1:
                file["run"] += 1
            else:
                if file["read"] is not None:
                    file["last"] = file["run"]
                    mean = mean + (file["run"] - mean) / 16 if mean else float(file["run"])
                file["run"] = 1
            file["read"] = block
        if block in file["buffer"]:
            file["used"] += 1
            continue
        ahead = window(file["run"], file["last"], file["ahead"], file["used"], block, mean)
        ahead = max(0, min(MOST, int(ahead)))
        file.update(buffer=range(block, block + ahead + 1), ahead=ahead, used=0)
        total += SEEK + ahead + 1
    return total


def cheapest(blocks):
    """The least that reading one file costs, with every window tried at each request."""
    best = [0] * (len(blocks) + 1)
    for i in reversed(range(len(blocks))):
        found = []
        for ahead in range(MOST + 1):
            after = i
            while after < len(blocks) and blocks[i] <= blocks[after] <= blocks[i] + ahead:
                after += 1
            found.append(SEEK + 1 + ahead + best[after])
        best[i] = min(found)
    return best[0]


POLICIES = {
    "none": lambda run, last, ahead, used, block, mean: 0,
    "fixed": lambda run, last, ahead, used, block, mean: 32,
    "again": lambda run, last, ahead, used, block, mean: last - run,
}


class ReadaheadTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def scenario(self, reads, **settings):
        path = self.folder / "made.reads"
        path.write_text("".join(f"{name} {block}\n" for name, block in reads))
        return ReadaheadWorkbench().scenario(path, {"seek": SEEK, **settings})

    def mixture(self, seed, count=400):
        """Three readers of five files: in a row, at random, and the same few blocks again and again."""
        rng, reads, at = random.Random(seed), [], dict.fromkeys("abcde", 0)
        while len(reads) < count:
            name = rng.choice("abcde")
            at[name] = rng.choice((at[name] + 1, rng.randrange(300), rng.randrange(8)))
            for _ in range(rng.choice((1, 1, 5, 20))):
                reads.append((name, at[name]))
                at[name] += rng.choice((0, 1, 1, 1, 2))
        return reads[:count]

    def parts(self, reads):
        half = len(reads) // 2
        ends = (0, half - half // 5, half, len(reads))
        return {s: (ends[i], ends[i + 1]) for i, s in enumerate(("train", "validation", "held_out"))}

    def test_found(self):
        """Kernelnet finds it by its name, and it has all that a workbench and a scenario must have."""
        self.assertIs(find(IWorkbench, "readahead", "workbench"), workbench)
        verifyObject(IWorkbench, workbench)
        verifyObject(IScenario, workbench.scenario(workbench.traces()[0]))

    def test_known(self):
        """A file of ten blocks read in a row, ten times over: what each policy costs, counted by hand."""
        scenario = self.scenario([("a", n % 10) for n in range(100)])
        held = {name: report.splits["held_out"].score for name, report in scenario.baselines().items()}
        # 50 reads, the file five times.  Each is a request of its own; or the first brings all of it; or each time the
        # beginning brings 4 more and block 5, the sixth in a row, 8 more; or the first as many as the last run had.
        self.assertEqual(held["none"], 50 * (SEEK + 1))
        self.assertEqual(held["fixed"], SEEK + 1 + 32)
        self.assertEqual(held["doubling"], 5 * (SEEK + 1 + 4 + SEEK + 1 + 8))
        self.assertEqual(held["again"], SEEK + 1 + 9)
        self.assertEqual(scenario.optimum()["held_out"], SEEK + 1 + 9)

    def test_reference(self):
        """Plain Python comes to the same costs, and finds no way to read that is cheaper than the optimum."""
        for seed in range(3):
            reads = self.mixture(seed)
            scenario = self.scenario(reads)
            train = reads[: self.parts(reads)["train"][1]]
            for name, window in POLICIES.items():
                self.assertEqual(scenario.baselines()[name].splits["train"].score, cost(train, window), name)
            for split, (start, end) in self.parts(reads).items():
                each = [[block for n, block in reads[start:end] if n == name] for name in "abcde"]
                self.assertEqual(scenario.optimum()[split], sum(map(cheapest, each)), split)
                for report in scenario.baselines().values():
                    self.assertGreaterEqual(report.splits[split].score, scenario.optimum()[split])

    def test_features(self):
        """A component sees all that the header says: plain Python with the same formula costs the same."""
        formula = "mean * 2 + used - ahead * 0.5 + run + last * 0.25 + offset * 0.125"
        source = workbench.baselineSource("none").replace("return 0;", f"return {formula};")
        wasm = compileC(source, workbench.headerPath, trusted=True)

        def window(*seen):
            run, last, ahead, used, block, mean = seen
            return mean * 2 + used - ahead * 0.5 + run + last * 0.25 + block * 0.125

        for seed in range(3):
            reads = self.mixture(seed)
            train = reads[: self.parts(reads)["train"][1]]
            self.assertEqual(self.scenario(reads).measure(wasm).splits["train"].score, cost(train, window))

    def test_windows(self):
        """The scores on windows of a split sum up to the split's."""
        scenario = self.scenario(self.mixture(5))
        wasm = workbench.baselineModule("fixed")
        windows = scenario.measureWindows(wasm, "held_out", 7)
        self.assertEqual(sum(w.score for w in windows), scenario.measure(wasm).splits["held_out"].score)

    def test_anything(self):
        """Whatever a component says is a window: not a number is none, and more than there may be is the most."""
        scenario, scores = self.scenario([("a", n) for n in range(600)]), []
        for value in ('__builtin_nan("")', "-5", "1e300", "0.999"):
            source = workbench.baselineSource("none").replace("return 0;", f"return {value};")
            report = scenario.measure(compileC(source, workbench.headerPath, trusted=True))
            scores.append(report.splits["held_out"].score)
        none = 300 * (SEEK + 1)
        self.assertEqual(scores, [none, none, 2 * (SEEK + 1 + MOST), none])

    def test_shipped(self):
        """On the trace that ships nothing is cheaper than the optimum, and the hand-made ones differ."""
        scenario = workbench.scenario(workbench.traces()[0])
        scores = {report.splits["held_out"].score for report in scenario.baselines().values()}
        self.assertEqual(len(scores), len(workbench.baselineNames))
        self.assertGreater(min(scores), scenario.optimum()["held_out"])

    def test_variants(self):
        """A claim is measured on the trace without some files; levels are about those on the trace as it is."""
        scenario = workbench.scenario(workbench.traces()[0])
        trace = scenario.machine.trace
        one, other = trace.variant(bytes(32)), trace.variant(bytes([1]) * 32)
        self.assertNotEqual(one.file.tolist(), other.file.tolist())
        self.assertEqual(one.file.tolist(), trace.variant(bytes(32)).file.tolist())
        for split, share in ((split, one.windows(split)[-1]) for split in ("train", "validation", "held_out")):
            self.assertTrue(0 < share[2] - share[1] < scenario.events[split])
        wasm = workbench.baselineModule("doubling")
        claimed = scenario.forModule(wasm)
        level, there = (each.developmentLevel(each.measure(wasm)) for each in (scenario, claimed))
        self.assertLess(abs(level - there), 0.15)

    def test_mistakes(self):
        """What can't be read, and settings that aren't any: one line that says what is wrong."""
        for text, words in (("a 1\nb\n", "made.reads:2: 'b' is no read"), ("a -1\n", ":1: "), ("a 1\n" * 9, "9 reads")):
            path = self.folder / "made.reads"
            path.write_text(text)
            with self.assertRaises(TraceError) as caught:
                ReadaheadWorkbench().scenario(path)
            self.assertIn(words, str(caught.exception))
        with self.assertRaisesRegex(TraceError, "should end in .reads"):
            workbench.scenario(Path(__file__))
        for settings in ({"seek": -1}, {"speed": 1}):
            with self.assertRaises(WorkbenchError):
                workbench.scenario(workbench.traces()[0], settings)


if __name__ == "__main__":
    unittest.main()
