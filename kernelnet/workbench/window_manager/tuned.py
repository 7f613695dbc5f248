"""
Hand-made policies with their knobs tuned: a rival at its defaults is no rival.

Each is the C file of a hand-made policy in C{baselines/} with other numbers between its comments C{begin parameters}
and C{end parameters}.  C{python benchmarks/pointer.py --tune} searched them: the numbers that make the mean, over
training parts of several users and devices at two horizons, of the error over that of no prediction the least.
"""

from __future__ import annotations

from kernelnet.workbench.tuned import Tuned

__all__ = ["TUNED"]

TUNED: Tuned = {
    "reckon_tuned": ("reckon", {"GAIN": 0.9404, "ANEW": 56207}),
    "android_tuned": ("android", {"MOST": 45983.7422, "SHARE": 4.0}),
    "line_tuned": ("line", {"SAMPLES": 2, "GAIN": 0.9378}),
    "parabola_tuned": ("parabola", {"SAMPLES": 6, "GAIN": 0.8448, "ANEW": 196965}),
    "kalman_tuned": (
        "kalman",
        {"PROCESS": 0.001585, "MEASUREMENT": 2.233, "VELOCITY": 0.9546, "ACCELERATION": 0.0, "ANEW": 23398},
    ),
    "double_exponential_tuned": ("double_exponential", {"ALPHA": 0.99, "ANEW": 22633}),
    "one_euro_tuned": (
        "one_euro",
        {"LEAST_CUTOFF": 145.3, "BETA": 0.0, "VELOCITY_CUTOFF": 173.8, "GAIN": 0.9779, "ANEW": 125936},
    ),
}
