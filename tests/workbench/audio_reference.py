"""
A second bench of playout in plain Python: written for being read, not for being fast.

It shares no code with driver.c, rank.h and optimum.c; where these keep counts, it looks at all that there was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["ERRATIC_C", "RANK_C", "Erratic", "Fixed", "Policy", "Rank", "Result", "leastCost", "play"]

DEFAULTS = {"late_ms": 14_600, "scale_cost": 2, "down_ms": 5, "up_ms": 20, "base_ms": 50}


class Policy:
    """What a component does."""

    def arrive(self, ahead: int, transit: int) -> None:
        """A frame has come."""

    def target(self, delay: int) -> float:
        return float(delay)


@dataclass
class Result:
    """Of one split."""

    cost: int = 0
    delays: list[int] = field(default_factory=list)
    late: int = 0
    scaled: int = 0

    @property
    def metrics(self) -> dict[str, int]:
        many = len(self.delays)
        return {
            "frames_scored": many,
            "mean_delay_ms": (2 * sum(self.delays) + many) // (2 * many) if many else 0,
            "late_frames": self.late,
            "scaled_ms": self.scaled,
        }


def price(delay: int, settings: Mapping[str, int]) -> int:
    """Cost of a delay, which is no other than that of the E-model in milliseconds."""
    return delay + 110 * max(0, delay + settings["base_ms"] - 177) // 24


def counts(transit: int) -> bool:
    return 0 <= transit <= 599_000


def play(
    transits: Sequence[int], policy: Policy, ends: Sequence[int], settings: Mapping[str, int] = DEFAULTS
) -> list[Result]:
    """
    One pass.

    @param ends: of the splits; C{transits}: in microseconds, below 0 for a frame that was lost.
    """
    waiting = sorted((20_000 * at + transit, at, transit) for at, transit in enumerate(transits) if transit >= 0)
    results, delay = [Result()], 60
    for frame, transit in enumerate(transits):
        if frame == ends[len(results) - 1]:
            results.append(Result())
        now = 20_000 * (frame - 1) + 1000 * delay
        while waiting and waiting[0][0] <= now:
            _, at, took = waiting.pop(0)
            policy.arrive(at - frame, took)
        wanted = policy.target(delay)
        whole = 0 if math.isnan(wanted) or wanted <= 0 else 599 if wanted >= 599 else math.ceil(wanted)
        before, delay = delay, min(max(whole, delay - settings["down_ms"], 0), delay + settings["up_ms"], 599)
        result = results[-1]
        result.scaled += abs(delay - before)
        if counts(transit):
            late = transit > 1000 * delay
            result.delays.append(delay)
            result.late += late
            result.cost += price(delay, settings) + settings["scale_cost"] * abs(delay - before)
            result.cost += settings["late_ms"] if late else 0
    return results


def leastCost(transits: Sequence[int], settings: Mapping[str, int] = DEFAULTS, most: int = 599) -> int:
    """The least that frames can cost, of all ways from delay to delay; each of them is looked at."""
    best = dict.fromkeys(range(most + 1), 0)
    for frame, transit in enumerate(transits):
        if frame:
            scaling = settings["scale_cost"] if counts(transit) else 0
            best = {
                delay: min(
                    best[before] + scaling * abs(delay - before)
                    for before in range(max(0, delay - settings["up_ms"]), min(most, delay + settings["down_ms"]) + 1)
                )
                for delay in best
            }
        if counts(transit):
            for delay in best:
                best[delay] += price(delay, settings) + (settings["late_ms"] if transit > 1000 * delay else 0)
    return min(best.values())


# --- policies ----------------------------------------------------------------------------------------------------


@dataclass
class Fixed(Policy):
    delay: float

    def target(self, delay: int) -> float:
        return self.delay


ERRATIC_C = """
#include "kn_audio.h"
static u32 state = 7;
void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {
    state += late_ms + 3 * scale_cost + 5 * down_ms + 7 * up_ms + 11 * base_ms;
}
void kn_arrive(i32 ahead, u32 transit) { state = state * 31 + (u32)(ahead + 1000) * 17 + transit; }
f64 kn_target(u32 delay) {
    state = state * 5 + delay;
    return (f64)(state >> 8 & 1023) * 0.4 - 20.0;
}
"""


class Erratic(Policy):
    """Whatever it is told changes what it does: nothing can be told differently without being seen."""

    def __init__(self, settings: Mapping[str, int]) -> None:
        names = ("late_ms", "scale_cost", "down_ms", "up_ms", "base_ms")
        self.state = 7 + sum(factor * settings[name] for factor, name in zip((1, 3, 5, 7, 11), names, strict=True))

    def arrive(self, ahead: int, transit: int) -> None:
        self.state = (self.state * 31 + (ahead + 1000) * 17 + transit) % (1 << 32)

    def target(self, delay: int) -> float:
        self.state = (self.state * 5 + delay) % (1 << 32)
        return (self.state >> 8 & 1023) * 0.4 - 20.0


RANK_C = """
#include "kn_audio.h"
f64 kn_delay(f64 last, f64 mean, f64 dev, f64 q95, f64 q99, f64 peak, f64 trend, f64 sincelate, f64 fill, f64 current) {
    f64 one = last * 0.5 + mean * 0.25 + dev * 2.0 + q95 * 0.125 + q99 * 0.0625;
    return one + peak * 0.25 + trend * 0.5 + sincelate * 0.0078125 - fill * 1.5 - current * 0.03125;
}
"""


class Rank(Policy):
    """The state that the rank ABI keeps for a component, and that component."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.mean = self.dev = self.peak = 0.0
        self.late = 0
        self.newest = -1

    def arrive(self, ahead: int, transit: int) -> None:
        x = transit / 1000
        if not self.told:
            self.mean = self.peak = x
        self.mean += (x - self.mean) / 32
        self.dev += (abs(x - self.mean) - self.dev) / 32
        self.peak = max(x, self.peak - (self.peak - self.mean) / 256)
        self.late = 0 if ahead < -1 else self.late
        self.newest = max(self.newest, ahead) if self.told else ahead
        self.told.append(transit)

    def quantile(self, permille: int) -> float:
        lately = sorted(min(599, -(-transit // 1000)) for transit in self.told[-500:])
        return float(lately[-(-len(lately) * permille // 1000) - 1]) if lately else 0.0

    def target(self, delay: int) -> float:
        last = self.told[-1] / 1000 if self.told else 0.0
        trend = last - self.told[-6] / 1000 if len(self.told) > 5 else 0.0
        late, self.late = self.late, min(10_000, self.late + 1)
        fill, self.newest = self.newest + 1, self.newest - 1
        one = last * 0.5 + self.mean * 0.25 + self.dev * 2.0 + self.quantile(950) * 0.125 + self.quantile(990) * 0.0625
        return one + self.peak * 0.25 + trend * 0.5 + late * 0.0078125 - fill * 1.5 - delay * 0.03125
