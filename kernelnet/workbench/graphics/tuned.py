"""
Hand-made policies with their numbers tuned on the train parts of the traces that ship.

C{python benchmarks/repaint.py --tune} searched them: for each policy, numbers in turn from the published ones on, each
at 25 steps of its range, as often as that makes it better.
"""

from __future__ import annotations

from kernelnet.workbench.tuned import Tuned

__all__ = ["TUNED"]

TUNED: Tuned = {
    "weston_tuned": ("weston", {"WINDOW": 3.364}),
    "mutter_tuned": ("mutter", {"MARGIN": 2.249, "SECONDS": 0.05, "DOWN": 0.9183}),
    "kwin_tuned": ("kwin", {"MEAN_SECONDS": 0.02, "OVER_SECONDS": 0.1, "TIMES": 0.25, "MARGIN": 2.249}),
    "gamescope_tuned": ("gamescope", {"DECAY": 0.604, "RED_ZONE": 2.249}),
    "chromium_tuned": ("chromium", {"HISTORY": 48, "PERCENTILE": 95.8333, "PADDING": 0.5334}),
    "jacobson_tuned": ("jacobson", {"GAIN": 0.02924, "DEVIATION_GAIN": 1.0, "TIMES": 1.125, "MARGIN": 1.687}),
    "aimd_tuned": ("aimd", {"UP": 0.07499, "DOWN": 0.8417}),
}
