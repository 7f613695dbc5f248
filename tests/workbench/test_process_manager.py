"""The bench of CPU scheduling: what a scenario is, that it is the same everywhere, and what policies can't do."""

from __future__ import annotations

import hashlib
from typing import ClassVar

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.errors import ContractBroken, WorkbenchError
from kernelnet.workbench.process_manager import ProcessManagerWorkbench, workbench
from kernelnet.workbench.process_manager.scenario import ProcessManagerScenario
from tests.workbench.contract import BenchContract, FolderCase
from tests.workbench.process_manager_reference import Job
from tests.workbench.process_manager_support import SHARED, policy, rank, smallScenario, someJobs, writeLog

# First come, first served, but for what `PICK` says.
FULL = """
static kn_heap waiting; static u64 *turn, turns; static u32 picks;
void kn_init(u32 slots, u32 cpus, u64 quantum) {
    turn = kn_alloc(slots * 8);
    waiting = kn_heap_new(slots, turn, turn);
}
void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) {
    turn[slot] = turns++;
    kn_heap_add(&waiting, slot);
}
u32 kn_pick(u64 elapsed) { picks++; PICK return kn_heap_take(&waiting); }
void kn_ran(u32 slot, u64 ran, u64 elapsed) { kn_heap_add(&waiting, slot); }
void kn_done(u32 slot, u64 ran, u64 elapsed) { DONE }
"""

PINNED = [
    {"train": 8573502, "validation": 2124142, "held_out": 10587018},
    {"train": 8792593, "validation": 2255572, "held_out": 10961714},
    {"train": 8234261, "validation": 2065782, "held_out": 10298958},
]
"""Of the first log that ships."""

PINNED_VARIANT = ({"train": 1031, "validation": 1298, "held_out": 2617}, "3cdedd885ddcf42d")
"""Of a variant: the ends of its splits, and how the digest of its columns begins."""


def full(pick: str = "", done: str = "") -> bytes:
    return policy(FULL.replace("PICK", pick).replace("DONE", done))


class Case(FolderCase):
    def scenario(self, jobs: list[Job] | None = None, **settings: int) -> ProcessManagerScenario:
        return smallScenario(self.folder, jobs, **settings)


class ContractTests(BenchContract, Case):
    bench = workbench
    light = ("kernelnet.workbench.process_manager",)
    file = "small.sched"
    sources: ClassVar = {"driver.c", "rank.c", "srpt.c"}
    shipped: ClassVar = ["build.sched.xz", "web.sched.xz"]
    apart = len(workbench.baselineNames)

    def small(self) -> ProcessManagerScenario:
        return self.scenario(cpus=2)


