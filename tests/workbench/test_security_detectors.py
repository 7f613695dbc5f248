"""The hand-made detectors and what rank functions are given: by hand, and beside plain Python."""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.security import workbench
from kernelnet.workbench.security.abis import FEATURES
from kernelnet.workbench.security.detection import detection
from kernelnet.workbench.security.machine import features
from kernelnet.workbench.security.trace import Trace
from tests.workbench.sequences import made, mixture, scores

Calls = tuple[int, ...]


def lg(x: float) -> float:
    """As kn_lg of kn.h."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", abs(x) + 1))
    return float(bits * 2.0**-52 - 1023)


class Reference:
    """Each detector as its paper's formula, over whole sequences and with nothing kept between them."""

    def __init__(self, learned: Sequence[Calls], calls: int) -> None:
        self.learned, self.calls = learned, calls
        self.grams = Counter(gram for sequence in learned for n in range(1, 7) for gram in self.windows(sequence, n))
        self.totals = Counter({n: sum(c for g, c in self.grams.items() if len(g) == n) for n in range(1, 7)})

    @staticmethod
    def windows(sequence: Calls, n: int) -> list[Calls]:
        return [sequence[at : at + n] for at in range(len(sequence) - n + 1)]

    @staticmethod
    def mean(values: Sequence[float]) -> float:
        # From the left, as the driver adds them; sum() of a later Python may be more exact.
        total = 0.0
        for value in values:
            total += value
        return total / len(values) if values else 0.0

    def unseen(self, sequence: Calls, n: int) -> list[bool]:
        return [not self.grams[gram] for gram in self.windows(sequence, n)]

    def rare(self, sequence: Calls, n: int) -> float:
        return self.mean([lg(self.totals[n]) - lg(self.grams[gram]) for gram in self.windows(sequence, n)])

    def surprises(self, sequence: Calls, order: int) -> list[float]:
        return [
            lg(2 * self.grams[gram[:-1]] + self.calls - 1) - lg(2 * self.grams[gram])
            for gram in self.windows(sequence, order + 1)
        ]

    @staticmethod
    def frame(values: Sequence[float]) -> float:
        return max((sum(values[at : at + 20]) for at in range(max(1, len(values) - 19))), default=0)

    def nearest(self, sequence: Calls) -> float:
        own, highest = Counter(sequence), 0.0
        for other in map(Counter, self.learned[:1000]):
            dot = sum(own[call] * other[call] for call in own)
            lengths = [math.sqrt(sum(count * count for count in bag.values())) for bag in (own, other)]
            highest = max(highest, dot / (lengths[0] * lengths[1]))
        return 1 - highest

    def tstide(self, sequence: Calls) -> float:
        return self.mean([not c or c < 1e-5 * self.totals[6] for c in map(self.grams.get, self.windows(sequence, 6))])

    def detectors(self, sequence: Calls) -> dict[str, float]:
        return {
            "ngram": self.rare(sequence, 3),
            "stide": self.mean(self.unseen(sequence, 6)),
            "stide_frame": self.frame(self.unseen(sequence, 6)),
            "tstide": self.tstide(sequence),
            "markov": self.mean(self.surprises(sequence, 1)),
            "markov3": self.mean(self.surprises(sequence, 3)),
            "bag": self.nearest(sequence),
        }

    def features(self, sequence: Calls) -> dict[str, float]:
        counts, size = Counter(sequence), len(sequence)
        runs = [1]
        for before, call in pairwise(sequence):
            runs.append(runs[-1] + 1 if before == call else 1)
        surges = self.surprises(sequence, 2)
        shares = [abs(counts[call] / size - self.grams[(call,)] / self.totals[1]) for call in range(self.calls)]
        return {
            "length": size,
            "distinct": len(counts),
            "run": max(runs),
            "commonest": max(counts.values()) / size,
            **{f"unseen{n}": self.mean(self.unseen(sequence, n)) for n in range(1, 7)},
            **{f"rare{n}": self.rare(sequence, n) for n in range(1, 7)},
            **{f"markov{n}": self.mean(self.surprises(sequence, n)) for n in range(1, 4)},
            "frame3": self.frame(self.unseen(sequence, 3)),
            "frame6": self.frame(self.unseen(sequence, 6)),
            "surge": self.frame(surges) / min(20, len(surges)) if surges else 0,
            "nearest": self.nearest(sequence),
            "shift": sum(shares),
        }


def split(trace: Trace) -> tuple[list[Calls], list[Calls]]:
    """The sequences to learn, and those under test, of dense numbers."""
    every = [tuple(trace.calls[a:b].tolist()) for a, b in pairwise(trace.starts)]
    return every[: trace.learned], every[trace.learned :]


def sequencesOf(calls: int) -> Any:
    return st.lists(st.integers(0, calls - 1), min_size=1, max_size=60)


