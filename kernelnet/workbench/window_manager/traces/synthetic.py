"""
Makes the SYNTHETIC movements that ship with the bench: ``python synthetic.py office|drawing|touch OUTPUT.pointer.xz``.

No person made them: recordings of people were at hand, but none with a licence to pass them on.  They follow published
models of human pointing, with each user's numbers drawn anew:

- how long a movement to a target takes: Fitts' law, C{a + b log2(D / W + 1)} (P. M. Fitts, The information capacity of
  the human motor system, J. Experimental Psychology 47(6), 1954, in the form of I. S. MacKenzie, Human-Computer
  Interaction 7, 1992);
- its course: the place of least jerk, C{10 s^3 - 15 s^4 + 6 s^5} (T. Flash and N. Hogan, The coordination of arm
  movements, J. Neuroscience 5(7), 1985);
- that it misses, and is corrected: one large movement, and smaller ones that begin before it has ended, with errors
  in proportion to their length (D. E. Meyer et al., Optimality in human motor performance: ideal control of rapid aimed
  movements, Psychological Review 95(3), 1988), as noise is larger in stronger signals (C. M. Harris and D. M.
  Wolpert, Signal-dependent noise determines motor planning, Nature 394, 1998);
- curves: the slower the narrower they are: angular speed goes with curvature to the power of 2/3 (F. Lacquaniti, C.
  Terzuolo and P. Viviani, Acta Psychologica 54, 1983);
- that hands tremble, at 8 to 12 Hz (R. J. Elble and W. C. Koller, Tremor, 1990).

What is set by us, and by nobody's measurement: sizes of screens and targets, pauses, how large errors, tremor and
jitter of devices are, and how they are distributed.

- C{office}: six users with mice of 125 Hz (two of them with 62.5 Hz), whole pixels: targets on a desktop, one after
  the other.
- C{drawing}: four users with pens of 133 to 240 Hz, hundredths of pixels: loops, arcs and words that are none.
- C{touch}: five users with fingers on screens of 60 to 120 Hz, tenths of pixels: drags that begin and end in rest, and
  flicks that end in motion.

The same seed makes the same movements with the same version of Python.
"""

from __future__ import annotations

import lzma
import math
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

TICK, TICK_US = 125e-6, 125
"""A device's times are whole multiples of it, in seconds and microseconds: a microframe of USB."""

MUSCLE = 0.04
"""Seconds that a muscle's noise lasts."""

EYE = 0.25
"""Seconds in which the eye sees an error, and the hand makes it good."""

Place = tuple[float, float]
Way = Callable[[float], Place]
"""Place by time, seconds."""

HEAD = (
    "# kernelnet pointer 1\n# synthetic: made by kernelnet/workbench/window_manager/traces/synthetic.py, by no person\n"
)


@dataclass(frozen=True)
class Device:
    """
    @ivar interval: seconds between reports; C{jitter}: their standard deviation.
    @ivar grain: pixels that places are whole multiples of.
    @ivar noise: standard deviation of a place, pixels.
    @ivar silent: nothing is reported where the place is the same.
    """

    interval: float
    jitter: float
    grain: float
    noise: float
    silent: bool


