"""The template C{playout_margin.c} as a family: jitter buffers that keep a margin above what comes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from kernelnet.generators.templates.marked_source import marked

__all__ = ["PLAYOUT_MARGIN"]

_KNOWN = (
    # by the changes alone, nearly DeLeon's and Sreenan's; by the greatest transit lately; by a quantile;
    (32, 500, 0, 0, 0, 100, 0.9, 500, 0, 0, 0, 100, 0, 0, 20, 600, 1),
    (0, 500, 0, 0, 1, 100, 0.9, 500, 0, 5, 0, 100, 0, 0, 5, 600, 1),
    (0, 500, 0, 0, 0, 100, 0.99, 500, 1, 5, 0, 100, 0, 0, 5, 600, 1),
    # such that grow where nothing is here, and else hold some delay, or that of the first;
    (0, 500, 0, 0, 0, 100, 0.9, 500, 0, 40, 0, 100, 20, 0, 5, 600, 1),
    (12, 2000, 0, 1.5, 0, 100, 0.9, 500, 0, 5, 0, 100, 20, 0, 5, 600, 1),
    (24, 2000, 0, 0, 0, 100, 0.9, 500, 0, 0, 0, 100, 20, 0, 20, 600, 1),
    # and such between them.
    (24, 500, 0, 1, 1, 100, 0.95, 500, 1, 2, 10, 100, 10, 4, 3, 150, 0.8),
    (40, 1000, 0.02, 0, 0.7, 50, 0.95, 500, 0.5, 0, 0, 100, 0, 2, 5, 300, 0.7),
)


def _summary(value: Mapping[str, float]) -> str:
    parts = [f"{value['CHANGES']:.0f} mean changes above the last transit"]
    parts += [f"{value['PEAK']:.0%} of the peak"] if value["PEAK"] else []
    parts += [f"{value['LEVEL']:.0%} of the {value['QUANTILE']:.2%} quantile"] if value["LEVEL"] else []
    parts += [f"{value['DRY']:.0f} ms more a frame while the next one isn't here"] if value["DRY"] else []
    return f"keeps {', '.join(parts)}, and {value['MARGIN']:.0f} ms"


_marked = marked(Path(__file__).with_name("playout_margin.c").read_text(encoding="utf-8"), "audio", "playout_margin")
assert _marked is not None

PLAYOUT_MARGIN = dataclasses.replace(
    _marked,
    known=(*_marked.known, *(_marked.normalized(values) for values in _KNOWN)),
    summary=_summary,
    blockTypes=frozenset(("audio/search", "audio/template")),
    islands=1,
    population=24,
    offspring=12,
)
