"""The bench of congestion control: what a scenario is, and that it is the same everywhere."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import ClassVar

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Pattern
from kernelnet.expressions.syntax import parse, toC
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import (
    Trapped,
    WorkbenchError,
)
from kernelnet.workbench.network_stack import SETTINGS, NetworkStackWorkbench, workbench
from kernelnet.workbench.network_stack.machine import MAX_QUEUE, MAX_RTT, METRICS
from kernelnet.workbench.network_stack.patterns import learnPatterns
from kernelnet.workbench.network_stack.scenario import NetworkStackScenario
from kernelnet.workbench.network_stack.trace import makeTrace
from kernelnet.workbench.suite import Suite
from tests.workbench.contract import BenchContract, FolderCase
from tests.workbench.network_stack_support import fixed, policy, rank, varied, writeLink

PINNED = Path(__file__).with_name("pinned_network_stack.json")
PINNED_VARIANT = ("00" * 32, {"train": 15, "validation": 18, "held_out": 41}, "a1d7c3887127c62f")
"""Of a variant: its digest, the ends of its splits, and how the digest of its link begins."""


class Case(FolderCase):
    def scenario(self, link: list[int] | None = None, **settings: int) -> NetworkStackScenario:
        """Of a bench of its own, so that nothing is left in the plugin."""
        path = writeLink(self.folder / "small.txt", varied() if link is None else link)
        scenario: NetworkStackScenario = NetworkStackWorkbench().scenario(path, settings)
        return scenario


class ContractTests(BenchContract, Case):
    bench = workbench
    light = ("kernelnet.workbench.network_stack",)
    file = "small.txt"
    sources: ClassVar = {"driver.c", "full.h", "rank.h"}
    shipped: ClassVar = ["household.xz", "tunnel.xz"]
    apart = len(workbench.baselineNames)

    def small(self) -> NetworkStackScenario:
        return self.scenario(varied(12), flows=2, loss_permille=10)


class WorkbenchTests(Case):
    def test_settings(self) -> None:
        """What is missing gets its default; unknown and impossible settings are errors that say what would be right."""
        scenario = self.scenario(rtt_ms=100)
        expected = {"rtt_ms": 100, "queue_packets": 250, "loss_permille": 0, "flows": 1}
        self.assertEqual(scenario.settings, expected)
        self.assertEqual(scenario.events, {"train": 16, "validation": 4, "held_out": 20})
        for name, (_, least, most, _) in SETTINGS.items():
            for value in (least - 1, most + 1):
                error = self.assertRaises(WorkbenchError, self.scenario, **{name: value})
                self.assertIn(f"{name} is {value}; it should be {least} to {most}", str(error))
        self.assertIn("it has rtt_ms, queue", str(self.assertRaises(WorkbenchError, self.scenario, mtu=1500)))
        self.assertEqual((SETTINGS["rtt_ms"][2], SETTINGS["queue_packets"][2]), (MAX_RTT, MAX_QUEUE))

    def test_tasks(self) -> None:
        """A link is trained on alone and shared."""
        tasks = workbench.tasks(writeLink(self.folder / "small.txt", varied(12)))
        self.assertEqual([task["flows"] for task in tasks], [1, 3])

    def test_extremes(self) -> None:
        """Every baseline ends at the ends of what each setting may be."""
        for name, (_, least, most, _) in SETTINGS.items():
            for value in (least, most):
                scenario = self.scenario(varied(12), **{name: value})
                for report in scenario.baselines().values():
                    self.assertEqual(set(report.splits["held_out"].metrics), set(METRICS))

    def test_rules(self) -> None:
        """What settings mean is said in what the digest is of."""
        for setting in SETTINGS:
            self.assertIn(setting.split("_")[0], workbench.rules + workbench.header)

    def test_suite(self) -> None:
        """Several links make one task; the reference costs a million a link, and the optimum nothing."""
        one = self.scenario()
        two = one.workbench.scenario(writeLink(self.folder / "two.txt", varied(20, 2, 0.2)), {})
        suite = Suite([one, two])
        self.assertEqual(suite.reference().splits["held_out"].score, 2_000_000)
        level = suite.developmentLevel(suite.baselines()["vegas"])
        levels = [part.developmentLevel(part.baselines()["vegas"]) for part in (one, two)]
        self.assertAlmostEqual(level, sum(levels) / 2, 5)

    def test_windows(self) -> None:
        """The scores on windows of a split are together that of the split."""
        scenario = self.scenario()
        wasm = workbench.baselineModule("copa")
        whole = scenario.measure(wasm).splits["train"].score
        parts = scenario.measureWindows(wasm, "train", 5)
        self.assertEqual([part.events for part in parts], [3, 3, 3, 3, 4])
        self.assertTrue(0 <= whole - sum(part.score for part in parts) <= 5)


class FlowTests(Case):
    def test_apart(self) -> None:
        """Each flow has an instance of its own: what one writes, no other reads."""
        once = "static u32 started; "
        alone = policy(init="if (started++) __builtin_trap(); return 10;", more=once)
        self.scenario(flows=8).measure(alone)

    def test_starts(self) -> None:
        """The i-th flow starts with second i."""
        seconds = self.scenario([1] * 20_000, flows=8).measureWindows(fixed(1), "train", 8)
        # A packet each round trip of 40 ms is 25 a second.
        for number, second in enumerate(seconds, 1):
            self.assertLessEqual(abs(second.metrics["utilisation_permille"] - 25 * number), 2)

    def test_fair(self) -> None:
        """Two flows of Reno share a link about evenly; where one takes all, Jain's index is a half."""
        held = self.scenario([1] * 60_000, flows=2, queue_packets=40).baselines()["reno"].splits["held_out"]
        self.assertGreater(held.metrics["jain_permille"], 900)
        # The first flow asks for a thousand packets at a time, the second, who finds the link busy, for one.
        ack = "if (!mine) mine = rtt > 40 ? 1 : 1000; return mine;"
        unfair = policy("return 1;", ack, *["return mine;"] * 2, more="static f64 mine; ")
        held = self.scenario([1] * 60_000, flows=2, queue_packets=2000).measure(unfair).splits["held_out"]
        self.assertTrue(500 <= held.metrics["jain_permille"] < 505, held.metrics)

    def test_shares(self) -> None:
        """Unequal shares cost: log2 of each flow's share, not of the sum."""
        # The first flow fills the queue in its first second: by that the second one knows that it is.
        ack = "now += elapsed; if (!w) w = rtt > 40 ? 10 : 50; if (w == 50 && now > 1100) w = 30; return w;"
        even, uneven = fixed(20), policy("return 1;", ack, *["return w;"] * 2, more="static f64 w; static u32 now;")
        scenario = self.scenario([1] * 20_000, flows=2)
        scores = [scenario.measure(wasm).splits["held_out"] for wasm in (even, uneven)]
        self.assertEqual([score.metrics["utilisation_permille"] for score in scores], [1000, 1000])
        self.assertEqual(scores[0].score, 0)
        # 500 -> 750 and 250 of 1000 packets a second: 0.585 bits more, a whole one less.
        self.assertAlmostEqual(scores[1].score / 10_000, 1 - 0.585, 2)


