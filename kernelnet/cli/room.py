"""Room of a workbench: the best hand-made policy in hindsight beside the optimum, measured here and now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from msgspec import Struct
from rich.text import Text

from kernelnet.cli.policy_comparison import measureBaselines, steps
from kernelnet.cli.progress import Counted, Tell
from kernelnet.cli.tables import Column, heading, plainConsole, printRows
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.learning.hindsight import bestInHindsight, chosenOnTrain
from kernelnet.untrusted import plain
from kernelnet.workbench.words import taskInWords

__all__ = ["Room", "measureRoom", "printRoom"]

LEGEND = (
    "each number: score by event on held-out of the trace as it is, lower is better, measured just now; room: what part"
    " of the score of the best hand-made policy in hindsight the optimum, which knows the future, does without; level:"
    " share of the distance from the reference to the optimum that this policy closes"
)


class Room(Struct):
    """
    One trace with settings; scores are on held-out.

    @ivar chosen_on_train, best_in_hindsight: names of hand-made policies; see `kernelnet.learning.hindsight`.
    @ivar level: of the best in hindsight, C{chosen_level}: of the one that was chosen on train.
    @ivar room: share of C{best_score} that the optimum does without; C{None} where that is 0.
    """

    trace: str
    settings: dict[str, int]
    task: str
    events: int
    reference_score: int
    chosen_on_train: str
    chosen_score: int
    chosen_level: float
    best_in_hindsight: str
    best_score: int
    level: float
    optimum_score: int
    room: float | None


def measureRoom(workbenches: Sequence[IWorkbench], tell: Tell) -> dict[str, list[Room]]:
    """
    By the name of each workbench its room on the traces that ship with it, with the settings that trainers train with.

    @param tell: is told how many measurements there were, and of how many.
    @raise WorkbenchError: a hand-made policy fails, or a trace can't be read.
    """
    from kernelnet.workbench.engine import cores

    scenarios = {bench.name: list(_scenarios(bench, tell)) for bench in workbenches}
    every = [scenario for each in scenarios.values() for scenario in each]
    measured = Counted(sum(map(steps, every))).to(tell)
    with ThreadPoolExecutor(cores()) as pool:
        try:
            rooms = iter(list(pool.map(partial(_roomOf, measured=measured), every)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return {name: [next(rooms) for _ in each] for name, each in scenarios.items()}


def _scenarios(workbench: IWorkbench, tell: Tell) -> Iterator[IScenario]:
    for path in workbench.traces():
        tell(f"reading {path.name}", 0, None)
        yield from (workbench.scenario(path, settings) for settings in workbench.tasks(path))


def _roomOf(scenario: IScenario, measured: Callable[[], object]) -> Room:
    """Worker thread."""
    measureBaselines(scenario, measured)
    baselines, optimum = scenario.baselines(), scenario.optimum()["held_out"]
    scores = {name: report.splits["held_out"].score for name, report in baselines.items()}
    chosen, best = chosenOnTrain(scenario), bestInHindsight(scenario)
    return Room(
        trace=scenario.trace,
        settings=dict(scenario.settings),
        task=taskInWords(scenario.workbench, scenario.trace, scenario.settings),
        events=scenario.events["held_out"],
        reference_score=scores[scenario.workbench.reference],
        chosen_on_train=chosen,
        chosen_score=scores[chosen],
        chosen_level=round(scenario.developmentLevel(baselines[chosen]), 6),
        best_in_hindsight=best,
        best_score=scores[best],
        level=round(scenario.developmentLevel(baselines[best]), 6),
        optimum_score=optimum,
        room=round(1 - optimum / scores[best], 6) if scores[best] else None,
    )


def printRoom(workbenches: Sequence[IWorkbench], rooms: Mapping[str, Sequence[Room]]) -> None:
    """A table for each workbench, since each counts something else."""
    columns = (
        Column("on", least=12),
        Column("reference", leave=3, right=True),
        Column("chosen on train", least=10, leave=2),
        Column("best in hindsight", least=10),
        Column("level", leave=1, right=True),
        Column("optimum", right=True),
        Column("room", right=True),
    )
    for bench in workbenches:
        found = rooms[bench.name]
        title = f"{bench.name}: {plain(bench.ratio)}, from {bench.reference} to {bench.optimumName}"
        if found:
            printRows(columns, [_row(one) for one in found], title)
        else:
            plainConsole().print(heading(f"{bench.name}: no trace ships with it"))
    console = plainConsole()
    console.print(Text(LEGEND, "dim"), soft_wrap=not console.is_terminal)


def _row(room: Room) -> tuple[str, ...]:
    each = [score / max(1, room.events) for score in (room.reference_score, room.chosen_score, room.best_score)]
    each.append(room.optimum_score / max(1, room.events))
    digits = 4 if each[0] < 10 else 2 if each[0] < 1000 else 0
    reference, chosen, best, optimum = (f"{value:.{digits}f}" for value in each)
    return (
        plain(room.task),
        reference,
        f"{plain(room.chosen_on_train)} {chosen}",
        f"{plain(room.best_in_hindsight)} {best}",
        f"{room.level:.3f}",
        optimum,
        "-" if room.room is None else f"{room.room:.0%}",
    )
