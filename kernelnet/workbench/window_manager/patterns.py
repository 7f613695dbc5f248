"""
Regularities of a pointer's movements, learned on train, each with a confidence measured on validation.

Both windows have equally many frames: train's is its end.  A number a learned on train, found to be b on validation,
has the confidence C{min(a, b) / max(a, b)}: 1 if it holds exactly, 0 if the regularity is gone.

  - C{report_interval}: the median time between samples of a pointer that is followed.  Data: C{interval_us}.
  - C{velocity_kept}: the share of a velocity that the next one has, least squares: how far dead reckoning may go.
    Data: C{share}.
  - C{pointer_speed}: the median speed of a pointer that moves.  Data: C{pixels_per_second}.
  - C{straightness}: the mean cosine of the angle between successive movements, where it is above 0.  Data: C{cosine}.
  - C{deceleration}: how much of the way is made while the pointer gets slower: with a symmetric profile, as that of
    minimum jerk (T. Flash and N. Hogan, The coordination of arm movements, J. Neuroscience 5(7), 1985), it is a half.
    Data: C{share}.
  - C{power_law}: speed goes with the radius of the way's curvature to a power, of about a third for hands (F.
    Lacquaniti, C. Terzuolo and P. Viviani, The law relating the kinematic and figural aspects of drawing movements,
    Acta Psychologica 54, 1983), where it is above 0.05.  Data: C{exponent}.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kernelnet.artifacts import Pattern
from kernelnet.workbench.trace_statistics import Regularity, agreement, patternsOf
from kernelnet.workbench.window_manager.regularities import Steps, steps, velocities
from kernelnet.workbench.window_manager.trace import TRACKED, Trace

__all__ = ["learnPatterns"]

MIN_EXPONENT = 0.05
_FEW = 50
"""Movements that are too few to say anything of."""


def learnPatterns(trace: Trace) -> list[Pattern]:
    """@return: those found, most confident first."""
    windows = trace.learnAndCheck()
    spans = [(trace.samplesBefore(at.start), trace.samplesBefore(at.stop)) for at in windows]
    if any(end - start < _FEW for start, end in spans):
        return []
    learn, check = (_facts(trace, *span) for span in spans)
    # Kind, name of its number, and digits that are worth telling.
    kinds = (
        ("report_interval", "interval_us", 0),
        ("velocity_kept", "share", 6),
        ("pointer_speed", "pixels_per_second", 3),
        ("straightness", "cosine", 6),
        ("deceleration", "share", 6),
        ("power_law", "exponent", 6),
    )
    found: list[Regularity] = []
    for kind, name, digits in kinds:
        learned, checked = learn.get(kind, 0.0), check.get(kind, 0.0)
        if learned > 0:
            found.append((kind, {name: round(learned, digits or None)}, agreement(learned, checked)))
    return patternsOf("window_manager", trace, found, {"window_frames": windows[0].stop - windows[0].start})


def _facts(trace: Trace, start: int, end: int) -> dict[str, float]:
    gaps = trace.gaps[start:end]
    followed = gaps <= TRACKED
    found = steps(trace, start, end)
    speed = np.sqrt((velocities(trace, start, end)[followed] ** 2).sum(axis=1)) * 1000
    facts = {"velocity_kept": found.kept}
    if followed.any():
        facts["report_interval"] = float(np.median(gaps[followed]))
    if (speed > 0).any():
        facts["pointer_speed"] = float(np.median(speed[speed > 0]))
    if len(found.turns) >= _FEW:
        facts["straightness"] = float(found.turns.mean())
        exponent = _powerLaw(found)
        facts["power_law"] = exponent if exponent >= MIN_EXPONENT else 0.0
        facts["deceleration"] = float(np.count_nonzero(found.ratios < 1) / len(found.ratios))
    return facts


def _powerLaw(found: Steps) -> float:
    """Slope of the logarithm of speed over that of the radius, which is the way made over the angle turned by."""
    angles = np.arccos(np.clip(found.turns, -1, 1))
    curved = (angles > 0.05) & (angles < 1.5)
    if np.count_nonzero(curved) < _FEW:
        return 0.0
    speeds: npt.NDArray[np.float64] = np.log(found.speeds[curved])
    radii = speeds - np.log(angles[curved])
    spread = radii - radii.mean()
    power = float((spread**2).sum())
    return float((spread * (speeds - speeds.mean())).sum()) / power if power else 0.0
