"""
Predictors that know movements by heart: attacks that measuring on variants of them has to withstand.

Each is made of the trace as it is, held-out part included, as whoever knows a public trace could.  Where what comes is
not what they know, they are dead reckoning, with its knobs tuned.
"""

from __future__ import annotations

import numpy as np

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.window_manager import workbench
from kernelnet.workbench.window_manager.trace import Trace
from kernelnet.workbench.window_manager.tuned import TUNED

__all__ = ["byCount", "byPlace", "byShape", "fallback", "rankByTime", "rankFallback"]

_GAIN = TUNED["reckon_tuned"][1]["GAIN"]
_LONG = TUNED["reckon_tuned"][1]["ANEW"]

_HEAD = f"""
#include "kn_window_manager.h"
static f64 vx, vy;
static void reckon(u32 elapsed, f64 dx, f64 dy) {{
    vx = elapsed > {_LONG} ? 0.0 : dx / elapsed;
    vy = elapsed > {_LONG} ? 0.0 : dy / elapsed;
}}
void kn_init(void) {{}}
"""


def _compiled(source: str) -> bytes:
    return compileC(_HEAD + source, workbench.headerPath, trusted=True)


def fallback() -> bytes:
    """All of them without what they know."""
    return _compiled(f"""
    void kn_sample(u32 elapsed, f64 dx, f64 dy) {{ reckon(elapsed, dx, dy); }}
    f64 kn_x(u32 age, u32 ahead) {{ return vx * ahead * {_GAIN}; }}
    f64 kn_y(u32 age, u32 ahead) {{ return vy * ahead * {_GAIN}; }}
    """)


