"""The template C{kept_velocity.c} as a family: predictors that learn how much of its velocities a pointer keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kernelnet.generators.templates.parameters import Parameter, Template, Vector

__all__ = ["KEPT_VELOCITY"]

_PARAMETERS = (
    Parameter("FORGET", 0.00001, 0.1, False, False, "of what was learned is forgotten at each frame", True),
    Parameter("TRUST", 0.00001, 10, False, False, "in what is seen, beside the weights to begin with", True),
    Parameter("FLOOR", 0.01, 100, False, False, "pixels of error below which all frames count alike", True),
    Parameter("GAIN", 0.5, 1.2, False, False, "of the way that the weights make"),
    Parameter("W1", 0, 2, False, False, "weight of the velocity between the last two samples, to begin with"),
    Parameter("W2", -1, 1, False, True, "of the mean velocity over SPAN"),
    Parameter("W3", -1, 1, False, True, "over a time that is WIDER"),
    Parameter("W4", -1, 1, False, True, "over one that is wider still"),
    Parameter("W5", -1, 1, False, True, "over the widest"),
    Parameter("FASTER", -2, 2, False, True, "of the newest, times by how much it is faster than over WIDER"),
    Parameter("TURNED", -2, 2, False, True, "of the newest, times 1 less the cosine of the angle that it turned by"),
    Parameter("OLD", -2, 2, False, True, "of the newest, times its age in 16 ms less a half"),
    Parameter("SPAN", 4, 40, False, False, "milliseconds: the first of the longer times"),
    Parameter("WIDER", 1.2, 3, False, False, "times as long is each than the one before"),
    Parameter("FRESH", 17, 200, False, False, "milliseconds between samples, beyond which the pointer rested"),
)

_KNOWN: tuple[Vector, ...] = (
    (0.001, 0.00001, 0.5, 1, 1, 0, 0, 0, 0, 0, 0, 0, 12, 2, 20),  # dead reckoning
    (0.001, 0.00001, 0.5, 0.75, 1, 0, 0, 0, 0, 0, 0, 0, 12, 2, 40),  # the same, damped
    (0.001, 0.01, 0.5, 1, 0.8, 0.1, 0, 0, 0, 0, 0, 0, 12, 2, 40),
    (0.0003, 0.01, 0.5, 1, 0.9, 0.1, 0, 0, 0, 0, 0, 0, 16, 1.6, 100),
    (0.001, 0.1, 1, 0.97, 0.6, 0.3, 0, 0, 0, 0.2, 0, 0, 10, 1.7, 40),
    (0.00001, 1, 2, 1, 0.7, 0.2, 0, 0, 0, 0, 0, 0, 8, 2, 60),
)
"""Settings that come near to known predictors, and such that learn faster or slower."""


def _summary(value: Mapping[str, float]) -> str:
    weights = ", ".join(f"{value[name]:.2f}" for name in ("W1", "W2", "W3", "W4", "W5"))
    return f"begins with {weights} of velocities, and forgets {value['FORGET']:.2g} of what it learns a frame"


KEPT_VELOCITY = Template(
    "kept_velocity",
    "window_manager",
    Path(__file__).with_name("kept_velocity.c").read_text(encoding="utf-8"),
    _PARAMETERS,
    _KNOWN,
    _summary,
    blockTypes=frozenset(("window_manager/search", "window_manager/template")),
)
