"""
Seeds that the patterns of a task make worth trying first: settings of the templates, and expressions.

Each comes from what the kind means for a policy, not from a search; which of them help `benchmarks/patterns.py`
measures.  Only patterns that were learned here are asked, and of them those that held on validation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any

from kernelnet.artifacts import Pattern
from kernelnet.interfaces import IProblem
from kernelnet.untrusted import finite

__all__ = ["MANY_ONE_HITS", "MAX_SUGGESTIONS", "MIN_CONFIDENCE", "Numbers", "expressions", "suggestedBy"]

MAX_SUGGESTIONS = 6
"""Maximum number that is tried of one family."""

MIN_CONFIDENCE = 0.5
"""The confidence that is asked of a pattern."""

MANY_ONE_HITS = 0.5
"""With fewer one-hit wonders among the blocks the best policies are others."""

Numbers = Callable[[str], float]
"""A pattern's number by name; 0 where there is none."""


def suggestedBy(problem: IProblem) -> Iterator[tuple[str, Numbers]]:
    """
    Kind and numbers of the patterns that were learned from a problem's own task, the most confident first.
    """
    learned: list[Pattern] = [p for p in getattr(problem, "learned", ()) if p.confidence >= MIN_CONFIDENCE]
    for pattern in sorted(learned, key=lambda pattern: -pattern.confidence):
        data: Mapping[str, Any] = pattern.data if isinstance(pattern.data, dict) else {}
        yield pattern.type, lambda name, data=data: finite(data.get(name)) or 0.0  # type: ignore[misc]


def expressions(problem: IProblem) -> list[str]:
    """For the rank ABI of a problem's bench; in the syntax of `kernelnet.expressions.syntax`."""
    suggest = _BY_BENCH.get(problem.workbench, _nothing)
    found = [text for kind, number in suggestedBy(problem) for text in suggest(kind, number)]
    return list(dict.fromkeys([*found, *_named(problem)]))[:MAX_SUGGESTIONS]


def _named(problem: IProblem) -> list[str]:
    """Features that patterns name, as they tell things apart alone: each, and the sums of two; the best first."""
    features = {feature for abi in getattr(problem, "abis", ()) for feature in abi.features}
    learned = [p.data for p in getattr(problem, "learned", ()) if p.confidence >= MIN_CONFIDENCE]
    named = [data for data in learned if isinstance(data, dict) and isinstance(data.get("feature"), str)]
    named = [data for data in named if data["feature"] in features]
    named.sort(key=lambda data: -(finite(data.get("auc")) or 0.0))
    texts = [("-" if data.get("sign") == -1 else "") + data["feature"] for data in named]
    return [*texts, *(f"{one} + {other}" for one, other in combinations(texts, 2))]


def _nothing(kind: str, number: Numbers) -> Iterator[str]:
    return iter(())


def _ofRequests(kind: str, number: Numbers) -> Iterator[str]:
    if kind == "one_hit_share" and number("share") >= MANY_ONE_HITS:
        # Who was requested only once goes first: most of them won't come back.
        yield "iflt(freq + hist, 1.5, -1e6 - age, lg(freq + hist) - lg(age))"
        yield "iflt(freq + hist, 1.5, -1e6 - age, -age)"


_BY_BENCH: Mapping[str, Callable[[str, Numbers], Iterator[str]]] = {"file_system": _ofRequests}
