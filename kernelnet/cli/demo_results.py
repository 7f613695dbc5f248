"""Results of the demo: progress while it runs, and at its end what was found and who confirmed it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich import box
from rich.table import Table
from rich.text import Text

from kernelnet.artifacts import Component, Verdict
from kernelnet.hub.storage import offline
from kernelnet.hub.storage.transaction import Reader
from kernelnet.interfaces import IScenario, IWorkbench
from kernelnet.plugins import available
from kernelnet.untrusted import plain
from kernelnet.workbench.errors import Unmeasurable
from kernelnet.workbench.suite import UNIT, Suite, scenarioOf

__all__ = ["Field", "Result", "firstConfirmed", "progressLines", "progressTable", "resultTable", "results"]


class Result(Struct):
    """
    One component as this process measured it on the held-out part of its trace.

    @ivar confirmedBy: the AIs other than the author whose re-measurement agreed.
    @ivar score: in the workbench's unit; C{level}: share of the distance from the reference policy to the optimum.
    """

    id: str
    author: str
    origin: str
    confirmedBy: list[str]
    score: int
    level: float


class Field(Struct):
    """
    One task: what there is to beat on its held-out part, and what was found.

    @ivar ratio: what score by C{events} is called, such as C{"miss ratio"}.
    @ivar reference, baseline, optimum: scores of the reference policy, the best hand-made one and the optimum.
    @ivar refuted: how many components did not measure here as they claim.
    """

    workbench: str
    trace: str
    settings: str
    ratio: str
    events: int
    reference: int
    referenceName: str
    baseline: int
    baselineName: str
    baselineLevel: float
    optimum: int
    optimumName: str
    results: list[Result] = []
    refuted: int = 0


def results(database: Path, traces: list[Path]) -> list[Field]:
    """
    Results of the components that the hub's database holds.

    Each of them, the hand-made policies and the optimum are measured here and now.

    @param traces: where the components were measured, besides the traces that ship.
    """
    from kernelnet.learning.verification import remeasure

    benches = {bench.name: bench for bench in available(IWorkbench)}
    fields: dict[tuple[str, str], Field] = {}
    for author, component, confirmedBy, origin in _components(database):
        manifest = component.manifest
        bench = benches.get(manifest.workbench) if manifest is not None else None
        if manifest is None or manifest.report is None or bench is None:
            continue
        try:
            scenario = scenarioOf(bench, manifest.report, [*traces, *bench.traces()])
        except Unmeasurable:
            continue
        field = fields.setdefault((scenario.traceDigest, str(scenario.settings)), _field(scenario))
        verdict, _, report = remeasure(component, scenario)
        if verdict is not Verdict.CONFIRMED or report is None:
            field.refuted += 1
            continue
        score, level = report.splits["held_out"].score, scenario.developmentLevel(report)
        field.results.append(Result(component.id, author, origin, confirmedBy, score, level))
    return sorted(fields.values(), key=lambda field: (field.workbench, field.trace, field.settings))


def _field(scenario: IScenario) -> Field:
    from kernelnet.learning.hindsight import chosenOnTrain

    baselines = scenario.baselines()
    hand = {name: report.splits["held_out"].score for name, report in baselines.items()}
    # The one that anybody would have taken who had not seen the held-out part.
    best = chosenOnTrain(scenario)
    bench = scenario.workbench
    return Field(
        workbench=bench.name,
        trace=scenario.trace,
        settings=", ".join(f"{name} {value}" for name, value in sorted(scenario.settings.items())),
        # of a generalist's score the reference has UNIT a part
        ratio="cost" if isinstance(scenario, Suite) else bench.ratio,
        events=UNIT * len(scenario.parts) if isinstance(scenario, Suite) else scenario.events["held_out"],
        reference=hand[bench.reference],
        referenceName=bench.reference,
        baseline=hand[best],
        baselineName=best,
        baselineLevel=scenario.developmentLevel(baselines[best]),
        optimum=scenario.optimum()["held_out"],
        optimumName=bench.optimumName,
    )


def _components(database: Path) -> Iterable[tuple[str, Component, list[str], str]]:
    with offline.reading(database) as reader:
        sessions = _madeIn(reader)
        for stored in reader.components.inOrder():
            verdicts = reader.reports.verdicts(stored.digest, stored.author)
            confirmed = sorted({aiId for aiId, verdict in verdicts if verdict == Verdict.CONFIRMED.value})
            component = msgspec.json.decode(stored.body, type=Component)
            yield stored.author, component, confirmed, sessions.get(component.id, "own search")


def _madeIn(reader: Reader) -> dict[str, str]:
    """By component: of what type the session was that it was sent in, by either of the two."""
    outcomes = list(reader.sessions.outcomes())
    made = {outcome.component: outcome.type for outcome in outcomes if outcome.component}
    for outcome in outcomes:
        for step in msgspec.json.decode(outcome.transcript) if outcome.transcript else ():
            if step["what"] == "send" and step.get("component"):
                made.setdefault(step["component"], outcome.type)
    return made


def firstConfirmed(database: Path) -> tuple[datetime, str, str] | None:
    """By the hub's log: when the first component was confirmed by another AI than its author, which, and by whom."""
    with offline.reading(database) as reader:
        first = reader.log.firstConfirmation()
    return (datetime.fromisoformat(first.timestamp), first.componentId, first.reporter) if first else None