class PathTests(Case):
    def test_timers(self) -> None:
        """RFC 6298: a second before the first measurement, then twice as long each time."""
        source = policy(
            *("return 1;",) * 3,
            timeout="if (elapsed != expected) __builtin_trap(); expected *= 2; return 1;",
            more="static u32 expected = 1000;",
        )
        measured = self.scenario([0] * 10_000 + [1] * 10_000).measure(source)
        self.assertEqual(measured.splits["train"].metrics["utilisation_permille"], 0)
        never = policy(timeout="__builtin_trap(); return 1;")
        self.assertRaises(Trapped, self.scenario([0] * 10_000 + [1] * 10_000).measure, never)

    def test_strangeAnswers(self) -> None:
        """What is no window means 1 or the most; what is no rate means none: defined, and never an error."""
        scenario = self.scenario()

        def score(wasm: bytes) -> list[int]:
            return [split.score for split in scenario.measure(wasm).splits.values()]

        least, most = score(fixed(1)), score(fixed(16384))
        for window in ("-5", "0.999", '__builtin_nan("")', "-__builtin_inf()", "-0.0"):
            self.assertEqual(score(fixed(window)), least, window)
        for window in ("__builtin_inf()", "1e300", "16384.5"):
            self.assertEqual(score(fixed(window)), most, window)
        unpaced = score(fixed(30))
        for rate in ('__builtin_nan("")', "-1", "-__builtin_inf()", "__builtin_inf()", "1e300"):
            self.assertEqual(score(fixed(30, rate)), unpaced, rate)
        self.assertEqual(score(rank('cwnd * __builtin_nan("")')), score(rank("0.0 * cwnd")))

    def test_pacing(self) -> None:
        """A rate of a quarter of a packet a millisecond takes a quarter of the link, and never has one wait."""
        held = self.scenario([1] * 20_000).measure(fixed(1000, 0.25)).splits["held_out"]
        self.assertEqual(held.metrics["utilisation_permille"], 250)
        self.assertEqual(held.metrics["p95_rtt_ms"], 40)

    def test_chance(self) -> None:
        """About so many of a thousand are lost by chance; which ones depends on the variant."""
        scenario = self.scenario([1] * 60_000, loss_permille=100)
        one = scenario.measure(fixed(20)).splits["held_out"].metrics["lost_packets"]
        # Every round trip of 40 ms has 20 packets, 15,000 in 30 s, of which a tenth is lost.
        self.assertTrue(1350 < one < 1650, one)
        # Half a packet more is no packet more.
        self.assertEqual(one, scenario.measure(fixed(20.5)).splits["held_out"].metrics["lost_packets"])
        drawn = [scenario.forModule(fixed(w)).measure(fixed(20)).splits["held_out"].score for w in (20, 20.5)]
        self.assertNotEqual(*drawn)

    def test_dropTail(self) -> None:
        """A queue of n packets, of which one leaves at once: the wait is n - 1 at most, and the rest is dropped."""
        metrics = self.scenario([1] * 20_000, queue_packets=30).measure(fixed(500)).splits["held_out"].metrics
        self.assertEqual((metrics["p95_rtt_ms"], metrics["utilisation_permille"]), (69, 1000))
        self.assertGreater(metrics["lost_packets"], 0)


