"""
Policies that know a call by heart: attacks that measuring on variants of it has to withstand.

Each is made of the trace as it is, held-out part included, as whoever knows a public trace could: the greatest
transit of each few frames is in a table, and the delay rises just in time for what comes.  They count frames
themselves, as no ABI tells a number.  Where what comes is not what they know, they are the hand-made policy that they
are given, or a known expression.
"""

from __future__ import annotations

import re

import numpy as np

from kernelnet.workbench.audio import workbench
from kernelnet.workbench.audio.trace import Trace
from kernelnet.workbench.compiler import compileC

__all__ = ["byCount", "byPlace", "rankByCount", "rankOf"]

_STEP = 4
"""Milliseconds that a table's number stands for."""

_TABLE = """
#include "kn_audio.h"
static const u8 table[] = {%(table)s};
enum { BINS = sizeof table, WIDTH = %(width)d };
/* The greatest transit about there, in ms; rounded up. */
static f64 known(i32 frame) {
    i32 at = frame / WIDTH;
    return frame < 0 || at >= BINS ? 0.0 : %(step)d.0 * table[at];
}
/* The delay that a frame needs, so that those behind it can be played, too; `zoom` stretches times and transits. */
static f64 planned(i32 frame, f64 zoom) {
    f64 most = 0.0;
    for (i32 ahead = 0; ahead < 40; ahead++) {
        f64 needs = zoom * known(frame + (i32)(ahead / zoom)) - 20.0 * ahead;
        if (needs > most) most = needs;
    }
    return most + 1.0;
}
"""

_COUNT = """
static i32 number; /* of the frame that is asked for next */
static f64 wrong = %(doubt)s;
static void seen(i32 ahead, f64 x) {
    f64 expected = known(number + ahead), off = expected - x;
    wrong += (kn_min(1.0, (off < 0 ? -off : off) / (expected + x + 10.0)) - wrong) * 0.02;
}
static void counted(void) { number++; }
static u32 right(void) { return wrong < 0.35; }
static f64 answer(void) { return planned(number - 1, 1.0); }
"""

_PLACE = """
enum { BIN = 5, LATEST = 3, RING = 64, SEEN = %(seen)d, AROUND = %(around)d, ZOOMS = %(zooms)d, TRUSTED = %(trusted)d };
static const f64 zooms[] = {1.0, 0.86, 1.16, 0.93, 1.08, 1.23, 0.81};
static i32 number, place, sure; /* place: what the table has there; sure: frames for which it trusts it */
static i32 newest;
static f64 zoom = 1.0, seen_in[RING]; /* greatest transits of BIN frames each, by the bin's number */
static void seen(i32 ahead, f64 x) {
    i32 bin = (number + ahead) / BIN;
    if (number + ahead < 0 || bin <= newest - RING) return;
    while (newest < bin) seen_in[++newest %% RING] = 0.0;
    if (x > seen_in[bin %% RING] && x < 599.0) seen_in[bin %% RING] = x;
}
static f64 before(i32 i) { return newest < i ? 0.0 : seen_in[(newest - i) %% RING]; }
static f64 total(void) {
    f64 all = 0.0;
    for (i32 i = LATEST; i < SEEN; i++) all += before(i);
    return all;
}
static f64 highest[BINS * WIDTH / BIN + 1]; /* by BIN frames of the table */
/* By how much what came in the last bins differs from the table, there. */
static f64 differs(i32 at, f64 z, f64 most) {
    f64 sum = 0.0, all = total();
    for (i32 i = LATEST; i < SEEN; i++) {
        i32 bin = (i32)((f64)at / BIN + newest - number / BIN - i / z);
        f64 d = (bin < 0 || bin > BINS * WIDTH / BIN ? 0.0 : z * highest[bin]) - before(i);
        sum += d < 0 ? -d : d;
        if (sum > most * all) return 1.0;
    }
    return sum / all;
}
static void find(void) {
    f64 best = %(near)s;
    i32 from = place;
    for (i32 z = 0; z < ZOOMS; z++)
        for (i32 at = from - AROUND; at <= from + AROUND; at += BIN) {
            f64 d = differs(at, zooms[z], best);
            if (d < best) best = d, place = at, zoom = zooms[z], sure = TRUSTED;
        }
}
static void counted(void) {
    if (!number)
        for (i32 i = 0; i < BINS * WIDTH; i++) highest[i / BIN] = kn_max(highest[i / BIN], known(i));
    number++;
    place++;
    if (sure) sure--;
    if (number %% BIN) return;
    /* Where all is quiet, nothing tells where it is. */
    if (total() > 20.0 * SEEN / 4) {
        u32 same = differs(place, zoom, 1.0) < %(near)s;
        sure = same ? TRUSTED : 0;
        if (!same && number %% 100 == 0) find();
    }
}
static u32 right(void) { return sure > 0; }
static f64 answer(void) { return planned(place - 1, zoom); }
"""

