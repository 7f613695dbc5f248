"""The verdict on a training, in a sentence: how many tasks beat every hand-made policy, by how much, how surely."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from kernelnet.cli.outcomes import Outcome
from kernelnet.untrusted import plain

__all__ = ["verdict"]

_NAMED = 2
"""Number of tasks whose hand-made policies are named in the sentence."""

_NUMBERS = ("nobody", "one", "two", "three", "four", "five")


def verdict(found: Sequence[Outcome], first: float | None = None) -> list[str]:
    """
    Lines: the verdict, then what qualifies it.

    @param first: seconds from the start to the first confirmation; C{None}: nobody knows.
    """
    compared = [one for one in found if one.handMade is not None]
    if not compared:
        told = (
            f"{_tasks(len(found))}, and nobody tells here what hand-made policies have"
            if found
            else "Nothing was shared"
        )
        return [f"{told}."]
    better = [one for one in compared if one.isBetter]
    parts = [f"{len(better)} of {_tasks(len(compared))}: better than every hand-made policy"]
    if better:
        parts[0] += f", {_confirmed(better)}"
        parts.append(f"median gain {_medianGain(better)} of the way to the optimum")
    if first is not None:
        parts.append(f"first confirmation after {first:.0f} s")
    lines = ["; ".join(parts) + "."]
    unsure = [one for one in better if not one.isSure and one.gained is not None]
    if unsure:
        lines[0] += f" {_of(len(unsure), len(better))} by less than the interval, which may be luck."
    if len(better) < len(compared):
        lines.append(f"Nothing that was learned is better elsewhere: {_handMade(compared)}.")
    if unknown := len(found) - len(compared):
        lines.append(f"{_tasks(unknown)} not counted: nobody tells here what hand-made policies have.")
    return lines


def _tasks(count: int) -> str:
    return f"{count} task" + ("s" if count != 1 else "")


def _of(part: int, whole: int) -> str:
    return f"{part} of these" if part < whole else "All of these" if part > 1 else "This"


def _confirmed(better: Sequence[Outcome]) -> str:
    counts = [len(one.best.voices("confirmed")) for one in better if one.best is not None]
    least = min(counts)
    words = _NUMBERS[least] if least < len(_NUMBERS) else str(least)
    more = "at least " if max(counts) > least else ""
    return f"each confirmed by {more}{words} other{'s' if least != 1 else ''}"


def _medianGain(better: Sequence[Outcome]) -> str:
    """The interval is between the medians of the lower and of the upper ends: as if all were wrong the same way."""
    text = f"{statistics.median(one.gain or 0.0 for one in better):.2f}"
    sure = [one.gained for one in better if one.gained is not None]
    if len(sure) < len(better):
        return text
    low, high = (statistics.median(gained[end] for gained in sure) for end in (0, 1))
    return f"{text} ± {(high - low) / 2:.2f}"


def _handMade(compared: Sequence[Outcome]) -> str:
    """Names of the hand-made policies to use where nothing is better; of many tasks the table alone has the names."""
    worse = [(one, one.handMade) for one in compared if not one.isBetter and one.handMade is not None]
    if len(worse) > _NAMED:
        return f"use the best hand-made policy on {_tasks(len(worse))}"
    return ", ".join(f"use {plain(hand.best)} for {plain(one.subject)}, {plain(one.words)}" for one, hand in worse)
