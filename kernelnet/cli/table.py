"""What the demo prints: progress while it runs, and at its end what was found and who confirmed it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich.table import Table
from rich.text import Text

from kernelnet.message import Component, Verdict
from kernelnet.wire import plain

__all__ = ["Result", "progressLines", "progressTable", "resultTable", "results"]


class Result(Struct):
    """
    One component, with what this process measured beside it on the held-out part of the same trace.

    @ivar confirmedBy: the AIs other than the author whose re-measurement agreed.
    @ivar score: held-out misses of the component, C{events} its requests.
    @ivar reference: misses of the reference policy (LRU); C{bestHandMade}: of the best hand-made one on held-out.
    """

    id: str
    author: str
    origin: str
    trace: str
    confirmedBy: list[str]
    events: int
    score: int
    reference: int
    bestHandMade: int
    bestHandMadeName: str
    optimum: int
    level: float


def results(database: Path, traces: list[Path]) -> list[Result]:
    """
    What the hub's database holds, each component beside baselines and optimum that are measured here and now.

    @param traces: where the components were measured; empty: the traces that ship.
    """
    from kernelnet.workbench.errors import Unmeasurable
    from kernelnet.workbench.file_system import workbench

    paths = traces or workbench.traces()
    found = []
    for author, component, confirmedBy, origin in _components(database):
        manifest = component.manifest
        if manifest is None or manifest.report is None:
            continue
        try:
            scenario = workbench.scenarioFor(manifest.report, paths)
        except Unmeasurable:
            continue
        claimed = manifest.report.splits["held_out"]
        hand = {name: report.splits["held_out"].score for name, report in scenario.baselines().items()}
        best = min(hand, key=lambda name: hand[name])
        found.append(
            Result(
                id=component.id,
                author=author,
                origin=origin,
                trace=scenario.trace,
                confirmedBy=confirmedBy,
                events=claimed.events,
                score=claimed.score,
                reference=hand[workbench.reference],
                bestHandMade=hand[best],
                bestHandMadeName=best,
                optimum=scenario.optimum()["held_out"],
                level=scenario.developmentLevel(manifest.report),
            )
        )
    return sorted(found, key=lambda r: (r.trace, -len(r.confirmedBy), r.score))


def _components(database: Path) -> Iterable[tuple[str, Component, list[str], str]]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        sessions = dict(
            connection.execute("SELECT component, type FROM collaboration_sessions WHERE component IS NOT NULL")
        )
        rows = connection.execute(
            "SELECT ai_id, digest, body FROM shared_components WHERE kind = 'component' ORDER BY seq"
        ).fetchall()
        for author, digest, body in rows:
            reporters = connection.execute(
                "SELECT DISTINCT ai_id FROM performance_reports WHERE digest = ? AND verdict = ? AND ai_id != ?"
                " ORDER BY ai_id",
                (digest, Verdict.CONFIRMED.value, author),
            ).fetchall()
            component = msgspec.json.decode(body, type=Component)
            yield author, component, [r for (r,) in reporters], sessions.get(component.id, "own search")
    finally:
        connection.close()


def resultTable(found: list[Result]) -> Table:
    table = Table(title="miss ratio on the held-out part (lower is better)")
    for column in ("trace", "component", "author", "made in", "confirmed by"):
        table.add_column(column)
    for column in ("component", "LRU", "best by hand", "optimum", "level"):
        table.add_column(column, justify="right", no_wrap=True)
    for r in found:
        table.add_row(
            # as they are: what looks like markup is none
            Text(plain(r.trace)),
            Text(plain(r.id)),
            r.author,
            r.origin.replace("_", " "),
            ", ".join(r.confirmedBy) or "nobody",
            _ratio(r.score, r.events),
            _ratio(r.reference, r.events),
            f"{r.bestHandMadeName} {_ratio(r.bestHandMade, r.events)}",
            _ratio(r.optimum, r.events),
            f"{r.level:.3f}",
        )
    return table


def _ratio(score: int, events: int) -> str:
    return f"{score / max(1, events):.4f}"


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
    sessions = ", ".join(f"{n} {state}" for state, n in p["sessions"].items()) or "no sessions"
    return [
        p["ai_id"],
        plain((p["scenario"] or {}).get("trace", "-")),
        f"round {p['rounds'] + 1} generation {p['generation']}",
        f"best {p['best'] if p['best'] is not None else '-'}",
        f"{p['built']} built {p['confirmed']} confirmed {p['to_measure']} to measure",
        sessions,
    ]