class VariantTests(Case):
    def test_stretches(self) -> None:
        """A variant has stretches of each split as that split, most of them, none twice, and about in their order."""
        # Each millisecond can be told: a link of numbers, in which nothing repeats.
        link = np.arange(1, 60_001, dtype=np.uint16)
        trace = makeTrace(link, Path("numbers"))
        variants = [trace.variant(bytes([number]) * 32) for number in range(20)]
        for variant in variants:
            self.assertEqual(len(variant.link), 1000 * variant.seconds)
            self.assertEqual(len(np.unique(variant.link)), len(variant.link))
            for (_, first, last), (_, start, end) in zip(
                trace.windows("held_out"), variant.windows("held_out"), strict=True
            ):
                part = variant.link[1000 * start : 1000 * end].astype(np.int64)
                self.assertTrue(((part > 1000 * first) & (part <= 1000 * last)).all())
                self.assertGreaterEqual(end - start, 1)
                jumps = np.count_nonzero(np.diff(part) != 1)
                self.assertLessEqual(jumps, (last - first) + 1)
        share = sum(variant.seconds for variant in variants) / (20 * trace.seconds)
        self.assertTrue(0.65 < share < 0.8, share)

    def test_deterministic(self) -> None:
        """What is drawn are integers of the seed: these, on every machine."""
        trace = makeTrace(np.arange(1, 60_001, dtype=np.uint16), Path("numbers"))
        variant = trace.variant(bytes(32))
        found = hashlib.sha256(variant.link.astype("<u2").tobytes()).hexdigest()
        self.assertEqual((variant.digest, variant.ends, found[:16]), PINNED_VARIANT)
        self.assertNotEqual(trace.variant(bytes([1]) * 32).link.tolist(), variant.link.tolist())

    def test_clock(self) -> None:
        """Who adds up milliseconds doesn't know where in the link he is: soon off by seconds, in either direction."""
        trace = makeTrace(np.arange(1, 60_001, dtype=np.uint16), Path("numbers"))
        at = [int(trace.variant(bytes([number]) * 32).link[8000]) - 8000 for number in range(40)]
        self.assertGreater(np.std(at), 3000)

    def test_short(self) -> None:
        """The shortest link that is read keeps a second of each split."""
        trace = makeTrace(np.ones(10_000, np.uint16), Path("short"))
        for number in range(50):
            ends = trace.variant(bytes([number]) * 32).ends
            self.assertTrue(0 < ends["train"] < ends["validation"] < ends["held_out"])

    def test_levels(self) -> None:
        """Hand-made senders have about the levels on variants that they have on the links that ship."""
        for path in workbench.traces():
            scenario = workbench.scenario(path)
            variants = [scenario.onVariant(number, b"any") for number in range(3)]
            for name in ("cubic", "bbr", "copa"):
                level, *others = (each.developmentLevel(each.baseline(name)) for each in (scenario, *variants))
                self.assertLess(abs(sum(others) / 3 - level), 0.2, (path.name, name))