class HandTests(SynchronousTestCase):
    """Learned: ten times abcabcabc.  lg(x) is exact where x + 1 is a power of two, and a line between."""

    def score(self, name: str, calls: str) -> float:
        learned = [("learn", "abcabcabc")] * 10
        normal = [("normal", "abcabcabc")] * 20
        # Four calls in all: a, b, c, x.
        attacks = [(f"attack:k{n}", "x" if n else calls) for n in range(10)]
        trace = made([*learned, *normal, *attacks])
        return scores(trace, workbench.baselineModule(name))[trace.normals["train"]]

    def test_ngram(self) -> None:
        """70 windows of 3 are learned: abc 30 times, bca and cab 20 times."""
        total, abc, bca = 6 + 7 / 64, 4 + 15 / 16, 4 + 5 / 16
        self.assertEqual((lg(70), lg(30), lg(20)), (total, abc, bca))
        self.assertEqual(self.score("ngram", "abc"), total - abc)
        self.assertAlmostEqual(self.score("ngram", "abca"), total - (abc + bca) / 2)
        self.assertEqual(self.score("ngram", "xxxx"), total)
        self.assertEqual(self.score("ngram", "ab"), 0)

    def test_stide(self) -> None:
        """The share of windows of 6 that were never learned."""
        self.assertEqual(self.score("stide", "abcabcabc"), 0)
        self.assertEqual(self.score("stide", "abcabcx"), 1 / 2)
        self.assertEqual(self.score("stide", "abcabcxabc"), 4 / 5)
        self.assertEqual(self.score("stide", "cbacba"), 1)
        self.assertEqual(self.score("stide", "xxxxx"), 0)

    def test_stideFrame(self) -> None:
        """The most mismatches in any 20 successive windows."""
        self.assertEqual(self.score("stide_frame", "abcabcx"), 1)
        self.assertEqual(self.score("stide_frame", "abcabcxabcabcabc"), 6)
        self.assertEqual(self.score("stide_frame", "x" * 99), 20)
        # Two bursts of six mismatches each, 20 windows from the first's begin to the second's.
        self.assertEqual(self.score("stide_frame", "abcabcx" + "abc" * 6 + "abxabcabc"), 6)
        self.assertEqual(self.score("stide_frame", "abcabcx" + "abc" * 4 + "abxabcabc"), 11)

    def test_tstide(self) -> None:
        """A window that was learned once among more than 100,000 is a mismatch, one among fewer is none."""
        for many, expected in ((90_000, 0.0), (110_000, 1.0)):
            learned = [("learn", "a" * 10_000)] * (many // 10_000) + [("learn", "aaaaab")] + [("learn", "b")] * 9
            attacks = [(f"attack:k{n}", "b" if n else "aaaaab") for n in range(10)]
            trace = made([*learned, *[("normal", "a")] * 20, *attacks])
            first = trace.normals["train"]
            self.assertEqual(scores(trace, workbench.baselineModule("tstide"))[first], expected)
            self.assertEqual(scores(trace, workbench.baselineModule("stide"))[first], 0)

    def test_markov(self) -> None:
        """a came 30 times, b always behind it; there are four calls: (30 + 2) / (30 + 1/2), and (30 + 2) / (1/2)."""
        self.assertEqual(lg(63) - lg(60), 6 - (5 + 29 / 32))
        self.assertEqual(self.score("markov", "ab"), 6 - (5 + 29 / 32))
        self.assertEqual(self.score("markov", "ax"), 6)
        # x was never learned: 2 / (1/2).
        self.assertEqual(self.score("markov", "xa"), 2)
        self.assertEqual(self.score("markov", "a"), 0)

    def test_markov3(self) -> None:
        """abc came 30 times, a behind it 20 times: (30 + 2) / (20 + 1/2)."""
        self.assertEqual(self.score("markov3", "abca"), 6 - (5 + 9 / 32))
        self.assertEqual(self.score("markov3", "abcx"), 6)
        self.assertEqual(self.score("markov3", "abc"), 0)

    def test_bag(self) -> None:
        """Learned bags are (3, 3, 3): aaa has the cosine 9 / (3 sqrt 27), and the order does not matter."""
        self.assertAlmostEqual(self.score("bag", "aaa"), 1 - 1 / math.sqrt(3))
        self.assertAlmostEqual(self.score("bag", "cccbbbaaa"), 0)
        self.assertEqual(self.score("bag", "xx"), 1)


class ReferenceTests(SynchronousTestCase):
    def compare(self, trace: Trace) -> None:
        learned, tested = split(trace)
        reference = Reference(learned, trace.distinct)
        expected = [reference.detectors(sequence) for sequence in tested]
        for name in workbench.baselineNames:
            self.assertEqual(scores(trace, workbench.baselineModule(name)), [each[name] for each in expected], name)
        table = features(trace)[trace.learned :]
        for sequence, row in zip(tested, table.tolist(), strict=True):
            theirs = reference.features(sequence)
            self.assertEqual(tuple(theirs), FEATURES)
            for name, value in zip(FEATURES, row, strict=True):
                self.assertAlmostEqual(value, theirs[name], 12, f"{name} {sequence}")

    def test_mixture(self) -> None:
        """Every detector says of every sequence exactly what its formula gives in Python; so do the features."""
        self.compare(made(mixture(3, 20, 40, 5, 3)))

    @settings(max_examples=15, deadline=None)
    @given(st.data())
    def test_random(self, data: Any) -> None:
        """The same for arbitrary short sequences of few calls."""
        calls = data.draw(st.integers(1, 5))
        drawn = data.draw(st.lists(sequencesOf(calls), min_size=12, max_size=12))
        labels = ["learn"] * 10 + ["normal"] * 20 + [f"attack:k{n}" for n in range(10)]
        self.compare(made((label, drawn[at % 12]) for at, label in enumerate(labels)))

    def test_sameAsFeatures(self) -> None:
        """The detectors' scores are among the features: whoever combines these has all of them."""
        trace = made(mixture(5))
        table = features(trace)[trace.learned :]
        pairs = {"ngram": "rare3", "stide": "unseen6", "stide_frame": "frame6", "bag": "nearest"}
        for name, feature in {**pairs, "markov": "markov1", "markov3": "markov3"}.items():
            given = scores(trace, workbench.baselineModule(name))
            self.assertEqual(given, table[:, FEATURES.index(feature)].tolist(), name)


class DetectionTests(SynchronousTestCase):
    def naive(self, normals: list[float], attacks: list[float]) -> tuple[Fraction, int, int]:
        """AUC, attacks found and false alarms: over all pairs, and over all thresholds."""
        low = [-math.inf if math.isnan(score) else score for score in (*normals, *attacks)]
        normals, attacks = low[: len(normals)], low[len(normals) :]
        won = sum((Fraction((a > n) + (a >= n), 2) for a, n in product(attacks, normals)), Fraction(0))
        # The least threshold of all that raise few enough false alarms finds the most.
        allowed = Fraction(len(normals), 100)
        few = [t for t in {*low, -math.inf} if sum(n > t for n in normals) <= allowed]
        detected, falseAlarms = (sum(score > min(few) for score in part) for part in (attacks, normals))
        return won / (len(normals) * len(attacks)), detected, falseAlarms

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(st.integers(0, 12), min_size=1, max_size=230), st.lists(st.integers(0, 12), min_size=1, max_size=40)
    )
    def test_naive(self, normals: list[int], attacks: list[int]) -> None:
        """AUC, detection and false alarms are those of their definitions, counted out; so is the score."""
        values = [math.nan, -math.inf, -1e300, -1.5, -0.0, 0.0, 1e-300, 0.5, 1.0, 2.0, 3.0, 1e300, math.inf]
        chosen = [[values[index] for index in part] for part in (normals, attacks)]
        found = detection(*(np.array(part) for part in chosen))
        auc, detected, falseAlarms = self.naive(*chosen)
        self.assertEqual((found.detected, found.falseAlarms), (detected, falseAlarms))
        self.assertEqual(found.above, 2 * auc * len(normals) * len(attacks))
        exact = (1 - auc + 1 - Fraction(detected, len(attacks))) / 2 * 1_000_000
        self.assertEqual(found.score, math.ceil(exact))
        self.assertEqual(found.metrics["auc_ppm"], math.floor(auc * 1_000_000))
        self.assertEqual(found.metrics["detected_at_1_percent_permille"], 1000 * detected // len(attacks))

    def test_ends(self) -> None:
        """Perfect is 0, nothing at all 750000, the reverse a million; a constant finds nothing."""
        low, high = np.arange(200.0), np.arange(200.0) + 1000
        self.assertEqual(detection(low, high).score, 0)
        self.assertEqual(detection(high, low).score, 1_000_000)
        self.assertEqual(detection(low * 0, high * 0).score, 750_000)
        self.assertEqual(detection(low * 0, high * np.nan).score, 1_000_000)

    def test_allowed(self) -> None:
        """Of 299 normal sequences two may raise an alarm, of 300 three, of 99 none; equal scores raise it together."""
        for normals, allowed in ((99, 0), (100, 1), (299, 2), (300, 3)):
            found = detection(np.arange(float(normals)), np.array([normals - 1.5 - allowed, normals - 0.5 - allowed]))
            self.assertEqual((found.falseAlarms, found.detected), (allowed, 1), str(normals))
        tied = np.array([0.0] * 295 + [7.0] * 5)
        self.assertEqual(detection(tied, np.array([5.0, 7.0, 8.0])).falseAlarms, 0)
        self.assertEqual(detection(tied, np.array([5.0, 7.0, 8.0])).detected, 1)