class WorkbenchTests(Case):
    def test_traces(self) -> None:
        """On both logs that ship LAS is far from SRPT."""
        for path in workbench.traces():
            scenario = workbench.scenario(path)
            least = 1000 * scenario.events["held_out"]
            las = scenario.reference().splits["held_out"].score
            self.assertLess(scenario.optimum()["held_out"] - least, 0.5 * (las - least))

    def test_settings(self) -> None:
        """Each setting has a default that depends on the log; what is unknown or makes no sense is an error."""
        bench = ProcessManagerWorkbench()
        path = writeLog(self.folder / "a.sched", someJobs(200))
        expected = {
            **{"cpus": 1, "load_permille": 900, "bound_us": 1000, "tick_us": 1000, "quantum_us": 1000},
            "switch_us": 5,
        }
        self.assertEqual(bench.scenario(path).settings, expected)
        lines = [f"{i} {60 * i} -1 {3200 + i} 4 -1 -1 -1 -1 -1 1 7 1 2 -1 -1 -1 -1" for i in range(100)]
        jobs = self.folder / "a.swf"
        jobs.write_text("\n".join(lines))
        settings = bench.scenario(jobs).settings
        self.assertEqual(settings["bound_us"], 10_000_000)
        self.assertEqual(settings["switch_us"], 1_000_000)
        self.assertEqual(settings["quantum_us"], 3_249_500_000 // 32)
        for wrong in (
            {"cpus": 0},
            {"cpus": 65},
            {"load_permille": -1},
            {"tick_us": 0},
            {"bound_us": 0},
            {"tick_us": 2000, "quantum_us": 1000},
            {"switch_us": 1000},
            {"capacity": 5},
        ):
            self.assertRaises(WorkbenchError, bench.scenario, path, wrong)


class ScenarioTests(Case):
    def test_pinned(self) -> None:
        """Scores are the same to the unit on every machine: those of an index, of LAS and of SRPT are these."""
        scenario = workbench.scenario(workbench.traces()[0])
        scores = [
            {split: score.score for split, score in scenario.measure(rank("gittins")).splits.items()},
            {split: score.score for split, score in scenario.reference().splits.items()},
            dict(scenario.optimum()),
        ]
        self.assertEqual(scores, PINNED)

    def test_load(self) -> None:
        """Arrivals are scaled so that the CPUs have so many thousandths of their time to work."""
        trace = self.scenario().machine.trace
        for cpus, permille in ((1, 900), (4, 900), (1, 2000)):
            arrival = trace.arrivals(cpus, permille)
            self.assertEqual(arrival[0], 0)
            self.assertTrue((np.diff(arrival.astype(np.int64)) >= 0).all())
            self.assertApproximates(trace.work * 1000 / (int(arrival[-1]) * cpus), permille, 1)
        self.assertIs(trace.arrivals(1, 0), trace.arrival)

    def test_splitsApart(self) -> None:
        """A split's score is the same whatever follows it."""
        jobs = someJobs(200)
        whole = self.scenario(jobs).baselines()["las"].splits
        other = [*jobs[:100], *(Job(job.arrival, job.run * 7 + 1, "z/z") for job in jobs[100:])]
        changed = self.scenario(other).baselines()["las"].splits
        self.assertEqual(whole["train"].score, changed["train"].score)
        self.assertEqual(whole["validation"].score, changed["validation"].score)
        self.assertNotEqual(whole["held_out"].score, changed["held_out"].score)

    def test_clock(self) -> None:
        """The time that has elapsed is never less than 0, not even where a split lasts into the next."""
        check = "if (elapsed > 1ull << 40) __builtin_trap();"
        jobs = someJobs(200, gap=5)
        self.assertGreater(sum(job.run for job in jobs[:80]), 2 * jobs[-1].arrival)
        self.scenario(jobs).measure(full(check))

    def test_variant(self) -> None:
        """A variant has most tasks of each split as that split, a little larger or smaller, in order within a key."""
        trace = self.scenario(someJobs(3000)).machine.trace
        variant = trace.variant(bytes(32))
        self.assertEqual((variant.digest, variant.keys, variant.groups), ("00" * 32, trace.keys, trace.groups))
        for split, (_, first, last), (_, start, end) in zip(
            trace.ends, trace.windows("held_out"), variant.windows("held_out"), strict=True
        ):
            # One in four of the shorter half is missing.
            self.assertTrue(0.82 < (end - start) / (last - first) < 0.93, split)
            work, left = (int(t.run[a:b].sum()) for t, a, b in ((trace, first, last), (variant, start, end)))
            self.assertTrue(0.9 * work < left < 1.1 * work)
        self.assertTrue((np.diff(variant.arrival.astype(np.int64)) >= 0).all())
        self.assertEqual(variant.arrival[0], 0)
        self.assertTrue((variant.run >= 1).all())
        self.assertTrue(((variant.estimate == 0) | (variant.estimate * 1.07 + 1 >= variant.run)).any())
        # What the past of a key says is as before: the tasks of a key come in their order, each within a sixteenth.
        (large,) = np.nonzero(trace.run == trace.run.max())[0][:1].tolist()
        key = trace.key[large]
        before, after = trace.run[trace.key == key].tolist(), variant.run[variant.key == key].tolist()
        at = 0
        for size in after:
            while not abs(before[at] - size) <= before[at] / 16 + 1:
                at += 1
            at += 1

    def test_variantDeterministic(self) -> None:
        """What is drawn are integers of the seed: these, on every machine."""
        trace = self.scenario(someJobs(3000)).machine.trace
        variant = trace.variant(bytes(32))
        columns = (variant.arrival, variant.run, variant.estimate, variant.key, variant.group)
        found = hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()
        self.assertEqual((variant.ends, found[:16]), PINNED_VARIANT)
        self.assertNotEqual(trace.variant(bytes([1]) * 32).run.tolist(), variant.run.tolist())

    def test_variantLevels(self) -> None:
        """Hand-made schedulers keep their order on variants of a log that ships, and about their levels."""
        scenario = workbench.scenario(workbench.traces()[1])
        variant = scenario.onVariant(0, b"any")
        for name in ("las", "mlfq", "sjf"):
            level, other = (each.developmentLevel(each.baseline(name)) for each in (scenario, variant))
            self.assertLess(abs(level - other), 0.5, name)

    def test_scale(self) -> None:
        """A rank function doesn't notice when all times are a thousand times as long: its times are in bounds."""
        jobs = someJobs(150)
        longer = [Job(job.arrival * 1000, job.run * 1000, job.key, job.estimate * 1000) for job in jobs]
        times = {"bound_us": 10_000, "tick_us": 4_000, "quantum_us": 16_000, "switch_us": 1_000}
        for name in ("gittins", "residual - wait", "aq(mean, 1 + count) + last".replace("aq", "kn_aq")):
            short = self.scenario(jobs).measure(rank(name)).splits
            long = self.scenario(longer, **times).measure(rank(name)).splits
            for split in short:
                self.assertApproximates(short[split].score, long[split].score, 0.05 * short[split].score)

    def test_patterns(self) -> None:
        """Sizes that repeat by key are found, and so are a day's ups and downs."""
        jobs = [Job(100_000 * day + 50 * i, 10 * (1 + i % 7), f"k/{i % 7}") for day in range(200) for i in range(64)]
        patterns = {pattern.type: pattern for pattern in self.scenario(jobs).patterns()}
        self.assertEqual(patterns["repeated_size"].data["share"], patterns["repeated_size"].data["past"])
        self.assertEqual(patterns["repeated_size"].confidence, 1)
        self.assertApproximates(patterns["period"].data["period_us"], 100_000, 0.1 * 100_000)
        self.assertGreater(patterns["burstiness"].data["dispersion"], 5)
        random = {pattern.type: pattern for pattern in self.scenario(someJobs(4000)).patterns()}
        self.assertNotIn("period", random)
        self.assertLess(random["heavy_tail"].data["alpha"], 3)


class HostileTests(Case):
    def test_picks(self) -> None:
        """A slot that doesn't exist, one picked already, one that is done: each breaks the contract."""
        fresh = "if (picks == 40) return 1u << 30;"
        twice = "static u32 last; if (picks % 2 == 0 && waiting.count) return last; last = waiting.slot[0];"
        gone = "if (picks == 90) return gone;"
        for pick, done, cpus in ((fresh, "", 1), (twice, "", 2), (gone, "", 1)):
            wasm = full(f"static u32 gone = 199; (void)gone; {pick}", done)
            self.assertRaises(ContractBroken, self.scenario(cpus=cpus).measure, wasm)
        self.scenario(cpus=2).measure(full())

    def test_numbers(self) -> None:
        """NaN and infinities are ranks like others: NaN comes last."""
        scenario = self.scenario()
        nan = scenario.measure(rank('attained > 3 ? __builtin_nan("") : attained'))
        last = scenario.measure(rank("attained > 3 ? __builtin_inf() : attained"))
        self.assertEqual(
            {split: score.score for split, score in nan.splits.items()},
            {split: score.score for split, score in last.splits.items()},
        )
        scenario.measure(rank("-__builtin_inf()"))

    def test_keys(self) -> None:
        """A policy sees the same key for tasks of one key, and nothing that it could have known before."""
        jobs = [Job(10 * i, 5, f"{'ab'[i % 4 // 2]}/{i % 4}") for i in range(120)]
        check = """
            keys[turns % 4] = turns < 4 ? key : keys[turns % 4] == key ? key : (__builtin_trap(), 0);
            groups[turns % 4 / 2] = turns < 4 ? group : groups[turns % 4 / 2] == group ? group : (__builtin_trap(), 0);
            if (key < 1u << 20 || group < 1u << 20 || key == group || groups[0] == groups[1]) __builtin_trap();
        """
        source = FULL.replace("PICK", "").replace("DONE", "")
        source = source.replace("turn[slot] = turns++;", check + "turn[slot] = turns++;")
        scenario = self.scenario(jobs)
        scenario.measure(policy("static u64 keys[4], groups[2];" + source))
        variant = scenario.onVariant(0, b"any")
        variant.measure(policy("static u64 keys[4], groups[2];" + FULL.replace("PICK", "").replace("DONE", "")))
        self.assertNotEqual(scenario.machine.salt, variant.machine.salt)

    def test_counts(self) -> None:
        """What a rank function is told of a key's past tasks doesn't tell how many there were once there were many."""
        jobs = [Job(20 * i, 5, "a/a") for i in range(200)]
        self.scenario(jobs).measure(rank("({ if (count > 16) __builtin_trap(); count; })"))


class SharedTests(SynchronousTestCase):
    """On logs that aren't ours to ship; skipped where they don't lie beside the repository."""

    def test_nasa(self) -> None:
        """Of a log of real jobs with an index by hand: better than LAS on every split, and LAS the best by hand."""
        path = SHARED / "NASA-iPSC-1993-3.1-cln.swf.gz"
        if not path.exists():
            self.skipTest(f"{path} isn't there")
        scenario = workbench.scenario(path)
        self.assertEqual(sum(scenario.events.values()), 18_066)
        report = scenario.measure(rank("gittins"))
        for split in report.splits:
            self.assertGreater(scenario.developmentLevel(report, split), 0.1)
