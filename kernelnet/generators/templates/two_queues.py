"""The template C{two_queues.c} as a family: what patterns suggest for it, and the generator C{template}."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from twisted.plugin import IPlugin
from zope.interface import implementer

from kernelnet.artifacts import Candidate
from kernelnet.generators.evolution.pattern_seeds import MANY_ONE_HITS, Numbers
from kernelnet.generators.evolution.portfolio import search
from kernelnet.generators.templates.parameter_search import VectorFamily
from kernelnet.generators.templates.parameters import Parameter, Template, Vector
from kernelnet.interfaces import IComponentGenerator, IProblem

__all__ = ["BLOCK_TYPE", "TWO_QUEUES", "TemplateSearch", "template"]

BLOCK_TYPE = "file_system/search"
"""The C{type} of a `kernelnet.artifacts.CodeBlock` whose data is C{{"parameters": […]}}, a vector of this family."""

_PARAMETERS = (
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

_KNOWN: tuple[Vector, ...] = (
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


def _suggested(kind: str, number: Numbers) -> Iterator[Vector]:
    """Settings that a pattern makes worth trying; see `Template.suggested`."""
    relative = number("relative")
    if kind == "one_hit_share" and number("share") >= MANY_ONE_HITS:
        # The more blocks come only once, the less room they should get; who comes back soon was no such block.
        share = number("share")
        yield (max(0.01, 0.1 * (1 - share)), 2, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0)
        yield (max(0.01, 0.5 * (1 - share)), 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0)
    elif kind == "loop" and relative > 1:
        # Of a loop that does not fit, keep a part, and let the rest pass through quickly; the hand keeps what is old.
        yield (0.01, relative, 1, 0, 0, 2, 7, 2, 2, 0, 0, 0)
        yield (0.01, 0, 4, 0, 0, 2, 7, 0, 0, 0, 0, 0)
    elif kind == "sequential_runs":
        # Runs pass through quickly, and what is requested twice in one is still the same use.
        yield (0.02, 1, 1, 0.02, 0, 2, 2, 0, 0, 0, 0, 0)


def _summary(value: Mapping[str, float]) -> str:
    order = ("CLOCK rounds", "LRU", "SIEVE")[int(value["MAIN_ORDER"])]
    text = f"two queues: newcomers {value['SMALL_SHARE']:.1%}, main in {order}, ghosts {value['GHOST_SHARE']:.2f}"
    return text + (", adaptive" if value["ADAPT_STEP"] else "")


TWO_QUEUES = Template(
    "two_queues",
    "file_system",
    Path(__file__).with_name("two_queues.c").read_text(encoding="utf-8"),
    _PARAMETERS,
    _KNOWN,
    _summary,
    _suggested,
    frozenset((BLOCK_TYPE, "file_system/template")),
    abi="file_system/full/2",
)


@implementer(IPlugin, IComponentGenerator)
class TemplateSearch:
    """
    See `IComponentGenerator`.

    @ivar evaluations: stop after so many measurements; C{None}: when the time is over.
    """

    name = "template"
    description = "evolutionary search over two-queue policies with ghosts (page caches)"
    workbenches = ("file_system",)

    def __init__(self, evaluations: int | None = None) -> None:
        self.evaluations = evaluations

    def generate(self, problem: IProblem) -> Candidate | None:
        return search(problem, [VectorFamily(TWO_QUEUES)], self.evaluations) if TWO_QUEUES.fits(problem) else None


template = TemplateSearch()
"""The plugin."""
