"""
Schedulers that know a log by heart: attacks that measuring on variants of it has to withstand.

Each is made of the trace as it is, held-out part included, as whoever knows a public trace could.  They count arrivals
and add up the time themselves, as no ABI tells it.  Where what comes is not what they know, they are LAS, or a known
expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.process_manager import workbench
from kernelnet.workbench.process_manager.abis import ABIS
from kernelnet.workbench.process_manager.trace import Trace

__all__ = ["byGap", "byKey", "byNumber", "byPast", "rankByNumber", "rankOf"]

_MIX = 0x9E3779B97F4A7C15

_FULL = """
#include "kn_process_manager.h"
%(table)s
static kn_heap waiting;
static u64 *value, *ran_for, *size_of, *turn, *arrived, turns, now, arrived_last;
static f64 wrong = 0.5; /* the share of sizes lately that were not as the table says */
void kn_init(u32 slots, u32 cpus, u64 quantum) {
    value = kn_alloc(slots * 8);
    ran_for = kn_alloc(slots * 8);
    size_of = kn_alloc(slots * 8);
    turn = kn_alloc(slots * 8);
    waiting = kn_heap_new(slots, value, turn);
    begin(slots);
}
static void add(u32 slot) {
    u64 size = size_of[slot], ran = ran_for[slot];
    value[slot] = wrong < 0.5 && size > ran ? size - ran : ran;
    kn_heap_add(&waiting, slot);
}
void kn_arrive(u32 slot, u64 key, u64 group, u64 estimate, u64 elapsed) {
    now += elapsed;
    size_of[slot] = known(key, group, estimate, now - arrived_last);
    ran_for[slot] = 0;
    turn[slot] = turns++;
    arrived_last = now;
    add(slot);
}
u32 kn_pick(u64 elapsed) { now += elapsed; return kn_heap_take(&waiting); }
void kn_ran(u32 slot, u64 ran, u64 elapsed) {
    now += elapsed;
    ran_for[slot] += ran;
    add(slot);
}
void kn_done(u32 slot, u64 ran, u64 elapsed) {
    now += elapsed;
    ran_for[slot] += ran;
    u64 size = size_of[slot], was = ran_for[slot];
    if (size) wrong += ((size > 2 * was || was > 2 * size) - wrong) * 0.02;
}
static u64 unpacked(u32 byte) { /* eight steps an octave */
    f64 size = 1;
    for (u32 i = 0; i < (byte - 1) / 8; i++) size *= 2;
    for (u32 i = 0; i < (byte - 1) %% 8; i++) size *= 1.0905077326652577;
    return (u64)size;
}
"""


def _packed(sizes: Iterable[int]) -> list[int]:
    """A byte for each: 1 + 8 log2, at most 255, which is 2^31 µs."""
    return [1 + min(254, round(8 * float(np.log2(max(1, size))))) for size in sizes]


def _array(name: str, numbers: Sequence[int], kind: str = "u8") -> str:
    return f"static const {kind} {name}[] = {{{','.join(f'{number}u' for number in numbers) or '0'}}};"


def _full(table: str, known: str, begin: str = "") -> bytes:
    source = _FULL % {
        "table": f"""
        static u64 unpacked(u32 byte);
        {table}
        static u32 number;
        static void begin(u32 slots) {{ {begin} }}
        static u64 known(u64 key, u64 group, u64 estimate, u64 gap) {{ {known} }}
        """
    }
    return compileC(source, workbench.headerPath, trusted=True)


def _held(trace: Trace, many: int) -> slice:
    """The tasks of held-out for which a table has room."""
    start = trace.ends["validation"]
    return slice(start, min(start + many, trace.ends["held_out"]))


def byNumber(trace: Trace, size: int) -> bytes:
    """Sizes by the number of the arrival.  @param size: bytes of the table."""
    held = _held(trace, size)
    table = _array("table", _packed(trace.run[held].tolist()))
    return _full(table, f"u32 at = number++ - {held.start}; return at < sizeof table ? unpacked(table[at]) : 0;")


def _hashed(names: Sequence[int], sizes: Sequence[int], size: int) -> tuple[list[int], int]:
    """
    A table of three bytes an entry, two of which are a check.

    @return: it, and the bits that number its places.
    """
    bits = max(4, (size // 3).bit_length() - 1)
    table = [0] * (3 << bits)
    for name, byte in zip(names, _packed(sizes), strict=True):
        mixed = name * _MIX & (1 << 64) - 1
        at = 3 * (mixed >> (64 - bits))
        table[at : at + 3] = [mixed & 255, mixed >> 8 & 255, byte]
    return table, bits


_FIND = """
static u64 find(u64 name) {
    u64 mixed = name * %dull;
    const u8 *at = table + 3 * (mixed >> %d);
    return at[2] && at[0] == (mixed & 255) && at[1] == (mixed >> 8 & 255) ? unpacked(at[2]) : 0;
}
"""


def byGap(trace: Trace, size: int, load: Sequence[int]) -> bytes:
    """
    Sizes by the exact times between the last three arrivals, and the estimate, whatever the number.

    @param load: arrivals as the scenario has them.
    """
    gaps = np.diff(np.array(load, "<u8"), prepend=np.uint64(0)).tolist()
    names = []
    for at, gap in enumerate(gaps):
        before = gaps[at - 1] if at else 0
        earlier = gaps[at - 2] if at > 1 else 0
        names.append((gap + 31 * before + 1009 * earlier + 65599 * int(trace.estimate[at])) & (1 << 64) - 1)
    held = _held(trace, size // 3)
    table, bits = _hashed(names[held], trace.run[held].tolist(), size)
    more = _array("table", table) + "static u64 before, earlier;" + _FIND % (_MIX, 64 - bits)
    known = """
    u64 name = gap + 31 * before + 1009 * earlier + 65599 * estimate;
    earlier = before;
    before = gap;
    return find(name);
    """
    return _full(more, known)


def byKey(trace: Trace, size: int) -> bytes:
    """Sizes by key, numbered as they first appear, and by how many of that key came before."""
    seen: dict[int, int] = {}
    names = []
    for key in trace.key.tolist():
        seen[key] = seen.get(key, 0) + 1
        names.append(key << 32 | seen[key])
    held = _held(trace, size // 3)
    table, bits = _hashed(names[held], trace.run[held].tolist(), size)
    more = (
        _array("table", table)
        + f"static kn_map keys; static u32 numbers, came[{2 * trace.keys}];"
        + _FIND % (_MIX, 64 - bits)
    )
    known = f"""
    u32 at = kn_map_get(keys, key);
    if (at == KN_NONE && numbers < {2 * trace.keys}) kn_map_put(keys, key, at = numbers++);
    return at == KN_NONE ? 0 : find((u64)at << 32 | ++came[at]);
    """
    return _full(more, known, f"keys = kn_map_new({2 * trace.keys});")


# --- the rank ABI -----------------------------------------------------------------------------------------------------

_FEATURES = ", ".join(f"f64 {feature}" for feature in ABIS[1].features)


def rankOf(expression: str, more: str = "") -> bytes:
    source = f'#include "kn_process_manager.h"\n{more}\nf64 kn_rank({_FEATURES}) {{ return {expression}; }}'
    return compileC(source, workbench.headerPath, trusted=True)


_RANKED = """
static f64 unpacked(u32 byte) {
    f64 size = 1;
    for (u32 i = 0; i < (byte - 1) / 8; i++) size *= 2;
    for (u32 i = 0; i < (byte - 1) %% 8; i++) size *= 1.0905077326652577;
    return size / %(bound)d;
}
static u64 bits(f64 number) { union { f64 number; u64 bits; } value = {number}; return value.bits >> %(shift)d; }
static f64 left(f64 size, f64 attained, f64 own) { return size > attained ? (size - attained) * kn_max(size, 1) : own; }
"""


def rankByNumber(trace: Trace, size: int, bound: int, own: str = "gittins") -> bytes:
    """
    Sizes by the number of the arrival, which a rank function may count: who has neither waited nor run is new.

    Asked again, it knows a task by the past of its key.
    """
    held = _held(trace, size)
    more = f"""
    {_array("table", _packed(trace.run[held].tolist()))}
    {_RANKED % {"bound": bound, "shift": 0}}
    static u32 number;
    static struct {{ u64 name; f64 size; }} lately[4096];
    static f64 ranked(f64 wait, f64 attained, f64 idle, f64 mean, f64 last, f64 estimate, f64 own) {{
        u64 name = bits(mean) + 31 * bits(last) + 1009 * bits(estimate);
        u32 at = (u32)(name * {_MIX}ull >> 52);
        if (wait + attained + idle == 0) {{
            lately[at].name = name;
            lately[at].size = number - {held.start} < sizeof table ? unpacked(table[number - {held.start}]) : 0;
            number++;
        }}
        return lately[at].name == name ? left(lately[at].size, attained, own) : own;
    }}
    """
    return rankOf(f"ranked(wait, attained, idle, mean, last, estimate, {own})", more)


def byPast(trace: Trace, size: int, bound: int, own: str = "gittins", *, coarse: bool = False) -> bytes:
    """
    Sizes by what the rank ABI tells of the past of a task's key, if it has one: its mean, its last, and the estimate.

    @param coarse: these to a quarter of an octave, and how many came before, rather than to the bit: of tasks alike in
        that, what they took in the mean.
    """
    shift = 50 if coarse else 0
    mean: dict[int, float] = {}
    last: dict[int, float] = {}
    count: dict[int, int] = {}
    names: list[int] = []
    for key, run, estimate in zip(trace.key.tolist(), trace.run.tolist(), trace.estimate.tolist(), strict=True):
        told = np.array([mean.get(key, 0.0), last.get(key, 0.0), estimate * (1.0 / bound)])
        bits = [int(number) >> shift for number in told.view("<u8")]
        came = min(count.get(key, 0), 16) if coarse else 0
        names.append((bits[0] + 31 * bits[1] + 1009 * bits[2] + 65599 * came) & (1 << 64) - 1)
        taken = run * (1.0 / bound)
        mean[key] = mean[key] + 0.3 * (taken - mean[key]) if key in mean else taken
        last[key] = taken
        count[key] = count.get(key, 0) + 1
    held = _held(trace, len(names))
    sizes: dict[int, list[float]] = {}
    for name, run in zip(names[held], trace.run[held].tolist(), strict=True):
        sizes.setdefault(name, []).append(float(np.log2(run)))
    # Those that come most often have room.
    often = sorted(sizes, key=lambda name: -len(sizes[name]))[: size // 3]
    table, bits_ = _hashed(often, [round(2 ** (sum(sizes[name]) / len(sizes[name]))) for name in often], size)
    more = f"""
    {_array("table", table)}
    {_RANKED % {"bound": bound, "shift": shift}}
    static f64 ranked(f64 mean, f64 last, f64 estimate, f64 count, f64 attained, f64 own) {{
        u64 name = bits(mean) + 31 * bits(last) + 1009 * bits(estimate) + 65599 * (u64)({int(coarse)} ? count : 0);
        u64 mixed = name * {_MIX}ull;
        const u8 *at = table + 3 * (mixed >> {64 - bits_});
        if (!at[2] || at[0] != (mixed & 255) || at[1] != (mixed >> 8 & 255)) return own;
        return mean > 0 ? left(unpacked(at[2]), attained, own) : own;
    }}
    """
    return rankOf(f"ranked(mean, last, estimate, count, attained, {own})", more)