class Hand:
    """One user's: how fast, how exact, how steady."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.a, self.b = rng.uniform(0.02, 0.12), rng.uniform(0.09, 0.19)
        self.miss = rng.uniform(0.03, 0.09)
        self.short = rng.uniform(0.9, 1.0)
        self.bow = rng.uniform(0.02, 0.10)
        self.tremor = rng.uniform(0.1, 0.6)
        self.frequency = rng.uniform(8, 12)
        self.unsteady = rng.uniform(0.06, 0.18)
        self.strength = rng.uniform(0.15, 0.4)

    def aimed(self, start: Place, target: Place, width: float) -> tuple[Way, float]:
        """
        A movement from one place to another, with its corrections.

        @return: the way, and how many seconds it takes.
        """
        rng, moves = self.rng, []
        at, begin, end = start, 0.0, 0.0
        for number in range(6):
            dx, dy = target[0] - at[0], target[1] - at[1]
            distance = math.hypot(dx, dy)
            if distance < width / 2:
                break
            share = self.short if number == 0 else 1.0
            duration = (self.a + self.b * math.log2(distance / width + 1)) * rng.lognormvariate(0, 0.12)
            duration = max(0.09, duration if number == 0 else 0.8 * duration)
            # Along the way the error is larger than across it.
            along = share * (1 + rng.gauss(0, self.miss))
            across = rng.gauss(0, self.miss * 0.4)
            by = (dx * along - dy * across, dy * along + dx * across)
            bow = rng.gauss(0, self.bow) * distance
            moves.append((begin, duration, by, (-by[1] / distance * bow, by[0] / distance * bow)))
            at = (at[0] + by[0], at[1] + by[1])
            end = begin + duration
            # The eye sees the error before the hand has come to rest.
            begin += duration * rng.uniform(0.6, 1.05)

        def way(time: float) -> Place:
            x, y = start
            for first, duration, by, side in moves:
                s = min(1.0, max(0.0, (time - first) / duration))
                done, bowed = s**3 * (10 - 15 * s + 6 * s * s), 16 * (s * (1 - s)) ** 2
                x += by[0] * done + side[0] * bowed
                y += by[1] * done + side[1] * bowed
            return x, y

        return way, end

    def shaken(self, way: Way, scale: float) -> Way:
        """
        A way with unsteady time, noise as strong as the motion, and tremor on it; to be asked in the order of time.

        @param scale: pixels that a steady hand's tremor has.
        """
        rng = self.rng
        phases = [rng.uniform(0, 2 * math.pi) for _ in range(6)]
        slow = [rng.uniform(1.5, 5.0) for _ in range(3)]
        last: list[float] = [0.0, *way(0.0)]
        noise = [0.0, 0.0]
        off = [0.0, 0.0]

        def place(time: float) -> Place:
            # The hand is now ahead of its plan, now behind it.
            late = sum(math.sin(2 * math.pi * f * time + p) / f for f, p in zip(slow, phases, strict=False))
            x, y = way(max(0.0, time + self.unsteady * late / 10))
            # A force of so many hundredths of a second, in proportion to the speed, along and across.
            kept = math.exp(-abs(time - last[0]) / MUSCLE)
            dx, dy = x - last[1], y - last[2]
            for axis in range(2):
                noise[axis] = kept * noise[axis] + math.sqrt(1 - kept * kept) * rng.gauss(0, self.strength)
            off[0] += dx * noise[0] - dy * noise[1] * 0.5
            off[1] += dy * noise[0] + dx * noise[1] * 0.5
            # What is seen to be wrong is made good.
            off[0], off[1] = off[0] * kept ** (MUSCLE / EYE), off[1] * kept ** (MUSCLE / EYE)
            last[:] = [time, x, y]
            x, y = x + off[0], y + off[1]
            turn = 2 * math.pi * self.frequency * time
            return x + scale * self.tremor * math.sin(turn + phases[3]), y + scale * self.tremor * math.sin(
                turn + phases[4]
            )

        return place


class Pointer:
    """A device's reports, as lines of the trace."""

    def __init__(self, device: Device, rng: random.Random) -> None:
        self.device, self.rng = device, rng
        self.lines: list[str] = []
        self.time = 0.0
        self._last: tuple[int, int, int] | None = None
        self._next = 0.0

    def follow(self, way: Way, seconds: float, *, anew: bool = False) -> None:
        """
        Report a way of so many seconds, which begins now.

        @param anew: the pointer is put down elsewhere: what lies between is a pause.
        """
        device, end = self.device, self.time + seconds
        if anew:
            self.time += 1.0
            end += 1.0
        self._next = max(self._next, self.time)
        while self._next < end:
            x, y = (each + self.rng.gauss(0, device.noise) for each in way(self._next - self.time))
            seen = round(max(self.time, self._next + self.rng.gauss(0, device.jitter)) / TICK) * TICK_US
            self._report(seen, round(x / device.grain), round(y / device.grain))
            self._next += device.interval
        self.time = end

    def rest(self, seconds: float) -> None:
        """Nothing moves."""
        self.time += seconds

    def _report(self, time: int, x: int, y: int) -> None:
        if self._last is None:
            self._last = (time, x, y)
            self.lines.append("200000 0 0\n")
            return
        before, from_x, from_y = self._last
        if self.device.silent and (x, y) == (from_x, from_y):
            return
        elapsed = max(TICK_US, time - before)
        dx, dy = ((to - of) * self.device.grain for to, of in ((x, from_x), (y, from_y)))
        self.lines.append(f"{elapsed} {round(dx, 3):.9g} {round(dy, 3):.9g}\n")
        self._last = (before + elapsed, x, y)


def office(rng: random.Random) -> Iterator[list[str]]:
    """Each user's part."""
    for user in range(6):
        hand = Hand(rng)
        pointer = Pointer(Device(0.016 if user % 3 == 2 else 0.008, 0.0004, 1.0, 0.0, silent=True), rng)
        at: Place = (960.0, 540.0)
        while pointer.time < 330:
            width = rng.choice([16, 24, 32, 60, 120])
            if rng.random() < 0.3:
                target = (at[0] + rng.gauss(0, 120), at[1] + rng.gauss(0, 80))
            else:
                target = (rng.uniform(10, 1910), rng.uniform(10, 1070))
            target = (min(1915.0, max(5.0, target[0])), min(1075.0, max(5.0, target[1])))
            way, seconds = hand.aimed(at, target, width)
            seconds += 0.12
            pointer.follow(hand.shaken(way, 0.8), seconds)
            at = way(seconds)
            pointer.rest(rng.lognormvariate(-0.9, 0.8))
        yield pointer.lines


