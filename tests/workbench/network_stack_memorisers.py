"""
Senders that know a link by heart: attacks that measuring on variants of it has to withstand.

Each is made of the trace as it is, held-out part included, as whoever knows a public trace could.  They add up the time
themselves, as no ABI tells it.  Where what comes is not what they know, they are the hand-made sender that they are
given, or a known expression.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.network_stack import workbench
from kernelnet.workbench.network_stack.trace import Trace

__all__ = ["byPlace", "byTime", "rankByTime", "rankOf"]

_SCALE = 16
"""Steps of a table's numbers for each doubling of packets a millisecond; 0 is none, 1 is 2^-8."""


def _rates(link: npt.NDArray[np.uint16], size: int) -> tuple[npt.NDArray[np.int64], int]:
    """A byte for each of so many bins, on a scale of logarithms; and milliseconds a bin."""
    width = max(1, -(-len(link) // size))
    padded = np.zeros(-(-len(link) // width) * width)
    padded[: len(link)] = link
    rates = padded.reshape(-1, width).mean(1)
    steps = np.round(_SCALE * (np.log2(np.maximum(rates, 2.0**-8)) + 8)).astype(np.int64) + 1
    return np.where(rates > 0, np.minimum(steps, 255), 0), width


_TABLE = """
#include "kn_network_stack.h"
static const u8 table[] = {%(table)s};
enum { BINS = sizeof table, WIDTH = %(width)d };
static f64 power[256]; /* packets a millisecond */
static void tables(void) {
    power[1] = 1.0 / 256;
    for (u32 i = 2; i < 256; i++) power[i] = power[i - 1] * 1.0442737824274138;
}
/* Packets that the link takes from `from` to before `to`, by the table. */
static f64 takes(i32 from, i32 to) {
    f64 sum = 0;
    for (i32 at = from < 0 ? 0 : from; at < to && at / WIDTH < BINS;) {
        i32 next = (at / WIDTH + 1) * WIDTH;
        if (next > to) next = to;
        sum += power[table[at / WIDTH]] * (next - at);
        at = next;
    }
    return sum;
}
"""

_TIME = """
static u32 now, bin, came;
static f64 wrong = %(doubt)s; /* by how much the last bins differed from the table, as a share */
/* Another acknowledgement, after so many milliseconds: whether the table is right here. */
static u32 right(u32 elapsed) {
    now += elapsed;
    for (; bin < now / %(check)d; bin++) {
        f64 expected = takes(bin * %(check)d - RTT, (bin + 1) * %(check)d - RTT), off = came - expected;
        wrong += ((off < 0 ? -off : off) / (expected + came + 1) - wrong) * 0.1;
        came = 0;
    }
    came++;
    return wrong < 0.25;
}
static f64 planned(void) { return 1 + takes(now - RTT, now + 2); }
"""

_PLACE = """
enum { STEP = 10, BIN = 50, SEEN = %(seen)d, AROUND = %(around)d };
static u32 now, bin, came, seen[SEEN], upto[BINS * WIDTH / STEP + 2]; /* upto: packets before each step */
static f64 wrong;
static i32 place; /* what to add to the time */
static i32 between(i32 from, i32 to) {
    i32 last = BINS * WIDTH / STEP;
    from = from < 0 ? 0 : from / STEP > last ? last : from / STEP;
    to = to < 0 ? 0 : to / STEP > last ? last : to / STEP;
    return (i32)(upto[to] - upto[from]);
}
/* By how much what came in the last bins differs from the table, there. */
static f64 differs(i32 at, f64 most) {
    i32 end = (i32)(bin * BIN) - RTT + at, off = 0, all = 1;
    for (i32 i = 0; i < SEEN; i++) {
        i32 expected = between(end - (i + 1) * BIN, end - i * BIN), d = expected - (i32)seen[i];
        off += d < 0 ? -d : d;
        all += expected + (i32)seen[i];
    }
    return (f64)off / (f64)all;
}
static void find(void) {
    f64 best = %(near)s;
    i32 from = place;
    for (i32 at = -AROUND; at <= AROUND; at += STEP) {
        f64 off = differs(from + at, best);
        if (off < best) best = off, place = from + at, wrong = off;
    }
}
static u32 right(u32 elapsed) {
    now += elapsed;
    if (!upto[1]) {
        f64 sum = 0;
        for (u32 i = 0; i * STEP <= BINS * WIDTH; i++) {
            upto[i] = 1 + (u32)sum;
            sum += takes(i * STEP, (i + 1) * STEP);
        }
    }
    for (; bin < now / BIN; bin++) {
        for (u32 i = SEEN - 1; i > 0; i--) seen[i] = seen[i - 1];
        seen[0] = came;
        came = 0;
        if (bin + 1 < now / BIN) continue;
        wrong = differs(place, 1);
        if (wrong >= %(near)s && bin %% 4 == 0) find();
    }
    came++;
    return wrong < %(near)s;
}
static f64 planned(void) { return 1 + takes(now + place - RTT, now + place + 2); }
"""

_SENDER = """
%(base)s
f64 kn_init(void) { tables(); return base_init(); }
static u32 knows;
f64 kn_ack(u32 elapsed, u32 rtt, u32 delivered, u32 inflight, f64 rate) {
    f64 own = base_ack(elapsed, rtt, delivered, inflight, rate);
    knows = right(elapsed);
    return knows ? planned() : own;
}
f64 kn_loss(u32 elapsed, u32 lost, u32 fresh, u32 inflight) {
    now += elapsed;
    f64 own = base_loss(elapsed, lost, fresh, inflight);
    return knows ? planned() : own;
}
f64 kn_timeout(u32 elapsed, u32 lost) {
    now += elapsed;
    f64 own = base_timeout(elapsed, lost);
    return knows ? planned() : own;
}
f64 kn_rate(void) { return knows ? 0 : base_rate(); }
"""


def _base(name: str) -> str:
    """A hand-made sender's source with other names."""
    source = re.sub(r"\bkn_(init|ack|loss|timeout|rate)\b", r"base_\1", workbench.baselineSource(name))
    source = re.sub(r"^f64 base_", "static f64 base_", source, flags=re.MULTILINE)
    # Its own clock is not the memoriser's.
    return re.sub(r"\bnow\b", "base_now", source)


def _sender(trace: Trace, size: int, base: str, knowing: str, rtt: int, **more: int | float) -> bytes:
    steps, width = _rates(trace.link, size)
    head = _TABLE % {"table": ",".join(map(str, steps.tolist())), "width": width} + f"enum {{ RTT = {rtt} }};\n"
    source = head + knowing % more + _SENDER % {"base": _base(base)}
    return compileC(source, workbench.headerPath, trusted=True)


def byTime(trace: Trace, size: int, base: str, rtt: int = 40, *, doubt: float = 0.0) -> bytes:
    """
    It takes what the link takes at that time, as long as that is about so.

    @param size: bytes of the table; C{doubt}: how wrong it supposes itself to be at first; above 0.25 it waits.
    """
    return _sender(trace, size, base, _TIME, rtt, check=200, doubt=doubt)


def byPlace(
    trace: Trace, size: int, base: str, rtt: int = 40, *, seen: int = 16, around: int = 10_000, near: float = 0.1
) -> bytes:
    """
    It finds its place in the link again whenever it has lost it, by what came lately.

    @param seen: so many times 50 ms; C{around}: how far it looks, in milliseconds; C{near}: what is good enough.
    """
    return _sender(trace, size, base, _PLACE, rtt, seen=seen, around=around, near=near)


def rankOf(expression: str) -> bytes:
    features = ", ".join(f"f64 {feature}" for feature in workbench.abis[1].features)
    source = f'#include "kn_network_stack.h"\nf64 kn_window({features}) {{ return {expression}; }}'
    return compileC(source, workbench.headerPath, trusted=True)


def rankByTime(trace: Trace, size: int, expression: str, rtt: int = 40) -> bytes:
    """The same for the rank ABI, which keeps a clock of what was told of gaps."""
    steps, width = _rates(trace.link, size)
    head = _TABLE % {"table": ",".join(map(str, steps.tolist())), "width": width} + f"enum {{ RTT = {rtt} }};\n"
    features = ", ".join(f"f64 {feature}" for feature in workbench.abis[1].features)
    source = f"""
    {head}
    {_TIME % {"check": 200, "doubt": 0.0}}
    f64 kn_window({features}) {{
        if (!power[1]) tables();
        f64 own = {expression};
        return right((u32)gap) ? planned() : own;
    }}
    """
    return compileC(source, workbench.headerPath, trusted=True)
