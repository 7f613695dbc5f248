"""The bench of repaints: what a scenario is, hand-computed scores, and that it is the same everywhere."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import ClassVar

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Pattern
from kernelnet.expressions.syntax import parse, toC
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import (
    WorkbenchError,
)
from kernelnet.workbench.graphics import MAX_MISS, PERIOD, GraphicsWorkbench, workbench
from kernelnet.workbench.graphics.frames import Frames
from kernelnet.workbench.graphics.machine import METRICS
from kernelnet.workbench.graphics.patterns import correlationRatio, learnPatterns
from kernelnet.workbench.graphics.scenario import GraphicsScenario
from kernelnet.workbench.graphics.trace import Trace, exchanged, makeTrace
from kernelnet.workbench.suite import Suite
from tests.workbench.contract import BenchContract, FolderCase
from tests.workbench.graphics_support import fixed, policy, rank, session, smallScenario, writeSession

PINNED = Path(__file__).with_name("pinned_graphics.json")
PINNED_VARIANT = ("00" * 32, {"train": 624, "validation": 780, "held_out": 1640}, "e0d8df8a93747d99")
"""Of a variant: its digest, the ends of its splits, and how the digest of its columns begins."""


class Case(FolderCase):
    def scenario(self, frames: Frames | None = None, **settings: int) -> GraphicsScenario:
        return smallScenario(self.folder, frames, **settings)

    def steady(self, work: int, *, count: int = 100, commits: tuple[tuple[str, int], ...] = ()) -> GraphicsScenario:
        """Always the same work."""
        frames = Frames(Path("steady"), period=16_667)
        for at in range(count):
            frames.add(16_667 * at, work, commits)
        return self.scenario(frames)

    def cost(self, scenario: GraphicsScenario, wasm: bytes) -> int:
        """Of one frame of held-out, where all are alike."""
        held = scenario.measure(wasm).splits["held_out"]
        self.assertEqual(held.score % held.events, 0)
        return held.score // held.events


class ContractTests(BenchContract, Case):
    bench = workbench
    light = ("kernelnet.workbench.graphics",)
    file = "small.repaint"
    sources: ClassVar = {"driver.c", "full.h", "rank.h"}
    shipped: ClassVar = ["busy.repaint.xz", "desk.repaint.xz", "narrow.repaint.xz"]
    apart = len(workbench.baselineNames)

    def small(self) -> GraphicsScenario:
        return self.scenario(session(300))


class ScoreTests(Case):
    def test_inTime(self) -> None:
        """A frame that is in time costs its budget: from the start to the vblank at which it is seen."""
        scenario = self.steady(2000)
        for budget in (2000, 5000, 16_667):
            self.assertEqual(self.cost(scenario, fixed(budget)), budget)

    def test_late(self) -> None:
        """One that isn't is seen a period later, and costs three periods besides."""
        scenario = self.steady(2000)
        self.assertEqual(self.cost(scenario, fixed(1999)), 1999 + 16_667 + 50_001)
        # A budget of nothing is the start at the next vblank.
        self.assertEqual(self.cost(scenario, fixed(0)), 16_667 + 50_001)

    def test_long(self) -> None:
        """Work of more than two periods misses two vblanks, however early it starts."""
        scenario = self.steady(40_000)
        self.assertEqual(self.cost(scenario, fixed(16_667)), 3 * 16_667 + 2 * 50_001)
        # 6666 us before the vblank, and 40000 later: two periods and a bit after it.
        self.assertEqual(self.cost(scenario, fixed(6_665)), 6_665 + 3 * 16_667 + 3 * 50_001)
        self.assertEqual(self.cost(scenario, fixed(6_666)), 6_666 + 2 * 16_667 + 2 * 50_001)
        self.assertEqual(scenario.optimum()["held_out"] // scenario.events["held_out"], 40_000 + 2 * 50_001)

    def test_afterCommits(self) -> None:
        """No repaint begins before the last commit that it was recorded with, however large its budget is."""
        scenario = self.steady(2000, commits=(("a", 0), ("b", 9000)))
        self.assertEqual(self.cost(scenario, fixed(16_667)), 16_667 - 9000)
        self.assertEqual(self.cost(scenario, fixed(5000)), 5000)
        late = self.steady(2000, commits=(("a", 15_000),))
        self.assertEqual(self.cost(late, fixed(16_667)), 1667 + 16_667 + 50_001)
        # Then it is best to miss it knowingly: to start at the next one.
        self.assertEqual(late.optimum()["held_out"] // late.events["held_out"], 16_667 + 50_001)
        self.assertEqual(self.cost(late, fixed(0)), 16_667 + 50_001)

    def test_strangeAnswers(self) -> None:
        """What is no budget means none, and more than the period means that: defined, and never an error."""
        scenario = self.scenario(session(200))

        def score(wasm: bytes) -> list[int]:
            return [split.score for split in scenario.measure(wasm).splits.values()]

        least, most = score(fixed(0)), score(fixed(16_667))
        for budget in ("-5", "0.999", '__builtin_nan("")', "-__builtin_inf()", "-0.0"):
            self.assertEqual(score(fixed(budget)), least, budget)
        for budget in ("__builtin_inf()", "1e300", "16667.5"):
            self.assertEqual(score(fixed(budget)), most, budget)
        self.assertEqual(score(fixed("3000.9")), score(fixed(3000)))
        self.assertEqual(score(rank('last * __builtin_nan("")')), score(rank("0.0 * last")))
        self.assertEqual(score(rank("3.0")), score(fixed(3000)))

    def test_lastAnswer(self) -> None:
        """Of the budgets of a frame the last one counts: that which knows of all commits."""
        scenario = self.steady(2000, commits=(("a", 0), ("b", 100)))
        answers = "n = 0; return 100;", "return ++n == 2 ? 4000 : 16000;"
        self.assertEqual(self.cost(scenario, policy(*answers, more="static u32 n; ")), 4000)

    def test_told(self) -> None:
        """A component is told of pauses, of commits in their order, of its work, and of what it missed."""
        frames = Frames(Path("told"), period=16_667)
        for at in range(100):
            frames.add(50_001 * at, 7000, (("b", 300), ("a", 0), ("b", 200)))
        check = policy(
            "if (frames && refreshes != 3) __builtin_trap(); n = 0; return 0;",
            "if (at != (n ? 200 : 0)) __builtin_trap(); if (frames && surface != seen[n]) __builtin_trap();"
            " seen[n++] = surface; return frames % 2 ? 7000 : 6999;",
            "if (work != 7000 || n != 2 || missed != !(frames % 2)) __builtin_trap(); frames++;",
            "if (period != 16667 || miss != 50001) __builtin_trap();",
            "static u32 n, frames; static u64 seen[2];",
        )
        self.scenario(frames).measure(check)

    def test_period(self) -> None:
        """At another refresh rate a commit keeps its place between two vblanks."""
        frames = Frames(Path("fast"), period=10_000)
        for at in range(100):
            frames.add(10_000 * at, 100, (("a", 5000),))
        seen = policy(commit="if (at != 2000) __builtin_trap(); return 4000;")
        self.assertEqual(self.cost(self.scenario(frames, period_us=4000), seen), 2000)


class WorkbenchTests(Case):
    def test_settings(self) -> None:
        """What is missing gets its default; unknown and impossible settings are errors that say what would be right."""
        scenario = self.scenario(session(200), miss_percent=100)
        self.assertEqual(scenario.settings, {"period_us": 16_667, "miss_percent": 100})
        self.assertEqual(scenario.events, {"train": 80, "validation": 20, "held_out": 100})
        for name, (least, most) in {"period_us": PERIOD, "miss_percent": (0, MAX_MISS)}.items():
            for value in (least - 1, most + 1):
                error = self.assertRaises(WorkbenchError, self.scenario, **{name: value})
                self.assertIn(f"{name} is {value}; it should be {least} to {most}", str(error))
        self.assertIn("it has period_us, miss", str(self.assertRaises(WorkbenchError, self.scenario, hertz=60)))

    def test_extremes(self) -> None:
        """Every baseline ends at the ends of what each setting may be."""
        for name, ends in {"period_us": PERIOD, "miss_percent": (0, MAX_MISS)}.items():
            for value in ends:
                for report in self.scenario(session(120), **{name: value}).baselines().values():
                    self.assertEqual(set(report.splits["held_out"].metrics), set(METRICS))

    def test_words(self) -> None:
        """Settings in words are the refresh rate, and an unusual price."""
        self.assertEqual(workbench.inWords({"period_us": 16_667, "miss_percent": 300}), "60 Hz")
        self.assertEqual(workbench.inWords({"period_us": 6944, "miss_percent": 0}), "144 Hz, a miss costs 0 %")

    def test_suite(self) -> None:
        """Several sessions make one task; the reference costs a million a session, and the optimum nothing."""
        one = self.scenario(session(200))
        two = one.workbench.scenario(writeSession(self.folder / "two.repaint", session(200, 2)), {})
        suite = Suite([one, two])
        self.assertEqual(suite.reference().splits["held_out"].score, 2_000_000)
        level = suite.developmentLevel(suite.baselines()["mutter"])
        levels = [part.developmentLevel(part.baselines()["mutter"]) for part in (one, two)]
        self.assertAlmostEqual(level, sum(levels) / 2, 5)

    def test_windows(self) -> None:
        """The scores on windows of a split are together that of the split."""
        scenario = self.scenario()
        wasm = workbench.baselineModule("gamescope")
        parts = scenario.measureWindows(wasm, "train", 7)
        self.assertEqual(sum(part.score for part in parts), scenario.measure(wasm).splits["train"].score)


class VariantTests(Case):
    def trace(self) -> Trace:
        return makeTrace(session(2000), Path("made"))

    def test_parts(self) -> None:
        """A variant has most frames of each split as that split, with their commits; none that isn't there."""
        trace = self.trace()
        # Each frame can be told: by its pause.
        trace = dataclasses.replace(trace, refreshes=np.arange(len(trace.work), dtype=np.uint32))
        kept = []
        for number in range(10):
            variant = trace.variant(bytes([number]) * 32)
            for (_, first, last), (_, start, end) in zip(
                trace.windows("held_out"), variant.windows("held_out"), strict=True
            ):
                part = variant.refreshes[start:end]
                self.assertEqual(len(np.unique(part)), len(part))
                self.assertTrue(((part >= first) & (part < last)).all())
            self.assertEqual(int(variant.first[-1]), len(variant.surface))
            for at, own in enumerate(variant.refreshes.tolist()):
                commits = [
                    each.surface[each.first[i] : each.first[i + 1]].tolist()
                    for each, i in ((variant, at), (trace, own))
                ]
                self.assertEqual(*commits)
                self.assertEqual(variant.damage[at], trace.damage[own])
            kept.append(len(variant.work) / len(trace.work))
        self.assertTrue(0.7 < np.mean(kept) < 0.9, kept)

    def test_work(self) -> None:
        """Damage that always takes the same takes up to a quarter more or less, and a sixteenth besides."""
        trace = self.trace()
        trace = dataclasses.replace(trace, work=10_000 * (trace.damage.astype(np.uint32) + 1))
        for number in range(5):
            variant = trace.variant(bytes([number]) * 32)
            ratio = variant.work / (10_000.0 * (variant.damage + 1))
            self.assertLess(np.abs(ratio - 1).max(), (1 + 1 / 4) * (1 + 1 / 16) - 1 + 0.001)
            start, end = variant.windows("held_out")[2][1:]
            means = [ratio[start:end][variant.damage[start:end] == one].mean() for one in range(8)]
            self.assertGreater(np.std(means), 0.05)

    def test_exchanged(self) -> None:
        """Of a damage the ratios to the level around are the same ones in another order, in runs of sixteen."""
        count = 1600
        damage = np.zeros(count, np.uint32)
        # A level of 10000, and in every fourth frame a ratio of its own above it.
        own = np.where(np.arange(count) % 4 == 0, 2000 + np.arange(count), 1000)
        found = exchanged(10 * own.astype(np.int64), damage, bytes(32), "held_out")
        ratio = np.rint(1000 * found / np.median(found)).astype(np.int64)
        for one, other in zip(sorted(own), sorted(ratio), strict=True):
            self.assertLess(abs(one - other), 3)
        spikes = ratio[::4] - 2000
        # Within a run they follow each other; the runs are anywhere.
        steps = np.diff(spikes)
        self.assertGreater(np.count_nonzero(np.abs(steps - 4) < 3), len(steps) * 0.7)
        self.assertLess(np.count_nonzero(np.abs(spikes - np.arange(0, count, 4)) < 16), len(spikes) // 10)

    def test_deterministic(self) -> None:
        """What is drawn are integers of the seed: these, on every machine."""
        variant = self.trace().variant(bytes(32))
        columns = (variant.work, variant.refreshes, variant.first, variant.damage, variant.surface, variant.at)
        found = hashlib.sha256(b"".join(column.astype("<u4").tobytes() for column in columns)).hexdigest()
        self.assertEqual((variant.digest, variant.ends, found[:16]), PINNED_VARIANT)
        self.assertNotEqual(self.trace().variant(bytes([1]) * 32).work.tolist(), variant.work.tolist())

    def test_short(self) -> None:
        """The shortest session that is read keeps a frame of each split."""
        trace = makeTrace(session(50), Path("short"))
        for number in range(50):
            ends = trace.variant(bytes([number]) * 32).ends
            self.assertTrue(0 < ends["train"] < ends["validation"] < ends["held_out"])

    def test_levels(self) -> None:
        """Hand-made policies have about the levels on variants that they have on the sessions that ship."""
        for path in workbench.traces():
            scenario = workbench.scenario(path)
            variants = [scenario.onVariant(number, b"any") for number in range(3)]
            for name in ("gamescope_tuned", "kwin_tuned", "mutter_tuned"):
                level, *others = (each.developmentLevel(each.baseline(name)) for each in (scenario, *variants))
                self.assertLess(abs(sum(others) / 3 - level), 0.05, (path.name, name))


class DeterminismTests(Case):
    def test_settingsApart(self) -> None:
        """An arena that ran another setting, or another ABI, gives the same as a new one."""
        path = writeSession(self.folder / "small.repaint", session(200))
        bench = GraphicsWorkbench()
        for wasm in (workbench.baselineModule("kwin"), rank("fitting + sum")):
            bench.scenario(path, {"period_us": 5000, "miss_percent": 7}).measure(wasm)
            self.assertEqual(bench.scenario(path).measure(wasm), self.scenario(session(200)).measure(wasm))

    def test_pinned(self) -> None:
        """Scores and digests are what they were when the bench was made: whoever changes them changes all claims."""
        scenario = self.scenario()
        reports = {
            **{name: scenario.baseline(name) for name in workbench.baselineNames if not name.endswith("_tuned")},
            "rank": scenario.measure(rank("fitting + 0.3 * spread + 0.01 * since - 0.02 * sum + 0.1 * fresh")),
        }
        found = {
            "trace": scenario.traceDigest,
            "optimum": scenario.optimum(),
            "scores": {
                name: [[split.score, *split.metrics.values()] for split in report.splits.values()]
                for name, report in reports.items()
            },
        }
        self.assertEqual(found, json.loads(PINNED.read_text()))


class PatternTests(Case):
    def learn(self, frames: Frames) -> dict[str, Pattern]:
        return {pattern.type: pattern for pattern in learnPatterns(makeTrace(frames, Path("made")))}

    def test_damage(self) -> None:
        """Work that the damage decides has this pattern, with certainty; work that it doesn't has not."""
        told, blind = Frames(Path("a")), Frames(Path("b"))
        rng = np.random.default_rng(1)
        for at in range(2000):
            which = int(rng.integers(2))
            told.add(16_667 * at, 1000 * (1 + which), ((str(which), 0),))
            blind.add(16_667 * at, int(rng.integers(1000, 2000)), ((str(which), 0),))
        found = self.learn(told)["damage_work"]
        self.assertEqual((found.data["share"], found.data["sets"], found.confidence), (1.0, 2, 1.0))
        self.assertNotIn("damage_work", self.learn(blind))

    def test_ratio(self) -> None:
        """Of two groups around 1 and 5, whose values are 1 off, four fifths of the variance are explained."""
        values = np.array([0.0, 2.0, 4.0, 6.0] * 100)
        groups = np.array([0, 0, 1, 1] * 100)
        self.assertAlmostEqual(correlationRatio(values, groups), 0.8, 2)
        self.assertEqual(correlationRatio(values, np.arange(400)), 0.0)

    def test_others(self) -> None:
        """Pauses, spikes, late commits and memory are found where they are."""
        frames = Frames(Path("c"))
        for at in range(1000):
            slow = at // 20 % 2
            frames.add(33_334 * at, (9000 if at % 10 == 0 else 1000) + 300 * slow, (("a", 5000 * (at % 2)),))
        found = self.learn(frames)
        self.assertEqual(found["idle_frames"].data["share"], 1.0)
        self.assertEqual(found["late_commits"].data["median_us"], 5000)
        self.assertEqual(found["late_commits"].data["share"], 0.5)
        self.assertAlmostEqual(found["work_spikes"].data["share"], 0.1, 2)
        still = Frames(Path("d"), period=16_667)
        for at in range(1000):
            still.add(16_667 * at, 1000)
        self.assertEqual(self.learn(still), {})


class HeaderTests(Case):
    def test_known(self) -> None:
        """Most of the expressions that a search may begin with are nearer to the optimum than Weston's fixed window."""
        scenario = self.scenario()
        ranked = workbench.abis[1]
        levels = []
        for expression in ranked.known:
            source = toC(parse(expression, ranked.features), ranked, workbench.headerPath.name)
            report = scenario.measure(compileC(source, workbench.headerPath, trusted=True))
            levels.append(scenario.developmentLevel(report))
        weston = scenario.developmentLevel(scenario.baseline("weston"))
        self.assertGreater(sum(level > weston for level in levels), len(levels) // 2, levels)


class ShippedTests(SynchronousTestCase):
    def test_sessions(self) -> None:
        """The sessions that ship have thousands of frames; on them what has changed tells of the work."""
        for path in workbench.traces():
            scenario = workbench.scenario(path)
            self.assertGreaterEqual(sum(scenario.events.values()), 5000)
            kinds = {pattern.type: pattern for pattern in scenario.patterns()}
            self.assertGreater(kinds["damage_work"].data["share"], 0.3)
            self.assertLess(path.stat().st_size, 300_000)
