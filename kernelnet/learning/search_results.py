"""
Results of a search: all that it has measured on train, so that it can be done again without measuring; and its best.

A search that is done again with the same seed asks for the same modules in the same order.  With the results of the
first it is where that ended within seconds, whatever its generator keeps in mind, and goes on from there.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kernelnet.artifacts import SplitScore
from kernelnet.interfaces import IScenario
from kernelnet.workbench.errors import ComponentError, NoResources, TimedOut

__all__ = ["MAX_WINDOWS", "CurvePoint", "Improvement", "SearchResults", "Windows", "searchCurve", "windowsIn"]

MAX_WINDOWS = 400_000
"""
Maximum number that is kept, in all results together: a hundred megabytes.  What comes later is measured again.  Of one
trace that are 50,000 results, of a suite of sixteen 3,000.
"""

Windows = list[tuple[int, int, int, dict[str, int]]]
"""Of each window events, score, fuel and metrics."""


def windowsIn(results: Iterable[Windows | None]) -> int:
    """Number of windows in results; one that failed counts as one."""
    return sum(1 if windows is None else len(windows) for windows in results)


@dataclass(frozen=True)
class Improvement:
    """
    A module that was better on train than all before, by the sum of its windows.

    @ivar evaluations: how many were measured up to it.
    """

    evaluations: int
    wasm: bytes
    parameters: tuple[float, ...]


class SearchResults:
    """
    May be used by several threads at once.

    @ivar known: by digest of module, parameters and number of windows; C{None}: it failed.
    @ivar evaluations: number of modules, or of parameters of one, that were asked for.
    @ivar improvements: see `Improvement`; of several threads' results in the order in which they came.
    """

    def __init__(self, known: Mapping[str, Windows | None] | None = None) -> None:
        """@param known: of an earlier search."""
        self.known = dict(known or {})
        self._windows = windowsIn(self.known.values())
        self.improvements: list[Improvement] = []
        self._asked: set[bytes] = set()
        self._lowest: int | None = None
        self._lock = threading.Lock()

    @property
    def evaluations(self) -> int:
        return len(self._asked)

    def kept(self) -> dict[str, Windows | None]:
        """All of `known` so far, also while a search goes on."""
        with self._lock:
            return dict(self.known)

    def windows(
        self, wasm: bytes, parameters: Sequence[float], count: int, measure: Callable[[], list[SplitScore]]
    ) -> list[SplitScore]:
        """
        Result of a module, measured if it isn't known yet.

        @param count: number of windows; 0: the whole of train.
        @raise ComponentError: it fails, or did.
        """
        digest = hashlib.sha256(wasm + repr(tuple(parameters)).encode()).digest()
        key = f"{digest.hex()[:32]} {count}"
        if key not in self.known:
            found = self._measured(measure)
            with self._lock:
                more = windowsIn([found])
                if self._windows + more <= MAX_WINDOWS and key not in self.known:
                    self.known[key] = found
                    self._windows += more
        else:
            found = self.known[key]
        with self._lock:
            self._asked.add(digest)
            total = sum(window[1] for window in found) if found is not None and count else None
            if total is not None and (self._lowest is None or total < self._lowest):
                self._lowest = total
                self.improvements.append(Improvement(self.evaluations, wasm, tuple(parameters)))
        if found is None:
            raise ComponentError("it fails on train")
        return [SplitScore(events, score, fuel, dict(metrics)) for events, score, fuel, metrics in found]

    def _measured(self, measure: Callable[[], list[SplitScore]]) -> Windows | None:
        try:
            return [(each.events, each.score, each.fuel, dict(each.metrics)) for each in measure()]
        except (NoResources, TimedOut):
            raise  # another time it may work
        except ComponentError:
            return None


@dataclass(frozen=True)
class CurvePoint:
    """
    Best so far on train, after so many evaluations.

    @ivar train, validation: its development levels, on the trace as it is.
    """

    evaluations: int
    train: float
    validation: float


def searchCurve(
    scenario: IScenario, results: SearchResults, measured: Callable[[], object] = lambda: None
) -> list[CurvePoint]:
    """
    Worker thread.  Course of a search: its best so far on train, and what these have on validation, unknown to it.

    @param measured: called after each of the improvements.
    """
    found: list[CurvePoint] = []
    for each in results.improvements:
        try:
            report = scenario.measure(each.wasm, upTo="validation", parameters=each.parameters)
        except ComponentError:
            continue  # on validation it fails
        finally:
            measured()
        train, validation = (scenario.developmentLevel(report, split) for split in ("train", "validation"))
        # Where scores are rates the sum of the windows is not the score.
        if not found or train > found[-1].train:
            found.append(CurvePoint(each.evaluations, train, validation))
    return found
