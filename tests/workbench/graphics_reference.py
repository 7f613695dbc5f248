"""A second simulator of repaints in plain Python, frame by frame, which shares no code with the drivers."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

PERIOD, MISS = 16_667, 50_001


@dataclass
class Frame:
    """Times in microseconds; C{commits}: (surface, time after the vblank), in time."""

    work: int
    refreshes: int
    commits: list[tuple[int, int]]


class Policy(Protocol):
    def vblank(self, refreshes: int) -> float: ...

    def commit(self, surface: int, at: int) -> float: ...

    def done(self, work: int, missed: int) -> None: ...


def startOf(budget: float, lastCommit: int, period: int) -> int:
    whole = math.floor(min(budget, float(period))) if budget > 0 else 0
    return max(lastCommit, period - whole)


def cost(start: int, work: int, period: int, miss: int) -> tuple[int, int]:
    """(score, vblanks missed)."""
    shown = max(1, -(-(start + work) // period))
    return shown * period - start + (shown - 1) * miss, shown - 1


def run(frames: Sequence[Frame], policy: Policy, period: int = PERIOD, miss: int = MISS) -> list[tuple[int, int, int]]:
    """Of each frame (score, vblanks missed, when it started)."""
    found = []
    for frame in frames:
        budget = policy.vblank(frame.refreshes)
        for surface, at in frame.commits:
            budget = policy.commit(surface, at)
        start = startOf(budget, frame.commits[-1][1] if frame.commits else 0, period)
        score, missed = cost(start, frame.work, period, miss)
        policy.done(frame.work, missed)
        found.append((score, missed, start))
    return found


def least(frame: Frame, period: int = PERIOD, miss: int = MISS) -> int:
    """What a frame costs at least, by trying every start."""
    first = frame.commits[-1][1] if frame.commits else 0
    return min(cost(start, frame.work, period, miss)[0] for start in range(first, period + 1))


class Erratic:
    """Does something else whenever it is told something else; ERRATIC_C is the same."""

    def __init__(self, period: int, miss: int) -> None:
        self.state = (period * 31 + miss) & 0xFFFFFFFFFFFFFFFF
        self.period = period

    def _told(self, number: int) -> float:
        self.state = (self.state * 6364136223846793005 + number + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        return float((self.state >> 33) % (self.period + 2000)) - 1000.0 + 0.75

    def vblank(self, refreshes: int) -> float:
        return self._told(refreshes)

    def commit(self, surface: int, at: int) -> float:
        self._told(surface)
        return self._told(at)

    def done(self, work: int, missed: int) -> None:
        self._told(work)
        self._told(missed)


ERRATIC_C = """
#include "kn_graphics.h"
static u64 state;
static u32 period;
static f64 told(u64 number) {
    state = state * 6364136223846793005ull + number + 1442695040888963407ull;
    return (f64)((state >> 33) % (period + 2000)) - 1000.0 + 0.75;
}
void kn_init(u32 period_, u32 miss) { period = period_; state = (u64)period_ * 31 + miss; }
f64 kn_vblank(u32 refreshes) { return told(refreshes); }
f64 kn_commit(u64 surface, u32 at) { told(surface); return told(at); }
void kn_done(u32 work, u32 missed) { told(work); told(missed); }
"""

EDGES = [2.0 ** (5 + i // 8) * (1 + 0.125 * (i % 8)) for i in range(105)]


class Past:
    """Work of some frames, in bins, of which older ones count less."""

    def __init__(self) -> None:
        self.bins = [0.0] * 104
        self.total = self.mean = self.dev = 0.0
        self.seen = 0

    def add(self, work: float, bins: int) -> None:
        for at in range(bins):
            self.bins[at] -= (1 / 128) * self.bins[at]
        self.total += 1 - (1 / 128) * self.total
        self.bins[binOf(work)] += 1
        if self.seen:
            off = work - self.mean
            self.mean += 0.125 * off
        else:
            off, self.mean = 0.0, work
        self.dev += 0.25 * (abs(off) - self.dev)
        self.seen += 1

    def quantile(self, bins: int, period: float) -> float:
        left = self.total * 0.05
        for at in reversed(range(bins)):
            left -= self.bins[at]
            if left < 0:
                return EDGES[at + 1]
        return period


def binOf(work: float) -> int:
    found = sum(1 for edge in EDGES if edge <= work) - 1
    return min(103, max(0, found))


def cheapest(one: Past, other: Past, weight: float, bins: int, period: float, miss: float) -> float:  # noqa: PLR0917
    share = weight / other.total if other.total > 0 else 0.0
    total = one.total + share * other.total
    if not total > 0:
        return period
    beyond, least, budget = 0.0, total * period, period
    for at in reversed(range(bins)):
        spent = total * EDGES[at + 1] + (period + miss) * beyond
        if EDGES[at + 1] < period and spent < least:
            least, budget = spent, EDGES[at + 1]
        beyond += one.bins[at] + share * other.bins[at]
    return budget


class Rank:
    """
    All that the rank ABI keeps, and a sum of it in which each feature counts; RANK_C is the same.

    Told of surfaces by what a component of the full ABI is told: their keys.
    """

    def __init__(self, period: int, miss: int) -> None:
        self.period, self.miss = float(period), float(miss)
        self.last = self.mean = self.rolling = self.period
        self.dev = self.frameShare = 0.0
        self.peaks: deque[float] = deque(maxlen=16)
        self.shares: dict[int, float] = {}
        self.before: frozenset[int] = frozenset()
        self.everything, self.sets = Past(), dict[frozenset[int], Past]()
        self.bins, self.since = 0, 256
        self.commits: list[tuple[int, int]] = []
        self.refreshes = 0

    def vblank(self, refreshes: int) -> float:
        self.refreshes, self.commits = refreshes, []
        return self.budget()

    def commit(self, surface: int, at: int) -> float:
        self.commits.append((surface, at))
        return self.budget()

    def features(self) -> list[float]:
        damage = frozenset(surface for surface, _ in self.commits)
        own = self.sets.get(damage, Past())
        tail = self.everything.quantile(self.bins, self.period)
        total = self.frameShare
        for surface, _ in self.commits:
            total += self.shares.get(surface, 0.0)
        times = [
            self.period,
            self.last,
            self.mean,
            self.dev,
            max(self.peaks) if self.peaks else self.last,
            self.rolling,
            tail,
            cheapest(self.everything, self.everything, 0, self.bins, self.period, self.miss),
            own.mean if own.seen else self.mean,
            own.dev if own.seen else self.dev,
            own.quantile(self.bins, self.period) if own.seen else tail,
            cheapest(own, self.everything, 4.0, self.bins, self.period, self.miss),
        ]
        return [
            *(time * 0.001 for time in times),
            float(min(64, own.seen)),
            total * 0.001,
            float(len(self.commits)),
            float(len(damage - self.before)),
            float(self.refreshes),
            float(self.since),
            self.commits[-1][1] * 0.001 if self.commits else 0.0,
        ]

    def budget(self) -> float:
        value = 0.0
        for number, feature in enumerate(self.features(), 1):
            value = value * 0.5 + feature * float(number)
        return 1000.0 * (value * 0.05)

    def done(self, work: int, missed: int) -> None:
        amount = float(work)
        self.bins = max(self.bins, binOf(amount) + 1)
        self.everything.add(amount, self.bins)
        self.mean, self.dev = self.everything.mean, self.everything.dev
        damage = frozenset(surface for surface, _ in self.commits)
        # Sets whose numbers differ don't share a past as long as there are fewer than 4096.
        self.sets.setdefault(damage, Past()).add(amount, self.bins)
        self.last = amount
        first = not self.peaks
        self.rolling = amount if first or amount >= self.rolling else amount + (self.rolling - amount) * 0.98
        self.peaks.append(amount)
        estimate = self.frameShare
        for surface, _ in self.commits:
            estimate += self.shares.get(surface, 0.0)
        step = 0.1 * (amount - estimate) / float(len(self.commits) + 1)
        self.frameShare += step
        for surface, _ in self.commits:
            self.shares[surface] = self.shares.get(surface, 0.0) + step
        self.before = damage
        self.since = 0 if missed else min(256, self.since + 1)


def rankC(features: Sequence[str]) -> str:
    parameters = ", ".join(f"f64 {feature}" for feature in features)
    steps = "".join(f"value = value * 0.5 + {feature} * {at}.0;\n" for at, feature in enumerate(features, 1))
    return f'#include "kn_graphics.h"\nf64 kn_budget({parameters}) {{ f64 value = 0.0;\n{steps}return value * 0.05; }}'