def drawing(rng: random.Random) -> Iterator[list[str]]:
    """Each user's part: curves whose radius changes smoothly, drawn at the speed that it lets."""
    for interval in (1 / 133, 1 / 200, 1 / 240, 1 / 133):
        hand = Hand(rng)
        pointer = Pointer(Device(interval, 0.0003, 0.01, 0.08, silent=False), rng)
        while pointer.time < 95:
            seconds = rng.uniform(0.8, 4.0)
            way = curve(rng, seconds)
            pointer.follow(hand.shaken(way, 0.5), seconds, anew=True)
        yield pointer.lines


def curve(rng: random.Random, seconds: float) -> Way:
    """A way by the power law, from rest to rest, in steps of a millisecond."""
    gain = rng.uniform(250, 700)
    heading, x, y = rng.uniform(0, 2 * math.pi), 0.0, 0.0
    kind = rng.random()
    waves = [(rng.uniform(0.4, 2.2), rng.uniform(0, 2 * math.pi), rng.uniform(0.3, 1.0)) for _ in range(3)]
    turn = rng.choice([-1, 1]) * rng.uniform(1.5, 5) if kind < 0.4 else 0.0
    places: list[Place] = []
    for step in range(int(seconds * 1000) + 2):
        time = step / 1000
        # In each 100 pixels of way it turns by so many radians.
        bend = turn + 4 * sum(size * math.sin(2 * math.pi * f * time + p) for f, p, size in waves)
        radius = 100 / max(0.15, abs(bend))
        eased = min(1.0, time / 0.15, (seconds - time) / 0.15)
        speed = max(0.0, eased * (2 - eased)) * gain * (radius / 100) ** (1 / 3)
        heading += bend / 100 * speed / 1000
        x += math.cos(heading) * speed / 1000
        y += math.sin(heading) * speed / 1000
        places.append((x, y))

    def way(time: float) -> Place:
        at = min(len(places) - 2, max(0, int(time * 1000)))
        rest = time * 1000 - at
        (x0, y0), (x1, y1) = places[at], places[at + 1]
        return x0 + (x1 - x0) * rest, y0 + (y1 - y0) * rest

    return way


def touch(rng: random.Random) -> Iterator[list[str]]:
    """Each user's part: drags, and flicks that leave the screen at full speed."""
    for rate in (60, 90, 120, 120, 60):
        hand = Hand(rng)
        pointer = Pointer(Device(1 / rate, 0.0006, 0.1, 0.4, silent=False), rng)
        while pointer.time < 320:
            start = (rng.uniform(200, 900), rng.uniform(400, 1900))
            # Mostly down or up, as one scrolls.
            angle = (
                rng.choice([-1, 1]) * math.pi / 2 + rng.gauss(0, 0.3)
                if rng.random() < 0.75
                else rng.uniform(0, 2 * math.pi)
            )
            distance = rng.lognormvariate(6.2, 0.5)
            target = (start[0] + distance * math.cos(angle), start[1] + distance * math.sin(angle))
            way, seconds = hand.aimed(start, target, 90)
            if rng.random() < 0.6:
                seconds *= rng.uniform(0.45, 0.7)
            pointer.follow(hand.shaken(way, 0.4), max(0.1, seconds), anew=True)
        yield pointer.lines


KINDS = {"office": (office, 1), "drawing": (drawing, 2), "touch": (touch, 3)}


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in KINDS:
        raise SystemExit(f"usage: python synthetic.py {'|'.join(KINDS)} OUTPUT.pointer.xz")
    make, seed = KINDS[sys.argv[1]]
    parts = list(make(random.Random(seed)))
    # Users take turns, so that each part in time of the trace has all of them.
    rounds = 8
    pieces = [part[len(part) * at // rounds : len(part) * (at + 1) // rounds] for at in range(rounds) for part in parts]
    lines = [line for piece in pieces for line in ["200000 0 0\n", *piece]]
    output = Path(sys.argv[2])
    output.write_bytes(lzma.compress((HEAD + "".join(lines)).encode("ascii"), preset=9 | lzma.PRESET_EXTREME))
    sys.stdout.write(f"{output}: {len(lines)} samples, {output.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
