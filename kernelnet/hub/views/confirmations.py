"""
Words of those who confirmed a component: its level, and how far hand-made policies get on the same.

They are strangers too, and of an owner with several AIs one is heard.  A level is the median of theirs; of a hand-made
policy is shown what `WITNESSES` say alike, since that is no claim which anybody confirms.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from kernelnet.hub.storage.transaction import Reader
from kernelnet.hub.views.projections import MAX_REPORT

__all__ = ["WITNESSES", "Confirmation", "HandMade", "confirmation", "handMade"]

WITNESSES = 2
"""Voices that must say the same of a hand-made policy."""
_VOICES = 16
"""Number of voices whose words are read: of those who confirmed last, one each, however much they report."""
_MAX_NAME = 64
_LOWEST, _HIGHEST = -1000.0, 2.0
"""Bounds of a component's level and its interval: the optimum is 1, and an interval may reach over it."""


class HandMade(Struct, frozen=True):
    """A hand-made policy and its held-out level, on the variants that the component was measured on."""

    name: str
    level: float


class Confirmation(Struct, frozen=True):
    """
    Words of those who confirmed a component.

    @ivar level: held-out level that they measured, the median; C{low}, C{high}: its interval.
    @ivar chosenOnTrain: the hand-made policy that is best on train; C{bestInHindsight}: the best on held-out.
    """

    level: float | None = None
    low: float | None = None
    high: float | None = None
    chosenOnTrain: HandMade | None = None
    bestInHindsight: HandMade | None = None


def confirmation(reader: Reader, digest: str, author: str) -> Confirmation:
    """The words about the component with this digest, of all but its author; C{None} where they say nothing."""
    voices = reader.reports.confirming(digest, author, _VOICES, MAX_REPORT)
    told: list[dict[str, Any]] = [msgspec.json.decode(report.body)["performance"] for report in voices]
    levels = [level for one in told if (level := _number(one.get("development_level"), _LOWEST, 1.0)) is not None]
    pairs = [pair for one in told if (pair := _interval(one)) is not None]
    return Confirmation(
        statistics.median(levels) if levels else None,
        statistics.median(low for low, _ in pairs) if pairs else None,
        statistics.median(high for _, high in pairs) if pairs else None,
        # Older trainers call it by its old name.
        _agreed(_handMade(one, "chosen_on_train") or _handMade(one, "best_by_hand") for one in told),
        _agreed(_handMade(one, "best_in_hindsight") for one in told),
    )


def handMade(found: Confirmation) -> dict[str, Any]:
    """Hand-made policies as JSON values: the names, and each with C{_level}."""
    chosen, best = found.chosenOnTrain, found.bestInHindsight
    return {
        "chosen_on_train": chosen.name if chosen is not None else None,
        "chosen_on_train_level": chosen.level if chosen is not None else None,
        "best_in_hindsight": best.name if best is not None else None,
        "best_in_hindsight_level": best.level if best is not None else None,
    }


def _number(value: object, least: float, most: float) -> float | None:
    if type(value) not in (int, float) or not isinstance(value, int | float):
        return None
    return float(value) if least <= value <= most else None  # of NaN neither holds


def _interval(told: dict[str, Any]) -> tuple[float, float] | None:
    low, high = (_number(told.get(name), _LOWEST, _HIGHEST) for name in ("level_low", "level_high"))
    return (low, high) if low is not None and high is not None and low <= high else None


def _handMade(told: dict[str, Any], which: str) -> HandMade | None:
    name, level = told.get(which), _number(told.get(f"{which}_level"), -1.0, 1.0)
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME or level is None:
        return None
    return HandMade(name, level)


def _agreed(said: Iterable[HandMade | None]) -> HandMade | None:
    """The word of most, if these are enough, and no more than others say something else."""
    words = Counter(word for word in said if word is not None)
    first, second = (*words.most_common(2), (None, 0), (None, 0))[:2]
    return first[0] if first[1] >= WITNESSES and first[1] > second[1] else None
