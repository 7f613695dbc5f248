"""
Policies that know a session by heart: attacks that measuring on variants of it has to withstand.

Each is made of the trace as it is, held-out part included, as whoever knows a public trace could.  They have a byte
for the work of each frame.  Where what comes is not what they know, they are an expression, or the hand-made policy,
that they are given.
"""

from __future__ import annotations

import re

import numpy as np

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.graphics import workbench
from kernelnet.workbench.graphics.trace import Trace

__all__ = ["byNumber", "byPlace", "rankByNumber", "rankOf"]

_STEPS = 16
"""Steps of the table's numbers for each doubling of work; 0 is 16 us."""


def _levels(trace: Trace) -> list[int]:
    work = np.maximum(trace.work.astype(np.float64), 16)
    return [int(level) for level in np.clip(np.ceil(_STEPS * np.log2(work / 16)), 0, 255)]


def _kinds(trace: Trace) -> list[int]:
    """How many surfaces change in each frame, 7 at most: what of the damage a stranger can tell, whatever the keys."""
    return [min(7, int(many)) for many in np.diff(trace.first)]


_TABLE = """
static const u8 known[] = {%(levels)s};
enum { FRAMES = sizeof known };
static f64 power[256]; /* microseconds */
static void tables(void) {
    power[0] = 16.0;
    for (u32 i = 1; i < 256; i++) power[i] = power[i - 1] * 1.0442737824274138;
}
static f64 planned(u32 frame) { return power[known[frame < FRAMES ? frame : FRAMES - 1]] * %(margin)s; }
"""

_NUMBER = """
static u32 now;
static f64 wrong;
static u32 sure(void) { return wrong < 0.5; }
static f64 plan(void) { return planned(now); }
static void was(u32 work, u32 count) {
    f64 ratio = work / power[known[now < FRAMES ? now : FRAMES - 1]];
    wrong += ((ratio > 1.5 || ratio < 0.6 ? 1.0 : 0.0) - wrong) * 0.1;
    now++;
}
"""

_PLACE = """
static const u8 kinds[] = {%(kinds)s};
enum { SEEN = %(seen)d, AROUND = %(around)d };
static u32 now, seen_kind[SEEN], frames; /* now: the frame that is expected next */
static f64 seen_work[SEEN], wrong = 1.0;
/* By how much the frames lately differ from those before `at`: work in octaves, and what has changed. */
static f64 differs(i32 at, f64 most) {
    f64 off = 0;
    for (i32 i = 0; i < SEEN && off < most * SEEN; i++) {
        i32 frame = at - 1 - i;
        if (frame < 0 || frame >= FRAMES) return 1e9;
        f64 ratio = seen_work[i] / power[known[frame]];
        off += (ratio > 1 ? ratio : 1 / ratio) - 1 + (kinds[frame] != seen_kind[i]);
    }
    return off / SEEN;
}
static u32 sure(void) { return wrong < %(near)s; }
static f64 plan(void) { return planned(now); }
static void was(u32 work, u32 count) {
    for (u32 i = SEEN - 1; i > 0; i--) seen_work[i] = seen_work[i - 1], seen_kind[i] = seen_kind[i - 1];
    seen_work[0] = work < 16 ? 16 : work;
    seen_kind[0] = count < 7 ? count : 7;
    now++;
    if (++frames < SEEN) return;
    wrong = differs((i32)now, 1e9);
    if (wrong < %(near)s) return;
    i32 from = (i32)now, best = from;
    for (i32 at = from - AROUND; at <= from + AROUND; at++) {
        f64 off = differs(at, wrong);
        if (off < wrong) wrong = off, best = at;
    }
    now = (u32)best;
}
"""

_POLICY = """
%(base)s
static f64 own;
static u32 count;
void kn_init(u32 period, u32 miss) { tables(); base_init(period, miss); }
f64 kn_vblank(u32 refreshes) { count = 0; own = base_vblank(refreshes); return sure() ? plan() : own; }
f64 kn_commit(u64 surface, u32 at) { count++; own = base_commit(surface, at); return sure() ? plan() : own; }
void kn_done(u32 work, u32 missed) { was(work, count); base_done(work, missed); }
"""


def _base(name: str) -> str:
    """A hand-made policy's source with other names."""
    source = re.sub(r"\bkn_(init|vblank|commit|done)\b", r"base_\1", workbench.baselineSource(name))
    return re.sub(r"^(f64|void) base_", r"static \1 base_", source, flags=re.MULTILINE)


def _policy(trace: Trace, base: str, knowing: str, margin: float) -> bytes:
    table = _TABLE % {"levels": ",".join(map(str, _levels(trace))), "margin": margin}
    # A header first, as the base has it.
    source = '#include "kn_graphics.h"\n' + table + knowing + _POLICY % {"base": _base(base)}
    return compileC(source, workbench.headerPath, trusted=True)


def byNumber(trace: Trace, base: str, margin: float = 1.05) -> bytes:
    """It counts frames, and gives each what it took in the recording, as long as that is about so."""
    return _policy(trace, base, _NUMBER, margin)


def byPlace(
    trace: Trace, base: str, *, seen: int = 8, around: int = 200, near: float = 0.25, margin: float = 1.05
) -> bytes:
    """
    It looks for its place in the session whenever it has lost it, by the work and the number of surfaces lately.

    @param seen: so many frames; C{around}: how far it looks; C{near}: what is good enough.
    """
    numbers = {"kinds": ",".join(map(str, _kinds(trace))), "seen": seen, "around": around, "near": near}
    return _policy(trace, base, _PLACE % numbers, margin)


def rankOf(expression: str) -> bytes:
    return _rank("", expression)


def rankByNumber(trace: Trace, expression: str, margin: float = 1.05) -> bytes:
    """The same for the rank ABI, whose function may count how often it was asked."""
    table = _TABLE % {"levels": ",".join(map(str, _levels(trace))), "margin": margin}
    body = "if (!power[1]) tables(); if (now) was((u32)(1000.0 * last + 0.5), 0); else now = 1;"
    knowing = _NUMBER.replace(
        "known[now < FRAMES ? now : FRAMES - 1]", "known[now - 1 < FRAMES ? now - 1 : FRAMES - 1]"
    )
    return _rank(table + knowing, f"sure() ? planned(now - 1) * 0.001 : ({expression})", body)


def _rank(head: str, expression: str, body: str = "") -> bytes:
    features = ", ".join(f"f64 {feature}" for feature in workbench.abis[1].features)
    source = f'#include "kn_graphics.h"\n{head}\nf64 kn_budget({features}) {{ {body} return {expression}; }}'
    return compileC(source, workbench.headerPath, trusted=True)
