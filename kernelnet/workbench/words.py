"""Tasks and their settings in words and units, as people are told of them; only what isn't the default."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kernelnet.interfaces import IWorkbench

__all__ = ["allInWords", "inWords", "partsInWords", "subjectOf", "taskInWords", "timeInWords", "traceInWords"]

_UNITS = {
    "ns": "ns",
    "us": "µs",
    "ms": "ms",
    "seconds": "s",
    "permille": "‰",
    "percent": "%",
    "packets": "packets",
    "blocks": "blocks",
    "bytes": "bytes",
}
"""Unit by the last word of a setting's name."""


def inWords(workbench: IWorkbench | None, settings: Mapping[str, int]) -> str:
    """
    Settings in words, as the workbench itself has them; empty: all are the defaults, or are in the name of a suite.

    @param workbench: C{None} where it isn't installed, and nobody knows its defaults.
    """
    if _isOfSuite(settings):
        return ""
    own = getattr(workbench, "inWords", allInWords)
    try:
        return str(own(settings))
    except Exception:  # a stranger's claim, which lacks some or has them out of all bounds; or a third party's bench
        return allInWords(settings)


def _isOfSuite(settings: Mapping[str, int]) -> bool:
    """A suite's name has its parts with their settings."""
    return set(settings) == {"parts"}


def allInWords(settings: Mapping[str, int]) -> str:
    """All settings by their names, with the units that these end by."""
    words = []
    for name, value in settings.items():
        rest, _, last = name.rpartition("_")
        unit = _UNITS.get(last) if rest else None
        words.append(f"{rest if unit else name} {value} {unit or ''}".replace("_", " ").strip())
    return ", ".join(words)


def timeInWords(microseconds: int) -> str:
    """Span of time in the largest unit in which it is a whole number."""
    for unit, size in (("min", 60_000_000), ("s", 1_000_000), ("ms", 1000)):
        if microseconds and microseconds % size == 0:
            return f"{microseconds // size} {unit}"
    return f"{microseconds} µs"


def partsInWords(parts: Sequence[tuple[str, str]]) -> str:
    """
    Several traces as one task.

    @param parts: (trace, its settings in words) of each.
    """
    words = [its for _, its in parts]
    if len(set(words)) == 1:
        return " + ".join(trace for trace, _ in parts) + (f", {words[0]}" if words[0] else "")
    units = {match and match[2] for match in (re.fullmatch(r"(\d+) (\w+)", its) for its in words)}
    if len(units) == 1 and (unit := units.pop()) is not None:
        return " + ".join(f"{trace} {its.split()[0]}" for trace, its in parts) + f" {unit}"
    return " + ".join(f"{trace} {its}".strip() for trace, its in parts)


def subjectOf(workbench: IWorkbench | None, name: str) -> str:
    """Subject of a workbench in two words or so, by its description; C{name}, where it isn't installed."""
    said = re.split("[:,]", workbench.description)[0].strip() if workbench is not None else ""
    return said if 0 < len(said) <= 30 else name.replace("_", " ")


def taskInWords(workbench: IWorkbench | None, trace: str, settings: Mapping[str, int]) -> str:
    """A task of a workbench: its trace, or its traces, and what of its settings isn't the default."""
    return ", ".join(filter(None, (traceInWords(trace, settings), inWords(workbench, settings))))


def traceInWords(trace: str, settings: Mapping[str, int]) -> str:
    """Name of a trace; a suite's has its parts alone, which are few enough to be counted."""
    return re.sub(r"^\d+ traces: ", "", trace) if _isOfSuite(settings) else trace
