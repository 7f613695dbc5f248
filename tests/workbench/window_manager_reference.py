"""
A second bench of pointers, in plain Python, with all hand-made predictors: written for being read, not for being fast.

It shares no code with driver.c, reader and trace: it goes through the movements in time, one microsecond clock, with
lists.
"""

from __future__ import annotations

import bisect
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.workbench.window_manager_support import Sample

FRAME, MAX_AHEAD, TRACKED, REST = 16_667, 33_333, 18_000, 200_000


@dataclass
class Path:
    """
    @ivar times: of samples; C{places}: in milli-pixels.
    @ivar told: what a policy is told of each sample.
    """

    times: list[int] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    told: list[Sample] = field(default_factory=list)


def pathOf(samples: Sequence[Sample]) -> Path:
    path = Path()
    time = x = y = 0
    for number, (gap, dx, dy) in enumerate(samples):
        elapsed = REST if number == 0 else min(gap, REST)
        mx, my = (0, 0) if number == 0 else (round(dx * 1000), round(dy * 1000))
        time, x, y = time + elapsed, x + mx, y + my
        path.times.append(time)
        path.places.append((x, y))
        path.told.append((elapsed, mx / 1000, my / 1000))
    return path


def digestOf(path: Path) -> bytes:
    gaps = b"".join(elapsed.to_bytes(4, "little") for elapsed, _, _ in path.told)
    moves = b""
    before = (0, 0)
    for at, place in enumerate(path.places):
        step = (0, 0) if at == 0 else (place[0] - before[0], place[1] - before[1])
        moves += b"".join(part.to_bytes(4, "little", signed=True) for part in step)
        before = place
    return hashlib.sha256(b"kernelnet window_manager pointer 1\n" + gaps + moves).digest()


def framesOf(path: Path) -> list[tuple[int, int]]:
    """Time of each frame that counts, and its newest sample."""
    first = int.from_bytes(hashlib.sha256(b"frames" + digestOf(path)).digest()[:4], "little") % FRAME
    found = []
    time = path.times[0] + first
    while time + MAX_AHEAD <= path.times[-1]:
        newest = bisect.bisect_right(path.times, time) - 1
        last = bisect.bisect_left(path.times, time + MAX_AHEAD)
        if (
            newest > 0
            and time - path.times[newest] <= TRACKED
            and path.told[newest][1:] != (0, 0)
            and all(path.told[at][0] <= TRACKED for at in range(newest + 1, last + 1))
        ):
            found.append((time, newest))
        time += FRAME
    return found


def truth(path: Path, newest: int, until: int) -> tuple[float, float]:
    """Milli-pixels from the newest sample to where the pointer is so many microseconds later."""
    at = newest + 1
    while path.times[at] - path.times[newest] < until:
        at += 1
    share = (until - (path.times[at - 1] - path.times[newest])) / (path.times[at] - path.times[at - 1])
    (fx, fy), (bx, by), (ax, ay) = path.places[newest], path.places[at - 1], path.places[at]
    return (bx - fx) + (ax - bx) * share, (by - fy) + (ay - by) * share


class Policy:
    """Hold."""

    def sample(self, elapsed: int, dx: float, dy: float) -> None:
        pass

    def xy(self, age: int, ahead: int) -> tuple[float, float]:
        return 0.0, 0.0


