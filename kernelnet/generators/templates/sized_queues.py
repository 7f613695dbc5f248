"""The template C{sized_queues.c} as a family: object caches by a queue of newcomers, and requests a byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from kernelnet.generators.evolution.pattern_seeds import MANY_ONE_HITS, Numbers
from kernelnet.generators.templates.parameters import Parameter, Template, Vector

__all__ = ["SIZED_QUEUES"]

_PARAMETERS = (
    Parameter(
        "QUEUE_SHARE", 0, 0.9, False, True, "share of the bytes that newcomers get; 0: they are compared at once"
    ),
    Parameter("GHOST_SHARE", 0, 3, False, True, "bytes of what is remembered, as a share of the cache's"),
    Parameter("PROMOTE_AFTER", 1, 4, True, False, "requests, with the first, that earn a newcomer a place in the heap"),
    Parameter("SIZE_POWER", 0, 6, True, True, "quarters of the power of the size by which requests are divided"),
    Parameter("AGING", 0, 1.5, False, True, "weight of the age of the cache"),
    Parameter("MOST_COUNTED", 1, 1000, True, False, "requests for an object that are counted", log=True),
    Parameter("ROOT_OF_COUNT", 0, 1, True, False, "1: of the number of requests the square root counts"),
    Parameter(
        "KEEPS_COUNT", 0, 1, True, False, "1: requests in the queue count in the heap, whose victims leave ghosts"
    ),
    Parameter("DECLINES", 0, 1, True, False, "1: a newcomer that would be the lowest itself doesn't come in"),
)

_KNOWN: tuple[Vector, ...] = (
    (0, 0, 1, 4, 1, 1000, 0, 1, 1),  # GDSF
    (0, 1, 1, 4, 1, 1000, 0, 1, 0),
    (0.1, 0.9, 3, 0, 1, 4, 0, 0, 0),  # S3-FIFO, nearly
    (0.1, 0.9, 2, 4, 1, 1000, 0, 1, 0),
    (0.1, 1, 2, 2, 1, 16, 0, 1, 1),
    (0, 0, 1, 4, 1, 1, 0, 0, 0),  # GreedyDual-Size
    (0, 0, 1, 0, 1, 1000, 0, 1, 0),  # LFU with aging
    (0.01, 2, 2, 2, 1, 1000, 1, 1, 0),
)
"""Settings that come near to known policies."""


def _suggested(kind: str, number: Numbers) -> Iterator[Vector]:
    """Settings that a pattern makes worth trying; see `Template.suggested`."""
    if kind == "one_hit_share" and number("share") >= MANY_ONE_HITS:
        yield (max(0.01, 0.2 * (1 - number("share"))), 2, 2, 2, 1, 1000, 0, 1, 1)


def _summary(value: Mapping[str, float]) -> str:
    queue = f"newcomers {value['QUEUE_SHARE']:.1%}" if value["QUEUE_SHARE"] else "no queue"
    return (
        f"a queue before requests a byte: {queue}, size to the {value['SIZE_POWER'] / 4:g}, aging {value['AGING']:.2f}"
    )


SIZED_QUEUES = Template(
    "sized_queues",
    "file_system",
    Path(__file__).with_name("sized_queues.c").read_text(encoding="utf-8"),
    _PARAMETERS,
    _KNOWN,
    _summary,
    _suggested,
    frozenset(("file_system/search", "file_system/template")),
    abi="file_system/full_sized/1",
    islands=1,
    population=20,
    offspring=10,
)
