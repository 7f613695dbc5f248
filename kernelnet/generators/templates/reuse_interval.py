"""The template C{reuse_interval.c} as a family: policies that learn how long blocks take to be requested again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from kernelnet.generators.evolution.pattern_seeds import Numbers
from kernelnet.generators.templates.parameters import Parameter, Template, Vector

__all__ = ["REUSE_INTERVAL"]

_PARAMETERS = (
    Parameter("MEMORY", 13, 24, False, False, "log2 of the requests in which what was learned fades to half"),
    Parameter("PRIOR", 0.5, 32, False, False, "so many blocks count what is known of a larger group"),
    Parameter("FIRST_HAZARD", 0.001, 0.4, False, False, "share requested at each age, before anything was learned"),
    Parameter("AGE_PARTS", 0, 2, True, False, "log2 of the parts of an octave of ages that are told apart"),
    Parameter("GAP_PARTS", 1, 2, True, False, "parts of an octave of last gaps that are told apart"),
    Parameter("OLDER_STEP", 0, 8, True, False, "octaves of the gap before the last that are one; 0: it does not count"),
    Parameter("COUNT_MEMORY", 8, 22, False, False, "log2 of the requests in which a block's count fades to half"),
    Parameter("COUNT_SCALE", 0, 2, False, True, "how finely low counts are told apart; 0: they don't count"),
    Parameter("CONTEXT", 0, 7, True, False, "what was before counts; sum of 1: a run, 2: the gap, 4: many new blocks"),
    Parameter("LOOKS", 3, 32, False, False, "blocks looked at for a victim, for each request"),
    Parameter("RETAINED", 1, 7, True, False, "blocks that are looked at again next time"),
)

_KNOWN: tuple[Vector, ...] = (
    (20, 4, 0.02, 1, 1, 4, 16, 0.5, 3, 12, 4),
    (22, 4, 0.2, 1, 1, 4, 16, 0.5, 3, 12, 4),
    (18, 2, 0.02, 2, 2, 4, 16, 1, 2, 9, 4),
    (20, 4, 0.02, 1, 1, 4, 12, 1, 7, 12, 4),
    (22, 4, 0.05, 1, 2, 8, 20, 0, 0, 14, 4),
    (16, 8, 0.02, 1, 1, 0, 14, 1, 1, 14, 3),
)
"""Settings that were good on several traces, from many groups of blocks to few."""


def _suggested(kind: str, number: Numbers) -> Iterator[Vector]:
    """Settings that a pattern makes worth trying; see `Template.suggested`."""
    if kind == "loop":
        # Ages that are told apart well.
        yield (20, 2, 0.02, 2, 2, 4, 16, 0, 0, 10, 4)
    elif kind == "phase_changes" and number("length") > 1:
        # What was learned is of use as long as a phase, or some of them.
        length = math.log2(number("length"))
        yield (length, 4, 0.02, 1, 1, 4, length, 0.5, 3, 12, 4)
        yield (length + 2, 4, 0.02, 1, 1, 4, length + 2, 0.5, 3, 12, 4)
    elif kind == "sequential_runs":
        # Who came in a run is another kind of block.
        yield (20, 4, 0.02, 1, 1, 4, 16, 0.5, 1, 12, 4)


def _summary(value: Mapping[str, float]) -> str:
    facts = ["the last gap"]
    if value["OLDER_STEP"]:
        facts.append("the gap before")
    if value["COUNT_SCALE"]:
        facts.append("how often")
    if value["CONTEXT"]:
        facts.append("what was before")
    return f"learned lifetimes: most hits per time, by {', '.join(facts)}; memory 2^{value['MEMORY']:.1f} requests"


REUSE_INTERVAL = Template(
    "lifetimes",
    "file_system",
    Path(__file__).with_name("reuse_interval.c").read_text(encoding="utf-8"),
    _PARAMETERS,
    _KNOWN,
    _summary,
    _suggested,
    frozenset(("file_system/search", "file_system/template")),
    abi="file_system/full/2",
    # With 60 measurements in all it gets further on train than with two islands of 40 (0.558 and 0.542, 13 contexts).
    islands=1,
    population=16,
    offspring=8,
)
