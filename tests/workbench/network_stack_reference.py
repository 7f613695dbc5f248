"""
A second simulator of senders, queue and link, in plain Python: written for being read, not for being fast.

It shares no code with driver.c, and has lists where that has rings.  `Sender` policies answer as components do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

MASK = (1 << 64) - 1


@dataclass
class Policy:
    """What a component does; this one has a fixed window, and counts what it is told."""

    window: float = 10.0
    pace: float = 0.0
    calls: int = 0

    def init(self) -> float:
        return self.window

    def ack(self, elapsed: int, rtt: int, delivered: int, inflight: int, rate: float) -> float:
        self.calls += 1
        return self.window

    def loss(self, elapsed: int, lost: int, fresh: int, inflight: int) -> float:
        return self.window

    def timeout(self, elapsed: int, lost: int) -> float:
        return self.window

    def rate(self) -> float:
        return self.pace


@dataclass
class Packet:
    flow: int
    number: int
    sent: int
    before: int
    since: int
    arrives: int = -1


@dataclass
class Flow:
    policy: Policy
    started: bool = False
    window: float = 0.0
    pace: float = 0.0
    credit: float = 0.0
    outstanding: list[int] = field(default_factory=list)
    called: int = 0
    next: int = 0
    recover: int = 0
    delivered: int = 0
    last: int = 0
    timer: int = 0
    rto: int = 1000
    srtt8: int = 0
    var4: int = 0
    rtts: list[int] = field(default_factory=list)

    def elapsed(self, now: int) -> int:
        before, self.called = self.called, now
        return now - before

    def answered(self, window: float) -> None:
        pace = self.policy.rate()
        self.window = min(window, 16384.0) if window >= 1 else 1.0
        self.pace = min(pace, 16384.0) if pace > 0 else 0.0


@dataclass
class Result:
    """Of one split."""

    lost: float = 0.0
    rtts: list[int] = field(default_factory=list)
    offered: int = 0
    dropped: int = 0
    byFlow: list[int] = field(default_factory=list)

    @property
    def metrics(self) -> dict[str, int]:
        rtts = sorted(self.rtts)
        squares = len(self.byFlow) * sum(count * count for count in self.byFlow)
        # The least that so many do not exceed that they are 95 % at least.
        p95 = rtts[-(-95 * len(rtts) // 100) - 1] if rtts else 0
        return {
            "utilisation_permille": 1000 * len(rtts) // self.offered if self.offered else 0,
            "mean_rtt_ms": (2 * sum(rtts) + len(rtts)) // (2 * len(rtts)) if rtts else 0,
            "p95_rtt_ms": p95,
            "lost_packets": self.dropped,
            "jain_permille": 1000 * sum(self.byFlow) ** 2 // squares if squares else 0,
        }


def byChance(seed: int, flow: int, number: int, permille: int) -> bool:
    z = (seed + ((flow << 32) | number) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    z ^= z >> 31
    return ((z >> 32) * 1000 >> 32) < permille


def lostInSecond(offered: int, rtts: Sequence[Sequence[int]], base: int) -> float:
    """What the flows that started lose against the omniscient sender, in bits, not rounded."""
    lost = 0.0
    for at, own in enumerate(rtts):
        share = offered // len(rtts) + (1 if at < offered % len(rtts) else 0)
        lost += math.log2(share + 1) - math.log2(len(own) + 1)
        if own:
            lost += math.log2(sum(own) / len(own)) - math.log2(base)
    return lost


class Network:
    def __init__(
        self,
        link: Sequence[int],
        makePolicy: Callable[[], Policy],
        *,
        rtt: int = 40,
        queue: int = 250,
        loss: int = 0,
        flows: int = 1,
        seed: int = 0,
    ) -> None:
        self.link, self.base, self.limit, self.loss, self.seed = link, rtt, queue, loss, seed
        self.flows = [Flow(makePolicy()) for _ in range(flows)]
        self.queue: list[Packet] = []
        self.returning: list[Packet] = []
        self.now = 0

    def run(self, seconds: int) -> Result:
        """The next seconds."""
        result = Result(byFlow=[0] * len(self.flows))
        for _ in range(seconds):
            offered = 0
            for _ in range(1000):
                self.tick(result)
                offered += self.link[self.now]
                self.now += 1
            started = [flow for flow in self.flows if flow.started]
            result.lost += max(0.0, lostInSecond(offered, [flow.rtts for flow in started], self.base))
            result.offered += offered
            for at, flow in enumerate(started):
                result.rtts += flow.rtts
                result.byFlow[at] += len(flow.rtts)
                flow.rtts = []
        return result

    def tick(self, result: Result) -> None:
        now = self.now
        while self.returning and self.returning[0].arrives <= now:
            self.acknowledge(self.returning.pop(0))
        for at, flow in enumerate(self.flows):
            if now == 1000 * at:
                flow.started, flow.called = True, now
                flow.answered(flow.policy.init())
        started = [flow for flow in self.flows if flow.started]
        first = now % len(started)
        for flow in started[first:] + started[:first]:
            if flow.outstanding and now >= flow.timer:
                lost, flow.outstanding, flow.recover = len(flow.outstanding), [], flow.next
                flow.rto = min(2 * flow.rto, 60000)
                flow.answered(flow.policy.timeout(flow.elapsed(now), lost))
            self.send(flow, result)
        for _ in range(self.link[now]):
            if self.queue:
                packet = self.queue.pop(0)
                packet.arrives = now + self.base
                self.flows[packet.flow].rtts.append(packet.arrives - packet.sent)
                self.returning.append(packet)

    def acknowledge(self, packet: Packet) -> None:
        flow, now = self.flows[packet.flow], self.now
        rtt = now - packet.sent
        missing = [number for number in flow.outstanding if number < packet.number]
        known = packet.number in flow.outstanding
        flow.outstanding = (
            [number for number in flow.outstanding if number > packet.number] if known else flow.outstanding
        )
        fresh = 0
        if known and missing and missing[0] >= flow.recover:
            fresh, flow.recover = 1, flow.next
        if not flow.srtt8:
            flow.srtt8, flow.var4 = 8 * rtt, 2 * rtt
        else:
            error = rtt - flow.srtt8 // 8
            flow.srtt8 += error
            flow.var4 += abs(error) - flow.var4 // 4
        flow.rto = min(60000, max(200, flow.srtt8 // 8 + flow.var4))
        flow.timer = now + flow.rto
        if known and missing:
            flow.answered(flow.policy.loss(flow.elapsed(now), len(missing), fresh, len(flow.outstanding)))
        flow.delivered += 1
        flow.last = now
        rate = (flow.delivered - packet.before) / max(1, now - packet.since)
        delivered = flow.delivered - packet.before
        flow.answered(flow.policy.ack(flow.elapsed(now), rtt, delivered, len(flow.outstanding), rate))

    def send(self, flow: Flow, result: Result) -> None:
        many = max(0, math.floor(flow.window) - len(flow.outstanding))
        if flow.pace:
            flow.credit = min(flow.credit + flow.pace, flow.pace + 1.0)
            many = min(many, math.floor(flow.credit))
            flow.credit -= many
        if many and not flow.outstanding:
            flow.last = self.now
            flow.timer = self.now + flow.rto
        for _ in range(many):
            packet = Packet(self.flows.index(flow), flow.next, self.now, flow.delivered, flow.last)
            flow.outstanding.append(flow.next)
            flow.next += 1
            if len(self.queue) >= self.limit or byChance(self.seed, packet.flow, packet.number, self.loss):
                result.dropped += 1
            else:
                self.queue.append(packet)


# --- policies ----------------------------------------------------------------------------------------------------


@dataclass
class Reno(Policy):
    """RFC 5681, once more."""

    threshold: float = math.inf
    delivered: int = 0
    leaves: int = 0

    def loss(self, elapsed: int, lost: int, fresh: int, inflight: int) -> float:
        if fresh:
            self.threshold = self.window = max(2.0, (inflight + lost) / 2)
            self.leaves = self.delivered + 1
        return self.window

    def ack(self, elapsed: int, rtt: int, delivered: int, inflight: int, rate: float) -> float:
        self.delivered += 1
        if self.delivered - delivered >= self.leaves:
            self.window += 1 if self.window < self.threshold else 1 / self.window
        return self.window

    def timeout(self, elapsed: int, lost: int) -> float:
        self.threshold = max(2.0, lost / 2)
        self.window = 1.0
        return self.window


ERRATIC_C = """
#include "kn_network_stack.h"
static f64 pace;
f64 kn_init(void) { return 7; }
f64 kn_ack(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate) {
    pace = (delivered + elapsed) % 9 * 0.375;
    return 1 + (elapsed * 7 + rtt * 13 + delivered * 3 + inflight * 11) % 60 + rate * 4;
}
f64 kn_loss(u32 elapsed, u32 lost, u32 fresh, u32 inflight) {
    pace = 0;
    return 1 + (elapsed + lost * 3 + fresh * 17 + inflight) % 40;
}
f64 kn_timeout(u32 elapsed, u32 lost) { return (f64)((elapsed + lost) % 20) - 3; }
f64 kn_rate(void) { return pace; }
"""


class Erratic(Policy):
    """Whatever it is told changes what it does: nothing can be told differently without being seen."""

    def init(self) -> float:
        return 7.0

    def ack(self, elapsed: int, rtt: int, delivered: int, inflight: int, rate: float) -> float:
        self.pace = (delivered + elapsed) % 9 * 0.375
        return 1 + (elapsed * 7 + rtt * 13 + delivered * 3 + inflight * 11) % 60 + rate * 4

    def loss(self, elapsed: int, lost: int, fresh: int, inflight: int) -> float:
        self.pace = 0.0
        return 1.0 + (elapsed + lost * 3 + fresh * 17 + inflight) % 40

    def timeout(self, elapsed: int, lost: int) -> float:
        return float((elapsed + lost) % 20) - 3


RANK_C = """
#include "kn_network_stack.h"
f64 kn_window(f64 cwnd, f64 rtt, f64 minrtt, f64 srtt, f64 loss, f64 rate, f64 maxrate, f64 sinceloss, f64 gap,
              f64 least) {
    f64 next = cwnd * 0.75 + rate * minrtt * 0.5 + maxrate * 2 + gap - loss * 9;
    return next + (srtt - rtt) * 0.125 + sinceloss * 0.001 - (least - minrtt) * 0.25;
}
"""


@dataclass
class Rank(Policy):
    """The state that the rank ABI keeps for a component, and that component."""

    minrtt: float = math.inf
    srtt: float = 0.0
    fresh: int = 0
    perRound: list[float] = field(default_factory=list)
    rtts: list[int] = field(default_factory=list)
    before: float = math.inf
    inRound: int = 0
    now: int = 0
    delivered: int = 0
    roundAt: int = 0
    lossAt: int = 0
    ackAt: int = 0

    def ack(self, elapsed: int, rtt: int, delivered: int, inflight: int, rate: float) -> float:
        self.now += elapsed
        self.delivered += 1
        now = self.now
        self.minrtt = min(self.minrtt, rtt)
        self.srtt = float(rtt) if self.delivered == 1 else self.srtt + (rtt - self.srtt) * 0.125
        self.inRound += 1
        self.rtts.append(rtt)
        least = min(*self.rtts, self.before)
        if now - self.roundAt >= self.srtt:
            self.perRound.append(self.inRound / (now - self.roundAt))
            self.roundAt, self.inRound = now, 0
            self.before, self.rtts = min(self.rtts), []
        last = self.perRound[-1] if self.perRound else 0.0
        largest = max(self.perRound[-10:], default=0.0)
        following = self.window * 0.75 + last * self.minrtt * 0.5 + largest * 2 + (now - self.ackAt) - self.fresh * 9
        following = following + (self.srtt - rtt) * 0.125 + (now - self.lossAt) * 0.001
        following -= (least - self.minrtt) * 0.25
        self.window = min(following, 16384.0) if following >= 1 else 1.0
        self.ackAt, self.fresh = now, 0
        return self.window

    def loss(self, elapsed: int, lost: int, fresh: int, inflight: int) -> float:
        self.now += elapsed
        if fresh:
            self.fresh, self.lossAt = 1, self.now
        return self.window

    def timeout(self, elapsed: int, lost: int) -> float:
        self.now += elapsed
        self.lossAt = self.now
        self.window = 2.0
        return self.window
