"""
Families of policies that a portfolio searches side by side, and the problem as they measure on it.

A `Family` does its work in short steps, so that somebody else decides who goes on; a step is begun, and ended when all
of it is measured, so that those of several families are under way side by side.  All measure through one `Metered`
problem, which knows when the search is over, runs as many modules at once as the problem says, and gives each score on
several windows of train: what is best on all of them holds up better elsewhere than what is luckiest on the whole.
"""

from __future__ import annotations

import contextlib
import math
import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from kernelnet.artifacts import Candidate, SplitScore
from kernelnet.interfaces import IProblem
from kernelnet.workbench.errors import WorkbenchError

__all__ = ["RESERVE", "TRAIN_WINDOWS", "Asked", "Family", "Job", "Metered", "Scored", "Scores", "budget"]

T = TypeVar("T")

TRAIN_WINDOWS = 8
"""Number of windows, of the same length, in which train is measured."""

RESERVE = 0.25
"""Seconds kept for the end."""

_MAX_SHARE = 10.0
"""Maximum share of the first one's score that counts in a window."""

Scores = tuple[int, ...]
"""One for each window."""

Job = tuple[bytes, Sequence[float]]
"""A module, and the numbers for its C{kn_param}."""


@dataclass(frozen=True)
class Scored:
    """
    One that was measured.

    @ivar loss: see `Metered.loss`.
    """

    loss: float
    scores: Scores
    candidate: Candidate


@dataclass(frozen=True)
class _Measured:
    """
    @ivar windows: C{None}: it failed; C{late}: it was too late to measure it.
    @ivar seconds: how long that took.
    """

    windows: list[SplitScore] | None
    seconds: float = 0.0
    late: bool = False


Asked = Sequence["Future[_Measured]"]
"""A batch that is being measured, in the order of its jobs."""


def budget(problem: IProblem, evaluations: int | None) -> int | None:
    """Number of measurements that a search may make: its own bound, else the problem's; C{None}: only time counts."""
    if evaluations is not None or not hasattr(problem, "evaluationsLeft"):
        return evaluations
    return problem.evaluationsLeft()


