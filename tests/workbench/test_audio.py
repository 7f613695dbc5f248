"""The bench of playout delay: what a scenario is, and that it is the same everywhere."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import ClassVar

import numpy as np

from kernelnet.artifacts import Pattern
from kernelnet.workbench.audio import AudioWorkbench, workbench
from kernelnet.workbench.audio.machine import METRICS
from kernelnet.workbench.audio.packets import LOST
from kernelnet.workbench.audio.patterns import learnPatterns
from kernelnet.workbench.audio.scenario import AudioScenario
from kernelnet.workbench.audio.statistics import trainStatistics
from kernelnet.workbench.audio.trace import LARGEST, PER_SECOND, SMALLEST, ZOOM, Trace, makeTrace
from kernelnet.workbench.audio.tuned import GRIDS, TUNED, settingsOf
from kernelnet.workbench.errors import (
    Trapped,
    WorkbenchError,
)
from kernelnet.workbench.suite import Suite
from tests.workbench.audio_support import fixed, policy, rank, smallScenario, varied, writeCall
from tests.workbench.contract import BenchContract, FolderCase

PINNED = Path(__file__).with_name("pinned_audio.json")


class Case(FolderCase):
    def scenario(self, transits: list[int] | None = None, **settings: int) -> AudioScenario:
        """Of a bench of its own, so that nothing is left in the plugin."""
        path = writeCall(self.folder / "small.owd", varied() if transits is None else transits)
        scenario: AudioScenario = AudioWorkbench().scenario(path, settings)
        return scenario


def made(transits: object) -> Trace:
    return makeTrace(np.array(transits, np.int32), Path("made"))


class ContractTests(BenchContract, Case):
    bench = workbench
    light = ("kernelnet.workbench.audio",)
    file = "small.owd"
    sources: ClassVar = {"driver.c", "full.h", "rank.h", "cost.h"}
    shipped: ClassVar = ["adsl.xz", "cable.xz", "mobile.xz"]
    apart = len(workbench.baselineNames) - 2

    def small(self) -> AudioScenario:
        return smallScenario(self.folder)

    def test_each(self) -> None:
        """A call that ships has 300 KB at most."""
        for path in workbench.traces():
            self.assertLessEqual(path.stat().st_size, 300_000)


class WorkbenchTests(Case):
    def test_settings(self) -> None:
        """What is missing gets its default; unknown and impossible settings are errors that say what would be right."""
        scenario = self.scenario(late_ms=5000)
        expected = {"late_ms": 5000, "scale_cost": 2, "down_ms": 5, "up_ms": 20, "base_ms": 50}
        self.assertEqual(scenario.settings, expected)
        self.assertEqual(scenario.events, {"train": 800, "validation": 200, "held_out": 1000})
        self.assertIn("it has late_ms, scale", str(self.assertRaises(WorkbenchError, self.scenario, codec=1)))

    def test_inWords(self) -> None:
        """What isn't the default is told."""
        self.assertEqual(workbench.inWords(self.scenario().settings), "")
        changed = self.scenario(late_ms=100, scale_cost=3, down_ms=1, up_ms=2, base_ms=90)
        expected = "late 100 ms, scaling 3 a ms, 1 ms down, 2 ms up, base 90 ms"
        self.assertEqual(workbench.inWords(changed.settings), expected)

    def test_extremes(self) -> None:
        """Every baseline ends at the ends of what each setting may be."""
        for name, (_, least, most) in workbench.ranges.items():
            for value in (least, most):
                scenario = self.scenario(varied(1000), **{name: value})
                for report in scenario.baselines().values():
                    self.assertEqual(tuple(report.splits["held_out"].metrics), METRICS)

    def test_suite(self) -> None:
        """Several calls make one task; the reference costs a million a call, and the optimum nothing."""
        one = self.scenario()
        two = one.workbench.scenario(writeCall(self.folder / "two.owd", varied(1500, 2)), {})
        suite = Suite([one, two])
        self.assertEqual(suite.reference().splits["held_out"].score, 2_000_000)
        level = suite.developmentLevel(suite.baselines()["concord"])
        levels = [part.developmentLevel(part.baselines()["concord"]) for part in (one, two)]
        self.assertAlmostEqual(level, sum(levels) / 2, 5)

    def test_windows(self) -> None:
        """The scores on windows of a split are together that of the split."""
        scenario = self.scenario()
        wasm = workbench.baselineModule("speex")
        parts = scenario.measureWindows(wasm, "train", 5)
        self.assertEqual([part.events for part in parts], [160] * 5)
        self.assertEqual(scenario.measure(wasm).splits["train"].score, sum(part.score for part in parts))

    def test_statistics(self) -> None:
        """Figures of a training part that is easy to reckon: 400 frames of 10 ms, 100 lost, 300 of 80 ms."""
        found = trainStatistics(made([10_000] * 400 + [LOST] * 100 + [80_000] * 300 + [0] * 1200))
        self.assertEqual((found["frames"], found["seconds"], found["lost_permille"]), (800, 16, 125.0))
        self.assertEqual((found["transit_ms"]["0.5"], found["transit_ms"]["longest"]), (10.0, 80.0))
        above = {"share": round(3 / 7, 5), "times": 1, "median_frames": 300.0, "longest_frames": 300}
        self.assertEqual(found["times_above"]["60 ms"], above)
        self.assertEqual(found["times_above"]["120 ms"], {"share": 0.0, "times": 0})


