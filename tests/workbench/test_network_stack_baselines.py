"""
The hand-made senders of network_stack: a hand-computed answer for each, asked directly and on links of constant rate.

RFC 5681 and 9438, Brakmo 1995, Cardwell 2016 and Arun 2018 say what the answers should be; the baselines' own files
have the full references.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import wasmtime
from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import SplitScore
from kernelnet.workbench.engine import engine
from kernelnet.workbench.network_stack import workbench
from kernelnet.workbench.network_stack.machine import NetworkStackMachine
from kernelnet.workbench.network_stack.trace import makeTrace
from kernelnet.workbench.sandbox import loadModule
from tests.workbench.network_stack_support import fixed


class Sender:
    """A baseline, asked directly; keeps what a driver would tell it."""

    def __init__(self, name: str) -> None:
        self._store = wasmtime.Store(engine())
        self._store.set_fuel(1 << 40)
        self._store.set_epoch_deadline(1 << 40)
        module = loadModule(workbench.baselineModule(name))
        exports: Any = wasmtime.Instance(self._store, module, []).exports(self._store)
        self._exports = exports
        self.window: float = exports["kn_init"](self._store)
        self.delivered = self.now = 0

    def elapsed(self, now: int) -> int:
        before, self.now = self.now, now
        return now - before

    def acks(self, count: int, now: int, rtt: int, *, before: int = 0, inflight: int = 0, rate: float = 0.0) -> float:
        for _ in range(count):
            self.delivered += 1
            arguments = (self.elapsed(now), rtt, self.delivered - before, inflight, rate)
            self.window = self._exports["kn_ack"](self._store, *arguments)
        return self.window

    def loss(self, now: int, lost: int, inflight: int, fresh: int = 1) -> float:
        self.window = self._exports["kn_loss"](self._store, self.elapsed(now), lost, fresh, inflight)
        return self.window

    def timeout(self, now: int, lost: int) -> float:
        self.window = self._exports["kn_timeout"](self._store, self.elapsed(now), lost)
        return self.window

    @property
    def pace(self) -> float:
        rate: float = self._exports["kn_rate"](self._store)
        return rate


class Case(SynchronousTestCase):
    def steadily(self, name: str, every: int = 1, **settings: int) -> SplitScore:
        """Held-out of a link of 40 s that takes a packet each C{every} milliseconds; the round trip takes 40."""
        link = np.zeros(40_000, np.uint16)
        link[::every] = 1
        machine = NetworkStackMachine(makeTrace(link, Path("constant")))
        self.addCleanup(machine.close)
        path = {"rtt_ms": 40, "queue_packets": 1000, "loss_permille": 0, "flows": 1} | settings
        return machine.run(workbench.baselineModule(name), path)["held_out"]


class RenoTests(Case):
    def test_slowStart(self) -> None:
        """RFC 5681 (2): one more for each acknowledged packet, so twice as many after each round trip."""
        reno = Sender("reno")
        self.assertEqual(reno.window, 10.0)
        self.assertEqual(reno.acks(10, 40, 40), 20.0)
        self.assertEqual(reno.acks(20, 80, 40), 40.0)
        self.assertEqual(reno.pace, 0.0)

    def test_halves(self) -> None:
        """RFC 5681 (4): half of what was in flight after a loss, once a round; then one more a round trip."""
        reno = Sender("reno")
        reno.acks(10, 40, 40)
        self.assertEqual(reno.loss(50, lost=1, inflight=19), 10.0)
        self.assertEqual(reno.loss(51, lost=3, inflight=15, fresh=0), 10.0)
        # Packets that were sent before the loss was found: recovery goes on.
        self.assertEqual(reno.acks(5, 60, 40, before=10), 10.0)
        self.assertEqual(reno.acks(1, 90, 40, before=11), 10.1)
        window = 10.1
        for _ in range(9):
            window += 1 / window
        self.assertEqual(reno.acks(9, 90, 40, before=12), window)
        self.assertTrue(10.9 < window < 11.0)

    def test_timeout(self) -> None:
        """RFC 5681 3.1: window 1 after a timeout; slow start to half of what was in flight, and slowly from there."""
        reno = Sender("reno")
        self.assertEqual(reno.timeout(1000, lost=10), 1.0)
        self.assertEqual(reno.acks(4, 1040, 40), 5.0)
        self.assertEqual(reno.acks(1, 1080, 40), 5.2)

    def test_least(self) -> None:
        """RFC 5681 (4): never less than two packets after a loss."""
        self.assertEqual(Sender("reno").loss(50, lost=1, inflight=0), 2.0)

    def test_link(self) -> None:
        """On a constant link it fills the queue: 40 packets on the way, 1000 waiting, so at most 1040 ms."""
        held = self.steadily("reno")
        self.assertEqual(held.metrics["utilisation_permille"], 1000)
        # Halved about 1040 is 520, and it grows by one a round trip: 20 s don't suffice to fill it once more.
        self.assertTrue(500 < held.metrics["mean_rtt_ms"] < 600, held.metrics)
        # With a queue of 40 the sawtooth is between 40 and 80: never idle, 60 ms in the mean.
        held = self.steadily("reno", queue_packets=40)
        self.assertGreaterEqual(held.metrics["utilisation_permille"], 998)
        self.assertTrue(58 <= held.metrics["mean_rtt_ms"] <= 63, held.metrics)
        self.assertTrue(5 <= held.metrics["lost_packets"] <= 12, held.metrics)


class CubicTests(Case):
    def test_reduces(self) -> None:
        """RFC 9438 4.6: seven tenths of what was in flight after a loss."""
        cubic = Sender("cubic")
        self.assertEqual(cubic.acks(90, 40, 40), 100.0)
        self.assertEqual(cubic.loss(50, lost=1, inflight=99), 70.0)

    def test_curve(self) -> None:
        """RFC 9438 4.2: back at the plateau after K = cbrt((100 - 70) / 0.4) = 4.217 s, on a curve."""
        cubic = Sender("cubic")
        cubic.acks(90, 0, 100)
        cubic.loss(0, lost=1, inflight=99)
        plateau, k = 100.0, (30 / 0.4) ** (1 / 3)
        self.assertAlmostEqual(k, 4.217, 3)
        for now in range(0, 8000, 100):
            # A round trip's acknowledgements take it most of the way to where the curve will be then.
            cubic.acks(round(cubic.window), now, 100, before=1000)
            expected = plateau + 0.4 * ((now + 100) / 1000 - k) ** 3
            # Reno's window grows by 9/17 a round trip: 70 + 4.2 after 800 ms, where the curve is at 83.
            self.assertLess(abs(cubic.window - expected), 2.5 if now < 5500 else 5, now)
        self.assertGreater(cubic.window, 115.0)

    def test_step(self) -> None:
        """RFC 9438 4.4: an acknowledgement takes it a 1/cwnd of the way to the curve a round trip ahead."""
        cubic = Sender("cubic")
        cubic.acks(90, 0, 100)
        cubic.loss(0, lost=1, inflight=99)
        window = cubic.acks(1, 0, 100, before=1000)
        # 3.1 s are 1.117 before the plateau: 100 - 0.4 * 1.117^3 = 99.44.
        target = 100 + 0.4 * (3.1 - 75 ** (1 / 3)) ** 3
        self.assertAlmostEqual(target, 99.44, 2)
        self.assertAlmostEqual(cubic.acks(1, 3000, 100, before=1000), window + (target - window) / window, 9)

    def test_friendly(self) -> None:
        """RFC 9438 4.3: where Reno's window would be larger, that one: 9/17 more a round trip."""
        cubic = Sender("cubic")
        cubic.acks(10, 0, 10)
        cubic.loss(0, lost=1, inflight=19)
        self.assertEqual(cubic.window, 14.0)
        # 20 ms after the epoch began: the curve is at 19.999 - 6 + … = 14.09, Reno's estimate after one round at 14.53.
        cubic.acks(1, 0, 10, before=1000)
        cubic.acks(13, 10, 10, before=1000)
        self.assertAlmostEqual(cubic.window, 14.0 + 14 * (9 / 17) / 14, 1)

    def test_fastConvergence(self) -> None:
        """RFC 9438 4.7: a second loss below the first one's window makes the plateau lower: 0.85 of it."""
        cubic = Sender("cubic")
        cubic.acks(90, 0, 500)
        cubic.loss(0, lost=1, inflight=99)
        cubic.loss(100, lost=1, inflight=69)
        self.assertAlmostEqual(cubic.window, 49.0)
        # The plateau is 59.5, K = cbrt(10.5 / 0.4) = 2.972 s; without it the curve would be at 75 by then.
        for now in range(200, 3300, 500):
            cubic.acks(round(cubic.window), now, 500, before=1000)
        self.assertLess(abs(cubic.window - 59.5), 1)

    def test_link(self) -> None:
        """On a constant link with a queue of 40 it is between 56 and 80 packets: never idle."""
        held = self.steadily("cubic", queue_packets=40)
        self.assertEqual(held.metrics["utilisation_permille"], 1000)
        self.assertTrue(68 <= held.metrics["mean_rtt_ms"] <= 80, held.metrics)