@dataclass
class Result:
    score: int = 0
    errors: list[int] = field(default_factory=list)
    overshot: int = 0

    @property
    def metrics(self) -> dict[str, int]:
        ordered = sorted(self.errors)

        def quantile(permille: int) -> int:
            return min(65535, ordered[-(-permille * len(ordered) // 1000) - 1] // 8) * 8

        return {
            "median_millipixels": quantile(500),
            "p95_millipixels": quantile(950),
            "overshot_permille": 1000 * self.overshot // len(ordered),
        }


def run(samples: Sequence[Sample], policy: Policy, horizon: int) -> dict[str, Result]:
    path = pathOf(samples)
    frames = framesOf(path)
    half = len(frames) // 2
    results = {"train": Result(), "validation": Result(), "held_out": Result()}
    seen = 0
    for number, (time, newest) in enumerate(frames):
        while seen <= newest:
            policy.sample(*path.told[seen])
            seen += 1
        split = "train" if number < half - half // 5 else "validation" if number < half else "held_out"
        age = time - path.times[newest]
        answers = [0.0 if math.isnan(each) else max(-1e5, min(each, 1e5)) for each in policy.xy(age, age + horizon)]
        tx, ty = truth(path, newest, age + horizon)
        off = int(math.sqrt((answers[0] * 1000 - tx) ** 2 + (answers[1] * 1000 - ty) ** 2))
        result = results[split]
        result.score += off
        result.errors.append(off)
        result.overshot += answers[0] * 1000 * tx + answers[1] * 1000 * ty > tx * tx + ty * ty
    return results


# --- the hand-made predictors


class Reckon(Policy):
    def __init__(self, GAIN: float = 1.0, ANEW: int = 20_000) -> None:
        self.gain, self.anew = GAIN, ANEW
        self.v = (0.0, 0.0)

    def sample(self, elapsed: int, dx: float, dy: float) -> None:
        self.v = (0.0, 0.0) if elapsed > self.anew else (dx / elapsed, dy / elapsed)

    def xy(self, age: int, ahead: int) -> tuple[float, float]:
        return self.v[0] * ahead * self.gain, self.v[1] * ahead * self.gain


class Android(Policy):
    def __init__(self, MOST: float = 8000.0, SHARE: float = 0.5) -> None:
        self.most, self.share = MOST, SHARE
        self.v, self.delta = (0.0, 0.0), 0.0

    def sample(self, elapsed: int, dx: float, dy: float) -> None:
        self.delta = float(elapsed)
        self.v = (dx / elapsed, dy / elapsed) if 2000 <= elapsed <= 20_000 else (0.0, 0.0)

    def xy(self, age: int, ahead: int) -> tuple[float, float]:
        until = min(ahead, self.most, self.delta * self.share)
        return self.v[0] * until, self.v[1] * until


class Remembering(Policy):
    """Times and places of the samples of this movement, each since the one before."""

    def __init__(self) -> None:
        self.moves: list[Sample] = []

    def points(self, count: int, axis: int, unit: float) -> list[tuple[float, float]]:
        """The newest so many samples: time and place beside the newest, which comes first."""
        time, place, found = 0.0, 0.0, [(0.0, 0.0)]
        for move in reversed(self.moves[-(count - 1) :] if count > 1 else []):
            time -= move[0] / unit
            place -= move[1 + axis]
            found.append((time, place))
        return found


class Line(Remembering):
    def __init__(self, SAMPLES: int = 4, GAIN: float = 1.0) -> None:
        super().__init__()
        self.many, self.gain = SAMPLES, GAIN

    def sample(self, elapsed: int, dx: float, dy: float) -> None:
        if elapsed > 40_000:
            self.moves = []
            self.hidden = True
        self.moves.append((elapsed, dx, dy))

    def xy(self, age: int, ahead: int) -> tuple[float, float]:
        return self.slope(0) * ahead * self.gain, self.slope(1) * ahead * self.gain

    def slope(self, axis: int) -> float:
        # The first movement of all leads from nowhere: its own sample is the first of the line.
        points = self.points(min(self.many, len(self.moves)), axis, 1)
        points = [points[0], *(point for point in points[1:] if point[0] >= -40_000)]
        if len(points) < 2:
            return 0.0
        time = sum(point[0] for point in points[1:]) / len(points)
        place = sum(point[1] for point in points[1:]) / len(points)
        over = under = 0.0
        for t, p in points:
            over += (t - time) * (p - place)
            under += (t - time) ** 2
        return over / under


class Parabola(Remembering):
    def __init__(self, SAMPLES: int = 3, GAIN: float = 1.0, ANEW: int = 20_000) -> None:
        super().__init__()
        self.many, self.gain, self.anew = SAMPLES, GAIN, ANEW

    def sample(self, elapsed: int, dx: float, dy: float) -> None:
        if elapsed > self.anew:
            self.moves = []
        self.moves.append((elapsed, dx, dy))

    def xy(self, age: int, ahead: int) -> tuple[float, float]:
        return self.place(0, ahead / 1000), self.place(1, ahead / 1000)

    def place(self, axis: int, until: float) -> float:
        if len(self.moves) < self.many:
            return 0.0
        s, q = [0.0] * 5, [0.0] * 3
        for t, p in self.points(self.many, axis, 1000.0):
            power = 1.0
            for k in range(5):
                s[k] += power
                if k < 3:
                    q[k] += p * t * t if k == 2 else p * t if k == 1 else p
                power *= t
        m1, m2, m3 = s[2] * s[4] - s[3] * s[3], s[1] * s[4] - s[2] * s[3], s[1] * s[3] - s[2] * s[2]
        whole = s[0] * m1 - s[1] * m2 + s[2] * m3
        if not whole > 1e-9:
            return 0.0
        u, w, v = q[1] * s[4] - q[2] * s[3], q[1] * s[3] - q[2] * s[2], s[1] * q[2] - s[2] * q[1]
        a = (q[0] * m1 - s[1] * u + s[2] * w) / whole
        b = (s[0] * u - q[0] * m2 + s[2] * v) / whole
        c = (s[0] * (s[2] * q[2] - s[3] * q[1]) - s[1] * v + q[0] * m3) / whole
        return (a + b * until + c * until * until) * self.gain


class Filter:
    """Kalman's, of place, velocity and acceleration."""

    def __init__(self, process: float, measurement: float) -> None:
        self.process, self.measurement = process, measurement
        self.state = [0.0, 0.0, 0.0]
        self.p = [[1.0 if i == j else 0.0 for j in range(3)] for i in range(3)]
        self.updates = 0

    def update(self, observed: float, dt: float) -> None:
        self.updates += 1
        if self.updates == 1:
            self.state[0] = observed
            return
        half = 0.5 * dt * dt
        noise = [half, dt, 1.0]
        s, p = self.state, self.p
        s[0], s[1] = s[0] + (dt * s[1] + half * s[2]), s[1] + dt * s[2]
        rows = [
            [p[0][j] + dt * p[1][j] + half * p[2][j] for j in range(3)],
            [p[1][j] + dt * p[2][j] for j in range(3)],
            list(p[2]),
        ]
        q = [
            [
                row[0] + dt * row[1] + half * row[2] + self.process * n * noise[0],
                row[1] + dt * row[2] + self.process * n * noise[1],
                row[2] + self.process * n * noise[2],
            ]
            for row, n in zip(rows, noise, strict=True)
        ]
        total, off = q[0][0] + self.measurement, observed - s[0]
        for i in range(3):
            gain = q[i][0] / total
            s[i] += gain * off
            self.p[i] = [q[i][j] - gain * q[0][j] for j in range(3)]


class Kalman(Policy):
    def __init__(
        self,
        PROCESS: float = 0.01,
        MEASUREMENT: float = 1.0,
        VELOCITY: float = 1.0,
        ACCELERATION: float = 0.5,
        ANEW: int = 20_000,
    ) -> None:
        self.numbers = PROCESS, MEASUREMENT
        self.influences = VELOCITY, ACCELERATION
        self.limit = ANEW
        self.anew()

    def anew(self) -> None:
        self.x, self.y, self.times = (Filter(*self.numbers) for _ in range(3))
        self.at = [0.0, 0.0]

    def sample(self, elapsed: int, dx: float, dy: float) -> None:
        if elapsed > self.limit:
            self.anew()
        else:
            self.times.update(elapsed / 1000, 0.0)
        self.at = [self.at[0] + dx, self.at[1] + dy]
        self.x.update(self.at[0], self.times.state[0])
        self.y.update(self.at[1], self.times.state[0])

    def xy(self, age: int, ahead: int) -> tuple[float, float]:
        until = ahead / 1000
        velocity, acceleration = self.influences
        if self.x.updates < 4:
            return 0.0, 0.0
        x, y = (f.state[1] * velocity * until + f.state[2] * acceleration * until * until for f in (self.x, self.y))
        return x, y


class DoubleExponential(Policy):
    def __init__(self, ALPHA: float = 0.5, ANEW: int = 40_000) -> None:
        self.alpha, self.anew = ALPHA, ANEW
        self.interval = 0.0
        self.smooth = [[0.0, 0.0], [0.0, 0.0]]

    def sample(self, elapsed: int, dx: float, dy: float) -> None:
        if elapsed > self.anew:
            self.smooth = [[0.0, 0.0], [0.0, 0.0]]
            return
        self.interval = self.interval + (elapsed - self.interval) * 0.125 if self.interval else float(elapsed)
        for pair, moved in zip(self.smooth, (dx, dy), strict=True):
            pair[0] = (1 - self.alpha) * (pair[0] - moved)
            pair[1] = self.alpha * pair[0] + (1 - self.alpha) * (pair[1] - moved)

    def xy(self, age: int, ahead: int) -> tuple[float, float]:
        if not self.interval:
            return 0.0, 0.0
        steps = ahead / self.interval * (self.alpha / (1 - self.alpha))
        x, y = ((2 + steps) * once - (1 + steps) * twice for once, twice in self.smooth)
        return x, y


class OneEuro(Policy):
    def __init__(
        self,
        LEAST_CUTOFF: float = 1.0,
        BETA: float = 0.0,
        VELOCITY_CUTOFF: float = 1.0,
        GAIN: float = 1.0,
        ANEW: int = 40_000,
    ) -> None:
        self.least, self.beta, self.cutoff, self.gain, self.anew = LEAST_CUTOFF, BETA, VELOCITY_CUTOFF, GAIN, ANEW
        self.axes = [[0.0, 0.0], [0.0, 0.0]]

    @staticmethod
    def weight(cutoff: float, seconds: float) -> float:
        r = 6.283185307179586 * cutoff * seconds
        return r / (r + 1)

    def sample(self, elapsed: int, dx: float, dy: float) -> None:
        if elapsed > self.anew:
            self.axes = [[0.0, 0.0], [0.0, 0.0]]
            return
        seconds = elapsed / 1e6
        for axis, moved in zip(self.axes, (dx, dy), strict=True):
            before = axis[0] - moved
            axis[1] += self.weight(self.cutoff, seconds) * (moved / seconds - axis[1])
            axis[0] = before * (1 - self.weight(self.least + self.beta * abs(axis[1]), seconds))

    def xy(self, age: int, ahead: int) -> tuple[float, float]:
        x, y = (place + velocity * (ahead / 1e6) * self.gain for place, velocity in self.axes)
        return x, y


HAND_MADE: dict[str, Any] = {
    "hold": Policy,
    "reckon": Reckon,
    "android": Android,
    "line": Line,
    "parabola": Parabola,
    "kalman": Kalman,
    "double_exponential": DoubleExponential,
    "one_euro": OneEuro,
}
"""By name: a class whose keywords are the knobs."""


# --- policies that use all that they are told


class Erratic(Policy):
    """Answers depend on all that it is told."""

    def __init__(self) -> None:
        self.sum, self.calls = 0.0, 0

    def sample(self, elapsed: int, dx: float, dy: float) -> None:
        self.sum = self.sum * 0.5 + elapsed / 1000 * 0.25 + dx - dy * 0.75
        self.calls += 1

    def xy(self, age: int, ahead: int) -> tuple[float, float]:
        if self.calls % 97 == 0:
            return math.nan, math.inf
        return self.sum + age / 4096, self.sum * 0.5 - ahead / 2048


ERRATIC_C = """
#include "kn_window_manager.h"
static f64 sum;
static u32 calls;
void kn_init(void) { sum = 0; calls = 0; }
void kn_sample(u32 elapsed, f64 dx, f64 dy) {
    sum = sum * 0.5 + elapsed / 1000.0 * 0.25 + dx - dy * 0.75;
    calls++;
}
f64 kn_x(u32 age, u32 ahead) { return calls % 97 ? sum + age / 4096.0 : __builtin_nan(""); }
f64 kn_y(u32 age, u32 ahead) { return calls % 97 ? sum * 0.5 - ahead / 2048.0 : __builtin_inf(); }
"""


class Rank(Policy):
    """All that the rank ABI keeps, and a pure function of it."""

    def __init__(self) -> None:
        self.moves: list[tuple[float, float, float]] = []
        self.products = self.squares = 0.0

    def sample(self, elapsed: int, dx: float, dy: float) -> None:
        now = (elapsed / 1000, dx, dy)
        before = self.moves[-1] if self.moves else (200.0, 0.0, 0.0)
        px, py = before[1] / before[0], before[2] / before[0]
        self.products = 0.875 * self.products + (now[1] / now[0] * px + now[2] / now[0] * py)
        self.squares = 0.875 * self.squares + (px * px + py * py)
        self.moves = [*self.moves[-63:], now]

    def features(self, age: int, ahead: int) -> list[dict[str, float]]:
        back = [*reversed(self.moves), *[(200.0, 0.0, 0.0)] * 64][:64]
        span, ways = 0.0, [0.0, 0.0]
        for at, (elapsed, dx, dy) in enumerate(back):
            if at and span + elapsed > 50:
                break
            span, ways = span + elapsed, [ways[0] + dx, ways[1] + dy]
        axes: list[dict[str, Any]] = []
        for axis in (1, 2):
            v = [move[axis] / move[0] for move in back[:4]]
            points = [(0.0, 0.0)]
            for move in back[:3]:
                points.append((points[-1][0] - move[0], points[-1][1] - move[axis]))
            time = sum(point[0] for point in points[1:]) / 4
            place = sum(point[1] for point in points[1:]) / 4
            over = under = 0.0
            for t, p in points:
                over += (t - time) * (p - place)
                under += (t - time) * (t - time)
            axes.append({"v": v, "mean": ways[axis - 1] / span, "fit": over / under})
        (h, w) = axes

        def length(a: float, b: float) -> float:
            return math.sqrt(a * a + b * b)

        speed, slower = length(h["v"][0], w["v"][0]), length(h["v"][1], w["v"][1])
        both = speed * slower
        common = {
            "ahead": ahead / 1000,
            "age": age / 1000,
            "gap": back[0][0],
            "before": back[1][0],
            "speed": speed,
            "slower": slower,
            "pace": length(h["mean"], w["mean"]),
            "turn": (h["v"][0] * h["v"][1] + w["v"][0] * w["v"][1]) / both if both > 0 else 0.0,
            "kept": self.products / self.squares if self.squares > 0 else 0.0,
        }
        return [
            {**{f"v{at + 1}": each for at, each in enumerate(a["v"])}, "mean": a["mean"], "fit": a["fit"], **common}
            for a in axes
        ]

    def xy(self, age: int, ahead: int) -> tuple[float, float]:
        x, y = (self.answer(**features) for features in self.features(age, ahead))
        return x, y

    @staticmethod
    def answer(**f: float) -> float:
        return (
            f["v1"] * f["ahead"] * 0.5
            + f["v2"] * f["age"]
            - f["v3"] * 0.25
            + f["v4"] * 0.125
            + f["mean"] * f["gap"] * 0.5
            + f["fit"] * f["before"] * 0.25
            + (f["speed"] - f["slower"]) * f["turn"]
            + f["pace"] * 0.5
            + f["kept"]
        )


RANK_C = """
#include "kn_window_manager.h"
f64 kn_move(f64 v1, f64 v2, f64 v3, f64 v4, f64 mean, f64 fit, f64 ahead, f64 age, f64 gap, f64 before, f64 speed,
            f64 slower, f64 pace, f64 turn, f64 kept) {
    return v1 * ahead * 0.5 + v2 * age - v3 * 0.25 + v4 * 0.125 + mean * gap * 0.5 + fit * before * 0.25
         + (speed - slower) * turn + pace * 0.5 + kept;
}
"""
