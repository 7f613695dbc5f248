"""
Reasons why a module fails, for who wrote its source: at which event, in which function, and where its fuel goes.

The source is compiled once more, with names and without inlining.  Where it fails is found by repeating the run in
windows, ever shorter ones around the failure.  Where its fuel goes is found by sampling: a run that is given less fuel
ends in the function in which that is used up, and runs with evenly spaced amounts of it find functions in proportion to
what they use (a sampling profiler, whose clock is the fuel; so its result is the same everywhere).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from kernelnet.artifacts import SplitScore
from kernelnet.workbench.base import BaseScenario
from kernelnet.workbench.compiler import compileC
from kernelnet.workbench.errors import ComponentError, OutOfFuel

__all__ = ["Failure", "FuelAccount", "failureOf", "fuelByFunction", "namedModule"]

SAMPLES = 32
"""Number of runs that show where fuel goes."""

_PIECES = 64
"""Number of windows in which a failure is looked for: four runs for sixteen million events."""

_FLAGS = ("-g1", "-fno-inline")
"""Names of functions, and each of them on its own; lines would make modules too large."""


@dataclass(frozen=True)
class FuelAccount:
    """
    Fuel of a run up to some event.

    @ivar events: of the run; C{used}: fuel that it took; C{limit}: that it was given.
    @ivar first, last: fuel an event at its beginning and at its end.
    """

    events: int
    used: int
    limit: int
    first: float
    last: float


@dataclass(frozen=True)
class Failure:
    """
    Account of a failure.

    @ivar error: how it fails; C{function}: in which of the source's functions, and who called it, innermost first.
    @ivar event: the first event with which it fails, counted from 0; C{split}: whose that is.
    @ivar before: the run up to about there; C{None}: it fails at its beginning.
    @ivar shares: by function, its share of the fuel up to there, the largest first; empty where nothing ran.
    """

    error: ComponentError
    functions: tuple[str, ...]
    event: int
    split: str
    before: FuelAccount | None
    shares: dict[str, float]


def namedModule(source: str, scenario: BaseScenario) -> bytes:
    """
    Worker thread.  Compile a source for diagnosis: it does the same, and takes a little more fuel.

    @raise kernelnet.workbench.errors.CompileError: see `compileC`.
    """
    return compileC(source, scenario.workbench.headerPath, flags=_FLAGS)


def failureOf(
    scenario: BaseScenario, wasm: bytes, named: bytes, *, upTo: str = "validation", look: Callable[[], object]
) -> Failure | None:
    """
    Worker thread.  Find out how a module fails.

    @param named: see `namedModule`.
    @param look: called before each run; what it raises ends all.
    @return: C{None}: up to the end of that split it doesn't fail.
    """
    splits = scenario.machine.trace.windows(upTo)
    low, high = 0, splits[-1][2]
    error = before = None
    while error is None or high - low > 1:
        pieces = _pieces(low, high, splits[-1][2])
        look()
        try:
            scenario.machine.run(wasm, scenario.settings, windows=pieces)
            return None
        except ComponentError as failed:
            error = failed
        done = list(error.done.values())
        before = before or (_account(done, scenario.machine.fuelLimit(splits[-1][2], scenario.settings)))
        low, high = pieces[len(done)][1:]
    split = next(name for name, _, last in splits if low < last)
    # where it is slower with names, it may fail a little earlier, but in the same function
    inside = _failure(scenario, named, upTo, look) or error
    used = scenario.machine.fuelLimit(splits[-1][2], scenario.settings)
    shares = fuelByFunction(scenario, named, used, upTo, look) if isinstance(error, OutOfFuel) else {}
    return Failure(error, tuple(filter(None, inside.functions)), low, split, before, shares)


def fuelByFunction(
    scenario: BaseScenario, named: bytes, used: int, upTo: str, look: Callable[[], object]
) -> dict[str, float]:
    """
    Worker thread.  Shares of a run's fuel, by function; the bench's own part is C{"(the bench)"}.

    @param used: fuel that the run takes, or a part of it.
    """
    found: Counter[str] = Counter()
    for sample in range(SAMPLES):
        error = _failure(scenario, named, upTo, look, used * (2 * sample + 1) // (2 * SAMPLES))
        if isinstance(error, OutOfFuel):
            found[next(iter(error.functions), "") or "(the bench)"] += 1
    total = sum(found.values())
    return {name: count / total for name, count in found.most_common()}


def _failure(
    scenario: BaseScenario, wasm: bytes, upTo: str, look: Callable[[], object], fuel: int | None = None
) -> ComponentError | None:
    look()
    try:
        scenario.machine.run(wasm, scenario.settings, upTo=upTo, fuel=fuel)
    except ComponentError as error:
        return error
    return None


def _pieces(low: int, high: int, end: int) -> list[tuple[str, int, int]]:
    """A run to C{end} in windows, of which those between C{low} and C{high} are short."""
    cuts = [low + (high - low) * at // _PIECES for at in range(_PIECES + 1)] if high - low > _PIECES else []
    edges = sorted({0, *(cuts or range(low, high + 1)), end})
    return [(str(start), start, after) for start, after in pairwise(edges)]


def _account(done: list[SplitScore], limit: int) -> FuelAccount | None:
    """C{None}: it failed in its first window."""
    if not done:
        return None
    events = sum(score.events for score in done)
    each = [score.fuel / max(1, score.events) for score in done]
    return FuelAccount(events, sum(score.fuel for score in done), limit, each[0], each[-1])