class DeterminismTests(Case):
    def test_settingsApart(self) -> None:
        """An arena that ran another setting gives the same as a new one."""
        path = writeLink(self.folder / "small.txt", varied())
        bench = NetworkStackWorkbench()
        wasm = workbench.baselineModule("cubic")
        bench.scenario(path, {"flows": 8, "queue_packets": 5, "rtt_ms": 1000}).measure(wasm)
        self.assertEqual(bench.scenario(path).measure(wasm), self.scenario().measure(wasm))

    def test_pinned(self) -> None:
        """Scores and digests are what they were when the bench was made: whoever changes them changes all claims."""
        scenario = self.scenario(flows=2, loss_permille=5)
        reports = {**scenario.baselines(), "rank": scenario.measure(rank("cwnd + 0.5 - loss - (least - minrtt) * 0.1"))}
        found = {
            "trace": scenario.traceDigest,
            "scores": {
                name: [[split.score, *split.metrics.values()] for split in report.splits.values()]
                for name, report in reports.items()
            },
        }
        self.assertEqual(found, json.loads(PINNED.read_text()))


class PatternTests(Case):
    def learn(self, link: list[int]) -> dict[str, Pattern]:
        patterns = learnPatterns(makeTrace(np.array(link, np.uint16), Path("made")))
        return {pattern.type: pattern for pattern in patterns}

    def test_rate(self) -> None:
        """A constant link has its rate, with certainty, and nothing else."""
        found = self.learn([1] * 20_000)
        self.assertEqual(set(found), {"link_rate"})
        self.assertEqual(found["link_rate"].data["packets_per_second"], 1000.0)
        self.assertEqual(found["link_rate"].confidence, 1.0)

    def test_drift(self) -> None:
        """A rate that is another on validation has little confidence."""
        self.assertLess(self.learn([10] * 40_000 + [1] * 60_000)["link_rate"].confidence, 0.11)

    def test_outage(self) -> None:
        """Gaps of 300 ms in each second are 30 % of the time."""
        found = self.learn(([1] * 700 + [0] * 300) * 100)
        self.assertEqual(found["link_outage"].data["longest_ms"], 300)
        self.assertAlmostEqual(found["link_outage"].data["share"], 0.3, 2)
        self.assertGreater(found["link_outage"].confidence, 0.95)

    def test_period(self) -> None:
        """A link that comes in bursts each 120 ms has this period; one of noise has none."""
        rng = random.Random(1)
        bursts = [rng.choice([0, 1, 2]) if at % 120 < 40 else 0 for at in range(200_000)]
        found = self.learn(bursts)
        self.assertEqual(found["link_period"].data["period_ms"] % 120, 0)
        self.assertGreater(found["link_period"].confidence, 0.8)
        self.assertNotIn("link_period", self.learn([rng.choice([0, 1, 2]) for _ in range(200_000)]))


class HeaderTests(Case):
    def test_known(self) -> None:
        """Most of the expressions that a search may begin with are closer to the optimum than Reno."""
        scenario = self.scenario()
        ranked = workbench.abis[1]
        levels = []
        for expression in ranked.known:
            source = toC(parse(expression, ranked.features), ranked, workbench.headerPath.name)
            report = scenario.measure(compileC(source, workbench.headerPath, trusted=True))
            levels.append(scenario.developmentLevel(report))
        self.assertGreater(sum(level > 0 for level in levels), len(levels) // 2, levels)


class ShippedTests(SynchronousTestCase):
    def test_links(self) -> None:
        """The links that ship last minutes; on them Reno is not the best."""
        for path in workbench.traces():
            scenario = workbench.scenario(path)
            self.assertGreaterEqual(sum(scenario.events.values()), 200)
            scores = [report.splits["held_out"].score for report in scenario.baselines().values()]
            self.assertLess(0, min(scores))
            self.assertLess(min(scores), scores[0])