_POLICY = """
%(base)s
void kn_init(u32 late_ms, u32 scale_cost, u32 down_ms, u32 up_ms, u32 base_ms) {
    base_init(late_ms, scale_cost, down_ms, up_ms, base_ms);
}
void kn_arrive(i32 ahead, u32 transit) {
    base_arrive(ahead, transit);
    seen(ahead, transit / 1000.0);
}
f64 kn_target(u32 delay) {
    f64 own = base_target(delay);
    counted();
    return right() ? answer() : own;
}
"""


def _table(trace: Trace, size: int) -> str:
    """The greatest transit of each of so many intervals."""
    transits = np.maximum(trace.transits, 0)
    width = max(1, -(-len(transits) // size))
    padded = np.zeros(-(-len(transits) // width) * width, np.int64)
    padded[: len(transits)] = np.where(transits > 599_000, 0, transits)
    steps = np.minimum(255, -(-padded.reshape(-1, width).max(1) // (1000 * _STEP)))
    return _TABLE % {"table": ",".join(map(str, steps.tolist())), "width": width, "step": _STEP}


def _policy(trace: Trace, size: int, base: str, knowing: str, **more: int | float) -> bytes:
    own = re.sub(r"\bkn_(init|arrive|target)\b", r"base_\1", workbench.baselineSource(base))
    own = re.sub(r"^(f64|void) base_", r"static \1 base_", own, flags=re.MULTILINE)
    source = _table(trace, size) + knowing % more + _POLICY % {"base": own}
    return compileC(source, workbench.headerPath, trusted=True)


def byCount(trace: Trace, size: int, base: str, *, doubt: float = 0.0) -> bytes:
    """
    It counts frames, as long as what comes is about what it knows.

    @param size: bytes of the table; C{doubt}: how wrong it supposes itself to be at first; above 0.35 it waits.
    """
    return _policy(trace, size, base, _COUNT, doubt=doubt)


def byPlace(
    trace: Trace,
    size: int,
    base: str,
    *,
    seen: int = 20,
    around: int = 1500,
    near: float = 0.25,
    zooms: int = 7,
    trusted: int = 50,
) -> bytes:
    """
    It finds its place in the call again whenever it has lost it, by what came lately, at several zooms.

    @param seen: so many times 100 ms; C{around}: how far it looks, in frames; C{near}: what is good enough;
        C{trusted}: for how many frames it trusts its place without another look.
    """
    return _policy(trace, size, base, _PLACE, seen=seen, around=around, near=near, zooms=zooms, trusted=trusted)


def rankOf(expression: str) -> bytes:
    features = ", ".join(f"f64 {feature}" for feature in workbench.abis[1].features)
    source = f'#include "kn_audio.h"\nf64 kn_delay({features}) {{ return {expression}; }}'
    return compileC(source, workbench.headerPath, trusted=True)


def rankByCount(trace: Trace, size: int, expression: str) -> bytes:
    """The same for the rank ABI: it counts how often it is called."""
    features = ", ".join(f"f64 {feature}" for feature in workbench.abis[1].features)
    source = f"""
    {_table(trace, size)}
    {_COUNT % {"doubt": 0.0}}
    f64 kn_delay({features}) {{
        seen((i32)fill - 1, last);
        f64 own = {expression};
        counted();
        return right() ? answer() : own;
    }}
    """
    return compileC(source, workbench.headerPath, trusted=True)
