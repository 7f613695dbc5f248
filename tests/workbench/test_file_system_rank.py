"""The rank ABI: what the driver asks, what it makes of the answers, and that it is the same everywhere."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench import errors
from kernelnet.workbench.file_system import FileSystemWorkbench, workbench
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from kernelnet.workbench.variants import variantLevels
from tests.workbench.support import mixture, policy, smallScenario, writeTrace

REPOSITORY = Path(__file__).resolve().parents[2]
SIGNATURE = "f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure"


def rank(body: str, before: str = "") -> bytes:
    return policy(f"{before}\nf64 kn_rank({SIGNATURE}) {{ {body} }}")


class RankTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)

    def scenario(self, ids: list[int] | None = None, capacity: int = 32) -> FileSystemScenario:
        return smallScenario(self.folder, ids, capacity)

    def misses(self, scenario: FileSystemScenario, wasm: bytes) -> int:
        return sum(split.score for split in scenario.measure(wasm).splits.values())

    def test_byHand(self) -> None:
        """A trace to follow with a pencil, by age, by life and by requests."""
        # Capacity 3.  1 2 3 come in, 1 is hit.  Then 4, 1 and 2.
        ids = [1, 2, 3, 1, 4, 1, 2] + [2] * 100
        for body, expected in (
            ("return -age;", 5),  # 4 evicts 2; 1 is there; 2 evicts 3
            ("return -life;", 6),  # 4 evicts 1; 1 evicts 2; 2 evicts 3
            ("return freq;", 5),  # 4 evicts 2, the first of two equals; 1 is there; 2 evicts 4
            ("return age;", 5),  # 4 evicts 1; 1 evicts 4; 2 is there
        ):
            self.assertEqual(self.misses(self.scenario(ids, 3), rank(body)), expected, body)

    def test_likeLru(self) -> None:
        """With few slots all are candidates, and -age is LRU and -life FIFO to the unit; with many nearly so."""
        for capacity in (1, 2, 15, 16):
            scenario = self.scenario(capacity=capacity)
            for body, name in (("return -age;", "lru"), ("return -life;", "fifo")):
                report = scenario.measure(rank(body))
                self.assertEqual(
                    [split.score for split in report.splits.values()],
                    [split.score for split in scenario.baselines()[name].splits.values()],
                )
        for path in workbench.traces():
            scenario = workbench.scenario(path)
            for body, name in (("return -age;", "lru"), ("return -life;", "fifo")):
                theirs = sum(split.score for split in scenario.baselines()[name].splits.values())
                self.assertApproximates(self.misses(scenario, rank(body)), theirs, 0.02 * theirs)

    def test_sameValues(self) -> None:
        """Functions with the same values have the same misses, whatever else is in their modules."""
        scenario = self.scenario()
        one = scenario.measure(rank("return freq + hist;"))
        two = scenario.measure(rank("return hist + freq + 0 * used++;", "static u32 used;"))
        self.assertEqual([split.score for split in one.splits.values()], [split.score for split in two.splits.values()])

    def test_noNumbers(self) -> None:
        """What is no number ranks highest; where nothing has a lower rank, the first that is asked for goes."""
        scenario = self.scenario(capacity=16)
        self.assertEqual(
            self.misses(scenario, rank("return freq < 2 ? -age : 0.0 / 0.0;")),
            self.misses(scenario, rank("return freq < 2 ? -age : 1.0 / 0.0;")),
        )
        first = self.misses(scenario, rank("return 7;"))
        for value in ("0.0 / 0.0", "1.0 / 0.0", "-1.0 / 0.0", "1e308"):
            self.assertEqual(self.misses(scenario, rank(f"return {value};")), first, value)

    def test_everywhere(self) -> None:
        """Score and fuel are the same in other threads, in other processes, and when measured again."""
        wasm = rank("return kn_aq(freq + hist, age) - kn_lg(gap) * pressure;")
        path = writeTrace(self.folder / "a.txt", mixture(5000))
        scenario = FileSystemWorkbench().scenario(path, {"capacity": 50})
        expected = scenario.measure(wasm).splits
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(lambda _: scenario.measure(wasm).splits, range(12)):
                self.assertEqual(found, expected)
        code = (
            "import sys; from kernelnet.workbench.file_system import workbench\n"
            "scenario = workbench.scenario(sys.argv[1], {'capacity': 50})\n"
            "print({k: (v.score, v.fuel) for k, v in scenario.measure(sys.stdin.buffer.read()).splits.items()})"
        )
        command = [sys.executable, "-c", code, str(path)]
        said = subprocess.run(command, input=wasm, check=True, capture_output=True, cwd=REPOSITORY).stdout.decode()
        self.assertEqual(said.strip(), str({k: (v.score, v.fuel) for k, v in expected.items()}))

    def test_fresh(self) -> None:
        """What a run of one function leaves in memory is nothing to the next, of either ABI and at any capacity."""
        path = writeTrace(self.folder / "a.txt", mixture(3000))
        bench = FileSystemWorkbench()
        small, large = (bench.scenario(path, {"capacity": capacity}) for capacity in (20, 400))
        wasm = rank("return hist * 3 - age - kn_min(gap2, ghostgap) + pressure;")
        expected = [small.measure(wasm).splits, large.measure(wasm).splits]
        for _ in range(3):
            large.measure(workbench.baselineModule("lru"))
            small.measure(rank("return age;"))
            self.assertEqual([small.measure(wasm).splits, large.measure(wasm).splits], expected)

    def test_robust(self) -> None:
        """A rank function has about the same level on each variant, where sixteen others are drawn each time."""
        scenario = workbench.scenario(workbench.traces()[1])
        wasm = rank("return -kn_max(age, gap);")
        level = scenario.developmentLevel(scenario.measure(wasm))
        for each in variantLevels(scenario, wasm):
            self.assertLess(abs(each - level), 0.05)

    def test_hostile(self) -> None:
        """What a rank function does wrong has its typed error."""
        scenario = self.scenario()
        for body, error in (
            ("__builtin_trap();", errors.Trapped),
            ("for (;;) used++;", errors.OutOfFuel),
            ("return kn_rank(age, life, freq, gap, gap2, hist, ghostgap, pressure) + 1;", errors.StackOverflow),
            ("for (;;) kn_alloc(1 << 20);", errors.OutOfMemory),
            ("return *(f64 *)0xfffffff0u;", errors.Trapped),
            ("return 7 / used;", errors.Trapped),
        ):
            self.assertRaises(error, scenario.measure, rank(body, "static volatile u32 used;"))

    def test_signature(self) -> None:
        """A module with a rank function of another kind, or with half of the other ABI, is for neither."""
        scenario = self.scenario()
        wrong = policy('__attribute__((export_name("kn_rank"))) f64 other(f64 age) { return age; }')
        error = self.assertRaises(errors.WrongExport, scenario.measure, wrong)
        self.assertIn("kn_rank is not a function (f64, f64", str(error))
        half = policy("void kn_init(u32 c) {} void kn_hit(u32 s) {}")
        self.assertIn("exports no kn_", str(self.assertRaises(errors.WrongExport, scenario.measure, half)))
        self.assertEqual(workbench.abiOf(rank("return age;")).identifier, "file_system/rank/1")

    def test_known(self) -> None:
        """The expressions from which a search may begin are over the features, and are policies of their own."""
        abi = workbench.abis[1]
        self.assertIn(", ".join(f"f64 {feature}" for feature in abi.features), workbench.header)
        scenario = self.scenario()
        found = set()
        for expression in abi.known:
            body = re.sub(r"\b(min|max|aq|lg|sqrt)\(", r"kn_\1(", expression)
            found.add(self.misses(scenario, rank(f"return {body};")))
        self.assertEqual(len(found), len(abi.known))
