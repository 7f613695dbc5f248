"""
Page-cache policies that know a trace by heart: attacks that measuring on variants of it has to withstand.

Each is made of the trace as it is, held-out part included, as whoever knows a public trace could.  All count calls
themselves, as no ABI tells where in the trace a request is.  Where they know nothing they are LRU, or another policy
made by hand.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.file_system import workbench
from kernelnet.workbench.file_system.scenario import FileSystemScenario
from kernelnet.workbench.file_system.trace import Trace

__all__ = ["RANKS", "byBlock", "byContext", "byDraw", "byPosition", "byRequest", "optimumKeeps", "ranked", "schedule"]

Bits = npt.NDArray[np.uint8]

RANKS = ("-age", "age", "freq", "-life", "-kn_max(age, gap)", "kn_aq(freq + hist, age)")
"""Rank functions of which a schedule chooses: LRU, MRU, LFU, FIFO, …; the first is what it falls back to."""

_MISSING = 0xFFFFFFFF

_TWO_LISTS = """
#include "kn_file_system.h"
/* The second list goes first; of each, what was requested least recently.  `train` is checked by its misses. */
static kn_links l;
static u32 head, n, misses, known = 1;
static u32 keep(u32 slot);
static void put(u32 slot) {
    if (n == TRAIN && (misses < LEAST || misses > MOST)) known = 0;
    u32 kept = keep(slot);
    kn_push_front(l, known && !kept ? head + 1 : head, slot);
    n++;
}
static void begin(u32 capacity);
void kn_init(u32 c) {
    head = c;
    l = kn_links_new(c + 2);
    kn_list_init(l, c);
    kn_list_init(l, c + 1);
    begin(c);
}
static void came(u32 slot, u64 key);
void kn_hit(u32 s) { kn_unlink(l, s); put(s); }
u32 kn_victim(u64 k) { return kn_pop_back(l, kn_back(l, head + 1) == head + 1 ? head : head + 1); }
void kn_insert(u32 s, u64 k) { misses++; came(s, k); put(s); }
"""

_NUMBERED = """
static kn_map map;
static u32 numbers, *number_in, *last;
static void begin(u32 c) { map = kn_map_new(BLOCKS); number_in = kn_alloc(4 * c); last = kn_alloc(4 * BLOCKS); }
static void came(u32 slot, u64 key) {
    u32 number = kn_map_get(map, key);
    if (number == KN_NONE && numbers < BLOCKS) kn_map_put(map, key, number = numbers++);
    number_in[slot] = number == KN_NONE ? 0 : number;
}
static u32 octave(u32 slot) { /* of the gap; 0: new */
    u32 *at = &last[number_in[slot]], gap = *at ? n + 1 - *at : 0;
    *at = n + 1;
    return gap ? 32 - (u32)__builtin_clz(gap) : 0;
}
"""


def _c(values: Sequence[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _packed(bits: npt.NDArray[np.bool_]) -> list[int]:
    return list(np.packbits(bits, bitorder="little").tolist())


def _compiled(scenario: FileSystemScenario, source: str) -> bytes:
    """Two lists and what says which; only where train is about as it was."""
    trace = scenario.machine.trace
    misses = scenario.reference().splits["train"].score
    head = f"#define TRAIN {trace.ends['train']}\n#define LEAST {misses // 2}\n#define MOST {2 * misses}\n"
    head += f"#define BLOCKS {2 * trace.distinct + 16}\n"
    return compileC(head + _TWO_LISTS + source, workbench.headerPath, trusted=True)


def nextUse(blocks: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """By request, the next one for its block; far behind the end where there is none."""
    following = np.full(len(blocks), 1 << 40, np.int64)
    order = np.argsort(blocks, kind="stable")
    same = blocks[order][1:] == blocks[order][:-1]
    following[order[:-1][same]] = order[1:][same]
    return following


@functools.lru_cache(8)
def optimumKeeps(trace: Trace, capacity: int) -> npt.NDArray[np.bool_]:
    """By request, whether Belady's optimum keeps its block until it is requested again."""
    following = nextUse(trace.blocks).tolist()
    kept = np.zeros(len(following), np.bool_)
    resident: dict[int, tuple[int, int]] = {}
    furthest: list[tuple[int, int]] = []
    for at, block in enumerate(trace.blocks.tolist()):
        if block in resident:
            kept[resident[block][1]] = True
        elif len(resident) == capacity:
            while True:
                far, victim = heapq.heappop(furthest)
                if victim in resident and resident[victim][0] == -far:
                    break
            del resident[victim]
        resident[block] = (following[at], at)
        heapq.heappush(furthest, (-following[at], block))
    return kept