class VegasTests(Case):
    def test_slowStart(self) -> None:
        """Brakmo 3.3: the window doubles in every other round; out of it when more than one packet waits."""
        vegas = Sender("vegas")
        # The first round ends with its first acknowledgement, and the next doubles.
        windows = [vegas.acks(1, 40, 40, before=0)]
        for _ in range(4):
            before = vegas.delivered
            vegas.acks(int(vegas.window) - 1, 80, 40, before=0)
            windows.append(vegas.acks(1, 80, 40, before=before))
        self.assertEqual(windows, [10.0, 20.0, 20.0, 40.0, 40.0])
        # Doubled, 80 packets at 50 ms: 80 * 10 / 50 = 16 wait.  The path takes 64 without waiting, and one more.
        vegas.acks(39, 200, 50, before=0)
        self.assertEqual(vegas.acks(1, 200, 50, before=vegas.delivered), 65.0)

    def test_avoidance(self) -> None:
        """Brakmo 3.2: one more while fewer than 2 packets wait, one less while more than 4 do, else as it was."""
        vegas = Sender("vegas")
        vegas.acks(1, 40, 100)
        vegas.loss(50, lost=1, inflight=39)
        self.assertEqual(vegas.window, 20.0)

        def roundOf(rtt: int) -> float:
            vegas.acks(5, 100, rtt, before=1)
            return vegas.acks(1, 100, rtt, before=10_000)

        # A round ends when a packet is acknowledged that was sent after it began; that of 10,000 always was.
        self.assertEqual(roundOf(100), 21.0)
        self.assertEqual(roundOf(105), 22.0)  # 21 * 5 / 105 = 1.0
        self.assertEqual(roundOf(115), 22.0)  # 22 * 15 / 115 = 2.9
        self.assertEqual(roundOf(130), 21.0)  # 22 * 30 / 130 = 5.1

    def test_once(self) -> None:
        """A window that is made smaller after slow start takes ssthresh along: it isn't slow start again."""
        vegas = Sender("vegas")
        vegas.acks(1, 40, 100, before=0)
        vegas.acks(20, 100, 100, before=0)
        vegas.acks(1, 125, 120, before=vegas.delivered)
        windows = []
        for _ in range(4):
            before = vegas.delivered
            vegas.acks(4, 100, 125, before=0)
            windows.append(vegas.acks(1, 125, 125, before=before))
        # Each time 25 / 125 of it wait, which is more than 4; the first time that ends slow start.
        self.assertEqual([windows[0] - each for each in windows], [0, 1, 2, 3])

    def test_link(self) -> None:
        """On a constant link 2 to 4 packets wait: 42 to 44 ms, and nothing is lost or idle."""
        held = self.steadily("vegas")
        self.assertTrue(42 <= held.metrics["mean_rtt_ms"] <= 44, held.metrics)
        self.assertEqual(held.metrics["lost_packets"], 0)
        self.assertEqual(held.metrics["utilisation_permille"], 1000)


