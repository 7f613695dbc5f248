"""
Hand-made policies with knobs that are not their authors': found by a search of each one's grid on train.

C{benchmarks/tune_playout.py} tries all that is in C{GRIDS} on the train parts of the calls that ship, and takes what
has the least mean of the logarithms of the costs over all of them.  A rival at its defaults would be none.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from kernelnet.workbench.tuned import Tuned

__all__ = ["GRIDS", "TUNED", "settingsOf"]

GRIDS: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "fixed": {"DELAY": (20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 120.0, 140.0, 160.0, 180.0, 200.0, 250.0, 300.0)},
    "ramjee1": {"ALPHA": (0.9, 0.95, 0.98, 0.99, 0.998002), "DEVIATIONS": (2.0, 4.0, 8.0, 12.0, 16.0, 24.0)},
    "ramjee2": {
        "ALPHA": (0.9, 0.98, 0.99, 0.998002),
        "BETA": (0.0, 0.1, 0.3, 0.75),
        "DEVIATIONS": (0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
    },
    "ramjee4": {
        "KEPT": (0.875, 0.95, 0.98, 0.99),
        "DEVIATIONS": (4.0, 8.0, 16.0),
        "BEGINS": (20.0, 50.0, 100.0),
    },
    "moon": {
        "WINDOW": (200, 500, 2000, 10000),
        "SHARE": (0.9, 0.97, 0.99, 0.995),
        "HEAD": (1.5, 4.0),
        "TAIL": (1.0, 2.0),
    },
    "concord": {"SHARE": (0.9, 0.95, 0.97, 0.99, 0.995), "KEPT": (0.9, 0.95, 0.983, 0.995, 0.998, 0.9993)},
    "neteq": {
        "SHARE": (0.9, 0.95, 0.97, 0.99),
        "KEPT": (0.9, 0.95, 0.983, 0.995),
        "RESAMPLED": (5, 25),
        "STEP": (5.0, 20.0),
    },
    "nlms": {
        "TAPS": (2, 4, 18),
        "RATE": (0.01, 0.05, 0.1, 0.2, 0.4),
        "KEPT": (0.98, 0.99, 0.998002, 0.9995),
        "DEVIATIONS": (8.0, 16.0, 24.0, 32.0, 48.0),
    },
    "speex": {"WINDOW": (40, 120, 300, 1000), "PRICE": (0.1, 0.3, 1.0, 3.0)},
}
"""Values tried, by policy and knob."""

TUNED: Tuned = {
    "fixed_tuned": ("fixed", {"DELAY": 120.0}),
    "ramjee1_tuned": ("ramjee1", {"ALPHA": 0.98, "DEVIATIONS": 12.0}),
    "ramjee2_tuned": ("ramjee2", {"ALPHA": 0.99, "BETA": 0.0, "DEVIATIONS": 1.0}),
    "ramjee4_tuned": ("ramjee4", {"KEPT": 0.98, "DEVIATIONS": 8.0, "BEGINS": 20.0}),
    "moon_tuned": ("moon", {"WINDOW": 500, "SHARE": 0.995, "HEAD": 1.5, "TAIL": 2.0}),
    "concord_tuned": ("concord", {"SHARE": 0.995, "KEPT": 0.995}),
    "neteq_tuned": ("neteq", {"SHARE": 0.9, "KEPT": 0.995, "RESAMPLED": 25, "STEP": 20.0}),
    "nlms_tuned": ("nlms", {"TAPS": 4, "RATE": 0.2, "KEPT": 0.9995, "DEVIATIONS": 24.0}),
    "speex_tuned": ("speex", {"WINDOW": 1000, "PRICE": 3.0}),
}


def settingsOf(policy: str) -> Iterator[dict[str, float]]:
    """All settings of a policy's grid."""
    grid = GRIDS[policy]
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))