class Metered:
    """
    An `IProblem` measured on a budget of evaluations.

    With a number of evaluations, and time enough for them, all that is decided depends on the problem alone: the
    results of a batch come in the order of its jobs, however many threads took turns.

    @ivar problem: what is measured on.
    @ivar evaluations: how many were asked for and not too late.
    @ivar seconds: that all measurements took whose results were waited for, one after the other.
    """

    def __init__(
        self,
        problem: IProblem,
        evaluations: int | None = None,
        windows: int = TRAIN_WINDOWS,
        reference: Scores = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        @param problem: where it has no C{measureWindows} all of train is one window.
        @param evaluations: at most so many; C{None}: until the time is over.
        @param reference: with what `loss` compares; empty: the first that is measured.
        @param clock: gives seconds.
        """
        self.problem = problem
        self._limit = math.inf if evaluations is None else evaluations
        self._windows = windows
        self.reference = reference
        self._clock = clock
        # What runs in the sandbox lets go of the interpreter.
        self._pool = ThreadPoolExecutor(max(1, getattr(problem, "jobs", 1)), "kernelnet-measuring")
        self._best: tuple[float, Job, int] | None = None
        self._told: tuple[float, int] | None = None
        self._adds: bool | None = None if hasattr(problem, "measureWindows") else True
        self.evaluations = 0
        self.seconds = 0.0

    def close(self) -> None:
        """End the threads; what nobody waits for is not measured."""
        self._pool.shutdown(cancel_futures=True)

    def over(self) -> bool:
        """Whether nothing more may be measured."""
        return self.evaluations >= self._limit or self._late()

    def measureAll(self, jobs: Iterable[Job]) -> list[Scores | None]:
        """
        Measure several modules.

        @return: for each job its scores; C{None} for one that failed; those there was no budget for are left out at the
            end.
        """
        listed = list(jobs)
        return self.scored(listed, self.ask(listed))

    def ask(self, jobs: Sequence[Job]) -> Asked:
        """Have several modules measured; as many as there is budget for."""
        return self._ask(jobs, lambda job: job)

    def scored(self, jobs: Sequence[Job], asked: Asked) -> list[Scores | None]:
        """Wait for what was asked for; see `measureAll`."""
        results: list[Scores | None] = []
        for job, windows in zip(jobs, self._wait(asked), strict=False):
            scores = tuple(window.score for window in windows) if windows is not None else None
            results.append(scores)
            if scores is not None:
                self.reference = self.reference or scores
                loss = self.loss(scores)
                if self._best is None or loss < self._best[0]:
                    self._best = loss, job, sum(scores)
        return results

    def windowsOf(self, jobs: Iterable[Job]) -> list[list[SplitScore] | None]:
        """The same with all that was measured in each window."""
        return self._wait(self._ask(jobs, lambda job: job))

    def windowsOfSources(self, sources: Iterable[str]) -> list[list[SplitScore] | None]:
        """The same for C sources; what doesn't compile has failed."""
        return self._wait(self._ask(sources, lambda source: (self.problem.compile(source), ())))

    def _ask(self, things: Iterable[T], toJob: Callable[[T], Job]) -> Asked:
        listed = list(things)[: int(min(self._limit - self.evaluations, 1 << 30))]
        self.evaluations += len(listed)
        return [self._pool.submit(self._measured, thing, toJob) for thing in listed]

    def _wait(self, asked: Asked) -> list[list[SplitScore] | None]:
        results: list[list[SplitScore] | None] = []
        late = False
        for measured in [each.result() for each in asked]:
            self.seconds += measured.seconds
            late = late or measured.late
            if not late:
                results.append(measured.windows)
        self.evaluations -= len(asked) - len(results)
        return results

    def _late(self) -> bool:
        return self.problem.secondsLeft() <= RESERVE

    def _measured(self, thing: T, toJob: Callable[[T], Job]) -> _Measured:
        if self._late():
            return _Measured(None, late=True)
        began = self._clock()
        windows = None
        # Such as a queue beyond the memory that a policy may have.
        with contextlib.suppress(WorkbenchError):
            wasm, parameters = toJob(thing)
            if hasattr(self.problem, "measureWindows"):
                windows = self.problem.measureWindows(wasm, parameters, self._windows)
            else:
                windows = [self.problem.measure(wasm, parameters)]
        return _Measured(windows, self._clock() - began)

    def loss(self, scores: Scores) -> float:
        """
        Number that a search minimises: the mean, over windows, of the score as a share of that of the first measured.

        So each window counts the same, however much there is to lose in it; one in which the first had luck does not
        outweigh all others.
        """
        return math.fsum(self._shares(scores)) / len(scores)

    def lateLoss(self, scores: Scores) -> float:
        """The same for the last quarter of train: what comes after is like that rather than like the beginning."""
        # A suite has the windows of its parts one after the other.
        shares = [
            share for at, share in enumerate(self._shares(scores)) if at % self._windows >= self._windows * 3 // 4
        ]
        return math.fsum(shares) / len(shares) if shares else self.loss(scores)

    def _shares(self, scores: Scores) -> list[float]:
        return [min(_MAX_SHARE, (s + 1) / (r + 1)) for s, r in zip(scores, self.reference, strict=True)]

    @property
    def lowest(self) -> float:
        """Loss of the best that was measured; infinite: none was."""
        return self._best[0] if self._best is not None else math.inf

    def tell(self, generation: int) -> None:
        """Tell the trainer how far the search is."""
        if self._best is None:
            return
        loss, job, total = self._best
        if self._told is None or (loss < self._told[0] and not self.over()):
            self._told = loss, self._scoreOf(job, total)
        self.problem.progress(generation, self._told[1])

    def _scoreOf(self, job: Job, total: int) -> int:
        """The score on all of train; C{total} is the sum of its windows', which is the same on some benches."""
        if self._adds:
            return total
        try:
            score = self.problem.measure(*job).score
        except WorkbenchError:
            # Such as a machine that is busier now.
            return total
        self._adds = self._adds is None and score == total
        return score


class Family:
    """
    A kind of policy and a way to search it.

    @ivar name: for people, and to tell families apart.
    @ivar evaluations: how many it has made.
    @cvar repeats: whether the same seed and measurements make it do the same.
    @cvar isGuest: whether it came from elsewhere, and may come and go while a search goes on.
    """

    name = ""
    evaluations = 0
    repeats = True
    isGuest = False

    def start(self, metered: Metered, rng: random.Random) -> None:
        """Begin; nothing is measured yet.  All randomness comes from C{rng}."""
        raise NotImplementedError

    def goOn(self, metered: Metered) -> None:
        """Go on, on the same task, with a new budget, and with what its problem has to suggest now."""
        raise NotImplementedError

    def trySuggested(self) -> None:
        """Measure what the patterns of the task itself suggest, if they suggest anything; called once, at first."""

    def waits(self) -> bool:
        """Whether it has nothing to measure before something comes from outside, such as a language model's answer."""
        return False

    def wait(self, seconds: float) -> bool:
        """Wait until C{waits} is false, for so long at most.  @return: C{False}: it never will be."""
        return True

    def ready(self) -> bool:
        """Whether the next step needs nothing of those that are under way."""
        return True

    def step(self) -> Callable[[], None]:
        """
        Begin to measure one short batch, some tens, by C{metered.ask}; more than is left is cut off there.

        @return: ends the step, when all of it is measured; steps are ended in the order in which they were begun.
        """
        raise NotImplementedError

    def heard(self, gain: float) -> None:
        """Hear by how much the step that ended has made the best of all better: C{before / now - 1}; mostly 0."""

    def tell(self, isBest: bool) -> None:
        """Tell the trainer at the end of a search what there is to tell.  @param isBest: whether the best is of it."""

    def found(self, count: int) -> list[Scored]:
        """The best so far, at most C{count}, best first, and no two of the same scores."""
        raise NotImplementedError

    @property
    def best(self) -> Candidate | None:
        """The best so far."""
        found = self.found(1)
        return found[0].candidate if found else None
