"""Result of a search, and the C file that C{kernelnet bench train} writes of it, with a comment that says all."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernelnet.artifacts import Candidate, Component, Report
from kernelnet.cli.policy_comparison import MeasuredComponent, unitOf
from kernelnet.cli.policy_table import settingsText
from kernelnet.interfaces import IScenario
from kernelnet.untrusted import plain
from kernelnet.workbench.compiler import compileC, compilerVersion
from kernelnet.workbench.suite import Suite

REFUSED_WORDS = "REFUSED: it did not pass the guard"

__all__ = ["REFUSED_WORDS", "Trained", "againCommand", "inOrder", "sourceFile"]


@dataclass
class Trained:
    """
    @ivar found: what the search found, measured on all parts; C{None} if there was nothing that runs.
    @ivar accepted: whether it passed the guard, and C{reason}: why, for people.
    @ivar candidate: as the generator wrote it, and C{wasm}: what that compiles to.
    @ivar component: what passed the guard.
    """

    accepted: bool
    reason: str
    candidate: Candidate | None = None
    found: MeasuredComponent | None = None
    wasm: bytes = b""
    component: Component | None = None


def sourceFile(
    scenario: IScenario, trained: Trained, *, generator: str, seed: int, told: str, again: Sequence[str]
) -> str:
    """
    The C file: what the generator wrote, with a comment that says what it is and how it was measured.

    @param told: how it was searched for, for people; C{again}: the commands that measure it again.
    """
    candidate = trained.candidate
    assert candidate is not None
    workbench = scenario.workbench
    lines = [f"A component for kernelnet's workbench {workbench.name}, found by `kernelnet bench train`.", ""]
    if not trained.accepted:
        lines.append(f"{REFUSED_WORDS}, so there is no reason to believe that it is any good.")
    lines += [
        f"what       {candidate.note or 'the generator does not say'}",
        f"kind       {'generalist' if isinstance(scenario, Suite) else 'specialist'}",
        f"guard      {trained.reason}",
        *([f"           in {unitOf(scenario)}"] if isinstance(scenario, Suite) else []),
        f"generator  {generator}, seed {seed}, {told}",
        f"workbench  sha256 {workbench.digest}",
        f"compiler   {compilerVersion()}",
    ]
    if trained.found is not None:
        lines += [f"engine     {trained.found.report.engine}", f"ABI        {trained.found.abi}"]
    for part, report in inOrder(scenario, trained.found.report if trained.found is not None else None):
        lines += [
            "",
            f"trace      {part.trace}, sha256 {part.traceDigest}",
            f"settings   {settingsText(part.settings)}",
            *_scoreLines(part, report),
        ]
    lines += ["", "Measure it again:", *(f"    {command}" for command in again)]
    comment = "".join(f" * {_tame(line)}".rstrip() + "\n" for line in lines)
    source = candidate.source if candidate.source.endswith("\n") else candidate.source + "\n"
    text = f"/*\n{comment} */\n{source}"
    if trained.wasm and compileC(text, workbench.headerPath, trusted=True) != trained.wasm:
        # It depends on its lines' numbers: what was measured must be what is written.
        text = f"{source}/*\n{comment} */\n"
    return text


def inOrder(scenario: IScenario, report: Report | None) -> list[tuple[IScenario, Report | None]]:
    """The parts of a suite, or the one scenario, each with its report; by trace and settings."""
    if not isinstance(scenario, Suite):
        return [(scenario, report)]
    reports: Sequence[Report | None] = report.parts if report is not None else [None] * len(scenario.parts)
    pairs = list(zip(scenario.parts, reports, strict=True))
    return sorted(pairs, key=lambda pair: (pair[0].trace, sorted(pair[0].settings.items())))


def _scoreLines(scenario: IScenario, report: Report | None) -> list[str]:
    if report is None:
        return []
    unit, reference, ideal = scenario.workbench.unit, scenario.workbench.reference, scenario.workbench.optimumName
    lines = [f"{'':<11}{unit[:16]:>16}{'events':>12}{'fuel':>16}   level ({reference} 0, {ideal} 1)"]
    for split, score in report.splits.items():
        level = scenario.developmentLevel(report, split)
        row = f"{split.replace('_', '-'):<11}{score.score:>16}{score.events:>12}{score.fuel:>16}   {level:.4f}"
        lines.append(row + "".join(f"  {name} {value}" for name, value in score.metrics.items()))
    return lines


def _tame(line: str) -> str:
    """Words of a generator's or a file's name, fit for a comment: they can't end it, nor begin another line."""
    return plain(line, 1000).replace("*/", "* /").replace("/*", "/ *").rstrip("\\")


def againCommand(workbench: str, out: Path, trace: Path, settings: Mapping[str, int]) -> str:
    """Command that measures what was written again, on one trace."""
    words = ["kernelnet", "bench", "run", workbench, "--component", str(out), "--trace", str(trace)]
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    return shlex.join(words)
