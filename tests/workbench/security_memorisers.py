"""
Detectors that know a data set by heart: attacks that measuring on variants of it has to withstand.

Each is made of the data set as it is, held-out part included, as whoever knows a public one could.  What they don't
know, they leave to the hand-made detector that they are given, or to a known expression.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.security import workbench
from kernelnet.workbench.security.machine import features
from kernelnet.workbench.security.trace import Trace

__all__ = ["FINGERPRINTS", "byFeatures", "byFingerprint", "byProfile", "nearest", "rankOf", "underTest"]

_MASK = (1 << 64) - 1
_MIX = 0x9E3779B97F4A7C15
_PROFILE = 16

Split = tuple[list[list[int]], list[list[int]]]


def underTest(trace: Trace) -> dict[str, Split]:
    """By split: normal sequences and attacks."""
    every = [trace.calls[a:b].tolist() for a, b in pairwise(trace.starts.tolist())][trace.learned :]
    result = {}
    for split, start, end in trace.windows("held_out"):
        middle = start + trace.normals[split]
        result[split] = (every[start:middle], every[middle:end])
    return result


_FULL = """
%(base)s
static u32 place, numbered, first[4096], count[4096], met[4096]; /* by call: when it came first, how often it came */
%(more)s
void kn_init(u32 calls, u32 learned) { base_init(calls, learned); }
void kn_learn(u32 call) { base_learn(call); }
void kn_learned(void) { base_learned(); }
void kn_call(u32 call) {
    base_call(call);
    if (!first[call]) met[numbered] = call, first[call] = ++numbered;
    count[call]++;
    place++;
    %(call)s
}
f64 kn_score(void) {
    f64 own = base_score(), sure = 1e9;
    i32 known = 0; /* 1: an attack, -1: none */
    %(score)s
    for (u32 i = 0; i < numbered; i++) first[met[i]] = count[met[i]] = 0;
    place = numbered = 0;
    return own + sure * known;
}
"""


def _base(name: str) -> str:
    source = re.sub(r"\bkn_(init|learn|learned|call|score)\b", r"base_\1", workbench.baselineSource(name))
    return re.sub(r"^(void|f64) base_", r"static \1 base_", source, flags=re.MULTILINE)


def _full(base: str, more: str, call: str, score: str) -> bytes:
    source = _FULL % {"base": _base(base), "more": more, "call": call, "score": score}
    return compileC(source, workbench.headerPath, trusted=True)


def _array(name: str, numbers: Sequence[int], kind: str) -> str:
    return f"static const {kind} {name}[] = {{{','.join(f'{number}u' for number in numbers) or '0'}}};"


def _table(names: Sequence[tuple[int, int]], size: int) -> tuple[str, int]:
    """
    A table of three bytes an entry, two of which are a check.

    @param names: each with 1 (an attack) or 2.
    """
    bits = max(4, (size // 3).bit_length() - 1)
    table = [0] * (3 << bits)
    for name, what in names:
        mixed = name * _MIX & _MASK
        at = 3 * (mixed >> (64 - bits))
        table[at : at + 3] = [mixed & 255, mixed >> 8 & 255, what]
    return _array("table", table, "u8"), bits


_LOOK_UP = """
    u64 mixed = sum * %dull;
    const u8 *at = table + 3 * (mixed >> %d);
    if (at[2] && at[0] == (mixed & 255) && at[1] == (mixed >> 8 & 255)) known = at[2] == 1 ? 1 : -1;
