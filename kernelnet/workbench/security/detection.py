"""
Quality of a ranking, exactly: the area under the ROC curve, and what is found at 1 % false alarms.

Only the order of the scores counts, so all of it is comparing and adding whole numbers: the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FALSE_ALARMS", "Detection", "detection"]

FALSE_ALARMS = 100
"""One false alarm in so many normal sequences is allowed."""

MILLION = 1_000_000

Scores = npt.NDArray[Any]


@dataclass(frozen=True)
class Detection:
    """
    @ivar normals: normal sequences.
    @ivar attacks: sequences of attacks.
    @ivar above: pairs of an attack and a normal sequence in which the attack's score is higher, counted double, and
        those with equal scores, counted once: twice the Mann-Whitney U.
    @ivar detected: attacks above the threshold.
    @ivar falseAlarms: normal sequences above it; at most C{normals // 100}.
    """

    normals: int
    attacks: int
    above: int
    detected: int
    falseAlarms: int

    @property
    def score(self) -> int:
        """
        In millionths, rounded up: the mean of C{1 - AUC} and of the share of attacks missed at 1 % false alarms.

        Each half needs the other: the area is mostly about rates of false alarms that nobody would bear, and the share
        that is found is a step in a few sequences, which gives a search nothing to climb.  0 is a perfect ranking,
        750000 one that says nothing.
        """
        pairs = 2 * self.normals * self.attacks
        lost = (pairs - self.above) + 2 * self.normals * (self.attacks - self.detected)
        return -(-MILLION * lost // (2 * pairs))

    @property
    def metrics(self) -> dict[str, int]:
        return {
            "auc_ppm": MILLION * self.above // (2 * self.normals * self.attacks),
            "detected_at_1_percent_permille": 1000 * self.detected // self.attacks,
            "false_alarms": self.falseAlarms,
            "normal_sequences": self.normals,
            "attack_sequences": self.attacks,
        }


def detection(normals: Scores, attacks: Scores) -> Detection:
    """
    @param normals, attacks: the scores of normal sequences and of attacks, at least one of each; not-a-number counts
        as less than all others.
    """
    normals, attacks = (np.where(np.isnan(scores), -np.inf, scores) for scores in (normals, attacks))
    ordered = np.sort(normals)
    below = np.searchsorted(ordered, attacks, "left")
    notAbove = np.searchsorted(ordered, attacks, "right")
    # The highest score that must not raise an alarm: one more normal sequence would be one too many.
    threshold = ordered[len(ordered) - 1 - len(ordered) // FALSE_ALARMS]
    return Detection(
        normals=len(normals),
        attacks=len(attacks),
        above=int(below.sum()) + int(notAbove.sum()),
        detected=int(np.count_nonzero(attacks > threshold)),
        falseAlarms=int(np.count_nonzero(ordered > threshold)),
    )