def _part(trace: Trace, size: int, bits: int = 1) -> tuple[int, int]:
    """The requests of held-out, or the first of them, for which a table has room."""
    start = trace.ends["validation"]
    return start, min(trace.ends["held_out"], start + size * 8 // bits)


def _known(table: npt.NDArray[Any], shuffled: bool) -> npt.NDArray[Any]:
    return np.random.default_rng(1).permutation(table) if shuffled else table


def byRequest(scenario: FileSystemScenario, size: int, shuffled: bool = False) -> bytes:
    """
    The optimum's decisions by the number of the request.

    @param size: bytes of the table.
    @param shuffled: the same numbers in any order: what the policy is without what it knows.
    """
    trace = scenario.machine.trace
    start, end = _part(trace, size)
    kept = _known(optimumKeeps(trace, scenario.settings["capacity"])[start:end], shuffled)
    return _compiled(
        scenario,
        f"""
        static const u8 table[] = {_c(_packed(kept))};
        static void begin(u32 c) {{}}
        static void came(u32 slot, u64 key) {{}}
        static u32 keep(u32 slot) {{
            u32 at = n - {start};
            return at >= {end - start} || table[at >> 3] >> (at & 7) & 1;
        }}
        """,
    )


def byBlock(scenario: FileSystemScenario, size: int, shuffled: bool = False) -> bytes:
    """Worth of blocks, numbered as they first appear, in each of as many parts of the trace as there is room for."""
    trace = scenario.machine.trace
    kept = optimumKeeps(trace, scenario.settings["capacity"])
    parts = max(1, min(64, size * 8 // trace.distinct))
    many = min(trace.distinct, size * 8 // parts)
    total = len(trace.blocks)
    part = np.arange(total) * parts // total
    cell = trace.blocks.astype(np.int64) * parts + part
    votes = np.bincount(cell, np.where(kept, 1, -1), trace.distinct * parts)[: many * parts]
    return _compiled(
        scenario,
        f"""
        {_NUMBERED}
        static const u8 table[] = {_c(_packed(_known(votes >= 0, shuffled)))};
        static u32 keep(u32 slot) {{
            u32 part = (u32)((u64)n * {parts} / {total}), at = number_in[slot] * {parts} + part;
            return number_in[slot] >= {many} || part >= {parts} || table[at >> 3] >> (at & 7) & 1;
        }}
        """,
    )


def _octaves(trace: Trace) -> npt.NDArray[np.uint64]:
    following = nextUse(trace.blocks)
    gap = np.zeros(len(following), np.int64)
    at = np.nonzero(following < len(following))[0]
    gap[following[at]] = following[at] - at
    octaves = np.zeros(len(gap), np.uint64)
    octaves[gap > 0] = np.floor(np.log2(gap[gap > 0])).astype(np.uint64) + np.uint64(1)
    return octaves


_MIX = 0x9E3779B97F4A7C15


def _contexts(octaves: npt.NDArray[np.uint64], length: int) -> npt.NDArray[np.uint64]:
    """Hash of the last C{length} gaps' octaves, by request; of at most twelve, which are 60 bits."""
    history = np.zeros(len(octaves), np.uint64)
    for back in range(length):
        shifted = np.zeros(len(octaves), np.uint64)
        shifted[back:] = octaves[: len(octaves) - back] if back else octaves
        history |= shifted << np.uint64(5 * back)
    return history * np.uint64(_MIX)


def byContext(scenario: FileSystemScenario, size: int, split: str = "held_out", thinned: int = 0) -> bytes:
    """
    The optimum's decisions by the gaps of the last 12, 8 and 4 requests, whichever is known: no place is needed.

    @param split: which it learns.
    @param thinned: number of variants, drawn as those of any module are, that it learns besides the trace itself.
    """
    whole = scenario.machine.trace
    traces = [whole, *(whole.variant(whole.seedFor(f"known {number}", b"")) for number in range(thinned))]
    bits = (size * 8 // 6).bit_length() - 1
    votes, seen = np.zeros((3, 1 << bits), np.int64), np.zeros((3, 1 << bits), np.int64)
    for trace in traces:
        kept, octaves = optimumKeeps(trace, scenario.settings["capacity"]), _octaves(trace)
        held = next(slice(start, end) for name, start, end in trace.windows("held_out") if name == split)
        for number, length in enumerate((12, 8, 4)):
            cells = (_contexts(octaves, length) >> np.uint64(64 - bits)).astype(np.int64)[held]
            votes[number] += np.bincount(cells, np.where(kept[held], 1, -1), 1 << bits).astype(np.int64)
            seen[number] += np.bincount(cells, minlength=1 << bits)
    # What is told apart in two bits: nothing known, or not sure; keep; let go.
    value = np.where(np.abs(votes) * 2 > seen, np.where(votes > 0, 1, 2), 0)
    tables = np.stack([value & 1, value >> 1], 2).astype(np.bool_).ravel()
    total = 2 << bits
    return _compiled(
        scenario,
        f"""
        {_NUMBERED}
        static const u8 table[] = {_c(_packed(tables))};
        static u64 history;
        static u32 keep(u32 slot) {{
            history = history << 5 | octave(slot);
            for (u32 i = 0; i < 3; i++) {{
                u64 context = history & ((1ull << 5 * (12 - 4 * i)) - 1);
                u32 at = {total} * i + 2 * (u32)(context * {_MIX}ull >> {64 - bits});
                u32 value = table[at >> 3] >> (at & 7) & 3;
                if (value) return value == 1;
            }}
            return 1;
        }}
        """,
    )


def byPosition(
    scenario: FileSystemScenario, size: int, length: int = 6, trusted: int = 200, shuffled: bool = False
) -> bytes:
    """
    The optimum's decisions by the place in held-out, which it finds by what it sees, again and again.

    Anchors are hashes of the gaps of a few requests in a row: one that is near where it should be corrects the place,
    and two that agree tell it anew.
    """
    trace = scenario.machine.trace
    start, end = _part(trace, size // 2)
    kept = _known(optimumKeeps(trace, scenario.settings["capacity"])[start:end], shuffled)
    slots = 1 << ((size // 2 // 4).bit_length() - 1)
    bits = slots.bit_length() - 1
    hashes = _contexts(_octaves(trace), length)[start:end]
    cells = (hashes >> np.uint64(64 - bits)).astype(np.int64)
    checks = (hashes >> np.uint64(64 - bits - 12)).astype(np.int64) & 0xFFF
    # The rarest contexts are the best anchors: what comes once is sure.
    _, first, count = np.unique(hashes, return_index=True, return_counts=True)
    anchors = np.full(slots, _MISSING, np.int64)
    for at in first[count == 1].tolist():
        anchors[cells[at]] = checks[at] << 20 | at
    return _compiled(
        scenario,
        f"""
        {_NUMBERED}
        static const u8 table[] = {_c(_packed(kept))};
        static const u32 anchors[] = {_c(anchors.tolist())};
        static u64 history;
        static u32 place = KN_NONE, candidate, candidate_at, confirmed;
        static u32 keep(u32 slot) {{
            history = (history << 5 | octave(slot)) & ((1ull << {5 * length}) - 1);
            u64 hash = history * {_MIX}ull;
            u32 anchor = anchors[hash >> {64 - bits}];
            if (place != KN_NONE) place++;
            if (anchor != KN_NONE && anchor >> 20 == (u32)(hash >> {64 - bits - 12} & 0xfff)) {{
                u32 at = anchor & 0xfffff, off = at > place ? at - place : place - at;
                u32 moved = at - candidate, passed = n - candidate_at;
                u32 agree = moved > passed ? moved - passed : passed - moved;
                if (place != KN_NONE && off < 300) place = at, confirmed = n;
                else if (agree < 64 && passed < 2000) place = at, confirmed = n;
                candidate = at;
                candidate_at = n;
            }}
            if (place >= {end - start} || n - confirmed > {trusted}) return 1;
            return table[place >> 3] >> (place & 7) & 1;
        }}
        """,
    )


def byDraw(scenario: FileSystemScenario, size: int, shuffled: bool = False) -> bytes:
    """For a rank function, by the number of the eviction, which of the sixteen that are drawn is requested last."""
    trace, capacity = scenario.machine.trace, scenario.settings["capacity"]
    following = nextUse(trace.blocks).tolist()
    seed = int.from_bytes(bytes.fromhex(trace.digest)[:8], "little")
    start, evictions, first = trace.ends["validation"], 0, 0
    chosen: list[int] = []
    slots: list[int] = []
    where: dict[int, int] = {}
    use: list[int] = []
    last: list[int] = []
    for now, block in enumerate(trace.blocks.tolist()):
        slot = where.get(block)
        if slot is not None:
            use[slot], last[slot] = following[now], now
            continue
        if len(slots) < capacity:
            where[block] = len(slots)
            slots.append(block)
            use.append(following[now])
            last.append(now)
            continue
        drawn = []
        if capacity <= 16:
            drawn = list(range(capacity))
        else:
            for _ in range(16):
                seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
                drawn.append((seed >> 32) * capacity >> 32)
        knows = now >= start and len(chosen) < 2 * size
        if knows and not chosen:
            first = evictions
        if knows:
            number = max(range(len(drawn)), key=lambda i: use[drawn[i]])
            chosen.append(number)
        else:
            number = min(range(len(drawn)), key=lambda i: last[drawn[i]])
        evictions += 1
        slot = drawn[number]
        del where[slots[slot]]
        slots[slot], use[slot], last[slot] = block, following[now], now
        where[block] = slot
    chosen = _known(np.array(chosen, np.int64), shuffled).tolist() + [0] * (len(chosen) & 1)
    table = [low | high << 4 for low, high in zip(chosen[::2], chosen[1::2], strict=True)]
    return compileC(
        f"""
        #include "kn_file_system.h"
        static const u8 table[] = {_c(table or [0])};
        static u32 calls;
        f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) {{
            u32 number = calls % {min(16, capacity)}, at = calls / {min(16, capacity)} - {first};
            calls++;
            if (at >= {len(chosen)}) return -age;
            return (table[at >> 1] >> (at & 1) * 4 & 15) == number ? -1e9 : -age;
        }}
        """,
        workbench.headerPath,
        trusted=True,
    )


def ranked(body: str, more: str = "") -> bytes:
    source = f"""
    #include "kn_file_system.h"
    {more}
    f64 kn_rank(f64 age, f64 life, f64 freq, f64 gap, f64 gap2, f64 hist, f64 ghostgap, f64 pressure) {{ {body} }}
    """
    return compileC(source, workbench.headerPath, trusted=True)


def schedule(scenario: FileSystemScenario, parts: int) -> tuple[bytes, bytes]:
    """
    For each part of held-out, by the number of the eviction, which of `RANKS` was best there.

    @return: it; and the one that is best over all, which is what it would be without a schedule.
    """
    capacity = scenario.settings["capacity"]
    windows = [
        [window.score for window in scenario.measureWindows(ranked(f"return {rank};"), "held_out", parts)]
        for rank in RANKS
    ]
    alone = min(range(len(RANKS)), key=lambda i: sum(windows[i]))
    best = [min(range(len(RANKS)), key=lambda i: windows[i][part]) for part in range(parts)]
    # Until held-out it is the one that is best over all, and evictions in each part are those of its choice.
    before = scenario.measure(ranked(f"return {RANKS[alone]};")).splits
    first = sum(before[split].score for split in ("train", "validation")) - capacity
    ends = np.cumsum([windows[choice][part] for part, choice in enumerate(best)]) + first
    more = f"""
    static const u8 best[] = {_c([*best, alone])};
    static const u32 ends[] = {_c([int(end) for end in ends])};
    static u32 calls, part;
    """
    choices = "".join(f"case {number}: return {rank};" for number, rank in enumerate(RANKS))
    body = f"""
    u32 eviction = calls++ / {min(16, capacity)};
    while (part < {parts} && eviction >= ends[part]) part++;
    switch (eviction < {max(first, 0)}u ? {alone} : best[part]) {{ {choices} }}
    return 0;
    """
    return ranked(body, more), ranked(f"return {RANKS[alone]};")