def _held(trace: Trace, size: int, each: int) -> tuple[int, int]:
    """Samples of held-out, as many as a table of so many bytes has room for."""
    _, start, end = trace.windows("held_out")[-1]
    first = trace.samplesBefore(start)
    return first, min(trace.samplesBefore(end), first + size // each)


_UNIT = 100.0
"""Steps of a table for the movement that 99 of 100 don't exceed."""

_FUTURE = """
/* By sample: steps right and down, and how often 250 us since the one before, less 128. */
static const signed char table[] = {%(table)s};
enum { FIRST = %(first)d, MANY = sizeof table / 3 };
#define STEP %(step).17g
static f64 right(i32 at) { return table[3 * at] * STEP; }
static f64 down(i32 at) { return table[3 * at + 1] * STEP; }
static f64 gap_of(i32 at) { return (table[3 * at + 2] + 128) * 250.0; }
/* How far the pointer goes from the at-th sample of the table in so many microseconds. */
static f64 goes(i32 at, u32 axis, f64 ahead) {
    f64 way = 0.0;
    for (i32 i = at + 1; i < MANY && ahead > 0.0; ahead -= gap_of(i++))
        way += (axis ? down(i) : right(i)) * (ahead < gap_of(i) ? ahead / gap_of(i) : 1.0);
    return way;
}
static i32 in_steps(f64 x) {
    x = kn_max(-127.0, kn_min(x / STEP, 127.0));
    return (i32)(x + (x < 0 ? -0.5 : 0.5));
}
"""


def _table(trace: Trace, size: int) -> str:
    first, last = _held(trace, size, 3)
    moves = trace.moves[first:last] / 1000
    step = float(np.quantile(np.abs(moves), 0.99)) / _UNIT
    steps = np.clip(np.sign(moves) * np.floor(np.abs(moves) / step + 0.5), -127, 127)
    gaps = np.clip(np.round(trace.gaps[first:last] / 250), 1, 255) - 128
    rows = np.concatenate([steps, gaps[:, None]], axis=1).astype(int)
    return _FUTURE % {"table": ",".join(str(int(number)) for number in rows.ravel()), "first": first, "step": step}


def byCount(trace: Trace, size: int) -> bytes:
    """It counts samples, and has the movements that follow in a table, from the beginning of held-out on."""
    return _compiled(
        _table(trace, size)
        + f"""
    static i32 count = -1;
    void kn_sample(u32 elapsed, f64 dx, f64 dy) {{ reckon(elapsed, dx, dy); count++; }}
    static f64 said(u32 axis, f64 v, u32 ahead) {{
        i32 at = count - FIRST;
        return at >= 0 && at + 8 < MANY ? goes(at, axis, ahead) : v * ahead * {_GAIN};
    }}
    f64 kn_x(u32 age, u32 ahead) {{ return said(0, vx, ahead); }}
    f64 kn_y(u32 age, u32 ahead) {{ return said(1, vy, ahead); }}
    """
    )


def byPlace(trace: Trace, size: int) -> bytes:
    """It looks for the last three movements, rounded to pixels, in its table, and goes on from there."""
    return _compiled(
        _table(trace, size)
        + f"""
    static i32 seen[6];
    static u32 bucket[1 << 14], chain[MANY + 1], made;
    static u32 hash(i32 a, i32 b, i32 c, i32 d, i32 e, i32 f) {{
        u32 h = (u32)a * 73856093u ^ (u32)b * 19349663u ^ (u32)c * 83492791u ^ (u32)d * 2654435761u;
        h ^= (u32)e * 97u ^ (u32)f;
        return (h ^ h >> 15) & ((1 << 14) - 1);
    }}
    static void index_all(void) {{
        made = 1;
        for (u32 i = 2; i < MANY; i++) {{
            const signed char *t = table + 3 * i;
            u32 h = hash(t[0], t[1], t[-3], t[-2], t[-6], t[-5]);
            chain[i] = bucket[h];
            bucket[h] = i;
        }}
    }}
    static i32 place;
    void kn_sample(u32 elapsed, f64 dx, f64 dy) {{
        reckon(elapsed, dx, dy);
        for (u32 i = 5; i > 1; i--) seen[i] = seen[i - 2];
        seen[0] = in_steps(dx);
        seen[1] = in_steps(dy);
        if (!made) index_all();
        place = -1;
        i32 all = 0;
        for (u32 i = 0; i < 6; i++) all += seen[i] * seen[i];
        /* What hardly moves is like too much. */
        if (all < 40) return;
        for (u32 i = bucket[hash(seen[0], seen[1], seen[2], seen[3], seen[4], seen[5])]; i; i = chain[i]) {{
            const signed char *t = table + 3 * i;
            if (t[0] == seen[0] && t[1] == seen[1] && t[-3] == seen[2] && t[-2] == seen[3] && t[-6] == seen[4]
                && t[-5] == seen[5])
                place = (i32)i;
        }}
    }}
    static f64 said(u32 axis, f64 v, u32 ahead) {{
        return place >= 0 && place + 8 < MANY ? goes(place, axis, ahead) : v * ahead * {_GAIN};
    }}
    f64 kn_x(u32 age, u32 ahead) {{ return said(0, vx, ahead); }}
    f64 kn_y(u32 age, u32 ahead) {{ return said(1, vy, ahead); }}
    """
    )


def byShape(trace: Trace, size: int, *, last: int = 5, near: float = 0.01) -> bytes:
    """
    It looks for where the last movements had the same shape, however large, turned or mirrored they were.

    Of the places where the pointer got faster and turned about as much the nearest is kept, and followed as long as it
    is near: what it has found it doesn't lose.

    @param last: movements that are compared; C{near}: of squared distances over squared lengths, below which it trusts.
    """
    return _compiled(
        _table(trace, size)
        + f"""
    enum {{ LAST = {last}, TRIED = 16 }};
    static f64 sx[LAST], sy[LAST];
    static i32 place = -1, mirrored, count = -1;
    static f64 turn_c, turn_s;
    static u32 bucket[256], chain[MANY + 1], made;
    /* By how much faster, and by what angle, the second of two movements is than the first. */
    static u32 key(f64 ax, f64 ay, f64 bx, f64 by) {{
        f64 a = ax * ax + ay * ay, b = bx * bx + by * by, both = kn_sqrt(a * b);
        f64 faster = 8.0 + 3.0 * (kn_lg(a) - kn_lg(b));
        f64 turn = both > 0.0 ? 7.5 + 7.5 * (ax * bx + ay * by) / both : 0.0;
        return (u32)kn_max(0.0, kn_min(faster, 15.0)) * 16 + (u32)turn;
    }}
    static void index_all(void) {{
        made = 1;
        for (i32 i = LAST; i < MANY; i++) {{
            u32 k = key(right(i - 1), down(i - 1), right(i), down(i));
            chain[i] = bucket[k];
            bucket[k] = (u32)i;
        }}
    }}
    /* How unlike the last movements are to those up to `at`; also the turn that makes the newest of both alike. */
    static f64 unlike(i32 at, f64 mirror, f64 *c, f64 *s) {{
        f64 ax = right(at), ay = mirror * down(at), size = ax * ax + ay * ay, off = 0.0, all = 0.0;
        if (!(size > 0.01)) return 1e9;
        *c = (sx[0] * ax + sy[0] * ay) / size;
        *s = (sy[0] * ax - sx[0] * ay) / size;
        for (i32 i = 0; i < LAST; i++) {{
            f64 tx = right(at - i), ty = mirror * down(at - i);
            f64 ex = *c * tx - *s * ty - sx[i], ey = *s * tx + *c * ty - sy[i];
            off += ex * ex + ey * ey;
            all += sx[i] * sx[i] + sy[i] * sy[i];
        }}
        return off / (all + 0.01);
    }}
    void kn_sample(u32 elapsed, f64 dx, f64 dy) {{
        reckon(elapsed, dx, dy);
        /* Before held-out there is nothing to be found; on a variant that comes earlier. */
        if (++count < FIRST * 6 / 10) return;
        if (!made) index_all();
        for (u32 i = LAST - 1; i; i--) sx[i] = sx[i - 1], sy[i] = sy[i - 1];
        sx[0] = dx;
        sy[0] = dy;
        f64 best = {near}, c, s;
        i32 found = -1, flip = mirrored;
        if (place >= 0 && place + 1 < MANY) {{
            f64 off = unlike(place + 1, mirrored ? -1.0 : 1.0, &c, &s);
            if (off < best * 4.0) found = place + 1, turn_c = c, turn_s = s;
        }}
        u32 tried = 0;
        for (u32 i = found < 0 ? bucket[key(sx[1], sy[1], dx, dy)] : 0; i && tried < TRIED; i = chain[i], tried++) {{
            for (i32 m = 0; m < 2; m++) {{
                f64 off = unlike((i32)i, m ? -1.0 : 1.0, &c, &s);
                if (off < best) best = off, found = (i32)i, flip = m, turn_c = c, turn_s = s;
            }}
        }}
        place = found;
        mirrored = flip;
    }}
    static f64 said(u32 axis, f64 v, u32 ahead) {{
        if (place < 0 || place + 8 >= MANY) return v * ahead * {_GAIN};
        f64 x = goes(place, 0, ahead), y = (mirrored ? -1.0 : 1.0) * goes(place, 1, ahead);
        return axis ? turn_s * x + turn_c * y : turn_c * x - turn_s * y;
    }}
    f64 kn_x(u32 age, u32 ahead) {{ return said(0, vx, ahead); }}
    f64 kn_y(u32 age, u32 ahead) {{ return said(1, vy, ahead); }}
    """
    )


_RANK = "f64 " + ", f64 ".join(workbench.abis[1].features)


def rankFallback() -> bytes:
    """The function that the rank memoriser falls back to."""
    return compileC(
        f'#include "kn_window_manager.h"\nf64 kn_move({_RANK}) {{ return v1 * ahead * {_GAIN}; }}',
        workbench.headerPath,
        trusted=True,
    )


def rankByTime(trace: Trace, size: int) -> bytes:
    """A rank function that counts how often it was asked, and has the true answers of held-out in a table."""
    _, start, end = trace.windows("held_out")[-1]
    end = min(end, start + size // 4)
    time = np.cumsum(trace.gaps.astype(np.int64))
    places = np.cumsum(trace.moves.astype(np.int64), axis=0)
    newest, age = trace.frames[start:end].T.astype(np.int64)
    at = time[newest] + age + 16_667
    truth = np.stack([np.interp(at, time, places[:, axis]) - places[newest, axis] for axis in range(2)], 1)
    numbers = ",".join(str(int(number)) for number in np.clip(np.round(truth / 10), -32767, 32767).ravel())
    return compileC(
        f"""
    #include "kn_window_manager.h"
    static const short table[] = {{{numbers}}};
    static u32 asked;
    f64 kn_move({_RANK}) {{
        u32 at = asked++;
        return at >= {2 * start} && at < {2 * end} ? table[at - {2 * start}] / 100.0 : v1 * ahead * {_GAIN};
    }}""",
        workbench.headerPath,
        trusted=True,
    )