class TunedTests(Case):
    def test_knobs(self) -> None:
        """The numbers of each tuned policy are of its grid."""
        self.assertEqual({plain for plain, _ in TUNED.values()}, set(GRIDS))
        for name, (plain, knobs) in TUNED.items():
            self.assertIn(dict(knobs), list(settingsOf(plain)), name)


class PlayoutTests(Case):
    def held(self, wasm: bytes, transits: list[int], **settings: int) -> tuple[int, dict[str, int]]:
        split = self.scenario(transits, **settings).measure(wasm).splits["held_out"]
        return split.score, dict(split.metrics)

    def test_price(self) -> None:
        """A frame costs its delay, and beyond 127 ms 110/24 for each ms more: by hand."""
        quiet = [0] * 1000
        for delay, price in ((0, 0), (60, 60), (127, 127), (128, 132), (151, 151 + 110), (599, 599 + 2163)):
            score, metrics = self.held(fixed(delay), quiet)
            self.assertEqual((score, metrics["mean_delay_ms"]), (500 * price, delay))
        self.assertEqual(self.held(fixed(60), quiet, base_ms=177)[0], 500 * (60 + 110 * 60 // 24))

    def test_late(self) -> None:
        """A transit of 1000 d is in time, one more is late; lost ones, and more than 599 ms, don't count."""
        late = 60 + 14_600
        for transit, price, scored in (
            *((60_000, 60, 500), (60_001, late, 500), (599_000, late, 500), (599_001, 0, 1)),
            *((LOST, 0, 1), (5_000_000, 0, 1)),
        ):
            # The first frame of all is the least, and the last one came.
            transits = [0, *[transit] * 998, 0]
            score, metrics = self.held(fixed(60), transits)
            self.assertEqual(metrics["frames_scored"], scored)
            self.assertEqual(score, 60 + price * (scored - 1), transit)

    def test_limits(self) -> None:
        """The delay falls by 5 ms a frame and rises by 20; each ms costs 2, what is cut nothing."""
        down = policy("return frame++ < 500 ? 600 : 0;", more="static u32 frame;")
        score, metrics = self.held(down, [0] * 1000)
        # 594, 589, …, 4, 0: 119 steps of 5, and one of 4.
        delays = [max(0, 599 - 5 * step) for step in range(1, 501)]
        price = sum(delay + 110 * max(0, delay - 127) // 24 for delay in delays) + 2 * 599
        self.assertEqual((score, metrics["scaled_ms"]), (price, 599))
        up = policy("return frame++ < 500 ? 0 : 70;", more="static u32 frame;")
        self.assertEqual(self.held(up, [0] * 1000)[0], 20 + 40 + 60 + 497 * 70 + 2 * 70)

    def test_told(self) -> None:
        """Told is what has come until the frame before is played, in order, and how far ahead it is."""
        # Frame 3 comes at 140 ms, after 4 and 5, which come at 100; frame 0 is played at 60, frame 1 at 80, …
        transits = [0, 1000, LOST, 80_000, 20_000, *[0] * 995]
        told = policy(
            "round++; return 60;",
            """
            static const i32 rounds[] = {0, 0, 3, 3, 4, 5, 5}, aheads[] = {0, 1, 1, 2, 2, -2, 2};
            static const u32 took[] = {0, 1000, 20000, 0, 0, 80000, 0};
            if (at < 7 && (round != rounds[at] || ahead != aheads[at] || transit != took[at])) __builtin_trap();
            at++;
            """,
            more="static i32 round; static u32 at;",
        )
        self.scenario(transits).measure(told)

    def test_strangeAnswers(self) -> None:
        """What is no delay means 0 or the most: defined, and never an error."""
        scenario = self.scenario()

        def score(wasm: bytes) -> list[int]:
            return [split.score for split in scenario.measure(wasm).splits.values()]

        least, most = score(fixed(0)), score(fixed(599))
        for delay in ("-5", '__builtin_nan("")', "-__builtin_inf()", "-0.0"):
            self.assertEqual(score(fixed(delay)), least, delay)
        for delay in ("__builtin_inf()", "1e300", "598.5"):
            self.assertEqual(score(fixed(delay)), most, delay)
        self.assertEqual(score(fixed(60)), score(fixed(59.0001)))
        self.assertEqual(score(rank('current * __builtin_nan("")')), score(rank("0.0 * current")))

    def test_settingsTold(self) -> None:
        """A component is told the settings."""
        knows = "if (late_ms != 1 || scale_cost != 2 || down_ms != 3 || up_ms != 4 || base_ms != 5) __builtin_trap();"
        self.scenario(late_ms=1, scale_cost=2, down_ms=3, up_ms=4, base_ms=5).measure(policy(init=knows))
        self.assertRaises(Trapped, self.scenario().measure, policy(init=knows))


class VariantTests(Case):
    def test_stretches(self) -> None:
        """A variant has of each split that split, most of it, about in its order, a little longer or shorter."""
        # Each frame can be told: its transit is its number, in units so long that no two stretches are made to meet.
        trace = made(np.arange(20_000) * 15_000)
        variants = [trace.variant(bytes([number]) * 32) for number in range(20)]
        for variant in variants:
            for (_, first, last), (_, start, end) in zip(
                trace.windows("held_out"), variant.windows("held_out"), strict=True
            ):
                part = variant.transits[start:end].astype(np.int64) / 15_000
                self.assertTrue((part >= first * SMALLEST / ZOOM - 1).all() and (part <= last * LARGEST / ZOOM).all())
                self.assertGreaterEqual(end - start, 1)
                jumps = np.count_nonzero(np.abs(np.diff(part) - 1) > 0.01)
                self.assertLess(jumps, 0.05 * len(part))
        share = sum(variant.ends["held_out"] for variant in variants) / (20 * 20_000)
        self.assertTrue(0.68 < share < 0.85, share)

    def test_slopes(self) -> None:
        """
        What is longer has the slopes it had: a queue that empties does so by 20 ms a frame, and nothing overtakes.
        """
        saw = [max(0, 400_000 - 20_000 * (at % 60)) for at in range(10_000)]
        variant = made(saw).variant(bytes(32))
        falls = np.diff(variant.transits.astype(np.int64))
        self.assertGreaterEqual(int(falls.min()), -20_100)
        self.assertGreater(np.count_nonzero(falls < -19_900), 1000)

    def test_lost(self) -> None:
        """Frames that were lost are lost, about as many."""
        variant = made([LOST if at % 10 == 3 else 5000 for at in range(20_000)]).variant(bytes(32))
        share = float((variant.transits == LOST).mean())
        self.assertTrue(0.08 < share < 0.12, share)
        self.assertTrue(set(np.unique(variant.transits)[1:].tolist()) <= set(range(4400, 5600)))

    def test_deterministic(self) -> None:
        """What is drawn are integers of the seed: these, on every machine."""
        variant = made(varied(20_000)).variant(bytes(32))
        found = hashlib.sha256(variant.transits.astype("<i4").tobytes()).hexdigest()
        pinned = json.loads(PINNED.read_text())["variant"]
        self.assertEqual([variant.digest, variant.ends, found[:16]], pinned)

    def test_clock(self) -> None:
        """Who counts frames doesn't know where in the call he is: soon off by seconds, in either direction."""
        trace = made(np.arange(20_000) * 15_000)
        at = [int(trace.variant(bytes([number]) * 32).transits[4000]) / 15_000 - 4000 for number in range(40)]
        self.assertGreater(np.std(at), 3 * PER_SECOND)

    def test_short(self) -> None:
        """The shortest call that is read keeps something of each split."""
        trace = made([0] * 1000)
        for number in range(50):
            ends = trace.variant(bytes([number]) * 32).ends
            self.assertTrue(0 < ends["train"] < ends["validation"] < ends["held_out"])

    def test_levels(self) -> None:
        """Hand-made policies have about the levels on variants that they have on the calls that ship."""
        for path in workbench.traces():
            if path.name == "cable.xz":
                continue  # the reference is all but the best there: levels are shares of little
            scenario = workbench.scenario(path)
            variants = [scenario.onVariant(number, b"any") for number in range(3)]
            for name in ("fixed_tuned", "concord", "ramjee2_tuned"):
                level, *others = (each.developmentLevel(each.baseline(name)) for each in (scenario, *variants))
                self.assertLess(abs(sum(others) / 3 - level), 0.2, (path.name, name))


class DeterminismTests(Case):
    def test_settingsApart(self) -> None:
        """An arena that ran another setting gives the same as a new one."""
        path = writeCall(self.folder / "small.owd", varied())
        bench = AudioWorkbench()
        wasm = workbench.baselineModule("moon")
        bench.scenario(path, {"late_ms": 1, "up_ms": 3}).measure(wasm)
        self.assertEqual(bench.scenario(path).measure(wasm), self.scenario().measure(wasm))

    def test_pinned(self) -> None:
        """Scores and digests are what they were when the bench was made: whoever changes them changes all claims."""
        scenario = self.scenario(late_ms=10_000)
        plain = {name: report for name, report in scenario.baselines().items() if name not in TUNED}
        reports = {**plain, "rank": scenario.measure(rank("q99 + 0.5 * dev - trend + fill * 0.1"))}
        found = {
            "trace": scenario.traceDigest,
            "scores": {
                name: [[split.score, *split.metrics.values()] for split in report.splits.values()]
                for name, report in reports.items()
            },
        }
        pinned = json.loads(PINNED.read_text())
        self.assertEqual(found, {name: pinned[name] for name in found})


class PatternTests(Case):
    def learn(self, transits: list[int]) -> dict[str, Pattern]:
        return {pattern.type: pattern for pattern in learnPatterns(made(transits))}

    def test_constant(self) -> None:
        """A constant call has its transit and no jitter, with certainty, and nothing else."""
        found = self.learn([5000] * 4000)
        self.assertEqual(set(found), {"delay_tail", "jitter"})
        self.assertEqual(found["delay_tail"].data["ms"], 5.0)
        self.assertEqual((found["delay_tail"].confidence, found["jitter"].confidence), (1.0, 1.0))

    def test_drift(self) -> None:
        """A transit that is another on validation has little confidence."""
        self.assertLess(self.learn([100_000] * 1600 + [5000] * 2400)["delay_tail"].confidence, 0.06)

    def test_loss(self) -> None:
        """Frames lost by threes: the share, and how many in a row."""
        found = self.learn([LOST if at % 30 < 3 else 1000 for at in range(6000)])["packet_loss"]
        self.assertEqual((found.data["share"], found.data["burst"], found.confidence), (0.1, 3.0, 1.0))

    def test_spikes(self) -> None:
        """A spike of 60 ms each four seconds: fifteen a minute, and their period."""
        found = self.learn([60_000 if at % 200 < 10 else 1000 for at in range(60_000)])
        data = found["delay_spike"].data
        # The window begins with one, which nobody can see begin.
        self.assertEqual((data["per_minute"], data["height_ms"]), (14.5, 60.0))
        self.assertEqual(found["delay_period"].data["period_ms"], 4000)

    def test_bursts(self) -> None:
        """Seconds of high transits come in bursts; and phases of half a minute change."""
        phases = [80_000 if at // 1500 % 2 else 2000 for at in range(60_000)]
        found = self.learn(phases)
        self.assertIn("phase_changes", found)
        bursts = self.learn([90_000 if at % 1000 < 40 else 2000 for at in range(60_000)])
        self.assertGreater(bursts["burstiness"].data["dispersion"], 10)
