"""A data set, made ready: what is learned, what is tested, and which sequences are train, validation and held-out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernelnet.workbench.errors import TraceError
from kernelnet.workbench.security.readers import Sequence, readSequences, traceName
from kernelnet.workbench.splits import SPLITS, splitEnds
from kernelnet.workbench.trace import BaseTrace, Numbers, dense

__all__ = ["Trace", "loadTrace", "makeTrace"]

MIN_SEQUENCES = {"learned": 10, "normal": 20, "attack": 10}
"""Minimum number of sequences of each."""

MISSING = 8
"""In a variant, one in so many sequences of each kind is missing."""

CROPPED = 16
"""In a variant, up to one in so many calls of a sequence under test is missing, at either end and in between."""

_FIFTH = 5
"""Of the attacks that are not held out, every fifth is for validation: as many as of the normal sequences."""


@dataclass(frozen=True, eq=False)
class Trace(BaseTrace):
    """
    See `BaseTrace`; an event is a sequence under test, the digest is of the calls and of what each sequence is for.

    Sequences are in this order: those to learn; then for each split its normal ones, then its attacks.

    @ivar calls: of all sequences, one after the other: dense numbers in the order of first appearance.
    @ivar starts: where each sequence's calls begin, and where the last one's end.
    @ivar distinct: how many different calls there are.
    @ivar learned: how many sequences there are to learn.
    @ivar normals: by split: how many normal sequences it has.
    """

    calls: Numbers
    starts: Numbers
    distinct: int
    learned: int
    normals: dict[str, int]

    @property
    def sequences(self) -> int:
        return len(self.starts) - 1

    def callsBefore(self, end: int) -> int:
        """Number of calls of those to learn and of the sequences under test before number C{end}."""
        return int(self.starts[self.learned + end])

    def variant(self, seed: bytes) -> Trace:
        """
        The data set without an eighth of the sequences of each kind, the learned ones too, and the others cropped.

        Of a sequence under test something is missing at either end, up to a sixteenth of it.  In between nothing is, as
        calls would follow each other there that never do, and a detector would find that rather than attacks.

        @param seed: see `VariableTrace.variant`.
        """
        drawn = np.frombuffer(hashlib.shake_128(seed).digest(4 * 3 * self.sequences), "<u4").reshape(3, -1)
        parts = [(0, self.learned)]
        for split, start, end in self.windows("held_out"):
            middle = self.learned + start + self.normals[split]
            parts += [(self.learned + start, middle), (middle, self.learned + end)]
        # As many as there are of each kind, all but an eighth, in their order.
        each = [start + _some(drawn[0, start:end]) for start, end in parts]
        kept = np.concatenate(each)
        counts = dict(zip(SPLITS, zip(map(len, each[1::2]), map(len, each[2::2]), strict=True), strict=True))
        normals = {split: normal for split, (normal, _) in counts.items()}
        sums = np.cumsum([normal + attack for normal, attack in counts.values()]).tolist()
        first, last = self.starts[kept].astype(np.int64), self.starts[kept + 1].astype(np.int64)
        pieces = []
        for index, (start, end, draws) in enumerate(zip(first, last, drawn[1:, kept].T.astype(np.int64), strict=True)):
            pieces.append(self.calls[start:end][_left(end - start, draws) if index >= len(each[0]) else slice(None)])
        return replace(
            self,
            digest=seed.hex(),
            calls=np.ascontiguousarray(np.concatenate(pieces), "<u4"),
            starts=np.ascontiguousarray(np.cumsum([0, *map(len, pieces)]), "<u4"),
            learned=len(each[0]),
            normals=normals,
            ends=dict(zip(SPLITS, sums, strict=True)),
        )


def _some(drawn: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """Which of so many are left, in their order: as many for each draw."""
    return np.sort(np.argsort(drawn, kind="stable")[len(drawn) // MISSING :])


def _left(length: int, drawn: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """By call of a sequence, whether it is left; all of one that is very short."""
    left = np.ones(length, np.bool_)
    most = max(1, length // CROPPED) if length > 2 else 0
    if most:
        begin, end = 1 + drawn[:2] % most
        left[:begin] = left[length - end :] = False
    return left


def _trace(
    name: str,
    calls: Numbers,
    starts: npt.NDArray[np.int64],
    *,
    distinct: int,
    learned: int,
    normals: dict[str, int],
    ends: dict[str, int],
) -> Trace:
    calls, offsets = np.ascontiguousarray(calls, "<u4"), np.ascontiguousarray(starts, "<u4")
    shape = ",".join(str(number) for number in (learned, *normals.values(), *ends.values(), distinct))
    digest = hashlib.sha256(b"kernelnet security 1\n" + shape.encode("ascii") + b"\n")
    digest.update(offsets.tobytes())
    digest.update(calls.tobytes())
    return Trace(name, digest.hexdigest(), ends, calls, offsets, distinct, learned, normals)


def makeTrace(name: str, sequences: Iterable[Sequence], path: str | Path = "") -> Trace:
    """
    See C{RULES} for how sequences are split.

    @param path: for the error.
    @raise TraceError: there are too few sequences of a kind.
    """
    kinds: dict[str, list[Sequence]] = {"learn": [], "normal": [], "attack": []}
    for sequence in sequences:
        kinds[sequence.label].append(sequence)
    learn, normal = kinds["learn"], kinds["normal"]
    if not learn:
        third = len(normal) // 3
        learn, normal = normal[:third], normal[third:]
    attacks = _attacksBySplit(kinds["attack"])
    for what, there in (("learned", learn), ("normal", normal), ("attack", kinds["attack"])):
        if len(there) < MIN_SEQUENCES[what]:
            wrong = f"{len(there)} {what} sequences"
            raise TraceError(
                path or name, None, wrong, f"at least {MIN_SEQUENCES[what]} are needed, after a third for learning"
            )
    ordered, ends, normals, start = list(learn), {}, {}, 0
    for split, end in splitEnds(len(normal)).items():
        ordered += normal[start:end] + attacks[split]
        normals[split], start = end - start, end
        ends[split] = len(ordered) - len(learn)
    calls, distinct = dense(np.concatenate([sequence.calls for sequence in ordered]))
    starts = np.concatenate([[0], np.cumsum([len(sequence.calls) for sequence in ordered])])
    return _trace(name, calls, starts, distinct=distinct, learned=len(learn), normals=normals, ends=ends)


def _attacksBySplit(attacks: list[Sequence]) -> dict[str, list[Sequence]]:
    """
    Half is held out, by kinds if there are four, so that these are new; else by instances; else one by one.

    What is not held out is divided by instances, or one by one: validation has the kinds that train has.
    """
    kinds = [attack.kind for attack in attacks]
    instances = [f"{attack.kind} {attack.instance}" for attack in attacks]
    single = [str(number) for number in range(len(attacks))]
    for halves, fifths in ((kinds, instances), (instances, instances), (single, single)):
        if len(set(halves)) < 4:
            continue
        order = {name: number for number, name in enumerate(dict.fromkeys(halves))}
        result: dict[str, list[Sequence]] = {split: [] for split in SPLITS}
        seen: dict[str, int] = {}
        for half, fifth, attack in zip(halves, fifths, attacks, strict=True):
            if order[half] % 2:
                result["held_out"].append(attack)
            else:
                number = seen.setdefault(fifth, len(seen))
                result["validation" if number % _FIFTH == _FIFTH - 1 else "train"].append(attack)
        if all(result.values()):
            return result
    return {split: [] for split in SPLITS}


def loadTrace(path: Path) -> Trace:
    """@raise TraceError: it can't be read, or has too few sequences."""
    return makeTrace(traceName(path), readSequences(path), path)