def resultTable(field: Field) -> Table:
    """All that competes on one task, best first: components among reference, best hand-made policy and optimum."""
    title = f"{field.workbench}, {plain(field.trace)}, {field.settings}: {field.ratio} on the held-out part"
    table = Table(title=Text(title), box=box.SIMPLE_HEAD)
    table.add_column("component", no_wrap=True)
    for column in ("author", "made in", "confirmed by"):
        table.add_column(column)
    for column in ("score", "level"):
        table.add_column(column, justify="right", no_wrap=True)
    known = [
        (field.optimum, field.optimumName, "offline", 1.0),
        (field.baseline, field.baselineName, "best by hand", field.baselineLevel),
        (field.reference, field.referenceName, "by hand", 0.0),
    ]
    rows = [(score, (Text(name, "italic"), "", made, ""), level) for score, name, made, level in known]
    for r in field.results:
        # as they are: what looks like markup is none
        cells = (Text(plain(r.id)), r.author, r.origin.replace("_", " "), ", ".join(r.confirmedBy) or "nobody yet")
        rows.append((r.score, cells, r.level))
    for score, cells, level in sorted(rows, key=lambda row: row[0]):
        table.add_row(*cells, f"{score / max(1, field.events):.4f}", f"{level:.3f}")
    return table


def progressLines(progress: list[dict[str, Any]], secondsLeft: float) -> list[str]:
    """A plain line for each trainer."""
    return [f"{max(0.0, secondsLeft):5.0f} s left  " + "  ".join(_cells(p)) for p in progress]


def progressTable(progress: list[dict[str, Any]], secondsLeft: float) -> Table:
    """The same for a terminal."""
    table = Table(title=f"{max(0.0, secondsLeft):.0f} s left")
    for column in ("AI", "trains on", "round, generation", "best on train", "components", "sessions"):
        table.add_column(column)
    for p in progress:
        table.add_row(*map(Text, _cells(p)))
    return table


def _cells(p: dict[str, Any]) -> list[str]:
    if "rounds" not in p:
        return [p["ai_id"], "starting", "", "", "", ""]
    # not those that another partner was quicker to accept
    sessions = ", ".join(f"{n} {state}" for state, n in p["sessions"].items() if state != "expired") or "no sessions"
    return [
        p["ai_id"],
        plain((p["scenario"] or {}).get("trace", "-")),
        f"round {p['rounds'] + 1} generation {p['generation']}",
        f"best {p['best']} {(p['scenario'] or {}).get('unit', '')}".strip() if p["best"] is not None else "",
        f"{p['built']} built {p['confirmed']} confirmed {p['to_measure']} to measure",
        sessions,
    ]
