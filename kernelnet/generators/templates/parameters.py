"""
Parameters of templates: their ranges, and how they get into a template's C source.

A template's C file has a line C{#define NAME value} for each parameter, between the comments C{begin parameters} and
C{end parameters}; what stands there is replaced.  Those of C{two_queues.c} are here too, with settings known to be
good.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "HAND_MADE",
    "PARAMETERS",
    "Parameter",
    "Vector",
    "bake",
    "bakedSource",
    "describe",
    "normalized",
    "tunable",
    "tunableSource",
]

Vector = tuple[float, ...]
"""One value for each of `PARAMETERS`."""


@dataclass(frozen=True)
class Parameter:
    """
    @ivar name: the constant in the C source.
    @ivar whole: it takes whole numbers only.
    @ivar zero: it switches something off when it is 0, which is worth trying often.
    @ivar meaning: for the published source.
    """

    name: str
    least: float
    most: float
    whole: bool
    zero: bool
    meaning: str

    def normalized(self, value: float) -> float:
        """The nearest value that it takes; four decimals are more than any trace can tell apart."""
        value = min(self.most, max(self.least, value))
        return float(round(value)) if self.whole else round(value, 4)

    def any(self, rng: random.Random) -> float:
        """A random value."""
        if self.whole:
            return float(rng.randint(int(self.least), int(self.most)))
        if self.zero and rng.random() < 0.5:
            return 0.0
        return self.normalized(rng.uniform(self.least, self.most))

    def near(self, value: float, rng: random.Random) -> float:
        """A random value, mostly near C{value}."""
        if self.whole or (self.zero and rng.random() < 0.3) or value == 0 or rng.random() < 0.2:
            return 0.0 if self.zero and value and not self.whole else self.any(rng)
        return self.normalized(value * 2 ** rng.gauss(0, rng.choice((0.1, 0.7))))


PARAMETERS = (
    Parameter("SMALL_SHARE", 0.005, 0.95, False, False, "share of the cache that newcomers get"),
    Parameter("GHOST_SHARE", 0, 3, False, False, "ghosts, as a share of the cache's blocks"),
    Parameter("PROMOTE_AFTER", 1, 4, True, False, "requests in small that earn a place in main"),
    Parameter("CORRELATED", 0, 0.5, False, True, "requests until this share of the cache has passed don't count"),
    Parameter("SMALL_IS_LRU", 0, 1, True, False, "1: a request moves a block to small's front"),
    Parameter("MAIN_ORDER", 0, 2, True, False, "0: rounds (CLOCK), 1: recency (LRU), 2: a hand (SIEVE)"),
    Parameter("MAX_ROUNDS", 1, 7, True, False, "requests in main that are counted"),
    Parameter("START_REMEMBERED", 0, 2, True, False, "requests credited to who comes back from the ghosts"),
    Parameter("START_PROMOTED", 0, 2, True, False, "requests credited to who comes from small"),
    Parameter("MAIN_LEAVES", 0, 2, True, False, "main's victims leave 0: nothing, 1: a ghost, 2: for small"),
    Parameter("ADAPT_STEP", 0, 20, False, True, "blocks by which a ghost's request moves small's target"),
    Parameter("SMALL_LEAST", 0, 0.1, False, True, "least share of the cache for small"),
)

HAND_MADE: tuple[Vector, ...] = (
    (0.1, 0.9, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0),  # S3-FIFO
    (0.25, 0.5, 4, 0, 0, 1, 1, 0, 0, 0, 0, 0),  # 2Q, nearly
    (0.25, 0.5, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0),
    (0.5, 1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 0),  # ARC, nearly
    (0.1, 2, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0),
    (0.95, 0, 4, 0, 1, 1, 1, 0, 0, 0, 0, 0),  # LRU, nearly
    (0.01, 1, 1, 0, 0, 2, 1, 0, 0, 0, 0, 0),  # SIEVE, behind a short queue
    (0.2, 1, 1, 0, 1, 1, 1, 0, 0, 2, 0, 0),  # SLRU with ghosts
)
"""Settings that come near to known policies."""

_BEGIN, _END = "/* begin parameters", "/* end parameters */\n"


def normalized(values: Sequence[float]) -> Vector:
    """The nearest vector within the ranges."""
    return tuple(parameter.normalized(value) for parameter, value in zip(PARAMETERS, values, strict=True))


def _source(file: str, parameters: str) -> str:
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    return text[: text.index(_BEGIN)] + parameters + text[text.index(_END) + len(_END) :]


def bakedSource(file: str, parameters: Sequence[Parameter], vector: Sequence[float]) -> str:
    """The C source of a template with the parameters built in, as it is published.  @param file: beside this module."""
    lines = []
    for parameter, value in zip(parameters, vector, strict=True):
        number = str(int(value)) if parameter.whole else repr(float(value))
        lines.append(f"#define {parameter.name} {number} /* {parameter.meaning} */\n")
    return _source(file, "".join(lines))


def tunableSource(file: str, parameters: Sequence[Parameter]) -> str:
    """The C source of a template that takes them through C{kn_param}, so that a search compiles only once."""
    count = len(parameters)
    lines = [f"static f64 parameter[{count}];\n"]
    for index, parameter in enumerate(parameters):
        lines.append(f"#define {parameter.name} parameter[{index}]\n")
    lines.append(f"\nvoid kn_param(u32 index, f64 value) {{\n    if (index < {count}) parameter[index] = value;\n}}\n")
    return _source(file, "".join(lines))


def bake(vector: Vector) -> str:
    """`bakedSource` of C{two_queues.c}."""
    return bakedSource("two_queues.c", PARAMETERS, vector)


def tunable() -> str:
    """`tunableSource` of C{two_queues.c}."""
    return tunableSource("two_queues.c", PARAMETERS)


def describe(vector: Vector) -> str:
    """One line for people."""
    value = dict(zip((parameter.name for parameter in PARAMETERS), vector, strict=True))
    order = ("CLOCK rounds", "LRU", "SIEVE")[int(value["MAIN_ORDER"])]
    text = f"two queues: newcomers {value['SMALL_SHARE']:.1%}, main in {order}, ghosts {value['GHOST_SHARE']:.2f}"
    return text + (", adaptive" if value["ADAPT_STEP"] else "")
