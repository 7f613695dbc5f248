"""The bench of intrusion detection: what is learned and tested, that it is the same everywhere, what stays unknown."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, ClassVar
from unittest import skipUnless

import numpy as np

from kernelnet.workbench.errors import OutOfFuel, OutOfMemory, TraceError, WorkbenchError
from kernelnet.workbench.security import SecurityWorkbench, workbench
from kernelnet.workbench.security.abis import ABIS, FEATURES
from kernelnet.workbench.security.detection import detection
from kernelnet.workbench.security.machine import SecurityMachine
from kernelnet.workbench.security.scenario import SecurityScenario
from tests.workbench.contract import BenchContract, FolderCase
from tests.workbench.security_memorisers import underTest
from tests.workbench.sequences import SHARED, detector, made, mixture, ranking, scores, smallScenario

# Numbers of calls as they come, summed up: what a detector can see of them.
NOSY = """
static f64 seen; static u32 place;
void kn_init(u32 calls, u32 learned) {{ (void){0}; }}
void kn_learn(u32 call) {{}} void kn_learned(void) {{}}
void kn_call(u32 call) {{ seen += call * (f64)++place; }}
f64 kn_score(void) {{ f64 sum = seen; seen = place = 0; return {1}; }}
"""

PINNED_VARIANT = ({"train": 56, "validation": 71, "held_out": 142}, "ad6871ac8a48994a")
"""Of a variant: the ends of its splits, and how the digest of its sequences begins."""


class Case(FolderCase):
    def scenario(self, sequences: Any = None) -> SecurityScenario:
        return smallScenario(self.folder, sequences)


class ContractTests(BenchContract, Case):
    bench = workbench
    light = ("kernelnet.workbench.security",)
    file = "small.txt"
    sources: ClassVar = {"driver.c", "features.c"}
    shipped: ClassVar = ["shop.txt.xz", "tools.txt.xz"]
    apart = len(workbench.baselineNames)

    def small(self) -> SecurityScenario:
        return self.scenario()


class WorkbenchTests(Case):
    def test_traces(self) -> None:
        """The data sets that ship have enough normal sequences for 1 %, and no detector is perfect on them."""
        for path in workbench.traces():
            scenario = workbench.scenario(path, {})
            for normals in scenario.machine.trace.normals.values():
                self.assertGreaterEqual(normals, 100)
            held = {name: report.splits["held_out"].score for name, report in scenario.baselines().items()}
            self.assertGreater(min(held.values()), 0)

    def test_settings(self) -> None:
        """There are none."""
        self.assertEqual(self.scenario().settings, {})
        self.assertEqual(workbench.tasks(self.folder / "small.txt"), [{}])
        self.assertRaises(WorkbenchError, workbench.scenario, self.folder / "small.txt", {"window": 6})

    def test_abis(self) -> None:
        """The header declares both ABIs, and the features in the order in which they come."""
        declared = workbench.header.split("#define KN_SECURITY_FEATURES")[1].split("KN_EXPORT")[0]
        self.assertEqual(tuple(declared.replace("\\", "").replace("f64 ", "").replace(",", " ").split()), FEATURES)
        for abi in ABIS:
            self.assertIn(abi.identifier, workbench.header)
            for name in (*abi.required, *abi.optional):
                self.assertIn(f'KN_EXPORT("{name}")', workbench.header)
        for name in workbench.baselineNames:
            self.assertEqual(workbench.abiOf(workbench.baselineModule(name)).identifier, "security/full/1")
        self.assertEqual(workbench.abiOf(ranking("shift")).identifier, "security/rank/1")


class SplitTests(Case):
    def test_parts(self) -> None:
        """What is said to be for learning is learned; the rest is split in order: 40, 10 and 50 % of each."""
        trace = made(mixture(1, 30, 100, 10, 2))
        self.assertEqual((trace.learned, trace.normals), (30, {"train": 40, "validation": 10, "held_out": 50}))
        self.assertEqual(trace.ends, {"train": 48, "validation": 48 + 12, "held_out": 48 + 12 + 60})

    def test_third(self) -> None:
        """Where nothing is said to be for learning, it is the first third of the normal sequences."""
        trace = made([("normal", [number]) for number in range(60)] + [("attack:k:1", [99])] * 10)
        self.assertEqual((trace.learned, sum(trace.normals.values())), (20, 40))
        self.assertEqual(trace.calls[:20].tolist(), list(range(20)))

    def parts(self, labels: list[str]) -> dict[str, list[str]]:
        """Of each part the labels of its attacks, which are told by their lengths."""
        attacks = [(label, [3] * (1 + number)) for number, label in enumerate(labels)]
        trace = made([("learn", [1])] * 10 + [("normal", [2])] * 20 + attacks)
        return {part: [labels[len(a) - 1] for a in found] for part, (_, found) in underTest(trace).items()}

    def test_kinds(self) -> None:
        """With four kinds of attack every second is held out; validation has instances that train has not."""
        parts = self.parts([f"attack:k{kind}:{number}" for kind in range(5) for number in range(4)])
        self.assertEqual(parts["held_out"], [f"attack:k{kind}:{number}" for kind in (1, 3) for number in range(4)])
        self.assertEqual(parts["validation"], ["attack:k2:0", "attack:k4:1"])
        self.assertEqual(len(parts["train"]), 10)

    def test_instances(self) -> None:
        """With fewer kinds it is every second instance, all sequences of which go together."""
        parts = self.parts([f"attack:k{number % 2}:{number}" for number in range(12) for _ in range(2)])
        self.assertEqual(parts["held_out"], [f"attack:k1:{number}" for number in range(1, 12, 2) for _ in range(2)])
        self.assertEqual(parts["validation"], ["attack:k0:8"] * 2)
        self.assertEqual(len(parts["train"]), 10)

    def test_single(self) -> None:
        """With too few instances it is every second sequence."""
        parts = self.parts(["attack:k:1"] * 10)
        self.assertEqual([len(found) for found in parts.values()], [4, 1, 5])
        self.assertEqual(
            self.parts(["attack:k"] * 4 + [f"attack:k:{n}" for n in range(6)])["validation"], ["attack:k:4"]
        )

    def test_tooFew(self) -> None:
        """Too few sequences of a kind are a TraceError that says how many are needed."""
        for learn, normal, attack, words in (
            (9, 50, 10, "9 learned sequences; at least 10"),
            (10, 19, 10, "19 normal sequences; at least 20"),
            (10, 20, 9, "9 attack sequences; at least 10"),
            (0, 20, 10, "6 learned"),
            (0, 0, 0, "0 learned"),
        ):
            data = [("learn", [1])] * learn + [("normal", [1])] * normal + [("attack:k:1", [2])] * attack
            self.assertIn(words, str(self.assertRaises(TraceError, made, data)))

    def test_digest(self) -> None:
        """The digest is of calls, not of their names, and of what each sequence is for."""
        data = mixture(2)
        digest = made(data).digest
        renamed = [(label, [call + 7 for call in calls]) for label, calls in data]
        self.assertEqual(made(renamed).digest, digest)
        self.assertNotEqual(made([(label.replace("learn", "normal"), calls) for label, calls in data]).digest, digest)
        self.assertNotEqual(made([*data[:-1], (data[-1][0], [*data[-1][1], 0])]).digest, digest)

    def test_layout(self) -> None:
        """A data set of one-call sequences and one of a single call are measured."""
        data = [("learn", [1])] * 10 + [("normal", [1])] * 20 + [(f"attack:k{n}", [1]) for n in range(10)]
        scenario = self.scenario(data)
        for report in scenario.baselines().values():
            self.assertEqual([split.score for split in report.splits.values()], [750_000] * 3)
        self.assertEqual(scenario.measure(ranking("shift + nearest + surge")).splits["train"].score, 750_000)


class MeasureTests(Case):
    def test_report(self) -> None:
        """A report has both figures and what they are of; the score is the mean of what they lack."""
        scenario = self.scenario()
        report = scenario.measure(workbench.baselineModule("markov"))
        for split in report.splits.values():
            m = split.metrics
            self.assertEqual(m["normal_sequences"] + m["attack_sequences"], split.events)
            self.assertLessEqual(m["false_alarms"], m["normal_sequences"] // 100)
            mean = (1_000_000 - m["auc_ppm"] + 1_000_000 - 1000 * m["detected_at_1_percent_permille"]) / 2
            self.assertLessEqual(abs(split.score - mean), 502)

    def test_optimum(self) -> None:
        """Perfect is 0 on every split, and nothing is better."""
        scenario = self.scenario()
        self.assertEqual(scenario.optimum(), {"train": 0, "validation": 0, "held_out": 0})
        for report in scenario.baselines().values():
            self.assertTrue(all(split.score >= 0 for split in report.splits.values()))

    def test_notANumber(self) -> None:
        """Not-a-number is below everything; infinities are what they are."""
        scenario = self.scenario()
        same = scenario.measure(ranking("-kn_sqrt(-1) / 0 * 0"))
        self.assertEqual([split.score for split in same.splits.values()], [750_000] * 3)
        one = scenario.measure(ranking('unseen2 > 0.3 ? 1 / 0.0 : unseen2 > 0.2 ? 1 : __builtin_nan("")'))
        two = scenario.measure(ranking("unseen2 > 0.3 ? 3 : unseen2 > 0.2 ? 2 : 1"))
        self.assertEqual(
            [split.metrics for split in one.splits.values()], [split.metrics for split in two.splits.values()]
        )

    def test_fuel(self) -> None:
        """Just enough fuel is enough, half of it is not; each baseline uses less than a tenth of what it may."""
        scenario = self.scenario()
        for name in workbench.baselineNames:
            wasm = workbench.baselineModule(name)
            used = sum(split.fuel for split in scenario.measure(wasm).splits.values())
            scenario.measure(wasm, fuel=used)
            self.assertRaises(OutOfFuel, scenario.measure, wasm, fuel=used // 2)
            self.assertLess(used, scenario.machine.fuelLimit(sum(scenario.events.values()), {}) / 10)

    def test_parameters(self) -> None:
        """Parameters come before kn_init."""
        source = (
            "static f64 p; void kn_param(u32 i, f64 v) { p = v; } f64 kn_rank(KN_SECURITY_FEATURES) "
            "{ return p > 1 ? distinct : -distinct; }"
        )
        scenario = self.scenario()
        found = [scenario.measure(detector(source), parameters=(v,)).splits["train"].score for v in (0.0, 2.0)]
        self.assertEqual(found[1], scenario.measure(ranking("distinct")).splits["train"].score)
        self.assertNotEqual(*found)

    def test_contract(self) -> None:
        """Learning comes first, every sequence as a whole, and calls are numbers below those announced."""
        check = """
        static u32 calls, left, sequences, inside;
        void kn_init(u32 c, u32 l) { calls = c; left = l; }
        void kn_learn(u32 call) { if (call >= calls || !left-- || inside) __builtin_trap(); }
        void kn_learned(void) { sequences++; }
        void kn_call(u32 call) { if (call >= calls || left || sequences != 40) __builtin_trap(); inside++; }
        f64 kn_score(void) { if (inside < 20 || inside > 90) __builtin_trap(); inside = 0; return 0; }
        """.replace("!left-- || inside", "!left--")
        self.scenario().measure(detector(check))

    def test_memory(self) -> None:
        """A component may have 256 MiB, and not more."""
        enough, tooMuch = (
            detector(NOSY.format(f"learned; for (u32 i = 0; i < {size}; i++) kn_alloc(1 << 20)", "0"))
            for size in (250, 257)
        )
        self.scenario().measure(enough)
        self.assertRaises(OutOfMemory, self.scenario().measure, tooMuch)

    def test_windows(self) -> None:
        """Windows of train are parts of its normal sequences and attacks in their order, the same for every module."""
        scenario = self.scenario()
        trace, wasm = scenario.machine.trace, ranking("markov1")
        windows = scenario.measureWindows(wasm, "train", 4)
        values = np.array(scores(trace, wasm))
        middle, end = trace.normals["train"], trace.ends["train"]
        found = 0
        for number, window in enumerate(windows):
            parts = (
                kind[len(kind) * number // 4 : len(kind) * (number + 1) // 4]
                for kind in (values[:middle], values[middle:end])
            )
            self.assertEqual(window.metrics, detection(*parts).metrics)
            found += window.metrics["attack_sequences"] + window.metrics["normal_sequences"]
            missed = 1_000_000 - 1000 * window.metrics["detected_at_1_percent_permille"]
            mean = (1_000_000 - window.metrics["auc_ppm"] + missed) / 2
            self.assertLessEqual(abs(window.score - 250_000 - mean), 502)
        self.assertEqual(found, scenario.events["train"])
        self.assertEqual(len(scenario.measureWindows(wasm, "train", 1000)), min(middle, end - middle) // 2)


class DeterminismTests(Case):
    def test_pinned(self) -> None:
        """Scores are what they were when the bench was made: whoever changes them changes all claims."""
        found = {name: [s.score for s in r.splits.values()] for name, r in self.scenario().baselines().items()}
        self.assertEqual(found, PINNED)
        self.assertTrue(self.scenario().traceDigest.startswith("6f47db8d3e9230b1"))


PINNED = {
    "ngram": [194011, 166667, 407084],
    "stide": [298829, 166667, 551875],
    "stide_frame": [545899, 572917, 590209],
    "tstide": [298829, 166667, 551875],
    "markov": [162761, 166667, 402917],
    "markov3": [227865, 166667, 446250],
    "bag": [438152, 333334, 622084],
}


class PatternTests(Case):
    def test_novelty(self) -> None:
        """Normal behaviour that is all known has none; it is certain where validation says the same."""
        data = [("learn", "abcdefgh" * 3)] * 10 + [("normal", "abcdefgh" * 2)] * 40
        scenario = self.scenario([(label, list(calls)) for label, calls in data] + [("attack:k", ["x"] * 20)] * 10)
        (novelty,) = (pattern for pattern in scenario.patterns() if pattern.type == "novelty")
        self.assertEqual((novelty.data["share"], novelty.confidence), (0.0, 1.0))

    def test_separation(self) -> None:
        """What alone tells attacks from normal sequences is found, with its direction."""
        scenario = self.scenario()
        best = [pattern for pattern in scenario.patterns() if pattern.type == "separation"]
        self.assertEqual(len(best), 3)
        for pattern in best:
            expression = f"{pattern.data['sign']} * {pattern.data['feature']}"
            metrics = scenario.measure(ranking(expression)).splits["train"].metrics
            self.assertAlmostEqual(metrics["auc_ppm"] / 1e6, pattern.data["auc"], places=5)
            self.assertGreater(pattern.data["auc"], 0.8)

    def test_real(self) -> None:
        """A shipped data set has six."""
        self.assertEqual(len(workbench.scenario(workbench.traces()[0]).patterns()), 6)


class HonestTests(Case):
    def test_keys(self) -> None:
        """Numbers of calls differ from variant to variant, and are the same for all modules on each."""
        trace = made(mixture())
        other = replace(trace, digest="00" * 32)
        detectors = [detector(NOSY.format(what, "sum")) for what in ("kn_alloc(8)", "kn_alloc(24)")]
        one, two = (scores(trace, wasm) for wasm in detectors)
        self.assertEqual(one, two)
        self.assertNotEqual(one, scores(other, detectors[0]))

    def test_order(self) -> None:
        """When a sequence comes says nothing: what counts up finds other sequences on each variant."""
        trace = made(mixture())
        counting = detector(
            NOSY.format("calls", "(sum = 0, ++calls_)").replace("static f64", "static u32 calls_; static f64")
        )
        one, two = (scores(each, counting) for each in (trace, replace(trace, digest="00" * 32)))
        self.assertEqual(sorted(one), [float(number) for number in range(1, 1 + len(one))])
        self.assertEqual(sorted(two), sorted(one))
        self.assertNotEqual(one, two)
        # Parts follow each other all the same.
        self.assertLess(max(one[: trace.ends["train"]]), min(one[trace.ends["train"] :]))

    def test_variant(self) -> None:
        """Seven eighths of each part and kind; each under test lost 1 to a sixteenth at each end, others each time."""
        trace = made(mixture())
        for seed in (bytes(32), bytes([1]) * 32):
            other = trace.variant(seed)
            self.assertEqual((other.digest, other.distinct), (seed.hex(), trace.distinct))
            self.assertEqual(other.learned, trace.learned - trace.learned // 8)
            for split, (normals, attacks) in underTest(trace).items():
                fewer = underTest(other)[split]
                for before, after in ((normals, fewer[0]), (attacks, fewer[1])):
                    self.assertEqual(len(after), len(before) - len(before) // 8)
                    at = 0
                    for sequence in after:
                        # In their order, each a part of one.
                        while not self.cropped(before[at], sequence):
                            at += 1
                        at += 1
        drawn = [trace.variant(bytes([number]) * 32).calls.tolist() for number in (0, 0, 1)]
        self.assertEqual(drawn[0], drawn[1])
        self.assertNotEqual(drawn[0], drawn[2])

    def cropped(self, before: list[int], after: list[int]) -> bool:
        most = max(1, len(before) // 16)
        starts = range(1, most + 1) if 2 <= len(before) - len(after) <= 2 * most else range(0)
        return any(before[start : start + len(after)] == after for start in starts)

    def test_variantDeterministic(self) -> None:
        """What is drawn are integers of the seed: these, on every machine."""
        variant = made(mixture()).variant(bytes(32))
        found = hashlib.sha256(variant.starts.tobytes() + variant.calls.tobytes()).hexdigest()
        self.assertEqual((variant.ends, found[:16]), PINNED_VARIANT)

    def test_variantShort(self) -> None:
        """What has two calls or fewer stays whole: no sequence becomes empty."""
        data = [("learn", [1])] * 10 + [("normal", [1, 2, 3][: 1 + n % 3]) for n in range(20)]
        trace = made(data + [(f"attack:k{n}", [4]) for n in range(10)]).variant(bytes(32))
        self.assertEqual(set(np.diff(trace.starts).tolist()), {1, 2})

    def test_variantLevels(self) -> None:
        """Hand-made detectors have about the levels on a variant that they have on what ships."""
        scenario = workbench.scenario(workbench.traces()[1])
        variant = scenario.onVariant(0, b"any")
        for name in workbench.baselineNames:
            level, other = (each.developmentLevel(each.baseline(name)) for each in (scenario, variant))
            self.assertLess(abs(level - other), 0.15, name)

    def test_features(self) -> None:
        """Only a rank function needs features: for a detector of the full ABI none are computed."""
        scenario = self.scenario()
        machine = SecurityMachine(scenario.machine.trace)
        self.addCleanup(machine.close)
        machine.run(workbench.baselineModule("stide"), {})
        self.assertIsNone(machine._features)
        machine.run(ranking("shift"), {})
        self.assertIsNotNone(machine._features)

    def test_labels(self) -> None:
        """What is an attack is nowhere in the memory that the driver has."""
        trace = made(mixture())
        arena = SecurityMachine(trace).layOut()
        self.assertEqual(set(arena.at), {"calls", "starts", "key", "order", "features", "scores"})
        arena.memory.close()


@skipUnless((SHARED / "ADFA-LD.zip").exists(), "ADFA-LD is not beside the repository")
class SharedTests(Case):
    def test_adfa(self) -> None:
        """ADFA-LD has the sequences and calls that its authors say, and its six kinds of attack."""
        trace = SecurityWorkbench().scenario(SHARED / "ADFA-LD.zip").machine.trace
        self.assertEqual((trace.learned, sum(trace.normals.values())), (833, 4372))
        self.assertEqual(trace.sequences - 833 - 4372, 746)
        self.assertEqual(int(trace.starts[833]), 308_077)
        self.assertEqual(len(trace.calls), 308_077 + 2_122_085 + 317_388)