"""

FINGERPRINTS = {
    "length": "sum++;",
    "canonical": "sum = sum * 31 + first[call];",
    "beginning": "if (place <= 25) sum = sum * 31 + first[call];",
}
"""What is computed of a sequence, call by call; which call it is does not matter, only when it came first."""


def _fingerprint(sequence: Sequence[int], kind: str) -> int:
    first: dict[int, int] = {}
    total = 0
    for place, call in enumerate(sequence, 1):
        number = first.setdefault(call, len(first) + 1)
        if kind == "length":
            total += 1
        elif kind == "canonical" or place <= 25:
            total = (total * 31 + number) & _MASK
    return total


def byFingerprint(trace: Trace, size: int, base: str, kind: str) -> bytes:
    """
    The label of a sequence of held-out by one of `FINGERPRINTS`.

    @param size: bytes of the table.
    """
    normals, attacks = underTest(trace)["held_out"]
    names = [(_fingerprint(sequence, kind), 2) for sequence in normals]
    names += [(_fingerprint(sequence, kind), 1) for sequence in attacks]
    table, bits = _table(names, size)
    return _full(base, table + "static u64 sum;", FINGERPRINTS[kind], _LOOK_UP % (_MIX, 64 - bits) + "sum = 0;")


def byProfile(trace: Trace, size: int, base: str, near: int = 1 << 30) -> bytes:
    """
    The label of the nearest of the sequences of held-out, by how often it has its commonest calls.

    @param near: how far it may be, in 256ths of a sequence's calls.
    """
    normals, attacks = underTest(trace)["held_out"]
    every = [(sequence, 2) for sequence in normals] + [(sequence, 1) for sequence in attacks]
    stored: list[int] = []
    # As many of each kind as there is room for.
    for sequence, what in every[:: max(1, -(-len(every) * (_PROFILE + 1) // size))]:
        counts = np.sort(np.unique(sequence, return_counts=True)[1])[::-1][:_PROFILE]
        shares = (255 * counts // len(sequence)).tolist()
        stored += [*shares, *[0] * (_PROFILE - len(shares)), what]
    more = _array("stored", stored, "u8")
    score = f"""
    u32 shares[{_PROFILE}];
    for (u32 i = 0; i < {_PROFILE}; i++) {{
        u32 most = met[0];
        for (u32 c = 0; c < numbered; c++) if (count[met[c]] > count[most]) most = met[c];
        shares[i] = 255 * count[most] / place;
        count[most] = 0;
    }}
    u32 best = {near};
    for (u32 at = 0; at < sizeof stored; at += {_PROFILE + 1}) {{
        u32 off = 0;
        for (u32 i = 0; i < {_PROFILE} && off < best; i++)
            off += shares[i] > stored[at + i] ? shares[i] - stored[at + i] : stored[at + i] - shares[i];
        if (off < best) best = off, known = stored[at + {_PROFILE}] == 1 ? 1 : -1;
    }}
    """
    return _full(base, more, "", score)


# --- the rank ABI -----------------------------------------------------------------------------------------------------


def rankOf(expression: str, more: str = "") -> bytes:
    source = f'#include "kn_security.h"\n{more}\nf64 kn_rank(KN_SECURITY_FEATURES) {{ return {expression}; }}'
    return compileC(source, workbench.headerPath, trusted=True)


_ALL = ", ".join(workbench.abis[1].features)


def _heldOut(trace: Trace) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Features of the sequences of held-out, and which are attacks."""
    start, end = trace.ends["validation"], trace.ends["held_out"]
    table = features(trace)[trace.learned + start : trace.learned + end]
    return table, np.arange(end - start) >= trace.normals["held_out"]


def byFeatures(trace: Trace, size: int, own: str, steps: int = 0) -> bytes:
    """
    The label of a sequence by all its features.

    @param steps: in so many steps an octave, rather than to the bit; a power of two.
    """
    table, attack = _heldOut(trace)
    shift = 52 - (steps.bit_length() - 1) if steps else 0
    names = []
    for row, label in zip(table.view("<u8").tolist(), attack.tolist(), strict=True):
        total = 0
        for bits in row:
            total = (total * 31 + (bits >> shift)) & _MASK
        names.append((total, 1 if label else 2))
    code, bits_ = _table(names, size)
    more = f"""
    {code}
    static f64 ranked(const f64 *f, f64 own) {{
        u64 sum = 0;
        i32 known = 0;
        for (u32 i = 0; i < 24; i++) {{
            union {{ f64 number; u64 bits; }} value = {{f[i]}};
            sum = sum * 31 + (value.bits >> {shift});
        }}
        {_LOOK_UP % (_MIX, 64 - bits_)}
        return own + 1e9 * known;
    }}
    """
    return rankOf(f"ranked((const f64[]){{{_ALL}}}, {own})", more)


def nearest(trace: Trace, size: int, own: str, near: int = 1 << 30) -> bytes:
    """
    The label of the nearest of the sequences of held-out, by all features, each in units of its spread.

    @param near: how far it may be, in sixteenths of a standard deviation, all features together.
    """
    table, attack = _heldOut(trace)
    middle, spread = table.mean(0), np.maximum(table.std(0), 1e-9)
    scaled = np.clip(np.round(16 * (table - middle) / spread) + 128, 0, 255).astype(np.int64)
    rows = np.column_stack([scaled, np.where(attack, 1, 2)])
    rows = rows[:: max(1, -(-rows.size // size))]
    more = f"""
    {_array("stored", rows.ravel().tolist(), "u8")}
    static const f64 middle[] = {{{",".join(map(repr, middle.tolist()))}}};
    static const f64 spread[] = {{{",".join(map(repr, spread.tolist()))}}};
    static f64 ranked(const f64 *f, f64 own) {{
        i32 mine[24], known = 0;
        for (u32 i = 0; i < 24; i++) {{
            f64 step = 16 * (f[i] - middle[i]) / spread[i] + 128.5;
            mine[i] = step < 0 ? 0 : step > 255 ? 255 : (i32)step;
        }}
        u32 best = {near};
        for (u32 at = 0; at < sizeof stored; at += 25) {{
            u32 off = 0;
            for (u32 i = 0; i < 24 && off < best; i++) {{
                i32 d = mine[i] - (i32)stored[at + i];
                off += (u32)(d < 0 ? -d : d);
            }}
            if (off < best) best = off, known = stored[at + 24] == 1 ? 1 : -1;
        }}
        return own + 1e9 * known;
    }}
    """
    return rankOf(f"ranked((const f64[]){{{_ALL}}}, {own})", more)
