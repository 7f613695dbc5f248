"""
Regularities of a data set, learned on train, each with a confidence measured on validation.

  - C{novelty}: how much of normal behaviour is new: the mean, over normal sequences under test, of the share of their
    windows of six calls that were never learned: what detectors have to bear.  Data: C{share}.
  - C{separation}: the three features (see kn_security.h) that best tell attacks from normal sequences, each alone.
    Data: C{feature}, C{auc} and C{sign}: -1 where attacks have less of it.
  - C{popularity}, C{transitions} of normal sequences' calls: see `kernelnet.workbench.trace_statistics`.

A share s learned on train, found to be t on validation, has the confidence C{min(s, t) / max(s, t)}; an AUC counts as
what it is above a half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kernelnet.artifacts import Pattern
from kernelnet.workbench import trace_statistics
from kernelnet.workbench.security.abis import FEATURES
from kernelnet.workbench.security.detection import detection
from kernelnet.workbench.security.trace import Trace
from kernelnet.workbench.trace_statistics import Regularity, agreement, patternsOf

__all__ = ["learnPatterns"]

BEST = 3
_MILLION = 1_000_000

Table = npt.NDArray[np.float64]


def learnPatterns(trace: Trace, table: Table) -> list[Pattern]:
    """
    @param table: the features of all sequences.
    @return: most confident first.
    """
    parts: dict[str, tuple[Table, Table]] = {}
    for split, start, end in trace.windows("validation"):
        rows = table[trace.learned + start : trace.learned + end]
        parts[split] = rows[: trace.normals[split]], rows[trace.normals[split] :]
    novelties = [float(parts[split][0][:, FEATURES.index("unseen6")].mean()) for split in ("train", "validation")]
    novelty = {"share": round(novelties[0], 6)}
    found: list[Regularity] = [("novelty", novelty, agreement(*novelties))]
    gains = [_gain(*parts["train"], column) for column in range(len(FEATURES))]
    for column in sorted(range(len(FEATURES)), key=lambda column: -abs(gains[column]))[:BEST]:
        gain, sign = gains[column], 1 if gains[column] > 0 else -1
        data = {"feature": FEATURES[column], "auc": round(0.5 + abs(gain), 6), "sign": sign}
        checked = sign * _gain(*parts["validation"], column)
        found.append(("separation", data, agreement(abs(gain), checked)))
    learn, check = (
        trace.calls[trace.starts[first] : trace.starts[first + trace.normals[split]]]
        for split, start, _ in trace.windows("validation")
        for first in [trace.learned + start]
    )
    window = min(len(learn), len(check))
    calls = learn[len(learn) - window :], check[:window]
    found += [*trace_statistics.popularity(*calls), *trace_statistics.transitions(*calls)]
    return patternsOf("security", trace, found, {})


def _gain(normals: Table, attacks: Table, column: int) -> float:
    """AUC - 1/2 of a feature alone."""
    metrics: dict[str, Any] = detection(normals[:, column], attacks[:, column]).metrics
    return float(metrics["auc_ppm"] / _MILLION - 0.5)