class BbrTests(Case):
    def test_startup(self) -> None:
        """Cardwell: it paces at 2 / ln 2 of the largest rate until that grows no more in three rounds."""
        bbr = Sender("bbr")
        bbr.acks(1, 40, 40, before=0, inflight=9, rate=1.0)
        self.assertAlmostEqual(bbr.pace, 2.885)
        # Rounds with a rate that doubles, then three that don't: the last of them drains.
        for at, rate in enumerate((2.0, 4.0, 4.0, 4.0)):
            bbr.acks(1, 80 + 40 * at, 40, before=bbr.delivered, inflight=500, rate=rate)
        self.assertAlmostEqual(bbr.pace, 2.885 * 4)
        bbr.acks(1, 240, 40, before=bbr.delivered, inflight=500, rate=4.0)
        self.assertAlmostEqual(bbr.pace, 4 / 2.885)
        # What is in flight is down to the product of rate and delay, 160: it cruises.
        bbr.acks(1, 280, 40, before=bbr.delivered, inflight=160, rate=4.0)
        self.assertAlmostEqual(bbr.pace, 4.0)

    def test_cycle(self) -> None:
        """Eight phases of a least rtt each: a quarter more, a quarter less, and six times as it is."""
        bbr = Sender("bbr")
        for at in range(5):
            bbr.acks(1, 40 + 40 * at, 40, before=bbr.delivered, inflight=200, rate=1.0)
        paces = []
        for at in range(16):
            bbr.acks(1, 300 + 41 * at, 40, before=bbr.delivered, inflight=50 if bbr.pace > 1 else 40, rate=1.0)
            paces.append(bbr.pace)
        start = paces.index(1.25)
        self.assertEqual(paces[start : start + 8], [1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])

    def test_probeRtt(self) -> None:
        """After ten seconds without a lower rtt: four packets for 200 ms."""
        bbr = Sender("bbr")
        bbr.acks(1, 40, 40, inflight=9, rate=1.0)
        bbr.acks(1, 10_040, 60, inflight=9, rate=1.0)
        self.assertGreater(bbr.window, 4.0)
        self.assertEqual(bbr.acks(1, 10_041, 60, inflight=9, rate=1.0), 4.0)
        self.assertEqual(bbr.acks(1, 10_100, 60, inflight=4, rate=1.0), 4.0)
        self.assertEqual(bbr.acks(1, 10_299, 60, inflight=4, rate=1.0), 4.0)
        self.assertGreater(bbr.acks(2, 10_300, 60, inflight=4, rate=1.0), 4.0)

    def test_link(self) -> None:
        """On a constant link it takes nearly all, at little more than the round trip."""
        held = self.steadily("bbr")
        self.assertGreater(held.metrics["utilisation_permille"], 960)
        self.assertLess(held.metrics["mean_rtt_ms"], 50)
        self.assertEqual(held.metrics["lost_packets"], 0)


class CopaTests(Case):
    def test_slowStart(self) -> None:
        """Arun 2.2: slow start doubles each round while the rate is below the target; nothing waits here."""
        copa = Sender("copa")
        self.assertEqual(copa.acks(10, 40, 40), 20.0)
        # 2 * window / standing rtt
        self.assertEqual(copa.pace, 1.0)

    def test_target(self) -> None:
        """Arun (1): with delta 0.5 the target is where two packets wait: the window falls above and grows below."""
        copa = Sender("copa")
        copa.acks(10, 40, 40)
        # The standing rtt is 45 after more than half a smoothed one: 20 / 45 > 1 / (0.5 * 5), so slow start ends.
        window = copa.acks(1, 100, 45)
        self.assertEqual(window, 20.0 - 1 / (0.5 * 20.0))
        # 41 ms: 1 ms waiting, and 19.9 / 41 < 1 / 0.5: upwards by 1 / (delta * window).
        self.assertEqual(copa.acks(1, 200, 41), window + 1 / (0.5 * window))

    def test_velocity(self) -> None:
        """Arun 2.1: after three rounds the same way the step doubles with each; a turn makes it 1 again."""
        copa = Sender("copa")
        copa.acks(190, 40, 40)
        copa.acks(1, 100, 80)
        steps = []
        for at in range(8):
            window = copa.window
            copa.acks(1, 200 + 200 * at, 80, before=copa.delivered)
            steps.append(round((window - copa.window) * 0.5 * window))
        # Each round here has one acknowledgement, which ends it first.
        self.assertEqual(steps[:3], [1, 1, 1])
        self.assertEqual(steps[3:7], [2 ** (at + 1) for at in range(4)])

    def test_link(self) -> None:
        """On a constant link few packets wait, and nothing is lost."""
        held = self.steadily("copa")
        self.assertTrue(40 <= held.metrics["mean_rtt_ms"] <= 46, held.metrics)
        self.assertGreater(held.metrics["utilisation_permille"], 950)
        self.assertEqual(held.metrics["lost_packets"], 0)


class ScoreTests(Case):
    """What the score is, on links where a window of one's own decides it."""

    def test_byHand(self) -> None:
        """Half the rate costs a bit a second, twice the delay another one."""
        link = np.ones(20_000, np.uint16)
        machine = NetworkStackMachine(makeTrace(link, Path("constant")))
        self.addCleanup(machine.close)
        path = {"rtt_ms": 40, "queue_packets": 1000, "loss_permille": 0, "flows": 1}
        for window, expected in (
            (40, 0.0),
            (20, 10 * math.log2(1001 / 501)),
            (10, 10 * math.log2(1001 / 251)),
            (80, 10.0),
            (160, 20.0),
        ):
            held = machine.run(fixed(window), path)["held_out"]
            self.assertEqual(held.score, int(1000 * expected), window)
